import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { visible } from '../../../scripts/shared/visible.mjs';
import { hasEnded, type Job, jobBytes } from '../../core/jobs/job.js';
import { NotReadable, NotWritable } from '../../core/log/errors.js';
import type { LogEvent } from '../../core/log/event.js';
import {
  type Bounds,
  type Change,
  type Committed,
  type Contents,
  type Dropped,
  type Refused,
  type Store,
  type StoredJob,
  StoreError,
  type Tail,
} from '../../core/log/store.js';
import { eventBytes } from '../../core/log/topic.js';
import { Address, type Entry, entryOf, type Greeting, Link, LOG, later, META, record } from './link.js';
import * as replies from './replies.js';
import { commit, dropBeyond, join, renew, snapshot } from './scripts.js';

/** How long a client waits for an engine that does not answer, in milliseconds, before it is told so. */
const PATIENCE_MS = 2_500;
/** How long the engine may take to be there when a server starts, in milliseconds. */
const START_MS = 5_000;
/** How many entries are read at a time when the store is opened. */
const OPENING_ENTRIES = 1_000;
/** How many jobs of servers that are gone a server takes over at a time, so that the others get their share. */
const TAKEOVER = 100;

/** What a server tells of itself to those that share its engine. */
export interface Member {
  /** The server's name, for people. */
  name: string;
  /** How long a server may be silent before others take over its jobs, in milliseconds. */
  leaseMs: number;
  /** Names the folder of the uploads, which all servers must share. */
  uploads: string;
}

/** The engine does not answer, or answers with an error. */
class Unanswered extends NotWritable {
  constructor(reason: string) {
    super(reason);
    this.message =
      `The engine has not confirmed the change (${reason}), and it is not known whether it was made. ` +
      'Look, or send it again: with the same Idempotency-Key, a job is made once.';
  }
}

/** A commit that is on its way: its changes by job and version, since the read that waits brings them back. */
interface Pending {
  tag: string;
  changes: Map<string, Change>;
}

/** A wait until the mirror is at a position. */
interface Wait {
  head: number;
  settle: (error?: Error) => void;
}

/**
 * The log on a Redis or Valkey that several servers share. The log in this server's memory is a mirror of it, which one
 * blocking read keeps up to date: everything that the mirror holds came by that read, in the engine's order, this server's
 * own commits included.
 */
export class RedisStore implements Store {
  /** The generation that the mirror is of. */
  name = '';
  earlier: Greeting['earlier'] = [];
  /** Called when the mirror is no longer a part of the engine's log: `open` reads it anew. */
  onLost: () => void = () => {};
  /** Called with each job that this server is to work on from now on. */
  onWork: (jobId: string) => void = () => {};
  /** Names this server among those of the engine, until its mirror is lost: another name owns none of the jobs that it owned. */
  private id = '';
  private readonly link: Link;
  private tail: Tail = () => {};
  /** The position of the newest event that the mirror holds. */
  private head = 0;
  /** Whether the mirror is a part of the engine's log. */
  private whole = false;
  private commits = 0;
  private pending: Pending | undefined;
  private readonly waits = new Set<Wait>();
  /** Jobs that this server works on. */
  private readonly owned = new Set<string>();
  /** Jobs that it owns and has yet to set going. */
  private readonly taken = new Set<string>();
  /** Whether an answer that named such jobs may have been missed. */
  private missed = false;
  /** Pending while a commit that this server has given up may yet be made. */
  private doubt: { promise: Promise<void>; resolve: () => void } | undefined;
  private heart: NodeJS.Timeout | undefined;
  private beating = false;

  /** Error: {@link StoreError}. */
  constructor(
    url: string,
    private readonly member: Member,
  ) {
    this.link = new Link(new Address(url), {
      newName: randomName,
      greeted: (greeting) => this.meet(greeting),
      read: (entries) => this.take(entries),
      position: () => (this.whole ? this.head : null),
    });
  }

