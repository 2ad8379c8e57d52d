import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SqliteStore } from '../../edge/store/sqlite-store.js';
import type { Exchange } from '../exchange.js';
import { EventLog } from '../log/log.js';
import { Waiting } from '../waiting.js';
import { stream } from './stream.js';

test('a client that has left before its stream begins leaves no cursor and no waiter behind', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'polling-lab-stream-'));
  const log = await EventLog.open(SqliteStore.at(folder), { events: 10, eventBytes: 1e6, jobs: 10, jobBytes: 1e6 });
  try {
    const waiting = new Waiting(log.delivery, 10);
    const settings = { heartbeatMs: 1_000_000, retryMs: 1_000 };
    const joins = (ended: boolean) => {
      const lifetime = { ended, onEnd: (callback: () => void) => ended && callback() };
      const res = { writableEnded: ended, write: () => true, end: () => {} };
      const x = { context: { log, waiting, settings }, lifetime, res, openStream: () => {} };
      stream(x as unknown as Exchange, log.all, { after: 0, resumed: true });
      return [log.all.readers.size, waiting.count];
    };
    expect(joins(true)).toEqual([0, 0]);
    expect(joins(false)).toEqual([1, 1]); // one that is there is counted
    waiting.stop();
  } finally {
    await log.close();
    rmSync(folder, { recursive: true });
  }
});
