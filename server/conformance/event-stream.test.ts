import { rm } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { Client, newExperiment } from './client.js';
import { expectProblem } from './expectations.js';
import { RawConnection } from './raw.js';
import { ownServers, startServer, target, withServer, withSettings } from './server.js';
import type { StreamEvent } from './stream.js';
import type { EventRecord } from './types.js';

const lab = target();
const names = (events: { event: string }[]) => events.map(({ event }) => event);
const ids = (events: { id: string | undefined }[]) => events.map(({ id }) => id);
/** A stream's event as the JSON of the same events tells it, but for the time. */
const record = ({ id, event, data }: StreamEvent | EventRecord) => ({ id, event, data });

/** A finished manual job: queued, started, so many progress events, succeeded. */
async function told(progress: number) {
  const { jobId } = await lab.manual();
  for (let n = 1; n <= progress; n++) await lab.progress(jobId, n / progress);
  await lab.finish(jobId);
  const path = `/jobs/${jobId}/events`;
  return { jobId, path, events: (await lab.consume(path)).events };
}

describe('GET /jobs/{id}/events, Accept: text/event-stream', () => {
  test('is text/event-stream that no cache keeps', async () => {
    const { jobId } = await lab.manual();
    const stream = await lab.stream(`/jobs/${jobId}/events`);
    expect(stream.status).toBe(200);
    expect(stream.headers['content-type']).toMatch(/^text\/event-stream(; ?charset=utf-8)?$/i);
    expect(stream.headers['cache-control']).toBe('no-store, no-transform');
    expect(stream.headers['content-length']).toBeUndefined();
    stream.close();
  });

  test.each([{ Via: '1.1 a-proxy' }, { Forwarded: 'for=192.0.2.1' }, { 'X-Forwarded-Prefix': '/user/ada/proxy/4321' }])(
    'a proxy that says so (%o) gets it in chunks, which it can pass on one by one',
    async (header) => {
      const job = await told(1);
      const stream = await lab.stream(job.path, header);
      expect(stream.headers['transfer-encoding']).toBe('chunked');
      expect((await stream.toTheEnd()).map(record)).toEqual(job.events.map(record));
      stream.close();
    },
  );

  test('queued, started, progress, then exactly one final event', async () => {
    const { jobId } = await lab.simulated({ durationMs: 30, steps: 3 });
    const stream = await lab.stream(`/jobs/${jobId}/events`);
    expect(names(await stream.toTheEnd())).toEqual([
      ...['queued', 'started', 'progress', 'progress', 'progress', 'succeeded'],
    ]);
    stream.close();
  });

  test("a job's stream begins with its first event, however late the reader", async () => {
    const job = await told(3);
    const stream = await lab.stream(job.path);
    expect((await stream.toTheEnd()).map(record)).toEqual(job.events.map(record));
    stream.close();
  });

  test('events come as they happen', async () => {
    const { jobId } = await lab.manual();
    const stream = await lab.stream(`/jobs/${jobId}/events`);
    await stream.upTo('started');
    for (const progress of [0.25, 0.5, 1]) {
      await lab.progress(jobId, progress);
      const event = await stream.next();
      expect([event.event, event.data.progress]).toEqual(['progress', progress]);
    }
    await lab.finish(jobId);
    expect((await stream.next()).event).toBe('succeeded');
    stream.close();
  });

  test('the data of each has jobId, progress and version; the final one also the result', async () => {
    const job = await told(2);
    const stream = await lab.stream(job.path);
    const events = await stream.toTheEnd();
    const versions = events.map(({ data }) => data.version);
    for (const { data } of events) {
      expect(data).toMatchObject({ jobId: job.jobId, progress: expect.any(Number) });
    }
    expect(versions).toEqual(versions.map((_, n) => (versions[0] ?? 0) + n));
    expect(events.map(({ data }) => 'result' in data)).toEqual([false, false, false, false, true]);
    expect(events.at(-1)?.data.result).toEqual({ answer: 42 });
    expect(versions.at(-1)).toBe((await lab.job(job.jobId)).version);
    stream.close();
  });

  test('the final one also the error', async () => {
    const failed = await lab.finished({ error: { title: 'Out of tape', detail: 'Ended.' } });
    const stream = await lab.stream(failed.links.events);
    const [last] = (await stream.toTheEnd()).slice(-1);
    expect(last?.event).toBe('failed');
    expect(last?.data.error).toMatchObject({ title: 'Out of tape', detail: 'Ended.' });
    stream.close();
  });

  test('every event has an id of its own', async () => {
    const job = await told(5);
    const stream = await lab.stream(job.path);
    const given = ids(await stream.toTheEnd());
    expect(given).not.toContain(undefined);
    expect(new Set(given).size).toBe(given.length);
    stream.close();
  });

  test.each([undefined, '*/*', 'text/*', 'text/event-stream', 'application/json;q=0.5, text/event-stream'])(
    'Accept: %s is the stream',
    async (accept) => {
      const { path } = await told(1);
      const stream = await lab.stream(path, { Accept: accept ?? [] });
      expect(stream.headers['content-type']).toContain('text/event-stream');
      stream.close();
    },
  );

  test.each([
    'application/json',
    'application/*',
    'text/event-stream;q=0.1, application/json',
    'text/event-stream;q=0, application/json',
  ])('Accept: %s is JSON', async (accept) => {
    const { path } = await told(1);
    const answer = await lab.get(path, { Accept: accept });
    expect([answer.status, answer.type]).toEqual([200, 'application/json']);
  });

  test('404 for a job that is not there, before any stream', async () => {
    expectProblem(await lab.get('/jobs/nobody/events', { Accept: 'text/event-stream' }), 404);
  });

  test('text of any language arrives as it was, whatever newlines are in it', async () => {
    const result = 'ä€😀 \u0000 \n\r\n\n: comment\ndata: x\u0085\u2028\u2029\r\revent: y';
    const job = await lab.finished({ result });
    const stream = await lab.stream(job.links.events);
    expect((await stream.toTheEnd()).at(-1)?.data.result).toBe(result);
    stream.close();
  });

  test('many readers of one job see the same', async () => {
    const { jobId } = await lab.manual();
    const streams = await Promise.all(Array.from({ length: 40 }, () => lab.stream(`/jobs/${jobId}/events`)));
    for (let n = 1; n <= 10; n++) await lab.progress(jobId, n / 10);
    await lab.finish(jobId);
    const { events } = await lab.consume(`/jobs/${jobId}/events`);
    for (const stream of streams) {
      expect((await stream.toTheEnd()).map(record)).toEqual(events.map(record));
      stream.close();
    }
  });

  test('a reader that leaves is forgotten at once', async () => {
    const experiment = newExperiment();
    const { jobId } = await lab.manual();
    const stream = await lab.stream(`/jobs/${jobId}/events`, { Experiment: experiment });
    await stream.upTo('started');
    stream.close();
    const { requests } = await lab.settled(experiment, 1);
    expect(requests[0]).toMatchObject({ technique: 'event-stream', events: 2 });
    await lab.finish(jobId);
    expect((await lab.traffic(experiment)).requests[0]?.events).toBe(2);
  });

  test('HEAD is as GET and never waits', async () => {
    const { path } = await told(1);
    for (const target of [path, '/events']) {
      const answer = await lab.request('HEAD', target, {
        headers: { Accept: 'text/event-stream' },
      });
      expect([answer.status, answer.text]).toEqual([200, '']);
      expect(answer.headers['content-type']).toContain('text/event-stream');
    }
  });
});

