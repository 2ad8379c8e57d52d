// @ts-check
import { createServer } from 'node:net';

/**
 * Listens on a port of 127.0.0.1 for a moment. Resolves with the port, which is free again. Rejects with Node's error
 * (`EADDRINUSE`, say) when the port cannot be used.
 * @param {number} [port] 0 for any free one
 * @returns {Promise<number>}
 */
export function tryPort(port = 0) {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}
