import { once } from 'node:events';
import { createServer, type IncomingMessage, request as passOn, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventSource } from 'eventsource';
import fetch from 'node-fetch';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Job } from '../instruments/job.js';
import { type OwnServer, startServer } from '../instruments/own-server.js';
import { jsonOf, Refusal, retryAfterMs, sendOnce, sendWithRetries } from './a-job-and-its-id.js';
import { changes, consume, longPoll } from './long-polling.js';
import { isFinal, over, readEvents, readStream, type StreamEvent, submit } from './server-sent-events.js';
import { pollUntilDone } from './short-polling.js';
import { keepReading, readResumed, stayOpen } from './what-breaks-a-stream.js';

vi.mock('node:timers/promises', async (original) => {
  const timers = await original<typeof import('node:timers/promises')>();
  return { ...timers, setTimeout: vi.fn(timers.setTimeout) };
});

let own: OwnServer;
beforeAll(async () => {
  own = await startServer();
}, 60_000);
afterAll(() => own.kill());

const url = () => own.url;
const manual = () => submit(fetch, `${url()}/jobs`, { kind: 'manual' });
const quick = (durationMs = 0) => submit(fetch, `${url()}/jobs`, { kind: 'simulated', durationMs, steps: 4 });
const finish = async ({ links }: Job) => {
  const headers = { 'Content-Type': 'application/json' };
  const { status } = await sendOnce(fetch, `${url()}${links.self}/finish`, {
    method: 'POST',
    headers,
    body: '{"result":1}',
  });
  expect(status).toBe(204);
};

/** What happens to one request between client and server. */
type Fault = (request: IncomingMessage, response: ServerResponse) => void;

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanUps.splice(0)) clean();
});

/** A line to the real server on which these faults happen, one per request; what comes after them gets through. */
async function line(...faults: Fault[]) {
  const asked: { at: number; headers: IncomingMessage['headers']; path: string }[] = [];
  const server = createServer((request, response) => {
    asked.push({ at: performance.now(), headers: request.headers, path: request.url! });
    (faults.shift() ?? through())(request, response);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  cleanUps.push(() => server.close().closeAllConnections());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, faults };
}

/**
 * Passes the request on, without these headers, and the answer back, with these headers added, until so many bytes of
 * its body have passed.
 */
const through =
  (without: string[] = [], bytes = Number.POSITIVE_INFINITY, added: Record<string, string> = {}): Fault =>
  (request, response) => {
    const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !without.includes(name)));
    const onward = passOn(own.url + request.url, { method: request.method!, headers }, (answer) => {
      response.writeHead(answer.statusCode!, { ...answer.headers, ...added });
      if (bytes === Number.POSITIVE_INFINITY) return pipeline(answer, response, () => {});
      let left = bytes;
      answer.on('data', (chunk: Buffer) => {
        response.write(chunk.subarray(0, left), () => left <= 0 && response.destroy());
        left -= chunk.length;
      });
      return answer;
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  };
const says =
  (status: number, headers: Record<string, string> = {}, text = 'the words of the server'): Fault =>
  (request, response) => {
    request.resume();
    response.writeHead(status, { 'Content-Type': 'text/plain', ...headers }).end(text);
  };
const resets: Fault = (request) => request.socket.resetAndDestroy();
const hangs: Fault = (_request, response) => void response.writeHead(200, { 'Content-Type': 'text/plain' }).write('{');
const login = says(200, { 'Content-Type': 'text/html' }, '<h1>Log in</h1>');
const withoutPrefer = () => through(['prefer']);
/** A server that grants a wait of 0 s: it says that it has applied the preference, and answers immediately. */
const withoutTime = () => through(['prefer'], Number.POSITIVE_INFINITY, { 'preference-applied': 'wait=0' });

describe('retryAfterMs', () => {
  const of = (value?: string) => retryAfterMs(new Headers(value === undefined ? {} : { 'Retry-After': value }), 7_000);
  it('reads seconds', () => expect(of('3')).toBe(3_000));
  it.each([
    ['the form of today', (date: Date) => date.toUTCString()],
    ['the form of C, without a zone', (date: Date) => `${date.toUTCString().slice(0, 3)} ${cTime(date)}`],
  ])('reads a date in %s', (_form, write) => {
    const date = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 5_000);
    expect(of(write(date))).toBeGreaterThan(4_000);
    expect(of(write(date))).toBeLessThanOrEqual(6_000);
  });
  it.each([undefined, '', 'soon', '-1', '1.5', '2 s'])('takes the default for %j', (value) => {
    expect(of(value)).toBe(7_000);
  });
  it.each(['0', 'Sun, 06 Nov 1994 08:49:37 GMT'])('is never a busy loop: %j', (value) => {
    expect(of(value)).toBe(100);
  });
  it('is never longer than a timer can hold', () => expect(of('9999999999')).toBe(86_400_000));
});

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const cTime = (date: Date) =>
  `${MONTHS[date.getUTCMonth()]} ${date.getUTCDate()} ${date.toISOString().slice(11, 19)} ${date.getUTCFullYear()}`;