describe('with Last-Event-ID, or ?after= for a first connection, a stream goes on from there', () => {
  test('from any event: nothing lost and nothing twice', async () => {
    const { path, events } = await told(4);
    for (const [index, { id }] of events.slice(0, -1).entries()) {
      for (const stream of [
        await lab.stream(path, { 'Last-Event-ID': id }),
        await lab.stream(`${path}?after=${encodeURIComponent(id)}`),
      ]) {
        expect((await stream.toTheEnd()).map(record)).toEqual(events.slice(index + 1).map(record));
        stream.close();
      }
    }
  });

  test('a client that drops after every event misses none', async () => {
    const { jobId } = await lab.simulated({ durationMs: 200, steps: 8 });
    const seen: StreamEvent[] = [];
    while (seen.at(-1)?.event !== 'succeeded') {
      const last = seen.at(-1)?.id;
      const cursor = last === undefined ? {} : { 'Last-Event-ID': last };
      const stream = await lab.stream(`/jobs/${jobId}/events`, cursor);
      seen.push(await stream.next());
      stream.close();
    }
    const { events } = await lab.consume(`/jobs/${jobId}/events`);
    expect(seen.map(record)).toEqual(events.map(record));
  });

  test('Last-Event-ID wins, since an EventSource keeps its URL when it reconnects', async () => {
    const { path, events } = await told(4);
    const [first, , third] = events;
    const stream = await lab.stream(`${path}?after=${first?.id}`, {
      'Last-Event-ID': third?.id ?? '',
    });
    expect((await stream.next()).id).toBe(events[3]?.id);
    stream.close();
    // Even where the URL makes no sense any more.
    const odd = await lab.stream(`${path}?after=%21`, { 'Last-Event-ID': third?.id ?? '' });
    expect((await odd.next()).id).toBe(events[3]?.id);
    odd.close();
  });

  test('204 when the cursor is at or past the final event, so that an EventSource stays closed', async () => {
    const { path, events } = await told(2);
    const final = events.at(-1)?.id ?? '';
    const later = (await told(1)).events;
    for (const id of [final, later.at(0)?.id ?? '', later.at(-1)?.id ?? '']) {
      const byHeader = await lab.get(path, { Accept: 'text/event-stream', 'Last-Event-ID': id });
      expect([byHeader.status, byHeader.text]).toEqual([204, '']);
      const byQuery = await lab.get(`${path}?after=${encodeURIComponent(id)}`);
      expect([byQuery.status, byQuery.text]).toEqual([204, '']);
    }
  });

  test("an id of another job's event is a place in the one ordered space", async () => {
    const first = await lab.manual();
    const second = await lab.manual();
    await lab.progress(first.jobId, 0.5);
    await lab.progress(second.jobId, 0.5);
    await lab.progress(first.jobId, 1);
    const { events } = await lab.consume(`/jobs/${second.jobId}/events`);
    const stream = await lab.stream(`/jobs/${first.jobId}/events?after=${events.at(-1)?.id}`);
    expect((await stream.next()).data).toMatchObject({ jobId: first.jobId, progress: 1 });
    stream.close();
  });

  test('an id that cannot be read is a gap from the header: gap without an id, then the oldest', async () => {
    const { path, events } = await told(2);
    const stream = await lab.stream(path, { 'Last-Event-ID': '!!!' });
    const [gap, oldest] = await stream.take(2);
    expect([gap?.event, gap?.id]).toEqual(['gap', undefined]);
    expect(gap?.data).toEqual({ oldest: events[0]?.id });
    expect(oldest?.id).toBe(events[0]?.id);
    stream.close();
  });

  test('and a 400 from ?after=', async () => {
    const { path } = await told(1);
    expectProblem(await lab.get(`${path}?after=%21%21%21`), 400);
    expectProblem(await lab.get(`${path}?after=%21%21%21`, { Accept: 'application/json' }), 400);
    expectProblem(await lab.get('/events?after=%21%21%21'), 400);
  });
});

