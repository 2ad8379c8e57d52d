import assert from 'node:assert/strict';
import { exercise } from '../instruments/exercise.js';

const FILE = 'notebooks/exercises/11-streams-over-post.ts';

interface Known {
  jobsUrl: string;
  key: string;
  location: string;
  cursor: string;
}
type Next = (known: Known) => { method: string; url: string; headers: Record<string, string> };

const JOBS_URL = 'https://api.example/jobs';
const LOCATION = `${JOBS_URL}/42`;

/** 1. The request after a broken stream, for each of the three moments at which it can break. */
export const nextRequest = exercise<Next>({
  id: '11-streams-over-post/1-next-request',
  check(next) {
    const known = { jobsUrl: JOBS_URL, key: 'k1', location: '', cursor: '' };
    const ask = (more: Partial<Known>) => {
      const { method, url, headers } = next({ ...known, ...more });
      const named = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
      return { method: method.toUpperCase(), url, headers: Object.fromEntries(named) as Record<string, string> };
    };
    const unanswered = ask({});
    assert.equal(
      unanswered.method,
      'POST',
      'Before any response, the client does not know whether there is a job: POST.',
    );
    assert.equal(unanswered.url, JOBS_URL, `Before any response there is only ${JOBS_URL}, got ${unanswered.url}.`);
    const key = unanswered.headers['idempotency-key'];
    assert.equal(key, 'k1', 'Without the key of the first submit, a repeated POST may make another job.');
    const answered = ask({ location: LOCATION });
    assert.equal(answered.method, 'GET', 'Once the job has a URL, a POST would only repeat the submit.');
    assert.equal(
      answered.url,
      `${LOCATION}/events`,
      `The job's events are at ${LOCATION}/events, got ${answered.url}.`,
    );
    const none = answered.headers['last-event-id'];
    assert.ok(
      none === undefined || none === '',
      `No event has come, so there is no cursor; got Last-Event-ID "${none}".`,
    );
    const begun = ask({ location: LOCATION, cursor: 'c7' });
    assert.equal(begun.method, 'GET', 'With a cursor, too, the job has a URL: GET.');
    assert.equal(begun.headers['last-event-id'], 'c7', 'Without Last-Event-ID, all events come once more.');
    return 'A repeated POST only while there is no job to ask for, and a cursor as soon as there is one.';
  },
  hint: 'Three cases: no location, a location without a cursor, and both. Only the first one is a POST.',
  solution: { file: FILE, region: 'next-request' },
});

// #region next-request
export const myNext: Next = ({ jobsUrl, key, location, cursor }) => {
  if (!location) return { method: 'POST', url: jobsUrl, headers: { 'Idempotency-Key': key } };
  const headers: Record<string, string> = cursor ? { 'Last-Event-ID': cursor } : {};
  return { method: 'GET', url: `${location}/events`, headers };
};
// #endregion

type Service = 'a' | 'b' | 'c' | 'd';
type Verdict =
  | 'GET with the cursor'
  | 'GET the status or the result'
  | 'the same POST with the same key'
  | 'the same POST with a new key'
  | 'show what came, and ask the user';
/** What the client of each service does after a cut. */
export type Verdicts = Record<Service, Verdict>;

/** What to think about after a wrong answer. */
const QUESTIONS: Record<Service, string> = {
  a: 'Is there anything to go on from, and who pays if the client asks again by itself?',
  b: 'What does the client have, and what has the service kept?',
  c: 'What has the service not kept for so long, and what may it still have?',
  d: 'Does the client know whether the e-mail was sent? Which request is safe either way?',
};

/** 2. What to do after a cut, for each of four services. */
export const verdicts = exercise<Record<string, string>>({
  id: '11-streams-over-post/2-verdicts',
  check(answers) {
    for (const [service, question] of Object.entries(QUESTIONS) as [Service, string][]) {
      const [got, right] = [answers[service], myVerdicts[service]];
      assert.equal(got, right, `${service}: ${got ? `"${got}" is not it` : 'it is in no box yet'}. ${question}`);
    }
    return 'A new key is never right: it says that this is another task.';
  },
  hint: 'Ask three things of each service: does the client have a cursor, does the service still have the events, and is it safe to send the POST again?',
  solution: { file: FILE, region: 'verdicts' },
});

// #region verdicts
export const myVerdicts: Verdicts = {
  a: 'show what came, and ask the user', // there is no cursor, and another answer would be another cent
  b: 'GET with the cursor',
  c: 'GET the status or the result', // the events are gone; the result may be there
  d: 'the same POST with the same key', // whether or not the first one was taken, one e-mail is sent
};
// #endregion