describe('sendOnce', () => {
  it('ends a body that hangs', async () => {
    const bad = await line(hangs);
    await expect(sendOnce(fetch, bad.url, { timeoutMs: 100 })).rejects.toThrow('No answer within 100 ms.');
  });
  it("ends with the caller's own reason, and lets go of the caller's signal", async () => {
    const bad = await line(hangs);
    const caller = new AbortController();
    const sent = sendOnce(fetch, bad.url, { signal: caller.signal });
    const rejected = expect(sent).rejects.toThrow('enough');
    caller.abort(new Error('enough'));
    await rejected;
    let listeners = 0;
    const { signal } = new AbortController();
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = (...all: Parameters<typeof add>) => {
      listeners += 1;
      add(...all);
    };
    signal.removeEventListener = (...all: Parameters<typeof remove>) => {
      listeners -= 1;
      remove(...all);
    };
    await sendOnce(fetch, `${url()}/healthz`, { signal });
    expect(listeners).toBe(0);
  });
  it('does not take a page for JSON', async () => {
    const bad = await line(login);
    const answer = await sendOnce(fetch, bad.url);
    expect(() => jsonOf(answer)).toThrow(/Expected JSON, got text\/html/);
  });
});

describe('sendWithRetries', () => {
  it.each([429, 502, 503, 504])('asks again after %d', async (status) => {
    const bad = await line(says(status));
    const { links } = await quick();
    expect((await sendWithRetries(fetch, bad.url + links.self)).status).toBe(200);
    expect(bad.asked).toHaveLength(2);
  });
  it('asks again after a reset, at the start and in the middle of the body', async () => {
    const bad = await line(resets, through([], 10));
    const { links } = await quick();
    expect(jsonOf<Job>(await sendWithRetries(fetch, bad.url + links.self)).links).toEqual(links);
    expect(bad.asked).toHaveLength(3);
  });
  it('obeys a date in Retry-After', async () => {
    const date = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 1_000);
    const bad = await line(says(503, { 'Retry-After': date.toUTCString() }));
    await sendWithRetries(fetch, `${bad.url}/healthz`);
    expect(Date.now()).toBeGreaterThanOrEqual(date.getTime() - 1);
  });
  it("ends immediately with the server's message after any other error", async () => {
    const bad = await line(says(400));
    const failed = sendWithRetries(fetch, bad.url);
    await expect(failed).rejects.toThrow('400: the words of the server');
    await expect(failed).rejects.toBeInstanceOf(Refusal);
    expect(bad.asked).toHaveLength(1);
  });
  it('gives up after so many tries, each pause longer than the last', async () => {
    const bad = await line(...Array.from({ length: 9 }, () => says(502)));
    await expect(sendWithRetries(fetch, bad.url, { tries: 4 })).rejects.toThrow('502');
    const pauses = bad.asked.slice(1).map(({ at }, i) => at - bad.asked[i]!.at);
    expect(pauses).toHaveLength(3);
    for (const [i, pause] of pauses.entries()) expect(pause).toBeGreaterThan(200 * 2 ** i - 5);
  });
});