describe("GET /events: every job's events", () => {
  test('from now on; the stream begins with an event `position` (an id, data {})', async () => {
    const before = await told(1);
    const stream = await lab.stream('/events');
    const position = await stream.next();
    expect([position.event, position.text]).toEqual(['position', '{}']);
    expect(position.id).toMatch(/./);
    const [one, two] = [await lab.manual(), await lab.manual()];
    await lab.finish(two.jobId);
    await lab.finish(one.jobId);
    const events: StreamEvent[] = [];
    while (names(events).filter((name) => name === 'succeeded').length < 2) {
      const event = await stream.next();
      if ([one.jobId, two.jobId].includes(event.data.jobId)) events.push(event);
      expect(event.data.jobId).not.toBe(before.jobId);
    }
    for (const { jobId } of [one, two]) {
      const { events: own } = await lab.consume(`/jobs/${jobId}/events`);
      expect(events.filter(({ data }) => data.jobId === jobId).map(record)).toEqual(own.map(record));
    }
    stream.close();
  });

  test('so that a drop before the first event loses nothing', async () => {
    const stream = await lab.stream('/events');
    const { id = '' } = await stream.next();
    stream.close();
    const missed = await told(1);
    const again = await lab.stream('/events', { 'Last-Event-ID': id });
    const events: StreamEvent[] = [];
    while (events.at(-1)?.event !== 'succeeded') {
      const event = await again.next();
      if (event.data.jobId === missed.jobId) events.push(event);
    }
    expect(events.map(record)).toEqual(missed.events.map(record));
    again.close();
  });

  test('ids are one ordered space for the whole server: a cursor from a job serves there', async () => {
    const first = await told(1);
    const second = await told(1);
    const stream = await lab.stream(`/events?after=${first.events.at(-1)?.id}`);
    const events: StreamEvent[] = [];
    while (events.at(-1)?.event !== 'succeeded') {
      const event = await stream.next();
      expect(event.data.jobId).not.toBe(first.jobId);
      if (event.data.jobId === second.jobId) events.push(event);
    }
    expect(ids(events)).toEqual(ids(second.events));
    stream.close();
  });

  test('a slow reader lags, and misses nothing', async () => {
    const { next } = await lab.consume('/events');
    const slow = await lab.stream(`/events?after=${encodeURIComponent(next)}`);
    slow.pause();
    const jobs: string[] = [];
    for (let n = 0; n < 20; n++) {
      const { jobId } = await lab.simulated({ durationMs: 0, steps: 1000 });
      await lab.until(jobId);
      jobs.push(jobId);
    }
    slow.resume();
    const told = await slow.take(20 * 1003);
    slow.close();
    let after = next;
    for (let read = 0; read < told.length; ) {
      const page = await lab.consume(`/events?after=${encodeURIComponent(after)}`);
      expect(told.slice(read, read + page.events.length).map(record)).toEqual(page.events.map(record));
      read += page.events.length;
      after = page.next;
    }
    expect(new Set(told.map(({ data }) => data.jobId))).toEqual(new Set(jobs));
  });

  test('JSON in the same way: from now on, and `next` is the current position', async () => {
    const { events, next } = await lab.consume('/events');
    expect(events).toEqual([]);
    const experiment = newExperiment();
    const waiting = lab.consume(`/events?after=${next}&min=4&wait=60&experiment=${experiment}`);
    await lab.held(experiment);
    const job = await told(1);
    const page = await waiting;
    expect(page.events.map(record)).toEqual(job.events.slice(0, page.events.length).map(record));
    expect(page.events.length).toBeGreaterThanOrEqual(4);
  });
});

