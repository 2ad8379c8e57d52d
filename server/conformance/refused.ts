import { expect } from 'vitest';
import { type Exit, LocalServer, type StartOptions } from './server.js';
import { within } from './within.js';

/** Starts a server that is expected to refuse a data folder, in a plain sentence; returns what it said. */
export async function refused(data: string, options: StartOptions = {}): Promise<Exit & { stderr: string }> {
  const server = new LocalServer([], data, options);
  try {
    const exit = await within(server.exited, () => `the server to give up; ${server.stderr}`, 80_000);
    expect(exit.code).toBeGreaterThan(0);
    expect(server.stdout).toBe('');
    expect(server.stderr).not.toMatch(/\n\s+at /);
    return { ...exit, stderr: server.stderr };
  } finally {
    server.kill('SIGKILL');
    await server.exited;
  }
}