describe.each<[name: string, wait: (base: string, job: Job, signal?: AbortSignal) => Promise<unknown>]>([
  ['pollUntilDone', (base, { links }, signal) => pollUntilDone(fetch, base + links.self, 20, signal)],
  ['longPoll', (base, { links }, signal) => longPoll(fetch, base + links.result, 5, signal)],
  [
    'changes',
    async (base, { links }, signal) => {
      for await (const _ of changes(fetch, base + links.self, 5, '', signal));
    },
  ],
  [
    'consume',
    async (base, { links }, signal) => {
      for await (const _ of consume(fetch, base + links.events, { waitS: 5, ...(signal && { signal }) }));
    },
  ],
  [
    'readResumed',
    async (base, { links }, signal) => {
      const place = { id: '', retryMs: 100 };
      for await (const { event } of readResumed(fetch, base + links.events, { place, signal }))
        if (isFinal(event)) return;
    },
  ],
])('%s', (_name, wait) => {
  it('survives a 502 and a reset', async () => {
    const bad = await line(says(502), resets);
    await wait(bad.url, await quick());
    expect(bad.asked.length).toBeGreaterThanOrEqual(3);
  });
  it("ends at a 404, with the server's message", async () => {
    const { links } = await quick();
    const elsewhere = Object.fromEntries(
      Object.entries(links).map(([name, path]) => [name, path.replace(/jobs\/[^/]+/, 'jobs/none')]),
    );
    const none = { links: elsewhere } as unknown as Job;
    await expect(wait(url(), none)).rejects.toThrow(/^404: /);
  });
  it('does not take a login page for an answer', async () => {
    const bad = await line(login);
    await expect(wait(bad.url, await quick())).rejects.toThrow(/Expected JSON, got text\/html|200: <h1>/);
    expect(bad.asked).toHaveLength(1);
  });
  it('ends when its caller says so', async () => {
    const caller = new AbortController();
    const job = await manual();
    const good = await line();
    const waiting = expect(wait(good.url, job, caller.signal)).rejects.toThrow();
    while (good.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
    caller.abort();
    await waiting;
    await finish(job);
  });
});

describe.each<[name: string, wait: (base: string, job: Job) => Promise<unknown>]>([
  ['longPoll', (base, { links }) => longPoll(fetch, base + links.result, 5)],
  [
    'changes',
    async (base, { links }) => {
      for await (const _ of changes(fetch, base + links.self, 5));
    },
  ],
  [
    'consume',
    async (base, { links }) => {
      for await (const _ of consume(fetch, base + links.events, { waitS: 5 }));
    },
  ],
])('%s, where no answer is held', (_name, wait) => {
  it.each([
    ['Prefer is dropped by a proxy', withoutPrefer],
    ['the server grants a wait of 0 s', withoutTime],
  ])('polls at an interval: %s', async (_cause, fault) => {
    const bad = await line(...Array.from({ length: 60 }, fault));
    const job = await manual();
    const waiting = wait(bad.url, job);
    while (bad.asked.length < 3) await new Promise((resolve) => setTimeout(resolve, 20));
    await finish(job);
    await waiting;
    expect(bad.asked.length).toBeLessThanOrEqual(5);
    expect(bad.asked[2]!.at - bad.asked[1]!.at).toBeGreaterThan(950); // Retry-After: 1
  });
});

describe('a client that comes back to a job that has ended', () => {
  const all = ['queued', 'started', 'progress', 'progress', 'progress', 'progress', 'succeeded'];
  const ended = async () => {
    const job = await quick();
    await longPoll(fetch, url() + job.links.result, 5);
    return job;
  };

  it('with the newest version, hears no change, and ends', async () => {
    const { links } = await ended();
    const { headers } = await sendOnce(fetch, url() + links.self);
    const good = await line();
    const heard: Job[] = [];
    const signal = AbortSignal.timeout(5_000);
    for await (const job of changes(fetch, good.url + links.self, 5, headers.get('ETag')!, signal)) heard.push(job);
    expect(heard).toEqual([]);
    expect(good.asked).toHaveLength(2);
  });
  it('with an older version, hears the newest, and ends', async () => {
    const { links } = await ended();
    const heard: string[] = [];
    for await (const { state } of changes(fetch, url() + links.self, 5, '"1"')) heard.push(state);
    expect(heard).toEqual(['succeeded']);
  });
  it('with the cursor of the last event, gets none, and ends', async () => {
    const { links } = await ended();
    let after = '';
    for await (const events of consume(fetch, url() + links.events)) after = events.at(-1)!.id;
    const good = await line();
    const signal = AbortSignal.timeout(5_000);
    for await (const events of consume(fetch, good.url + links.events, { after, signal })) expect(events).toEqual([]);
    expect(good.asked).toHaveLength(2);
  });
  it('with the cursor of another event, gets the rest, and ends', async () => {
    const { links } = await ended();
    const whole: string[] = [];
    for await (const events of consume(fetch, url() + links.events)) whole.push(...events.map(({ id }) => id));
    const rest: string[] = [];
    for await (const events of consume(fetch, url() + links.events, { after: whole[2]! }))
      rest.push(...events.map(({ id }) => id));
    expect(rest).toEqual(whole.slice(3));
    expect(whole).toHaveLength(all.length);
  });
});

describe('a consumer, where the server no longer has all the events', () => {
  const held = 5;
  let small: OwnServer;
  beforeAll(async () => {
    small = await startServer({ 'max-events': held });
  }, 60_000);
  afterAll(() => small.kill());
  const submitHere = (steps: number) => submit(fetch, `${small.url}/jobs`, { kind: 'simulated', durationMs: 0, steps });
  const eventsOf = async (how: Parameters<typeof consume>[2]) => {
    const { links } = await submitHere(20);
    await longPoll(fetch, small.url + links.result, 5);
    const heard: string[] = [];
    for await (const events of consume(fetch, small.url + links.events, how))
      heard.push(...events.map(({ event }) => event));
    return heard;
  };

  it('throws, and names the oldest event that is left', async () => {
    await expect(eventsOf({})).rejects.toThrow(/^Events are lost. The oldest that the server still has: \w+-\d+\.$/);
  });
  it('throws when it falls behind between two batches', async () => {
    const job = await submit(fetch, `${small.url}/jobs`, { kind: 'manual' });
    const reading = async () => {
      for await (const _ of consume(fetch, small.url + job.links.events)) {
        for (let step = 1; step <= 2 * held; step++) {
          const body = JSON.stringify({ progress: step / (2 * held) });
          const headers = { 'Content-Type': 'application/json' };
          await sendOnce(fetch, `${small.url}${job.links.self}/progress`, { method: 'POST', headers, body });
        }
      }
    };
    await expect(reading()).rejects.toThrow('Events are lost');
  });
  it('goes on with what is left, if its caller wants that', async () => {
    const gaps: (string | null)[] = [];
    const heard = await eventsOf({ onGap: ({ oldest }) => gaps.push(oldest) });
    expect(gaps).toHaveLength(1);
    expect(heard).toEqual([...Array.from({ length: held - 1 }, () => 'progress'), 'succeeded']);
  });
  it('ends, where nothing is left of a job that has ended', async () => {
    const { links } = await submitHere(1);
    await longPoll(fetch, small.url + links.result, 5);
    const next = await submitHere(20); // its events take the place of the first job's
    await longPoll(fetch, small.url + next.links.result, 5);
    const gaps: (string | null)[] = [];
    const signal = AbortSignal.timeout(5_000);
    const how = { onGap: ({ oldest }: { oldest: string | null }) => void gaps.push(oldest), signal };
    for await (const events of consume(fetch, small.url + links.events, how)) expect(events).toEqual([]);
    expect(gaps).toEqual([null]);
  });
});

describe('a stream', () => {
  const read = async (base: string, { links }: Job) => {
    const events: string[] = [];
    const place = { id: '', retryMs: 100 };
    for await (const { event } of readResumed(fetch, base + links.events, { place })) {
      events.push(event);
      if (isFinal(event)) break;
    }
    return events;
  };
  const all = ['queued', 'started', 'progress', 'progress', 'progress', 'progress', 'succeeded'];

  it('that is cut in the middle of an event goes on where it was, also after a 503', async () => {
    const bad = await line(through([], 400), says(503, { 'Retry-After': '0' }));
    expect(await read(bad.url, await quick())).toEqual(all);
    expect(bad.asked).toHaveLength(3);
    expect(bad.asked[0]!.headers['last-event-id']).toBeUndefined();
    const cursors = bad.asked.slice(1).map(({ headers }) => headers['last-event-id']);
    expect(cursors[0]).toBeTruthy();
    expect(cursors[1]).toBe(cursors[0]);
  });
  it('ends, without an error, where the server has nothing more to say', async () => {
    const bad = await line(says(204, {}, ''));
    expect(await read(bad.url, await quick())).toEqual([]);
  });
  it('that falls silent counts as dead', async () => {
    const { links } = await manual();
    const reading = async () => {
      for await (const _ of readStream(fetch, url() + links.events, { silenceMs: 300 }));
    };
    await expect(reading()).rejects.toThrow('Not a byte for 300 ms.');
  });
  it('is closed when its reader leaves', async () => {
    const good = await line();
    const { links } = await manual();
    for await (const _ of readStream(fetch, good.url + links.events)) break;
    const held = async () => {
      const { text } = await sendOnce(fetch, `${url()}/traffic`);
      return (JSON.parse(text) as { totals: Record<string, { open: number }> }).totals['event-stream']!.open;
    };
    while ((await held()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  });
  it('saves its cursor only when an event has been handled', async () => {
    const job = await quick();
    let cursor = '';
    const kept = {
      load: async () => cursor,
      save: async (to: string) => {
        cursor = to;
      },
    };
    const handled: string[] = [];
    const handle = async ({ event, id }: { event: string; id: string }) => {
      if (handled.length === 2 && !cursor.endsWith('!')) {
        cursor = `${cursor}!`; // a mark that only this test reads; the server gets the cursor itself
        throw new Error('the client dies');
      }
      handled.push(`${event} ${id}`);
    };
    const streamUrl = url() + job.links.events;
    await expect(keepReading(fetch, streamUrl, kept, handle)).rejects.toThrow('the client dies');
    const load = async () => cursor.replace('!', '');
    await keepReading(fetch, streamUrl, { ...kept, load }, handle);
    expect(handled.map((one) => one.split(' ')[0])).toEqual(all);
    expect(new Set(handled).size).toBe(all.length);
  });
});

describe('a reader of streams', () => {
  const read = async (...pieces: string[]) => {
    const all: StreamEvent[] = [];
    for await (const event of readEvents(pieces.map((piece) => Buffer.from(piece)))) all.push(event);
    return all.map(({ data }) => data);
  };
  it('dispatches at a CR that ends the body', async () => {
    expect(await read('data: a\r\r')).toEqual(['a']);
  });
  it.each([
    [['data: a\r', '\ndata: b\r', '\n\r', '\n'], ['a\nb']],
    [
      ['data: a\r', '\n', '\ndata: b\n\n'],
      ['a', 'b'],
    ],
    [['data: a\r', '', '\n\n'], ['a']],
    [['\ufeffdata: a\n\n'], ['a']],
  ])('reads %j', async (pieces, events) => {
    expect(await read(...pieces)).toEqual(events);
  });

  const first = async (base: string) => {
    for await (const { data } of readStream(fetch, base, { silenceMs: 2_000 })) return data;
    return 'none';
  };
  it('takes the type in any case, with parameters', async () => {
    const good = await line(says(200, { 'Content-Type': 'Text/Event-Stream ; charset=utf-8' }, 'data: a\n\n'));
    expect(await first(good.url)).toBe('a');
  });
  it('refuses a type that only begins like that of a stream', async () => {
    const bad = await line(says(200, { 'Content-Type': 'text/event-streams' }, 'data: a\n\n'));
    await expect(first(bad.url)).rejects.toThrow('200: data: a');
  });
  it('reads only the beginning of an endless body of another type', async () => {
    let close = () => {};
    const closed = new Promise<void>((resolve) => {
      close = resolve;
    });
    const bad = await line((_request, response) => {
      response.on('close', close).writeHead(200, { 'Content-Type': 'text/plain' }).write('x'.repeat(2_000));
    });
    await expect(first(bad.url)).rejects.toThrow(/^200: x{1000}$/);
    await closed;
  });
});

describe('a reader that reconnects', () => {
  const stream = (text: string) => says(200, { 'Content-Type': 'text/event-stream' }, text);
  /** The pauses before a reader's next requests, in milliseconds. They are noted, and not waited for. */
  const pausesOf = async (count: number, ...faults: Fault[]) => {
    const bad = await line(...faults);
    const pauses: number[] = [];
    const enough = new AbortController();
    vi.mocked(sleep).mockImplementation(async (ms) => {
      pauses.push(ms as number);
      if (pauses.length === count) enough.abort(new Error('enough'));
      enough.signal.throwIfAborted();
    });
    const reading = async () => {
      for await (const _ of readResumed(fetch, bad.url, { signal: enough.signal }));
    };
    await expect(reading()).rejects.toThrow('enough');
    return pauses;
  };
  afterEach(() => {
    vi.mocked(sleep).mockReset(); // it sleeps again
  });

  it('waits no longer than a timer can hold', async () => {
    const [pause] = await pausesOf(1, stream('retry: 1500000000\ndata: a\n\n'));
    expect(pause).toBeGreaterThanOrEqual(86_400_000);
    expect(pause).toBeLessThan(2 ** 31);
  });
  it('never comes back before the time that the server gave', async () => {
    const pauses = await pausesOf(3, stream('retry: 60000\ndata: a\n\n'), resets, resets);
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(60_000);
  });
  it('goes on after any number of cuts, where each connection lasted for more than a minute', async () => {
    let clock = 0;
    const now = vi.spyOn(performance, 'now').mockImplementation(() => {
      clock += 61_000;
      return clock;
    });
    try {
      expect(await pausesOf(8, ...Array.from({ length: 8 }, () => resets))).toHaveLength(8);
    } finally {
      now.mockRestore();
    }
  });
  it('backs off from streams that end immediately without an event', async () => {
    const empty = stream('retry: 1000\n\n');
    const pauses = await pausesOf(8, ...Array.from({ length: 8 }, () => empty));
    expect(pauses[0]).toBeLessThan(1_500);
    expect(pauses[5]).toBeGreaterThan(20_000);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(45_000);
  });
});

describe('an EventSource that is kept open', () => {
  const all = ['queued', 'started', 'progress', 'progress', 'progress', 'progress', 'succeeded'];
  const names = [...new Set(all), 'gap'];
  const stay = (
    base: string,
    { links }: Job,
    onEvent: (event: MessageEvent) => void,
    more: object = {},
    after = '',
  ) => {
    const at = (cursor: string) => `${base}${links.events}${cursor && `?after=${encodeURIComponent(cursor)}`}`;
    const head = { method: 'HEAD', headers: { Accept: 'text/event-stream' } };
    return stayOpen(
      {
        open: (cursor) => new EventSource(at(cursor), { fetch: over(fetch) }),
        ask: (cursor) => sendOnce(fetch, at(cursor), head),
        ...{ names, onEvent, ...more },
      },
      after,
    );
  };
  const ended = async () => {
    const job = await quick();
    await longPoll(fetch, url() + job.links.result, 5);
    return job;
  };

  it('loses nothing to a 503, and ends with the job', async () => {
    const bad = await line(through([], 400), says(503, { 'Retry-After': '0' }), says(503, { 'Retry-After': '0' }));
    const heard: string[] = [];
    await stay(bad.url, await quick(), ({ type }) => heard.push(type));
    expect(heard).toEqual(all);
  });
  it('ends where it has heard the final event before', async () => {
    const job = await ended();
    let cursor = '';
    await stay(url(), job, ({ lastEventId }) => {
      cursor = lastEventId;
    });
    const good = await line();
    await stay(good.url, job, () => expect.unreachable(), {}, cursor);
    expect(good.asked).toHaveLength(2); // the stream, and the question why it is closed
  });
  it.each([401, 404])('ends with the answer %d', async (status) => {
    const bad = await line(says(status), says(status));
    await expect(stay(bad.url, await quick(), () => {})).rejects.toThrow(`${status}: `);
    expect(bad.asked).toHaveLength(2);
  });
  it('ends when nothing but refusals come', async () => {
    const busy = says(503, { 'Retry-After': '0' });
    const bad = await line(...Array.from({ length: 10 }, () => busy));
    await expect(stay(bad.url, await quick(), () => {}, { tries: 3 })).rejects.toThrow('503: ');
    expect(bad.asked).toHaveLength(6);
  });
  it('ends with what the handler throws, and gives it none of the later events', async () => {
    const handled: string[] = [];
    let thrown = false;
    const handle = ({ type }: MessageEvent) => {
      if (handled.length === 2 && !thrown) {
        thrown = true;
        throw new Error('not handled');
      }
      handled.push(type);
    };
    await expect(stay(url(), await ended(), handle)).rejects.toThrow('not handled');
    expect(handled).toEqual(all.slice(0, 2));
  });
  it('keeps its cursor after an event without an id', async () => {
    const stream = (text: string) => says(200, { 'Content-Type': 'text/event-stream' }, `retry: 1\n\n${text}`);
    const busy = says(503, { 'Retry-After': '0' });
    const cut = stream('id: 7\nevent: started\ndata: {}\n\nevent: gap\ndata: {}\n\n');
    const bad = await line(cut, busy, busy, stream('event: succeeded\ndata: {}\n\n'));
    const heard: string[] = [];
    await stay(bad.url, await quick(), ({ type }) => heard.push(type));
    expect(heard).toEqual(['started', 'gap', 'succeeded']);
    expect(bad.asked[3]!.path).toMatch(/after=7$/);
  });
});