describe('GET …/events, Accept: application/json: consume', () => {
  test('an event is { id, event, data, at }, and next is the last id given', async () => {
    const { path } = await told(2);
    const answer = await lab.get(path, { Accept: 'application/json' });
    const { events, next } = answer.json<{ events: EventRecord[]; next: string }>();
    for (const event of events) {
      expect(Object.keys(event).sort()).toEqual(['at', 'data', 'event', 'id']);
      expect(event.at).toMatch(/^\d{4}-.*Z$/);
    }
    expect(next).toBe(events.at(-1)?.id);
    expect(answer.json()).not.toHaveProperty('gap');
  });

  test('?after= goes on from there; past the last, none, and next is the cursor that came', async () => {
    const { path, events } = await told(3);
    for (const [index, { id }] of events.entries()) {
      const page = await lab.consume(`${path}?after=${encodeURIComponent(id)}`);
      expect(page.events).toEqual(events.slice(index + 1));
      expect(page.next).toBe(events.at(-1)?.id);
    }
  });

  test('JSON reads only ?after=, not Last-Event-ID', async () => {
    const { path, events } = await told(1);
    const page = await lab.consume(path, { 'Last-Event-ID': events.at(-1)?.id ?? '' });
    expect(page.events).toEqual(events);
  });

  test('without a wait it answers at once with what there is', async () => {
    const { jobId } = await lab.manual();
    const { events } = await lab.consume(`/jobs/${jobId}/events?min=5`);
    expect(names(events)).toEqual(['queued', 'started']);
  });

  test('Prefer: wait=N holds until there are min events past the cursor', async () => {
    const { jobId } = await lab.manual();
    const path = `/jobs/${jobId}/events`;
    const { next } = await lab.consume(path);
    const experiment = newExperiment();
    const headers = { Accept: 'application/json', Prefer: 'wait=60', Experiment: experiment };
    const waiting = lab.get(`${path}?after=${next}&min=3`, headers);
    await lab.held(experiment);
    await lab.progress(jobId, 0.1);
    await lab.progress(jobId, 0.2);
    await lab.held(experiment);
    await lab.progress(jobId, 0.3);
    const answer = await waiting;
    expect([answer.status, answer.headers['preference-applied']]).toEqual([200, 'wait=60']);
    expect(answer.json<{ events: EventRecord[] }>().events.map(({ data }) => data.progress)).toEqual([0.1, 0.2, 0.3]);
  });

  test('min is 1 unless it is given', async () => {
    const { jobId } = await lab.manual();
    const path = `/jobs/${jobId}/events`;
    const { next } = await lab.consume(path);
    const experiment = newExperiment();
    const waiting = lab.consume(`${path}?after=${next}&wait=60&experiment=${experiment}`);
    await lab.held(experiment);
    await lab.progress(jobId, 0.1);
    expect((await waiting).events.map(({ data }) => data.progress)).toEqual([0.1]);
  });

  test('or the job has ended, with fewer', async () => {
    const { jobId } = await lab.manual();
    const path = `/jobs/${jobId}/events`;
    const { next } = await lab.consume(path);
    const experiment = newExperiment();
    const waiting = lab.consume(`${path}?after=${next}&min=9&wait=60&experiment=${experiment}`);
    await lab.held(experiment);
    await lab.finish(jobId);
    const page = await waiting;
    expect(names(page.events)).toEqual(['succeeded']);
    // And at once when it had ended before.
    expect((await lab.consume(`${path}?after=${page.next}&wait=60`)).events).toEqual([]);
  });

  test('or N seconds passed: 200 with what there is', async () => {
    const { jobId } = await lab.manual();
    const path = `/jobs/${jobId}/events`;
    const { next } = await lab.consume(path);
    const headers = { Accept: 'application/json', Prefer: 'wait=1' };
    const answer = await lab.get(`${path}?after=${next}`, headers);
    expect([answer.status, answer.headers['preference-applied']]).toEqual([200, 'wait=1']);
    expect(answer.json()).toEqual({ events: [], next });
  });

  test('none to 1000 of them at a time', async () => {
    const { jobId } = await lab.simulated({ durationMs: 0, steps: 1000 });
    await lab.until(jobId);
    const path = `/jobs/${jobId}/events`;
    const first = await lab.consume(path);
    expect(first.events).toHaveLength(1000);
    const second = await lab.consume(`${path}?after=${first.next}`);
    expect(second.events).toHaveLength(3);
    expect(second.events.at(-1)?.event).toBe('succeeded');
    const stream = await lab.stream(path);
    expect((await stream.toTheEnd()).map(record)).toEqual([...first.events, ...second.events].map(record));
    stream.close();
  });

  test.each(['min=-1', 'min=many', 'min=1.5', 'min=', 'wait=soon'])('400 for ?%s', async (query) => {
    const { path } = await told(1);
    expectProblem(await lab.get(`${path}?${query}`, { Accept: 'application/json' }), 400);
    expectProblem(await lab.get(`/events?${query}`, { Accept: 'application/json' }), 400);
  });

  test('HEAD never waits', async () => {
    const { jobId } = await lab.manual();
    const headers = { Accept: 'application/json', Prefer: 'wait=60' };
    const answer = await lab.request('HEAD', `/jobs/${jobId}/events?min=9`, { headers });
    expect([answer.status, answer.text]).toEqual([200, '']);
  });
});

