import { afterAll, beforeAll, vi } from 'vitest';
import { connect } from '../instruments/connect.js';
import { type OwnServer, startServer } from '../instruments/own-server.js';

/** Gives the tests of a file, or of a `describe`, a server that the exercises find. It is told of nothing that they print. */
export function withServer(): void {
  let own: OwnServer;
  beforeAll(async () => {
    own = await startServer();
    vi.stubEnv('POLLING_LAB_URL', own.url);
    vi.spyOn(console, 'log').mockImplementation(() => {});
    await connect();
  }, 60_000);
  afterAll(async () => {
    vi.unstubAllEnvs();
    await own?.kill();
  });
}
