import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Job } from '../instruments/job.js';
import { myOnce, myWay, submitOnce, wholeWay } from './02-a-job-and-its-id.js';
import { withServer } from './with-server.js';

withServer();

const json = { 'Content-Type': 'application/json' };
const post = (task: object, headers: Record<string, string> = {}) => ({
  method: 'POST',
  headers: { ...json, ...headers },
  body: JSON.stringify(task),
});

describe.concurrent('1, the whole way', () => {
  type Way = typeof myWay;
  /** Four steps, with something left out. */
  const going =
    ({
      pauseMs = 1_000,
      asTold = false,
      firstMs = null as number | null,
      looksAtState = true,
      looksAtStatus = true,
      looksAtResult = true,
    }): Way =>
    async (client, server, task) => {
      let answer = await client(`${server}/jobs`, post(task));
      if (looksAtStatus && !answer.ok) throw new Error(await answer.text());
      let job = (await answer.json()) as Job;
      if (!job.links) return null;
      for (let ms = firstMs ?? pauseMs; !job.finishedAt; ms = pauseMs) {
        await sleep(asTold ? 1_000 * Number(answer.headers.get('retry-after')) : ms);
        answer = await client(server + job.links.self);
        job = (await answer.json()) as Job;
      }
      if (looksAtState && job.state !== 'succeeded') throw new Error(job.error?.detail);
      const result = await client(server + job.links.result);
      if (looksAtResult && !result.ok) throw new Error(await result.text());
      return result.json();
    };

  it('takes the solution that it shows', async () => {
    expect((await wholeWay.verdict(myWay)).text).toBe('✓ Solved. All four steps, and every failure was reported.');
  });
  it.each([
    ['comes back too early', going({ pauseMs: 20 }), /Retry-After said a second/],
    ['does not wait after the 202', going({ firstMs: 0 }), /Retry-After said a second/],
    ['takes no Retry-After for 0', going({ asTold: true }), /a missing header does not mean 0/],
    ['does not look at the status of the result', going({ looksAtResult: false }), /your client returned its body/],
    [
      'takes a failed job for a good one',
      going({ looksAtState: false, looksAtResult: false }),
      /The job failed, and your client returned/,
    ],
    ['takes a refusal for a job', going({ looksAtStatus: false }), /The task was refused/],
    [
      'returns the job',
      async (client, server, task) => (await client(`${server}/jobs`, post(task))).json(),
      /Expected the result/,
    ],
    [
      'keeps the reason to itself',
      (...all) =>
        myWay(...all).catch(() => {
          throw new Error('failed');
        }),
      /threw "failed": expected the reason/,
    ],
  ] as [string, Way, RegExp][])('sees one that %s', async (_name, way, reason) => {
    expect((await wholeWay.verdict(way)).text).toMatch(reason);
  });
});

describe.concurrent('2, once and only once', () => {
  type Once = typeof myOnce;
  /** Tries so often, with a key of one's own choice, whatever the answer. */
  const trying =
    (keyOf: () => string | null, most = 5, again = (_refused: Error) => true): Once =>
    async (client, jobsUrl, task) => {
      for (let tries = 1; ; tries++) {
        const key = keyOf();
        try {
          const response = await client(jobsUrl, post(task, key ? { 'Idempotency-Key': key } : {}));
          if (!response.ok) throw Object.assign(new Error(await response.text()), { refused: true });
          return (await response.json()) as Job;
        } catch (error) {
          if (tries === most || !again(error as Error)) throw error;
        }
      }
    };
  const fixed = randomUUID();

  it('takes the solution that it shows', async () => {
    expect((await submitOnce.verdict(myOnce)).text).toBe('✓ Solved. 4 answers lost, 1 job made.');
  });
  it.each([
    ['has no key', trying(() => null), /it made 5 jobs for one intent/],
    ['makes a key for each try', trying(() => randomUUID()), /it made 5 jobs for one intent/],
    ['has one key forever', trying(() => fixed), /Two calls made one job/],
    ['gives up too early', trying(() => randomUUID(), 2), /the fifth try gets an answer/],
    [
      'tries again what was refused',
      async (client, jobsUrl, task) => {
        const key = randomUUID();
        return trying(() => key)(client, jobsUrl, task);
      },
      /so expected 1 try, got 5/,
    ],
    [
      'tries again immediately',
      async (client, jobsUrl, task) => {
        const key = randomUUID();
        return trying(
          () => key,
          5,
          (error) => !('refused' in error),
        )(client, jobsUrl, task);
      },
      /It tried again after \d+ ms: pause before each new try/,
    ],
    [
      'never gives up',
      async (client, jobsUrl, task) => {
        const key = randomUUID();
        return trying(() => key, 100)(client, jobsUrl, task);
      },
      /expected 5 tries/,
    ],
  ] as [string, Once, RegExp][])('sees one that %s', async (_name, once, reason) => {
    expect((await submitOnce.verdict(once)).text).toMatch(reason);
  });
});