withSettings('the life of a stream, byte by byte', ['--heartbeat-ms', '50', '--retry-ms', '1234'], (lab) => {
  test('it opens with retry: and every event is its fields and a blank line', async () => {
    const job = await lab.finished();
    const { events } = await lab.consume(job.links.events);
    const stream = await lab.stream(job.links.events);
    await stream.toTheEnd();
    expect(stream.raw.startsWith('retry: 1234\n')).toBe(true);
    const blocks = stream.raw.split('\n\n').map((block) => block.split('\n').sort());
    for (const { id, event, data } of events) {
      const fields = [`id: ${id}`, `event: ${event}`].sort();
      const block = blocks.find((lines) => lines.includes(fields[1] ?? ''));
      expect(block).toEqual(expect.arrayContaining(fields));
      const text = block?.find((line) => line.startsWith('data: '))?.slice('data: '.length);
      expect(JSON.parse(text ?? '')).toEqual(data);
    }
    stream.close();
  });

  test('sends a comment after heartbeat-ms of silence, again and again', async () => {
    const { jobId } = await lab.manual();
    for (const stream of [await lab.stream(`/jobs/${jobId}/events`), await lab.stream('/events')]) {
      await stream.commented(3);
      stream.close();
    }
    await lab.finish(jobId);
  });

  test('after the final event it stays open: it is for the client to close', async () => {
    const job = await lab.finished();
    const stream = await lab.stream(job.links.events);
    await stream.toTheEnd();
    await stream.commented(stream.comments.length + 3);
    expect(stream.over).toBe(false);
    expect(names(stream.events).at(-1)).toBe('succeeded');
    stream.close();
  });

  test('an event that is told resets the silence, and comments never break one', async () => {
    const { jobId } = await lab.manual();
    const stream = await lab.stream(`/jobs/${jobId}/events`);
    for (let n = 1; n <= 20; n++) {
      await lab.progress(jobId, n / 20, { note: 'x'.repeat(500) });
      if (n % 5 === 0) await stream.commented(stream.comments.length + 1);
    }
    await lab.finish(jobId);
    expect(await stream.toTheEnd()).toHaveLength(23);
    stream.close();
  });
});

