import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { exercise } from '../instruments/exercise.js';

const FILE = 'notebooks/exercises/09-more-than-one-server.ts';

type Cause =
  | 'servers share nothing'
  | 'sticky sessions hide that servers share nothing'
  | 'a channel without a log'
  | 'a mirror answers before it is up to date'
  | 'a lease without fencing'
  | 'the lease is too long'
  | 'the replica was behind';
type Report = 'a' | 'b' | 'c' | 'd' | 'e';
/** The cause of each report. */
export type Reports = Record<Report, Cause>;

/** What to think about after a wrong answer. */
const QUESTIONS: Record<Report, string> = {
  a: 'Which servers know of a job, and which of them gets the next request?',
  b: 'Users found their uploads before the deploy. What did they lose with the one server that was replaced?',
  c: 'The event was sent to everybody who was there. Where could the page have read it afterwards?',
  d: 'Both answers were true, each at its time. Which server gave the older one, and what had it not read yet?',
  e: 'The machine believed that it still owned its jobs. Who could have refused what it wrote?',
};

/** 1. Five reports from a service with several servers, each with one cause. */
export const reports = exercise<Record<string, string>>({
  id: '09-more-than-one-server/1-reports',
  check(causes) {
    for (const [report, question] of Object.entries(QUESTIONS) as [Report, string][]) {
      const [got, right] = [causes[report], myReports[report]];
      assert.equal(got, right, `${report}: ${got ? `"${got}" is not it` : 'it is in no box yet'}. ${question}`);
    }
    return 'Each report has its cause. A log that all servers share removes the first four; the fence removes the fifth.';
  },
  hint: 'In a and b, ask where the job is. In c and d, ask what a server or a page had not read. Two of the seven causes are not among the five reports.',
  solution: { file: FILE, region: 'reports' },
});

// #region reports
export const myReports: Reports = {
  a: 'servers share nothing', // the next request goes to the server that does not know the job
  b: 'sticky sessions hide that servers share nothing', // each user's jobs are on one server, until it is replaced
  c: 'a channel without a log', // it reached those who listened at that moment
  d: 'a mirror answers before it is up to date', // 60 % at one server, then 40 % at one that is behind
  e: 'a lease without fencing', // the engine has to refuse a writer that does not own the job any more
};
// #endregion

interface Numbered {
  seq: number;
}
interface Source {
  readAfter(seq: number): Promise<Numbered[]>;
  subscribe(onEvent: (event: Numbered) => void): void;
}
type Follow = (source: Source, after: number, handle: (event: Numbered) => void) => Promise<void>;

/** A log with a channel, which adds events at the worst moments: before, during and after each read. */
class Busy implements Source {
  private readonly log: Numbered[];
  private readonly subscribers: ((event: Numbered) => void)[] = [];

  constructor(count: number) {
    this.log = Array.from({ length: count }, (_, i) => ({ seq: i + 1 }));
  }

  get count(): number {
    return this.log.length;
  }

  add(): void {
    const event = { seq: this.log.length + 1 };
    this.log.push(event);
    for (const tell of this.subscribers) tell(event);
  }

  async readAfter(seq: number): Promise<Numbered[]> {
    await sleep(1);
    this.add(); // in the answer, and on the channel
    const found = this.log.filter((event) => event.seq > seq);
    await sleep(1); // the answer is on its way
    this.add(); // on the channel alone
    return found;
  }

  subscribe(onEvent: (event: Numbered) => void): void {
    this.subscribers.push(onEvent);
  }
}

/** 2. The events past a cursor, from a log and then from a channel. */
export const follower = exercise<Follow>({
  id: '09-more-than-one-server/2-follower',
  async check(follow) {
    for (const [held, after] of [
      [5, 0],
      [5, 3],
      [5, 5],
      [0, 0],
    ] as const) {
      const source = new Busy(held);
      const handled: number[] = [];
      await follow(source, after, ({ seq }) => handled.push(seq));
      for (let more = 0; more < 3; more++) source.add();
      const expected = Array.from({ length: source.count - after }, (_, i) => after + i + 1);
      const where = `With ${held} events in the log and the cursor at ${after}`;
      const lost = expected.find((seq) => !handled.includes(seq));
      assert.equal(lost, undefined, `${where}, event ${lost} was never handled. Was it told before you listened?`);
      const twice = handled.find((seq, i) => handled.indexOf(seq) !== i);
      assert.equal(
        twice,
        undefined,
        `${where}, event ${twice} was handled twice. It was in the log and on the channel.`,
      );
      const old = handled.find((seq) => seq <= after);
      assert.equal(old, undefined, `${where}, event ${old} was handled: the client has it already.`);
      assert.deepEqual(
        handled,
        expected,
        `${where}, the order was ${handled.join(', ')}. Hold back what comes too early.`,
      );
    }
    return 'Nothing is lost between the log and the channel, and nothing comes twice.';
  },
  hint: 'Subscribe first, and keep what comes in an array. Then read the log and handle that. Then handle what you kept, but only what is newer than the last event that you have handled. From then on, handle events as they come.',
  solution: { file: FILE, region: 'follower' },
});

// #region follower
export const myFollow: Follow = async (source, after, handle) => {
  let early: Numbered[] | null = []; // what the channel tells before the past is handled
  let last = after;
  const take = (event: Numbered) => {
    if (event.seq <= last) return; // it was in the log
    last = event.seq;
    handle(event);
  };
  source.subscribe((event) => (early ? void early.push(event) : take(event)));
  for (const event of await source.readAfter(after)) take(event);
  for (const event of early) take(event);
  early = null; // the past is handled: from now on, events are handled as they come
};
// #endregion
