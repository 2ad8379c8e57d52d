import net from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { NotReadable, NotWritable } from '../../core/log/errors.js';
import { type Change, type Committed, StoreError } from '../../core/log/store.js';
import { type FalseEngine, type FalseReply, openFalseEngine, resp } from './false-engine.js';
import { LOG } from './link.js';
import { RedisStore } from './redis-store.js';

// An engine that answers nonsense, by a fault or since it is none. It must be said clearly, harm nothing, and end when the engine is well.

const BOUNDS = { events: 100, eventBytes: 1e6, jobs: 100, jobBytes: 1e6 };
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
  vi.restoreAllMocks();
});

const start = (url: string) => {
  const store = new RedisStore(url, { name: 'test', leaseMs: 60_000, uploads: 'none' });
  const told: Committed[] = [];
  closing.push(() => store.abandon());
  return { store, told, open: () => store.open(BOUNDS, (committed) => told.push(...committed)) };
};

const engine = async (replies: Record<string, FalseReply> = {}): Promise<FalseEngine> => {
  const opened = await openFalseEngine();
  closing.push(opened.close);
  Object.assign(opened.replies, replies);
  return opened;
};

const change = (): Change => {
  const job = {
    ...{ jobId: 'x', spec: { kind: 'manual' as const }, state: 'running' as const, progress: 0, version: 1 },
    ...{ createdAt: '', startedAt: null, finishedAt: null, result: null, error: null, key: null },
  };
  return { event: { jobId: 'x', event: 'queued', data: '{}', at: '' }, job, first: 0, last: 0 };
};

/** Waits until it holds, which takes long on a busy machine. */
const until = (holds: () => boolean | Promise<boolean>) => vi.waitUntil(holds, { timeout: 20_000, interval: 20 });
const answers = (store: RedisStore) =>
  until(() =>
    store.fresh().then(
      () => true,
      () => false,
    ),
  );

const GARBAGE = 'SSH-2.0-OpenSSH_9.2\r\n';
/** The beginning of a reply, and the end of the connection. */
const brokenOff: FalseReply = (socket) => {
  socket.end('*3\r\n:0\r\n*2\r\n$5\r\nab');
};

test('what is no engine is told in a sentence when the server starts', async () => {
  const http = net.createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  closing.push(() => http.close());
  const cases: [string, RegExp][] = [
    [`redis://127.0.0.1:${(http.address() as net.AddressInfo).port}`, /what answers there is no Redis or Valkey/],
    [(await engine({ HELLO: GARBAGE })).url, /what answers there is no Redis or Valkey/],
    [(await engine({ hello: resp(['nonsense']) })).url, /gave a reply that no Redis or Valkey gives: \["nonsense"\]/],
    [(await engine({ hello: resp(['aaaaaaaa', 0, ['odd']]) })).url, /gave a reply that no Redis or Valkey gives/],
    [(await engine({ hello: '-ERR no script today\r\n' })).url, /: no script today\)/],
    [(await engine({ snapshot: brokenOff })).url, /closed/],
    [(await engine({ join: resp(7) })).url, /gave a reply that no Redis or Valkey gives: 7/],
    [(await engine({ snapshot: resp([1, ['x', '1 1 1 '], []]) })).url, /the job x .* cannot be read/],
    [
      (await engine({ HELLO: '-WRONGPASS invalid username-password pair\r\n' })).url,
      /WRONGPASS invalid username-password pair/,
    ],
  ];
  await Promise.all(
    cases.map(async ([url, message]) => {
      const error = await start(url)
        .open()
        .catch((error: Error) => error);
      expect(error).toBeInstanceOf(StoreError);
      expect((error as Error).message).toMatch(message);
      expect((error as Error).message.length).toBeLessThan(500);
    }),
  );
}, 20_000);

test.each<[string, string, FalseReply]>([
  ['HMGET', 'garbage', GARBAGE],
  ['HMGET', 'a reply of another type', resp(7)],
  ['HMGET', 'a position that is none', resp(['aaaaaaaa', '-1'])],
  ['HMGET', 'half of a reply', brokenOff],
  ['HMGET', 'a list of more than there may be', '*99999999999\r\n'],
  ['commit', 'a list of another type', resp([1, 2])],
  ['commit', 'half of a reply', brokenOff],
])(
  '%s is answered with %s: requests get an error, and are served again when the engine is well',
  async (name, _, reply) => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => {});
    const one = await engine();
    const { store, told, open } = start(one.url);
    await open();
    await store.fresh();
    one.replies[name] = reply;
    const asked = name === 'commit' ? store.commit([change()], { jobs: [], events: 0 }) : store.fresh();
    const error = (await asked.catch((error: Error) => error)) as Error;
    expect(error).toBeInstanceOf(name === 'commit' ? NotWritable : NotReadable);
    expect(error.message).not.toContain('Connection is closed');
    expect(told).toEqual([]);
    expect(said.mock.calls.length).toBeLessThan(5); // once in a while, not each time
    expect(said.mock.calls[0]?.[0]).toMatch(/^The engine does not answer; trying again \(redis:/);
    delete one.replies[name];
    await answers(store);
    expect(said.mock.calls.at(-1)?.[0]).toMatch(/answers again/);
  },
);

test('an entry of the log that cannot be read is named, and hides none of those before it', async () => {
  const said = vi.spyOn(console, 'error').mockImplementation(() => {});
  const one = await engine();
  const { store, told, open } = start(one.url);
  let lost = 0;
  store.onLost = () => {
    lost++;
  };
  const { event, job } = change();
  const entries = [
    ['1-0', ['c', 'other 1', 'p', '0', 'v', JSON.stringify({ event, job })]],
    ['2-0', ['of', 'a stranger']],
  ];
  one.replies.XREAD = resp([[LOG, entries]]);
  one.replies.XREVRANGE = resp(entries.toReversed());
  one.replies.snapshot = resp([2, [], []]);
  await open().catch(() => {}); // the entry is there already
  one.replies.XREVRANGE = one.replies.snapshot = undefined;
  const again = start(one.url);
  again.store.onLost = store.onLost;
  await again.open();
  await until(() => lost > 0);
  expect(again.told.map(({ event }) => event.seq)).toEqual([1]);
  expect(said.mock.calls.flat().join()).toMatch(/the entry 2-0 of its key polling-lab:log cannot be read/);
  await expect(again.store.fresh()).rejects.toThrow(NotReadable);
  expect(told).toEqual([]);
});

test('a reply to no command ends the connection, so that no answer is taken for that of another command', async () => {
  vi.spyOn(console, 'error').mockImplementation(() => {});
  const one = await engine();
  const { store, open } = start(one.url);
  await open();
  await store.fresh();
  const greeted = one.asked.hello as number;
  one.replies.HMGET = `${resp(['aaaaaaaa', '0'])}${resp(['aaaaaaaa', '0'])}`;
  await store.fresh();
  one.replies.HMGET = undefined;
  await until(() => (one.asked.hello as number) > greeted);
  await answers(store);
});

if (process.env.SOAK) {
  test('a reply without an end is not kept', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {});
    const chunk = Buffer.alloc(1024 * 1024);
    const endless: FalseReply = (socket) => {
      socket.write('$4000000000\r\n');
      const write = () => {
        while (!socket.destroyed && socket.write(chunk)) {}
      };
      socket.on('drain', write);
      write();
    };
    const one = await engine();
    const { store, open } = start(one.url);
    await open();
    one.replies.HMGET = endless;
    await expect(store.fresh()).rejects.toThrow(/bytes that are no whole reply/);
    expect(process.memoryUsage().rss).toBeLessThan(1024 ** 3);
  });
}