withSettings('events held are bounded', ['--max-events', '20'], (few) => {
  test('the oldest go: an event gap without an id comes first, and the oldest next', async () => {
    const { jobId } = await few.manual();
    const path = `/jobs/${jobId}/events`;
    const { events: first } = await few.consume(path);
    for (let n = 1; n <= 60; n++) await few.progress(jobId, n / 60);
    for (const stream of [
      await few.stream(path, { 'Last-Event-ID': first[0]?.id ?? '' }),
      await few.stream(`${path}?after=${first[0]?.id}`),
      await few.stream('/events', { 'Last-Event-ID': first[0]?.id ?? '' }),
    ]) {
      const [gap, oldest, next] = await stream.take(3);
      expect([gap?.event, gap?.id]).toEqual(['gap', undefined]);
      expect(gap?.data).toEqual({ oldest: oldest?.id });
      expect(oldest?.data.progress).toBeGreaterThan(0.4);
      expect(next?.data.version).toBe((oldest?.data.version ?? 0) + 1);
      stream.close();
    }
  });

  test('in JSON a member gap', async () => {
    const { jobId } = await few.manual();
    const path = `/jobs/${jobId}/events`;
    const { events: first } = await few.consume(path);
    for (let n = 1; n <= 60; n++) await few.progress(jobId, n / 60);
    const page = await few.consume(`${path}?after=${first[0]?.id}`);
    expect(page.gap).toEqual({ oldest: page.events[0]?.id });
    expect(page.events.at(-1)?.data.progress).toBe(1);
    const goingOn = await few.consume(`${path}?after=${page.events[0]?.id}`);
    expect(goingOn).not.toHaveProperty('gap');
    expect(goingOn.events).toEqual(page.events.slice(1));
  });

  test('also for a consumer that was held meanwhile', async () => {
    const { jobId } = await few.manual();
    const path = `/jobs/${jobId}/events`;
    const { next } = await few.consume(path);
    const experiment = newExperiment();
    const waiting = few.consume(`${path}?after=${next}&min=1000&wait=60&experiment=${experiment}`);
    await few.held(experiment);
    for (let n = 1; n <= 60; n++) await few.progress(jobId, n / 60);
    await few.finish(jobId);
    const page = await waiting;
    expect(page.gap).toEqual({ oldest: page.events[0]?.id });
    expect(page.events[0]?.data.progress).toBeGreaterThan(0.4);
  });

  test('a stream without a cursor that has lost its beginning says so', async () => {
    const { jobId } = await few.manual();
    for (let n = 1; n <= 60; n++) await few.progress(jobId, n / 60);
    const stream = await few.stream(`/jobs/${jobId}/events`);
    const [gap, oldest] = await stream.take(2);
    expect(gap?.event).toBe('gap');
    expect(gap?.data).toEqual({ oldest: oldest?.id });
    stream.close();
  });

  test('the status of a job does not depend on its events being held', async () => {
    const { jobId } = await few.manual();
    const loud = await few.manual();
    for (let n = 1; n <= 60; n++) await few.progress(loud.jobId, n / 60);
    expect((await few.job(jobId)).state).toBe('running');
    const { events, next } = await few.consume(`/jobs/${jobId}/events`);
    expect(events).toEqual([]);
    // Where there is no event, `next` is the current position.
    await few.progress(jobId, 0.5);
    const page = await few.consume(`/jobs/${jobId}/events?after=${encodeURIComponent(next)}`);
    expect(page.events.map(({ data }) => data.progress)).toEqual([0.5]);
    expect(page).not.toHaveProperty('gap');
    const stream = await few.stream(`/jobs/${jobId}/events`);
    await few.finish(jobId);
    expect(names(await stream.toTheEnd()).at(-1)).toBe('succeeded');
    stream.close();
  });
});