  async open(bounds: Bounds, tail: Tail): Promise<Contents> {
    const until = performance.now() + START_MS;
    try {
      this.id = `${this.member.name}-${randomName()}`;
      const inCommon = [JSON.stringify(bounds), this.member.uploads];
      const asked = [this.id, this.member.leaseMs, ...inCommon];
      const [differs, theirs] = await this.link.run(join, asked, until, replies.joined);
      if (differs) throw new StoreError(unlike(differs, inCommon[0] as string, theirs as string));
      const contents = await this.read(bounds, until);
      [this.tail, this.whole] = [tail, true];
      this.heart ??= setInterval(() => void this.beat(), this.member.leaseMs / 3);
      setImmediate(() => this.link.follow());
      return contents;
    } catch (error) {
      if (!this.heart) this.link.close();
      if (error instanceof StoreError) throw error;
      const { message } = error as Error;
      throw new StoreError(`The engine cannot be used (${message}). Start it, or name another one with --engine.`);
    }
  }

  async commit(changes: readonly Change[], dropped: Dropped): Promise<Refused> {
    const until = performance.now() + PATIENCE_MS;
    const number = ++this.commits;
    this.pending = {
      tag: `${this.id} ${number}`,
      changes: new Map(changes.map((change) => [placeOf(change.job), change])),
    };
    try {
      const args = argumentsOf(changes, dropped);
      for (;;) {
        if (!this.whole) throw new Unanswered('its log is being read anew');
        const generation = this.name;
        const sent = [generation, this.id, number, this.member.leaseMs, ...args];
        // Sent again until it is answered. The number tells the engine that it is the same commit.
        const answer = await this.link.run(commit, sent, until, replies.commitment).catch(async (error: Error) => {
          if (performance.now() > until) throw new Unanswered(error.message);
          await pause(20);
          return null;
        });
        if (answer === 'stale' && this.name === generation) this.link.renew();
        if (answer === 'stale' || answer === null) continue;
        const [head, ids] = answer;
        await this.reach(head, until).catch(({ message }: Error) => {
          throw new Unanswered(message);
        });
        const refused = new Set(ids);
        for (const { job } of changes) {
          if (refused.has(job.jobId)) this.owned.delete(job.jobId);
          else if (job.version === 1 && job.spec.kind !== 'manual') this.owned.add(job.jobId);
        }
        // The engine takes no earlier commit of this server after this one.
        this.doubt?.resolve();
        this.doubt = undefined;
        return ids.length > 0 ? refused : undefined;
      }
    } catch (error) {
      this.doubt ??= later();
      throw error;
    } finally {
      this.pending = undefined;
    }
  }

  async fresh(): Promise<void> {
    const until = performance.now() + PATIENCE_MS;
    try {
      for (;;) {
        const generation = this.name;
        const ask = (commands: Redis) => commands.hmget(META, 'name', 'seq');
        const [name, seq] = await this.link.ask(until, replies.headOfLog, ask);
        if (!this.whole) throw new Error('its log is being read anew');
        if (name === this.name) return await this.reach(Number(seq), until);
        if (this.name === generation) this.link.renew();
      }
    } catch (error) {
      throw new NotReadable((error as Error).message);
    }
  }

  /** Undefined, or resolves when no commit that this server has given up can be made any more. */
  settled(): Promise<void> | undefined {
    return this.doubt?.promise;
  }

  /** Lets other servers take over this one's jobs at once. */
  async close(): Promise<void> {
    clearInterval(this.heart);
    await this.link.run(renew, [this.id, 0, 0, 0], performance.now() + 500, replies.renewal).catch(() => {});
    this.abandon();
  }

  /** Lets go of the engine without a word, as the end of this process does. */
  abandon(): void {
    clearInterval(this.heart);
    this.lose(new Error('this server has stopped'));
    this.link.close();
  }

  /** A connection has begun: is the engine's log still the one that the mirror is a part of? */
  private meet({ name, earlier }: Greeting): void {
    const mine = earlier.find((one) => one.name === this.name);
    const survived = name === this.name ? Number.POSITIVE_INFINITY : (mine?.end ?? -1);
    [this.name, this.earlier] = [name, earlier];
    if (this.whole && survived < this.head) this.lost('the engine has lost events that were told to clients');
  }

  /** Takes in what the engine's log has got, and tells it. */
  private take(entries: Entry[]): void {
    const committed: Committed[] = [];
    let why: string | undefined;
    for (const { seq, fields } of entries) {
      if (!this.whole || seq <= this.head) continue;
      // The engine drops old events silently: positions without holes show it.
      if (seq !== this.head + 1) {
        why = 'events were dropped before this server had read them';
        break;
      }
      try {
        committed.push(this.committed(seq, fields));
      } catch (error) {
        why = (error as Error).message;
        break;
      }
      this.head = seq;
    }
    if (committed.length > 0) this.tail(committed);
    for (const wait of this.waits) if (wait.head <= this.head) wait.settle();
    if (why === undefined) this.setGoing();
    else this.lost(why);
  }

