import type { Socket } from 'node:net';

/** How long a connection that the server has ended may stay open at its client's end, in milliseconds. */
const LINGER_MS = 2_000;
/** What its client may still send, in bytes: it is read and dropped. */
const LINGER_BYTES = 1024 * 1024;

/** Bytes that had been read of a connection when it began to close. A property, which costs less than a weak map. */
const CLOSING = Symbol('closing');
type Closing = Socket & { [CLOSING]?: number };

/**
 * Closes a connection in stages (RFC 9112, section 9.6): sends what is left and ends it; reads and drops what still comes,
 * since a reset would take the last answer from its client; destroys it when the client has closed its half, has sent
 * too much, or does neither for a time. May be called again.
 */
export function closeSoon(socket: Closing, last?: string): void {
  const began = socket[CLOSING];
  if (began !== undefined && socket.bytesRead - began > LINGER_BYTES) socket.destroy();
  if (began !== undefined || socket.destroyed) return;
  socket[CLOSING] = socket.bytesRead;
  const late = setTimeout(() => socket.destroy(), LINGER_MS);
  socket
    .on('error', () => {}) // its client has reset it
    .on('data', () => closeSoon(socket))
    .once('end', () => socket.destroy())
    .once('close', () => clearTimeout(late));
  // Node makes an error, with its stack, of an end after the end. Most clients leave that way: each would cost 30 µs.
  if (socket.writableEnded) return;
  if (last === undefined) socket.end();
  else socket.end(last);
}