withSettings('a reader slower than what is held', ['--max-events', '2000'], (lab) => {
  test('is told of its gaps, and has no holes but those', async () => {
    const experiment = newExperiment();
    const [slow, fast] = [await lab.stream('/events', { Experiment: experiment }), await lab.stream('/events')];
    for (const stream of [slow, fast]) await stream.next(); // its position
    slow.pause();
    const all: string[] = [];
    let jobId = '';
    // The kernel takes in much for a reader that takes nothing: tell more until the server cannot keep up with itself.
    for (let sent = 0; all.length - sent <= 3000; ) {
      ({ jobId } = await lab.simulated({ durationMs: 0, steps: 1000 }));
      for (const { id = '' } of await fast.take(1003)) all.push(id);
      sent = (await lab.traffic(experiment)).requests[0]?.events ?? 0;
    }
    fast.close();
    slow.resume();
    let [at, gaps] = [-1, 0];
    for (let ended = false; !ended; ) {
      let event = await slow.next();
      if (event.event === 'gap') {
        gaps++;
        const { oldest } = event.data;
        event = await slow.next();
        expect(event.id).toBe(oldest);
        expect(all.indexOf(event.id ?? '')).toBeGreaterThan(at + 1);
        at = all.indexOf(event.id ?? '');
      } else {
        expect(event.id).toBe(all[++at]);
      }
      ended = event.event === 'succeeded' && event.data.jobId === jobId;
    }
    expect(gaps).toBeGreaterThan(0);
    slow.close();
  });
});

ownServers('an id that was never given by this store', () => {
  test('is a gap, then the oldest', async () => {
    const other = await startServer();
    try {
      const stranger = new Client(other.url);
      const { jobId } = await stranger.simulated({ steps: 500 });
      await stranger.until(jobId);
      const { next } = await stranger.consume(`/jobs/${jobId}/events`);
      await withServer([], async (_, client) => {
        const job = await client.manual();
        const { events } = await client.consume(job.links.events);
        for (const stream of [
          await client.stream(job.links.events, { 'Last-Event-ID': next }),
          await client.stream(`${job.links.events}?after=${next}`),
          await client.stream('/events', { 'Last-Event-ID': next }),
        ]) {
          const [gap, oldest] = await stream.take(2);
          expect([gap?.event, gap?.id]).toEqual(['gap', undefined]);
          expect(gap?.data).toEqual({ oldest: events[0]?.id });
          expect(oldest?.id).toBe(events[0]?.id);
          stream.close();
        }
        const page = await client.consume(`${job.links.events}?after=${next}`);
        expect(page).toEqual({ gap: { oldest: events[0]?.id }, events, next: events.at(-1)?.id });
      });
      // Where nothing is held at all, there is no oldest.
      await withServer([], async (_, client) => {
        const stream = await client.stream('/events', { 'Last-Event-ID': next });
        const gap = await stream.next();
        expect([gap.event, gap.data]).toEqual(['gap', { oldest: null }]);
        stream.close();
      });
    } finally {
      await other.stop();
      await rm(other.data, { recursive: true, force: true });
    }
  });
});

withSettings('a reader that never reads', ['--stall-ms', '1000', '--heartbeat-ms', '200'], (lab) => {
  test('is dropped after a while, and keeps nobody else waiting', async () => {
    const experiment = newExperiment();
    const raw = await RawConnection.connect(lab.base);
    raw.socket.pause();
    await raw.send(`GET /events?experiment=${experiment} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const reader = await lab.stream('/events');
    let dropped = false;
    // How much the kernel takes in for a reader that takes nothing is its own affair: tell more until it is full.
    for (let round = 0; round < 300 && !dropped; round++) {
      const { jobId } = await lab.simulated({ durationMs: 0, steps: 1000 });
      await lab.until(jobId);
      dropped = (await lab.traffic(experiment)).requests.some((row) => row.endedAt !== null);
    }
    if (!dropped) await lab.settled(experiment, 1);
    const { jobId } = await lab.finished();
    for (;;) if ((await reader.next()).data.jobId === jobId) break;
    reader.close();
    raw.close();
  });
});