  /** Reads an entry of the log. Throws if no server of this version could have written it. */
  private committed(seq: number, { c: tag = '', p: prev, v: text = '' }: Entry['fields']): Committed {
    const { event, job } = readable(`the entry ${seq}-0 of its key ${LOG}`, () => replies.readEntry(text));
    const positions = { seq, prev: Number(prev) };
    if (hasEnded(job)) this.owned.delete(job.jobId);
    const mine = tag === this.pending?.tag ? this.pending.changes.get(placeOf(job)) : undefined;
    // The log knows its own changes by their objects.
    if (mine) return { event: { ...mine.event, ...positions }, job: mine.job };
    // A commit that this server had given up was made all the same: its jobs are this server's.
    if (tag.startsWith(`${this.id} `) && isWorkedOn(job)) this.taken.add(job.jobId);
    return { event: { ...event, ...positions }, job };
  }

  /** Resolves when the mirror is at a position. Rejects when the time is up, or the mirror is lost. */
  private reach(head: number, until: number): Promise<void> {
    if (this.head >= head) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const late = () => wait.settle(new Error('the engine tells its log too slowly'));
      const timer = setTimeout(late, Math.max(0, until - performance.now()));
      const wait: Wait = {
        head,
        settle: (error) => {
          clearTimeout(timer);
          this.waits.delete(wait);
          if (error) reject(error);
          else resolve();
        },
      };
      this.waits.add(wait);
    });
  }

  /** The mirror is no part of the engine's log any more. */
  private lost(why: string): void {
    console.error(`The log is read anew: ${why}. Clients are told of a gap.`);
    this.lose(new Error(why));
    this.link.renew();
    setImmediate(() => this.onLost());
  }

  private lose(error: Error): void {
    this.whole = false;
    this.taken.clear();
    this.owned.clear();
    for (const wait of this.waits) wait.settle(error);
  }

  /** Renews the lease, and takes over jobs of servers that have let theirs run out. */
  private async beat(): Promise<void> {
    if (this.beating) return;
    this.beating = true;
    const until = performance.now() + PATIENCE_MS;
    const { id } = this;
    try {
      const many = this.whole ? TAKEOVER : 0;
      const missed = this.missed;
      this.missed = true;
      const asked = [id, this.member.leaseMs, many, Number(missed)];
      const [head, ...jobs] = await this.link.run(renew, asked, until, replies.renewal);
      await this.reach(head, until);
      if (id === this.id && this.whole && many > 0) {
        for (const jobId of jobs) this.taken.add(jobId);
        this.missed = false;
      }
      this.setGoing();
    } catch {
      // The next beat asks for all jobs that this server owns.
    }
    this.beating = false;
  }

  private setGoing(): void {
    for (const jobId of this.taken) {
      if (!this.owned.has(jobId)) this.onWork(jobId);
      this.owned.add(jobId);
    }
    this.taken.clear();
  }

  /** Reads what the engine holds, at one position, and drops what is beyond the bounds. */
  private async read(bounds: Bounds, until: number): Promise<Contents> {
    for (;;) {
      const generation = this.name;
      const [head, versions, texts] = await this.link.run(snapshot, [], until, replies.snapshotOfJobs);
      const { jobs, forgotten } = within(bounds, storedJobs(record(versions), record(texts)));
      const { events, trimmed } = await this.readEvents(head, bounds, until);
      await this.link.run(dropBeyond, [trimmed, ...forgotten], until, replies.anything);
      if (generation !== this.name) continue;
      this.head = head;
      return { events, jobs, trimmed };
    }
  }

  /** Reads the newest events up to a position that the bounds allow, and the newest one in any case. */
  private async readEvents(
    head: number,
    bounds: Bounds,
    until: number,
  ): Promise<{ events: LogEvent[]; trimmed: number }> {
    const events: LogEvent[] = [];
    let bytes = 0;
    for (let next = head; next > 0; ) {
      const from = `${next}-0`;
      const entries = await this.link.ask(until, replies.entries, (client) =>
        client.xrevrange(LOG, from, '-', 'COUNT', OPENING_ENTRIES),
      );
      for (const { seq, fields } of entries.map(entryOf)) {
        if (seq !== next) break;
        const { event } = this.committed(next, fields);
        bytes += eventBytes(event);
        if (events.length > 0 && (events.length === bounds.events || bytes > bounds.eventBytes))
          return { events: events.reverse(), trimmed: next };
        events.push(event);
        next -= 1;
      }
      if (entries.length < OPENING_ENTRIES) return { events: events.reverse(), trimmed: next };
    }
    return { events: events.reverse(), trimmed: 0 };
  }
}

