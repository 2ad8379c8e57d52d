import assert from 'node:assert/strict';
import { ReadableStream } from 'node:stream/web';
import { EventSource } from 'eventsource';
import fetch from 'node-fetch';
import { server } from '../instruments/connect.js';
import { exercise } from '../instruments/exercise.js';
import type { Job } from '../instruments/job.js';

const FILE = 'notebooks/exercises/05-server-sent-events.ts';

type Settle = (source: EventSource) => Promise<unknown>;

/** How long a promise may take to settle, in milliseconds: the jobs of the check take a fraction of a second. */
const PATIENCE_MS = 5_000;

/** 1. A promise of a job's end, on top of an EventSource that is not left open. */
export const settled = exercise<Settle>({
  id: '05-server-sent-events/1-settled',
  async check(settle) {
    const task = (more: object) => ({ kind: 'simulated', durationMs: 60, steps: 3, ...more });
    const tasks = [task({}), task({ failAtStep: 2 }), null];
    const [good, bad, gone] = (await Promise.all(tasks.map((task) => outcome(settle, task)))) as [Out, Out, Out];
    for (const [name, { came }] of Object.entries({
      'that succeeds': good,
      'that fails': bad,
      'that is not there': gone,
    }))
      assert.notEqual(came, 'nothing', `For a job ${name}, the promise did not settle in ${PATIENCE_MS / 1_000} s.`);
    assert.equal(good.came, 'a value', 'The job succeeded, and the promise was rejected.');
    const right = JSON.stringify(good.result);
    const got = JSON.stringify(good.value);
    assert.equal(got, right, `Expected the job's result, ${right}, got ${got}.`);
    assert.equal(bad.came, 'an error', 'The job failed, and the promise was not rejected.');
    assert.ok(bad.value instanceof Error, `Expected an Error when the job failed, got ${JSON.stringify(bad.value)}.`);
    assert.equal(gone.came, 'an error', 'The source was closed for good (404), and the promise was not rejected.');
    for (const { state } of [good, bad, gone])
      assert.equal(state, EventSource.CLOSED, 'A source was left open: close it whatever happens.');
    return 'It settles, and it leaves no stream behind.';
  },
  hint: 'Listen for succeeded, failed and cancelled by their names, and for error, where you look at readyState: while it is CONNECTING, the source is coming back by itself. The data is JSON.',
  solution: { file: FILE, region: 'settled' },
});

// #region settled
export const mySettle: Settle = (source) =>
  new Promise((resolve, reject) => {
    const end = (act: () => void) => {
      source.close();
      act();
    };
    source.addEventListener('succeeded', ({ data }) => end(() => resolve(JSON.parse(data).result)));
    for (const name of ['failed', 'cancelled'])
      source.addEventListener(name, ({ data }) => end(() => reject(new Error(`${name}: ${data}`))));
    source.addEventListener('error', () => {
      if (source.readyState === source.CLOSED) reject(new Error('The stream was closed for good.'));
    });
  });
// #endregion

type Out = Awaited<ReturnType<typeof outcome>>;

/** What becomes of the promise for one job; for a job that does not exist, where there is no task. */
async function outcome(settle: Settle, task: object | null) {
  const { url } = server();
  const job = task && (await submitted(`${url}/jobs`, task));
  const source = new EventSource(`${url}${job ? job.links.events : '/jobs/none/events'}`, {
    async fetch(input, { headers, signal }) {
      const response = await fetch(String(input), { headers, signal });
      const { status, redirected, headers: got } = response;
      return {
        status,
        redirected,
        url: response.url,
        headers: got,
        body: ReadableStream.from(response.body as AsyncIterable<Uint8Array>),
      };
    },
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'nothing'>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, 'nothing');
  });
  const settling = Promise.resolve(settle(source)).then(
    (value) => ({ came: 'a value', value }),
    (value: unknown) => ({ came: 'an error', value }),
  );
  try {
    const first = await Promise.race([settling, late]);
    const ended = first === 'nothing' ? { came: 'nothing', value: undefined } : first;
    const result = job && (await (await fetch(`${url}${job.links.result}?wait=5`)).json());
    return { ...ended, result, state: source.readyState };
  } finally {
    clearTimeout(timer);
    source.close();
  }
}

async function submitted(jobsUrl: string, task: object): Promise<Job> {
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch(jobsUrl, { method: 'POST', headers, body: JSON.stringify(task) });
  return (await response.json()) as Job;
}

const CROWD = 1_000;
const ROOM = 50;
const LONGEST_MS = 4_000;
const WINDOW_MS = 100;

/** 2. A reconnection time for each of a crowd, so that the door is never too narrow. */
export const scatter = exercise<() => number>({
  id: '05-server-sent-events/2-scatter',
  check(retry) {
    const times = Array.from({ length: CROWD }, () => retry());
    const odd = times.find((ms) => !Number.isInteger(ms) || ms < 0);
    assert.equal(odd, undefined, `It gave ${odd}: a reader ignores a retry that is not all digits.`);
    const longest = Math.max(...times);
    assert.ok(longest <= LONGEST_MS, `One of them is away for ${longest} ms: more than ${LONGEST_MS}.`);
    const busiest = Math.max(...times.map((from) => times.filter((ms) => ms >= from && ms < from + WINDOW_MS).length));
    assert.ok(busiest <= ROOM, `${busiest} of them come within ${WINDOW_MS} ms, and there is room for ${ROOM}.`);
    return `At most ${busiest} of ${CROWD} come within ${WINDOW_MS} ms.`;
  },
  hint: 'A thousand clients at 50 in 100 ms need two seconds at least, and chance makes heaps: leave room. Math.round() makes whole milliseconds.',
  solution: { file: FILE, region: 'scatter' },
});

// #region scatter
export const myRetry = () => Math.round(Math.random() * 4_000);
// #endregion

/** 3. Polling against heartbeats on a day without news, from a weight that the reader measured, in bytes a poll. */
export const quietDay = (pollBytes: number) =>
  exercise<number>({
    id: '05-server-sent-events/3-quiet-day',
    check(answer) {
      const right = polledPerStreamed(pollBytes);
      assert.ok(
        Math.abs(answer * right - 1) > 0.02,
        `${answer} is upside down: how many times as many does the *polling* move?`,
      );
      assert.ok(
        Math.abs(answer / right - 1) < 0.02,
        `${answer} is not it. How many polls are there in a day, and how many heartbeats?`,
      );
      return `${right.toFixed(0)} times as many bytes; but the stream was on the wire twice as often.`;
    },
    hint: 'A day has 86,400 seconds: one poll every 30 of them, one heartbeat of three bytes every 15. Or think of 30 seconds only.',
    solution: { file: FILE, region: 'quiet-day' },
  });

// #region quiet-day
export const polledPerStreamed = (pollBytes: number) => {
  const daySeconds = 24 * 60 * 60;
  const polled = (daySeconds / 30) * pollBytes;
  const streamed = (daySeconds / 15) * 3;
  return polled / streamed;
};
// #endregion
