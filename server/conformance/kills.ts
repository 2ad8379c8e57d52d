import { execFile as execFileWithCallback } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual, promisify } from 'node:util';
import { seededRandom } from '../../scripts/test/random.js';
import { type Answer, Client } from './client.js';
import { folderHolds } from './files.js';
import { RawConnection } from './raw.js';
import { LocalServer, temporaryFolder } from './server.js';
import { openTap } from './tap.js';
import type { EventPage, EventRecord, Job, JobPage } from './types.js';
import { within } from './within.js';

const execFile = promisify(execFileWithCallback);

/*
 * `kill -9` at random moments while clients submit, poll, long-poll, consume and stream. Every client does what a
 * client can: it tries again, with its Idempotency-Key, its ETag, its cursor. Then: every job ended exactly once,
 * every client saw every event of its job once and in order, and every result is right.
 */

export interface Campaign {
  /** Decides what every client does and when every kill falls; not how the machine interleaves them. */
  seed: number;
  kills: number;
  /**
   * For so long, the kills spread over it, and drops and readers that never read besides. Each job is checked as it
   * ends and may then be forgotten, so that memory can be seen to stay flat. Without it, the kills follow each other.
   */
  seconds?: number;
  /** Clients at a time; 8. */
  clients?: number;
  say?: (line: string) => void;
  /** Instead of one server, which is killed: several on one engine, and what is done to them. Clients change server at every request. */
  cluster?: (folder: string, flags: string[]) => Promise<Victims>;
}

/** The servers of a cluster and their engine, as a campaign uses them. */
export interface Victims {
  /** The server for the next request. */
  next(): string;
  /** Does them harm, and resolves when all is well again. */
  harm(random: () => number): Promise<void>;
  stop(): Promise<void>;
  /** The last that they said. */
  said(): string;
}

/** What the server's process held at a moment, as the operating system tells. */
export interface Sample {
  /** Seconds since the campaign began. */
  at: number;
  /** Which server it was: one more with each kill. */
  life: number;
  rssMiB: number;
}

export interface Survey {
  kills: number;
  samples: Sample[];
  jobs: number;
  events: number;
  /** How often a connection broke under a client, and it came again. */
  broken: number;
}

/** What a client was promised, kept until the end to compare. */
interface Promised {
  jobId: string;
  /** Submits it once more. */
  again: () => Promise<Answer>;
  state: Job['state'];
  /** What the result must have in it. */
  result: Record<string, unknown> | null;
  steps?: number;
  /** The events that each of its readers saw. */
  seen: { reader: string; events: Pick<EventRecord, 'id' | 'event' | 'data'>[] }[];
}

const FINAL = ['succeeded', 'failed', 'cancelled'];
const clip = await readFile(new URL('./fixtures/clip.mp4', import.meta.url));

const KEEP_ALL = ['--keep-jobs', '1000000', '--max-events', '10000000'];
const KEEP_FEW = ['--keep-jobs', '300', '--max-events', '10000', '--max-rows', '2000', '--stall-ms', '5000'];