/** Whether servers work on a job: one at a time, which owns it. A manual job moves when it is told to, at any server. */
const isWorkedOn = (job: Job): boolean => job.spec.kind !== 'manual' && !hasEnded(job);

const placeOf = ({ jobId, version }: Job): string => `${jobId} ${version}`;

/** 8 characters of a-z and 0-9. */
const randomName = () => Array.from({ length: 8 }, () => Math.floor(Math.random() * 36).toString(36)).join('');

/** What the script `commit` takes after the lease. */
function argumentsOf(changes: readonly Change[], dropped: Dropped): (string | number)[] {
  /** Of each job its index, and what its changes in this commit have in common. */
  const jobs = new Map<string, { index: number; before: number; byWorker: boolean; job: Job }>();
  const events: (string | number)[] = [];
  for (const { event, job } of changes) {
    const { jobId, spec, version } = job;
    const known = jobs.get(jobId) ?? { index: jobs.size + 1, before: version - 1, byWorker: false, job };
    known.job = job;
    // A worker makes all changes of a job that is worked on, but for a cancel, and for the first ones, which make it.
    if (spec.kind !== 'manual' && event.event !== 'cancelled') known.byWorker = true;
    jobs.set(jobId, known);
    events.push(known.index, JSON.stringify({ event, job }));
  }
  const ofJobs = [...jobs.values()].flatMap(({ before, byWorker, job }) => [
    ...[job.jobId, before, job.version, job.key?.name ?? ''],
    ...[Number(byWorker), Number(isWorkedOn(job)), Number(hasEnded(job)), JSON.stringify(job)],
  ]);
  const ids = dropped.jobs.map(({ jobId }) => jobId);
  return [dropped.events, ids.length, ...ids, jobs.size, ...ofJobs, ...events];
}

/** What is read. Error: which part of the engine's data no server of this version has written. */
function readable<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const why = `${what} cannot be read (${visible((error as Error).message)})`;
    throw new Error(`${why}: another program has written it, or servers of another version`);
  }
}

function storedJobs(versions: Record<string, string>, texts: Record<string, string>): StoredJob[] {
  return Object.entries(versions).map(([jobId, version]) => {
    const [, first, last] = version.split(' ').map(Number) as [number, number, number];
    const job = readable(`the job ${jobId} of its keys`, () => replies.readJob(texts[jobId]));
    return { job, first, last };
  });
}

/** The unfinished jobs, and the newest of the finished ones that the bounds allow: at least one. */
function within(bounds: Bounds, stored: StoredJob[]): { jobs: StoredJob[]; forgotten: string[] } {
  const finished = stored.filter(({ job }) => hasEnded(job)).sort((a, b) => b.last - a.last);
  let bytes = 0;
  const kept = finished.findIndex(({ job }, n) => {
    bytes += jobBytes(job);
    return n > 0 && (n === bounds.jobs || bytes > bounds.jobBytes);
  });
  const beyond = new Set(kept < 0 ? [] : finished.slice(kept));
  return {
    jobs: stored.filter((one) => !beyond.has(one)),
    forgotten: [...beyond].map(({ job }) => job.jobId),
  };
}

/** Why a server cannot join those that share the engine already. */
const unlike = (what: string, mine: string, theirs: string): string =>
  what === 'bounds'
    ? `Other servers on this engine hold ${theirs}, and this one would hold ${mine}. Give all of them the same --max-events, ` +
      '--max-event-bytes, --keep-jobs and --keep-job-bytes; or stop the others first.'
    : 'Other servers on this engine have another folder for uploads. Give all of them the same --data, on a disk that they share.';
