// @ts-check
import { randomInt } from 'node:crypto';
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

/**
 * A free port for a process that must find it free again when it is started once more. Systems give outgoing connections
 * ports from 32768 (Linux, ip(7)) or 49152 on (RFC 6335, section 6); this one is below them.
 * @returns {Promise<number>}
 */
export async function lastingPort() {
  for (let tries = 0; tries < 100; tries++) {
    const port = await tryPort(randomInt(20_000, 30_000)).catch(() => null);
    if (port !== null) return port;
  }
  return tryPort();
}

/** Whether a program says that a port of its is taken (EADDRINUSE). */
export const saysPortTaken = (/** @type {string} */ said) => /address already in use/i.test(said);

/**
 * Starts a program that listens on a port: on `port`; without one, on any free port, and on another where the program says that
 * somebody else took it first.
 * @template T
 * @param {(port: number) => Promise<T>} start rejects with a `Problem` whose `details` are what the program said
 * @param {number} [port]
 * @returns {Promise<T>}
 */
export async function startOnPort(start, port) {
  if (port) return start(port);
  for (let tries = 1; ; tries++) {
    try {
      return await start(await lastingPort());
    } catch (error) {
      const { details = '' } = /** @type {{ details?: string }} */ (error);
      if (tries === 3 || !saysPortTaken(details)) throw error;
    }
  }
}