export async function campaign({ seed, kills, seconds, clients = 8, say, cluster }: Campaign): Promise<Survey> {
  const random = seededRandom(seed);
  const data = await temporaryFolder();
  const flags = [...(seconds ? KEEP_FEW : KEEP_ALL), '--retry-ms', '20'];
  const tap = await openTap(undefined);
  const client = new Client(tap.url);
  let server: LocalServer | undefined;
  let victims: Victims | undefined;
  let killing = true;
  let broken = 0;
  let failure: Error | undefined;
  /** How many answers the clients got, all together. */
  let answers = 0;
  let up = later();

  /** Tries an action until it is answered, however many kills come between. */
  async function answered<T>(attempt: () => Promise<T | undefined>): Promise<T> {
    for (;;) {
      if (failure) throw failure;
      try {
        const answer = await attempt();
        if (answer !== undefined) return answer;
      } catch (error) {
        if (!isBroken(error)) throw error;
        broken++;
      }
      await pause(20);
      // Trying all the time would only take the processor from the server that starts.
      if (tap.target === undefined) await Promise.race([up.promise, pause(1000)]);
    }
  }

  /** As `answered`, for a request; a 503 is for trying again. */
  const request = (send: () => Promise<Answer>) =>
    answered(async () => {
      const answer = await send();
      answers++;
      if (answer.status >= 500 && answer.status !== 503) throw unexpected(answer);
      return answer.status === 503 ? undefined : answer;
    });

  // ── Readers: each sees a job through to its end in its own way, and tells what it saw ──

  const readers: Record<string, (jobId: string, random: () => number) => Promise<EventRecord[] | null>> = {
    async stream(jobId, random) {
      const events: EventRecord[] = [];
      while (!FINAL.includes(events.at(-1)?.event ?? '')) {
        const last = events.at(-1)?.id;
        const cursor = last === undefined ? {} : { 'Last-Event-ID': last };
        await answered(async () => {
          const stream = await client.stream(`/jobs/${jobId}/events`, cursor);
          if (stream.status === 503) return stream.close();
          if (stream.status !== 200) throw new Error(`a stream, resumed at ${last}: ${stream.status}`);
          stream.patienceMs = 120_000;
          // Some drop their connection by themselves, too.
          let left = random() < 0.3 ? 1 + Math.floor(random() * 4) : Number.POSITIVE_INFINITY;
          try {
            while (left-- > 0) {
              const { id = '', event, data } = await stream.next();
              events.push({ id, event, data, at: '' });
              answers++;
              if (FINAL.includes(event)) break;
            }
          } finally {
            stream.close();
          }
          return true;
        }).catch((error: Error) => {
          if (!/the stream ended/.test(error.message)) throw error;
          broken++;
        });
      }
      return events;
    },
    async consume(jobId, random) {
      const events: EventRecord[] = [];
      let after = '';
      while (!FINAL.includes(events.at(-1)?.event ?? '')) {
        const min = 1 + Math.floor(random() * 5);
        const path = `/jobs/${jobId}/events?min=${min}&wait=2${after}`;
        const answer = await request(() => client.get(path, { Accept: 'application/json' }));
        const page = answer.json<{ events: EventRecord[]; next: string; gap?: unknown }>();
        if (page.gap) throw new Error(`a gap for a consumer at ${after}`);
        events.push(...page.events);
        after = `&after=${encodeURIComponent(page.next)}`;
      }
      return events;
    },
    async poll(jobId, random) {
      await watch(jobId, async () => {
        await pause(5 + random() * 30);
        return {};
      });
      return null;
    },
    async change(jobId) {
      await watch(jobId, async () => ({ Prefer: 'wait=2' }));
      return null;
    },
    async 'long-poll'(jobId) {
      for (;;) {
        const headers = { Prefer: 'wait=2' };
        const answer = await request(() => client.get(`/jobs/${jobId}/result`, headers));
        if (answer.status === 200 || answer.status === 409) return null;
        if (answer.status !== 202) throw unexpected(answer);
      }
    },
  };

  /** Asks for a job until it has ended: what was told once is never taken back. */
  async function watch(jobId: string, next: () => Promise<Record<string, string>>): Promise<void> {
    let last: Job | undefined;
    while (!last?.finishedAt) {
      const tag: Record<string, string> = last ? { 'If-None-Match': `"${last.version}"` } : {};
      const headers = { ...(await next()), ...tag };
      const answer = await request(() => client.get(`/jobs/${jobId}`, headers));
      if (answer.status === 304) continue;
      if (answer.status !== 200) throw unexpected(answer);
      const { job } = answer;
      if (last && (job.version < last.version || job.progress < last.progress)) {
        throw new Error(`told ${JSON.stringify(last)}, then ${JSON.stringify(job)}`);
      }
      last = job;
    }
  }

  // ── Lives of jobs ──

  async function live(random: () => number, key: string): Promise<Promised> {
    const headers: Record<string, string> = { 'Idempotency-Key': key };
    const whole = (below: number) => Math.floor(random() * below);
    const kind = random();
    let submit: () => Promise<Answer>;
    let move: (jobId: string) => Promise<void> = async () => {};
    let promised: Omit<Promised, 'jobId' | 'again' | 'seen'>;
    if (kind < 0.1) {
      submit = () => client.post('/jobs', { kind: 'manual' }, headers);
      promised = { state: 'cancelled', result: null, steps: 0 };
      move = async (jobId) => {
        await pause(random() * 100);
        const answer = await request(() => client.delete(`/jobs/${jobId}`));
        if (answer.status !== 200) throw unexpected(answer);
      };
    } else if (kind < 0.45) {
      const [steps, durationMs] = [1 + whole(20), whole(400)];
      const failAtStep = random() < 0.2 ? 1 + whole(steps) : null;
      submit = () => client.post('/jobs', { kind: 'simulated', steps, durationMs, failAtStep }, headers);
      promised = failAtStep
        ? { state: 'failed', result: null, steps: failAtStep - 1 }
        : { state: 'succeeded', result: { steps, durationMs }, steps };
    } else if (kind < 0.75) {
      const steps = 1 + whole(8);
      const outcome = { key, steps };
      submit = () => client.post('/jobs', { kind: 'manual' }, headers);
      promised = { state: 'succeeded', result: outcome };
      move = async (jobId) => {
        for (let step = 1; step <= steps; step++) {
          await pause(random() * 40);
          const body = { progress: step / steps, step };
          const answer = await request(() => client.post(`/jobs/${jobId}/progress`, body));
          if (answer.status !== 204) throw unexpected(answer);
        }
        let tries = 0;
        const answer = await request(() => {
          tries++;
          return client.post(`/jobs/${jobId}/finish`, { result: outcome });
        });
        // A 409 after a broken connection: the server had received the request before.
        if (answer.status !== 204 && !(answer.status === 409 && tries > 1)) throw unexpected(answer);
      };
    } else {
      const video = random() < 0.7;
      const bytes = video
        ? Buffer.concat([clip, freeBox(whole(300_000))])
        : Buffer.alloc(1 + whole(300_000), `${key} is no video. `);
      const pace = random() < 0.3 ? `?durationMs=${whole(200)}` : '';
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      submit = () => client.upload(bytes, { headers, query: pace });
      promised = video
        ? { state: 'succeeded', result: { bytes: bytes.length, sha256, width: 64 } }
        : { state: 'failed', result: null };
    }
    const answer = await request(submit);
    if (answer.status !== 202) throw unexpected(answer);
    const { jobId } = answer.job;
    const names = Object.keys(readers).filter(() => random() < 0.5);
    const seen: Promised['seen'] = [];
    await Promise.all([
      move(jobId),
      ...names.map(async (reader) => {
        const events = await readers[reader]?.(jobId, random);
        if (events) seen.push({ reader, events });
      }),
    ]);
    return { jobId, again: () => request(submit), seen, ...promised };
  }

  // ── The server, its kills, and the readers of all events ──

  const began = performance.now();
  const samples: Sample[] = [];
  let life = 0;
  const start = async (): Promise<void> => {
    if (cluster) {
      victims ??= await cluster(data, flags);
      tap.target = victims.next;
      return up.resolve();
    }
    server = new LocalServer(flags, data);
    await server.ready();
    life++;
    const { url, exited } = server;
    tap.target = url;
    up.resolve();
    void exited.then((exit) => {
      // Our kills take the target away first.
      if (tap.target === url) failure ??= new Error(`the server died by itself: ${JSON.stringify(exit)}`);
    });
  };
  const stop = async () => {
    if (victims) return;
    tap.target = undefined;
    up = later();
    await server?.crash();
  };

  /** Kills and starts the server again, so many times. */
  async function reap(): Promise<void> {
    for (let kill = 1; kill <= kills; kill++) {
      if (seconds) {
        const until = began + (1000 * seconds * (kill - 0.2 + random() * 0.4)) / (kills + 1);
        while (performance.now() < until && killing) await pause(100);
      } else {
        // After so many answers, not after so long: a slow machine gets as much done between two kills.
        const enough = answers + Math.floor(random() * 300);
        while (answers < enough && killing) await pause(2);
      }
      await pause(random() * 20);
      await victims?.harm(random);
      await stop();
      if (!victims && random() < 0.2) {
        // And once more while it starts.
        server = new LocalServer(flags, data);
        await pause(random() * 800);
        await stop();
        kill++;
      }
      await start();
      if (!killing) break;
      if (seconds || kill % 10 === 0) say?.(`${kill} kills, ${jobs} jobs`);
    }
    while (seconds && performance.now() < began + 1000 * seconds && killing) await pause(100);
    killing = false;
    half?.close();
    stuck?.close();
  }

  /** Cuts every connection now and then, and samples the memory of the server's process. */
  async function cut(): Promise<void> {
    while (killing) {
      await pause(500 + random() * 1000);
      if (random() < 0.2) tap.breakAll();
      const rssMiB = server && tap.target ? await residentMiB(server.pid) : null;
      if (rssMiB !== null) samples.push({ at: (performance.now() - began) / 1000, life, rssMiB });
    }
  }

  let stuck: RawConnection | undefined;
  /** A reader of all events that reads none, until the server drops it; then the next one. */
  async function neverRead(): Promise<void> {
    while (killing) {
      try {
        stuck = await RawConnection.connect(tap.url);
        stuck.socket.pause();
        await stuck.send('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
        const lapse = pause(5_000 + random() * 20_000);
        if (killing) await Promise.race([stuck.closed, lapse]);
        stuck.close();
      } catch (error) {
        if (!isBroken(error)) throw error;
      }
      await pause(20);
    }
  }

  let half: RawConnection | undefined;
  const mark = createHash('sha512').update(`half of an upload, ${seed}`).digest();
  /** Uploads that never end: each is cut by the next kill. */
  async function halfUploads(): Promise<void> {
    while (killing) {
      try {
        half = await RawConnection.connect(tap.url);
        await half.send(
          'POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\nContent-Length: 9000000\r\n\r\n',
        );
        await half.send(Buffer.concat(Array(2000).fill(mark)));
        if (killing) await half.closed;
      } catch (error) {
        if (!isBroken(error)) throw error;
      }
      await pause(20);
    }
  }

  const everything: EventRecord[] = [];
  let watching = true;
  /** Follows the events of all jobs, from the first, with the cursor alone. */
  async function follow(): Promise<void> {
    let after = '';
    // To the end of the log, also when the last job ended while an answer with the events before was on its way.
    for (let more = true; watching || more; ) {
      const path = `/events?wait=1&min=20${after}`;
      const answer = await request(() => client.get(path, { Accept: 'application/json' }));
      const page = answer.json<{ events: EventRecord[]; next: string; gap?: unknown }>();
      if (page.gap) throw new Error(`a gap in the events of all at ${after}`);
      everything.push(...page.events);
      more = page.events.length > 0;
      after = `&after=${encodeURIComponent(page.next)}`;
    }
  }

  const lives: Promised[] = [];
  let [jobs, events] = [0, 0];
  async function work(worker: number): Promise<void> {
    const own = seededRandom(seed * 31 + worker);
    for (let n = 0; killing; n++) {
      const promised = await live(own, `${seed}-${worker}-${n}`);
      jobs++;
      if (seconds) await check(promised);
      else lives.push(promised);
    }
  }

  /** Checks a job that has ended, while it is held, and forgets it. */
  async function check(promised: Promised): Promise<void> {
    const { jobId, state } = promised;
    const told = ({ event, data }: EventRecord) => data.jobId === jobId && event === state;
    while (!everything.some(told)) {
      if (failure) throw failure;
      await pause(50);
    }
    await verifyOne(through, promised, everything);
    const others = everything.filter(({ data }) => data.jobId !== jobId);
    events += everything.length - others.length;
    everything.splice(0, everything.length, ...others);
  }
  /** The client's verbs, however many kills come between. */
  const through = { get: (path: string, headers = {}) => request(() => client.get(path, headers)) };

  try {
    await start();
    const following = follow();
    following.catch((error: Error) => {
      failure ??= error;
    });
    // The first cursor is there before the first job.
    await eventuallyFollows(tap.connections);
    await within(
      Promise.all(
        [
          ...[reap(), halfUploads(), ...(seconds ? [cut(), neverRead()] : [])],
          ...Array.from({ length: clients }, (_, n) => work(n)),
        ].map((one) =>
          one.catch((error: Error) => {
            failure ??= error;
            killing = false;
            throw error;
          }),
        ),
      ),
      () => `the campaign to end; the server said ${victims?.said() ?? server?.stderr}`,
      60_000 + kills * 10_000 + (seconds ?? 0) * 1000,
    );
    watching = false;
    await following;

    // One more kill, when every client has its answer and no request is on its way.
    await stop();
    await start();
    if (!seconds) await verify(client, lives, everything);
    // In a folder that servers share, half of an upload may still be arriving: it is removed later.
    if (!victims && (await folderHolds(data, mark))) throw new Error('half of an upload is still in the data folder');
    return { kills, jobs, events: events + everything.length, broken, samples };
  } catch (error) {
    throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
  } finally {
    failure ??= new Error('the campaign is over');
    watching = killing = false;
    tap.target = undefined;
    await server?.crash();
    await victims?.stop();
    await tap.close();
    await rm(data, { recursive: true, force: true });
  }
}

function later() {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

async function eventuallyFollows(connections: unknown[]): Promise<void> {
  while (connections.length < 2) await pause(5);
}

/** Compares what every client was told, as it was told it, with what the server says in the end. */
async function verify(client: Client, lives: Promised[], everything: EventRecord[]): Promise<void> {
  for (const promised of lives) await verifyOne(client, promised, everything);
  const listed: string[] = [];
  for (let after = ''; ; ) {
    const page = (await client.get(`/jobs?limit=100${after}`)).json<JobPage>();
    listed.push(...page.jobs.map(({ jobId }) => jobId));
    if (page.next === null) break;
    after = `&after=${encodeURIComponent(page.next)}`;
  }
  const known = new Set(lives.map(({ jobId }) => jobId));
  const strangers = listed.filter((jobId) => !known.has(jobId));
  if (strangers.length || listed.length !== known.size) {
    throw new Error(`${listed.length} jobs for ${known.size} submits; nobody knows ${strangers}`);
  }
}

/** Compares what the clients of one job were told with what the server says of it. */
async function verifyOne(
  client: Pick<Client, 'get'>,
  { jobId, again, state, result, steps, seen }: Promised,
  everything: EventRecord[],
): Promise<void> {
  const plain = ({ id, event, data }: Pick<EventRecord, 'id' | 'event' | 'data'>) => ({
    id,
    event,
    data,
  });
  const { job } = await client.get(`/jobs/${jobId}`);
  const { events } = (await client.get(`/jobs/${jobId}/events`, { Accept: 'application/json' })).json<EventPage>();
  const about = `job ${JSON.stringify(job)}, events ${JSON.stringify(events)}`;
  const check = (holds: boolean, what: string) => {
    if (!holds) throw new Error(`${what}: ${about}`);
  };
  check(job.state === state, `expected ${state}`);
  const right = Object.entries(result ?? {}).every(([name, value]) =>
    isDeepStrictEqual((job.result as Record<string, unknown>)[name], value),
  );
  check(result === null ? job.result === null : right, `expected ${JSON.stringify(result)}`);

  const names = events.map(({ event }) => event);
  check(names[0] === 'queued' && names[1] === 'started', 'begins with queued, started');
  check(
    names.slice(2, -1).every((name) => name === 'progress'),
    'then progress alone',
  );
  check(names.at(-1) === state, 'then one final event');
  check(new Set(events.map(({ id }) => id)).size === events.length, 'ids are there once');
  const first = events[0]?.data.version ?? 0;
  check(
    events.every(({ data }, n) => data.version === first + n),
    'versions without a hole',
  );
  check(events.at(-1)?.data.version === job.version, "the last one is the job's");
  const told = events.map(({ data }) => data.progress);
  check(
    told.every((value, n) => value >= (told[n - 1] ?? 0)),
    'progress never backwards',
  );
  if (steps !== undefined) check(names.length === steps + 3, `one progress event a step, ${steps}`);

  for (const { reader, events: theirs } of seen) {
    if (!isDeepStrictEqual(theirs.map(plain), events.map(plain))) {
      throw new Error(`${reader} saw ${JSON.stringify(theirs)}; ${about}`);
    }
  }
  const ofAll = everything.filter(({ data }) => data.jobId === jobId);
  if (!isDeepStrictEqual(ofAll, events)) {
    throw new Error(`GET /events told ${JSON.stringify(ofAll)}; ${about}`);
  }
  const repeated = await again();
  check(repeated.headers.location === `/jobs/${jobId}`, 'its Idempotency-Key finds it');
}

function freeBox(size: number): Buffer {
  const box = Buffer.alloc(size + 8, 7);
  box.writeUInt32BE(box.length, 0);
  box.write('free', 4, 'latin1');
  return box;
}

/** What a process holds in memory, in MiB; null when it is gone. */
async function residentMiB(pid: number): Promise<number | null> {
  const { stdout } = await execFile('ps', ['-o', 'rss=', '-p', String(pid)]).catch(() => ({ stdout: '' }));
  return stdout.trim() === '' ? null : Number(stdout) / 1024;
}

/** Whether an error is a connection that broke, as they do when the server is killed. */
function isBroken(error: unknown): boolean {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return /^(ECONN|EPIPE|UND_|HPE_)/.test(code) || /hang up|aborted|closed before/.test(message);
}

function unexpected(answer: Answer): Error {
  return new Error(`unexpected answer: ${answer.status} ${answer.text}`);
}
