import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { Answer, type Client, sum } from './client.js';
import { Description, type Operation, type Parameter } from './description.js';
import { filesOf } from './files.js';
import { RawConnection } from './raw.js';
import { type Usage, withSettings } from './server.js';
import type { JobPage } from './types.js';
import { eventually } from './within.js';

/*
 * Requests made at random, many at a time, from a seed: from the interface's own description, those same ones
 * corrupted on their way, and bytes that never were requests. Each is answered as described, or its connection is
 * closed: no 5xx but the 503 that is described, no crash, no hang, and nothing is left of them.
 */

// `npm run soak` does the same with more requests, and prints its seeds; FUZZ_SEED tries one again.
const requests = Number(process.env.SOAK_REQUESTS ?? 600);
const seed = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));
const AT_ONCE = 50;
/** Longer than the longest wait that a server grants: a corrupted `wait=1` may be a `wait=91`. */
const PATIENCE_MS = 90_000;
const MiB = 1024 * 1024;
const clip = await readFile(new URL('./fixtures/clip.mp4', import.meta.url));

/** A request whose `{manual}`, `{ended}` and `{cursor}` are filled in when it is sent. */
interface Made {
  method: string;
  /** As it is described: `/jobs/{id}`. */
  route: string;
  target: string;
  headers: [string, string][];
  body: string;
}

// ── Requests from the description ──

const bytes = fc.string({ unit: fc.integer({ min: 32, max: 255 }).map((code) => String.fromCharCode(code)) });
const anything = fc.oneof(bytes, fc.string({ unit: 'binary' }), fc.constantFrom('', '0', '-1', '1e3', 'x'.repeat(300)));

/** A value for a parameter: what its schema takes, what lies just beside that, and what is nothing of the kind. */
function valueFor({ name, schema, example }: Parameter): fc.Arbitrary<string> {
  // Waits of a second at most: what is tried is the server, not patience.
  if (name === 'wait') return fc.oneof(fc.constantFrom('0', '1'), anything);
  if (name === 'Prefer') return fc.oneof(fc.constantFrom('wait=1', 'a="b, c", wait=0;x', 'wait', 'wait="'), bytes);
  const { minimum = -5, maximum = 2000 } = schema as { minimum?: number; maximum?: number };
  const { type, enum: names = [] } = schema as { type?: string; enum?: string[] };
  const told = [...names, ...(example === undefined ? [] : [String(example)]), '{cursor}', '{manual}'];
  if (type !== 'integer') return fc.oneof(fc.constantFrom(...told), anything);
  return fc.oneof(fc.integer({ min: minimum - 1, max: maximum + 1 }).map(String), anything);
}

/** A JSON body: an example, an example with one member changed, or anything. */
function jsonOf(examples: unknown[]): fc.Arbitrary<unknown> {
  const example = fc.constantFrom(...(examples.length ? examples : [{}]));
  const changed = fc.tuple(example, fc.nat(), fc.jsonValue(), fc.string()).map(([json, which, value, other]) => {
    const members = [...Object.keys(json as object), other];
    return { ...(json as object), [members[which % members.length] as string]: value };
  });
  return fc.oneof(example, changed, fc.jsonValue());
}

function bodyOf({ requestBody }: Operation): fc.Arbitrary<{ type: string; body: string } | null> {
  if (!requestBody) return fc.constant(null);
  const kinds = Object.entries(requestBody.content).map(([type, { example, examples }]) => {
    const known = [
      ...Object.values(examples ?? {}).map(({ value }) => value),
      ...(example === undefined ? [] : [example]),
    ];
    const body = type.endsWith('json')
      ? jsonOf(known).map((json) => Buffer.from(JSON.stringify(json)).toString('latin1'))
      : fc.uint8Array({ max: 255, maxLength: 400 }).map((array) => Buffer.from(array).toString('latin1'));
    return body.map((text) => ({ type: type.replace('*', 'mp4'), body: text }));
  });
  const other = fc.record({ type: bytes, body: bytes });
  return fc.oneof(...kinds.map((arbitrary) => ({ arbitrary, weight: 4 })), { arbitrary: other, weight: 1 });
}

/** Headers that mean something to every route. */
const common: Record<string, string[]> = {
  Accept: ['*/*', 'application/json', 'text/event-stream', 'text/*;q=0.5, application/json', 'image/png', ';q=,,', ''],
  Origin: ['http://localhost:8888', 'https://elsewhere.example', 'null', ''],
  Expect: ['a-miracle'],
  'Content-Encoding': ['gzip', 'identity'],
};

