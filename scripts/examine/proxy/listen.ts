import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startOnPort } from '../../shared/ports.mjs';
import { Problem } from '../../shared/problem.mjs';

/** Listens on 127.0.0.1. Returns the port. Error: a {@link Problem}, if the port that was asked for is taken. */
export async function listen(server: Server, port?: number): Promise<number> {
  const begin = async (candidate: number) => {
    await once(server.listen(candidate, '127.0.0.1'), 'listening').catch((error: NodeJS.ErrnoException) => {
      const details = error.code === 'EADDRINUSE' ? 'address already in use' : '';
      throw new Problem(`Port ${candidate} cannot be used (${error.code}). Choose another with --port.`, {
        details,
      });
    });
  };
  await startOnPort(begin, port);
  return (server.address() as AddressInfo).port;
}
