import { randomUUID } from 'node:crypto';
import type { Exchange, Wait } from '../exchange.js';
import { jobJson, type Spec } from '../jobs/job.js';
import type { JobRecord } from '../log/log.js';
import { badRequest, Problem } from '../problem.js';
import type { Waiter } from '../waiting.js';
import { outcome } from './result.js';
import { stream } from './stream.js';

/** What a request submits. `edge/routes/submission.ts` implements it. */
export interface Submission {
  /**
   * Reads the specification of a job from the request's body; stores the video that the body may be. The fingerprint
   * tells one request from another that came with the same Idempotency-Key. Errors: 400, 413, 415, `TooManyUploads`.
   */
  read(jobId: string): Promise<{ spec: Spec; fingerprint: string }>;
  /** Removes what `read` has stored. */
  discard(spec: Spec): Promise<void>;
}

/** `POST /jobs`: accepts the job and answers immediately with its id, or streams its events from here. */
export async function submit(x: Exchange, submission: Submission): Promise<void> {
  const { jobs, log, waiting } = x.context;
  // A stream reserves its place among the waiting clients before the job exists, so that a client that is one too many is
  // refused before the job is made. (A server that stops in between still refuses it afterwards.)
  const place = x.accepts('application/json', 'text/event-stream') === 'text/event-stream' ? { finish() {} } : null;
  if (place) waiting.enter(x.lifetime, place);
  const wait = x.wait();
  const name = idempotencyKey(x);
  if (!jobs.submittedWith(name)) jobs.admit();
  const jobId = randomUUID();
  const { spec, fingerprint } = await submission.read(jobId);
  let record = jobs.submittedWith(name);
  // A first try that is not committed yet may fail, and this one is then the first.
  for (; record?.staged; record = jobs.submittedWith(name)) await log.flush();
  const key = name ? { name, fingerprint } : null;
  try {
    if (!record) jobs.admit();
    record ??= await jobs.create(spec, key, jobId);
    // A repeated submit is the same job; with the same key, a different request is a mistake.
    if (record.job.key?.fingerprint !== key?.fingerprint) {
      const detail = `The Idempotency-Key ${name} was already used for a different request. Use a new key for this one.`;
      throw new Problem(422, detail);
    }
  } finally {
    // Before the answer: a wait whose client leaves never ends.
    if (record?.job.jobId !== jobId) await submission.discard(spec);
  }
  // The answer shows the job as it was committed: the job moves on after that.
  const answered = place ? answerWithEvents(x, record, place) : answer(x, record, wait);
  if (record.job.jobId === jobId) x.context.run(record);
  await answered;
}

/** Answers `202` with the URL of the job; or, if the client is willing to wait, with the result. */
async function answer(x: Exchange, record: JobRecord, wait: Wait | null): Promise<void> {
  const Location = `/jobs/${record.job.jobId}`;
  // When too many clients are waiting already, a client that wants to wait gets 202, too, without Preference-Applied.
  if (!wait || !x.context.waiting.admits)
    return x.json(202, jobJson(record.job), { Location, 'Retry-After': x.context.retryAfter });
  x.holdForEnd(record, { ...wait, applied: { ...wait.applied, Location } }, outcome);
}

/** Answers with the events of the job, from the first one on. */
async function answerWithEvents(x: Exchange, { job, events }: JobRecord, place: Waiter): Promise<void> {
  x.context.waiting.leave(place); // for the stream, which enters now
  x.res.setHeader('Location', `/jobs/${job.jobId}`);
  stream(x, events, { after: 0, resumed: false });
}

/** The client's name for a request that it may repeat (draft-ietf-httpapi-idempotency-key-header). Error: 400. */
function idempotencyKey(x: Exchange): string | undefined {
  const key = x.req.headers['idempotency-key'] as string | undefined;
  if (key === undefined || (key.length > 0 && key.length <= 255)) return key;
  throw badRequest(`Idempotency-Key expects 1 to 255 characters, got ${key.length}. Send a UUID, say.`);
}