function requestOf(path: string, method: string, operation: Operation): fc.Arbitrary<Made> {
  const parameters = operation.parameters.map((parameter) =>
    fc.option(valueFor(parameter), { freq: 2 }).map((value) => ({ ...parameter, value })),
  );
  const more = Object.entries(common).map(([name, values]) =>
    fc.option(fc.oneof(fc.constantFrom(...values), bytes), { freq: 4, nil: null }).map((value) => ({ name, value })),
  );
  return fc
    .record({
      id: fc.oneof(
        { arbitrary: fc.constantFrom('{manual}', '{ended}'), weight: 4 },
        { arbitrary: anything, weight: 1 },
      ),
      given: fc.tuple(...parameters),
      more: fc.tuple(...more),
      body: bodyOf(operation),
    })
    .map(({ id, given, more, body }) => {
      const query = given
        .filter((one) => one.in === 'query' && one.value !== null)
        .map(({ name, value }) => `${name}=${encoded(value as string)}`);
      const named = [...given.filter((one) => one.in === 'header'), ...more].filter(({ value }) => value !== null);
      const headers = named.map(({ name, value }): [string, string] => [name, (value as string).trim()]);
      if (body) headers.push(['Content-Type', body.type], ['Content-Length', String(body.body.length)]);
      const target = path.replace('{id}', encoded(id)) + (query.length ? `?${query.join('&')}` : '');
      return { method, route: path, target, headers, body: body?.body ?? '' };
    });
}

const encoded = (text: string) =>
  /^\{\w+\}$/.test(text) ? text : encodeURIComponent(text.replace(/[\ud800-\udfff]/g, ''));

function textOf({ method, target, headers, body }: Made): string {
  const all = [['Host', 'localhost'], ['Connection', 'close'], ...headers];
  return `${method} ${target} HTTP/1.1\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`;
}

// ── What happens to them on their way ──

const noise = fc.oneof(
  fc.string({ unit: 'binary-ascii', maxLength: 8 }),
  fc.constantFrom('\r\n', '\n', '\0', ' ', ':', '%', '\xff', '\r\n\r\n', '0\r\n\r\n', 'GET / HTTP/1.1\r\n'),
);
const corruption = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), remove: fc.nat(12), insert: noise });

function corrupted(made: fc.Arbitrary<Made>): fc.Arbitrary<string> {
  return fc.tuple(made, fc.array(corruption, { minLength: 1, maxLength: 3 })).map(([request, corruptions]) => {
    let text = textOf(request);
    for (const { at, remove, insert } of corruptions) {
      const place = Math.floor(at * text.length);
      text = text.slice(0, place) + insert + text.slice(place + remove);
    }
    return text;
  });
}

const random = fc.oneof(
  fc
    .uint8Array({ min: 0, max: 255, minLength: 1, maxLength: 2000 })
    .map((array) => Buffer.from(array).toString('latin1')),
  fc.array(noise, { minLength: 1, maxLength: 60 }).map((pieces) => pieces.join('')),
);

// ── Sending them ──

