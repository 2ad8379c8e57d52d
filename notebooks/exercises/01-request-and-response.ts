import assert from 'node:assert/strict';
import fetch from 'node-fetch';
import { server } from '../instruments/connect.js';
import { exercise } from '../instruments/exercise.js';
import { experiment } from '../instruments/experiment.js';
import type { Job } from '../instruments/job.js';
import { number } from '../instruments/table.js';

const FILE = 'notebooks/exercises/01-request-and-response.ts';

type Client = typeof fetch;
type Outcome = { result: unknown } | { location: string };
type Ask = (client: Client, jobsUrl: string, task: object, patienceMs: number) => Promise<Outcome>;

/** 1. A client that leaves the server time to answer: it asks the server to wait for at least a second less than it waits itself. */
export const withinPatience = exercise<Ask>({
  id: '01-request-and-response/1-within-patience',
  async check(ask) {
    const { url } = server();
    const asking = (task: object, patienceMs: number) => {
      const run = experiment('exercise: never lose an answer', fetch);
      const waits: number[] = [];
      const client = ((to, init) => {
        const waitS = waitOf(String(to), init?.headers as Record<string, string>);
        waits.push(waitS);
        assert.ok(
          (waitS + 1) * 1_000 <= patienceMs,
          `With ${number(patienceMs)} ms to wait, it asked to be held for ${waitS} s: that leaves less than a second for the round trip, so the answer may come too late.`,
        );
        return run.fetch(to, init);
      }) as Client;
      return { done: ask(client, `${url}/jobs`, task, patienceMs), waits };
    };

    const quick = { kind: 'simulated', durationMs: 50, steps: 2 };
    const soon = asking(quick, 20_500);
    const outcome = await soon.done;
    assert.equal(soon.waits.length, 1, `Expected one request through the client, got ${soon.waits.length}.`);
    assert.ok(soon.waits[0] !== 0, 'It never asked the server to wait: send "Prefer: wait=…".');
    assert.equal(soon.waits[0], 19, `With 20.5 s to wait, it asked to be held for ${soon.waits[0]} s: expected 19.`);
    const expected = { result: { steps: 2, durationMs: 50 } };
    assert.deepEqual(outcome, expected, `For a quick job: expected ${told(expected)}, got ${told(outcome)}.`);

    const slow = asking({ kind: 'manual' }, 2_001);
    const late = await slow.done;
    assert.ok(late && 'location' in late, `For a slow job: expected { location }, got ${told(late)}.`);
    const found = await fetch(new URL(late.location, url), { method: 'DELETE' });
    assert.equal(found.status, 200, `For a slow job: there is no job at "${late.location}".`);
    assert.equal(((await found.json()) as Job).kind, 'manual');

    const refused = await asking({ kind: 'magic' }, 5_000).done.then(told, (error: Error) => error);
    assert.ok(refused instanceof Error, `For a task that was refused, it returned ${refused}: expected it to throw.`);
    const words = 'expected kind';
    assert.ok(
      refused.message.includes(words),
      `For a task that was refused, it threw "${refused.message}", not the server's error message.`,
    );
    return 'No answer was lost, however long the job took.';
  },
  hint: 'Math.floor(patienceMs / 1000) - 1 is the largest number of whole seconds that leaves a second or more. 200 brings the result, 202 the header Location; the text of anything else goes into an Error.',
  solution: { file: FILE, region: 'within-patience' },
});

const told = (value: unknown) => JSON.stringify(value) ?? 'nothing';

/** For how many seconds a request asks to be held. */
function waitOf(to: string, headers: Record<string, string> = {}): number {
  const prefer = new Headers(headers).get('prefer') ?? '';
  const preferred = /(?:^|[,;\s])wait\s*=\s*"?(\d+)/i.exec(prefer)?.[1];
  return Number(new URL(to).searchParams.get('wait') ?? preferred ?? 0);
}

/** The solution that is shown, and that a test runs. */
// #region within-patience
export const myAsk: Ask = async (client, jobsUrl, task, patienceMs) => {
  const waitS = Math.max(0, Math.floor(patienceMs / 1_000) - 1);
  const headers = { 'Content-Type': 'application/json', Prefer: `wait=${waitS}` };
  const signal = AbortSignal.timeout(patienceMs);
  const response = await client(jobsUrl, { method: 'POST', headers, body: JSON.stringify(task), signal });
  if (response.status === 200) return { result: await response.json() };
  if (response.status !== 202) throw new Error(await response.text());
  const location = response.headers.get('Location');
  if (!location) throw new Error('A 202 without a Location: the job cannot be found.');
  return { location };
};
// #endregion

const WHY: Record<string, string> = {
  'log in': 'it is over in a moment, and the one who asks wants to know.',
  thumbnail: 'it takes less than a second, and the answer is for the client that asked.',
  transcode: 'ten minutes are longer than the time-outs along the route.',
  comment: 'other people write, and the server cannot notify a page that has not asked.',
  report: 'it takes longer than the ten seconds of the rule of thumb, and near a minute the proxies give up.',
};

/** 2. When plain request and response is right. */
export const sorted = exercise<string[]>({
  id: '01-request-and-response/2-sorted',
  check(answer) {
    assert.ok(Array.isArray(answer), `Expected a list of names, such as ['log in'], got ${told(answer)}.`);
    for (const name of answer) assert.ok(name in WHY, `"${name}" is none of ${Object.keys(WHY).join(', ')}.`);
    for (const [name, why] of Object.entries(WHY)) {
      const wanted = rightToWait.includes(name);
      if (wanted !== answer.includes(name)) assert.fail(`Think again about "${name}": ${why}`);
    }
    return 'The answer comes soon, and goes to the client that asked.';
  },
  hint: 'Ask two questions of each: is it done within about ten seconds? And does the answer go to the client that asked?',
  solution: { file: FILE, region: 'sorted' },
});

// #region sorted
/** What is done soon, for the client that asked. */
export const rightToWait = ['log in', 'thumbnail'];
// #endregion