withSettings(
  'requests made at random',
  [
    ...['--head-timeout-ms', '1000', '--body-timeout-ms', '1000', '--grace-ms', '1000', '--max-jobs', '2000'],
    ...['--keep-jobs', '50', '--max-events', '2000', '--max-rows', '500', '--max-experiments', '50'],
  ],
  (lab, server) => {
    let description: Description;
    let made: fc.Arbitrary<Made>;
    let before: Usage;

    /** Sends so many, and sees that each is answered well. */
    async function sendAll<T>(count: number, arbitrary: fc.Arbitrary<T>, one: (request: T) => Promise<void>) {
      // A piece at a time, so that few jobs are there at once, and none for long.
      for (let sent = 0; sent < count; sent += 500) {
        const piece = fc.sample(arbitrary, { seed: seed + sent, numRuns: Math.min(500, count - sent) });
        await fill(lab);
        const queue = piece.entries();
        const worker = async () => {
          for (const [n, request] of queue) {
            await one(request).catch((error: Error) => {
              throw new Error(`seed ${seed}, request ${sent + n}: ${JSON.stringify(request)}: ${error.message}`);
            });
          }
        };
        await Promise.all(Array.from({ length: AT_ONCE }, worker));
        await cancelAll(lab);
      }
      expect((await lab.get('/healthz')).status).toBe(200);
      expect(server().stderr, 'stack traces in the log').not.toMatch(/\n\s+at /);
    }

    async function exchange(text: string): Promise<RawConnection> {
      const raw = await RawConnection.connect(lab.base);
      raw.patienceMs = PATIENCE_MS;
      void raw.send(filled(text));
      return raw;
    }

    async function asDescribed(request: Made): Promise<void> {
      const raw = await exchange(textOf(request));
      try {
        await raw.until('\r\n\r\n');
        const head = raw.received.slice(0, raw.received.indexOf('\r\n\r\n') + 2);
        const endless = /\r\ncontent-type: text\/event-stream\r\n/i.test(head);
        const { status, headers, body } = endless
          ? { status: 200, headers: headersOf(head), body: '' }
          : await raw.response(request.method);
        description.check(request.method, request.route, new Answer(status, headers, [], Buffer.from(body, 'latin1')));
      } finally {
        raw.close();
      }
    }

    /** Whatever it was, it gets an answer that is one, or none at all. */
    async function answeredOrClosed(text: string): Promise<void> {
      const raw = await exchange(text);
      await raw.until('\r\n').catch((error: Error) => {
        if (!raw.over) throw error;
      });
      raw.close();
      const [, status, problem] =
        /^HTTP\/1\.1 (\d{3}) [^\r]*(?:\r\n[\s\S]*\r\n\r\n(\{[\s\S]*))?/.exec(raw.received) ?? [];
      if (status === undefined) return void expect(raw.received).toBe('');
      expect(Number(status) < 500 || status === '503', raw.received).toBe(true);
      if (Number(status) >= 400 && problem)
        expect(raw.received).toMatch(/\r\ncontent-type: application\/problem\+json\r\n/i);
    }

    beforeAll(async () => {
      description = new Description((await lab.get('/openapi.json')).text);
      made = fc.oneof(
        ...description.operations.map(({ path, method, operation }) => requestOf(path, method, operation)),
      );
      // Code is compiled, and what is kept on purpose is full, before what is left is compared.
      await lab.upload(clip, { query: '?wait=60' });
      await sendAll(300, made, asDescribed);
      await sendAll(100, corrupted(made), answeredOrClosed);
      before = await settled();
    });

    /** What is in use when all that was sent is over. */
    async function settled(): Promise<Usage> {
      await cancelAll(lab);
      await eventually(
        async () => {
          const { totals } = await lab.traffic();
          return sum(totals, 'open') === 0 ? true : undefined;
        },
        'no request to be open',
        PATIENCE_MS,
      );
      return server().memory();
    }

    test(
      `${Math.ceil(requests / 2)} requests made from the description are answered as described (seed ${seed})`,
      () => sendAll(Math.ceil(requests / 2), made, asDescribed),
      120_000 + requests * 50,
    );

    test(
      `${Math.ceil(requests / 3)} of them, corrupted, get an answer below 500 or a closed connection (seed ${seed})`,
      () => sendAll(Math.ceil(requests / 3), corrupted(made), answeredOrClosed),
      120_000 + requests * 50,
    );

    test(
      `${Math.ceil(requests / 6)} times bytes at random do, too (seed ${seed})`,
      () => sendAll(Math.ceil(requests / 6), random, answeredOrClosed),
      120_000 + requests * 50,
    );

    test('and nothing is left of them: no socket, timer, file or memory', async () => {
      let after = await settled();
      const noMore = (kind: string) => (after.resources[kind] ?? 0) <= (before.resources[kind] ?? 0);
      // The server may still wait for clients to close their half of a connection that it has ended.
      await eventually(
        async () => {
          after = await server().memory();
          return noMore('TCPSocketWrap') && noMore('Timeout') ? true : undefined;
        },
        () => `what there was before, ${JSON.stringify(before.resources)}; got ${JSON.stringify(after.resources)}`,
      );
      expect(await filesOf(`${server().data}/uploads`)).toEqual([]);
      const growth = after.heapUsed + after.external - before.heapUsed - before.external;
      expect(growth, `${growth / MiB} MiB more`).toBeLessThan(8 * MiB);
    });

    // ── What the placeholders stand for ──

    let ids: Record<string, string> = {};

    async function fill(lab: Client): Promise<void> {
      const [manual, ended] = [await lab.manual(), await lab.finished()];
      const { next } = await lab.consume(ended.links.events);
      ids = { manual: manual.jobId, ended: ended.jobId, cursor: next };
    }

    const filled = (text: string) => text.replace(/\{(manual|ended|cursor)\}/g, (_, name: string) => ids[name] ?? '');
  },
  { memoryProbe: true },
);

async function cancelAll(lab: Client): Promise<void> {
  for (const state of ['queued', 'running']) {
    const { jobs } = (await lab.get(`/jobs?state=${state}&limit=1000`)).json<JobPage>();
    await Promise.all(jobs.map(({ links }) => lab.delete(links.self)));
    if (jobs.length === 1000) await cancelAll(lab);
  }
}

function headersOf(head: string): Record<string, string> {
  const lines = head.split('\r\n').slice(1);
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
}
