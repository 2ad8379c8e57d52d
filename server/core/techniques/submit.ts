import { randomUUID } from 'node:crypto';
import type { Exchange } from '../../edge/http/exchange.js';
import { Problem } from '../../edge/http/problem.js';
import type { Wait } from '../../edge/http/wait.js';
import { fingerprint, idempotencyKey, readSubmission } from '../../edge/routes/submission.js';
import { discard } from '../../edge/routes/upload.js';
import { jobJson } from '../jobs/job.js';
import type { JobRecord } from '../log/log.js';
import { outcome } from './result.js';

/** `POST /jobs`: takes the work and answers at once with the job's id, so that the client need not wait. */
export async function submit(x: Exchange): Promise<void> {
  x.setTechnique('submit');
  x.accepts('application/json');
  const { jobs } = x.context;
  const wait = x.wait();
  const name = idempotencyKey(x);
  if (!name || !jobs.submittedWith(name)) jobs.admit();
  const jobId = randomUUID();
  const { spec, content } = await readSubmission(x, jobId);
  let record = name ? jobs.submittedWith(name) : undefined;
  // A first try that is not committed yet may fail, and this one is then the first.
  while (name && record?.staged) {
    await x.context.log.flush();
    record = jobs.submittedWith(name);
  }
  const key = name ? { name, fingerprint: fingerprint(x, content) } : null;
  try {
    // A repeated submit is the same job; with the same key, another request is a mistake.
    if (record && record.job.key?.fingerprint !== key?.fingerprint) {
      const detail = `The Idempotency-Key ${name} came with another request before. Send a new key for a new request.`;
      throw new Problem(422, detail);
    }
    if (record) return await answer(x, record, wait);
    jobs.admit();
    record = await jobs.create(spec, key, jobId);
  } finally {
    if (record?.job.jobId !== jobId) await discard(x, spec);
  }
  // The answer tells the job as it was committed; only then does it move on.
  const answered = answer(x, record, wait);
  x.context.run(record);
  await answered;
}

/** `202`, and where to come back; to a client that would wait, the outcome. */
async function answer(x: Exchange, record: JobRecord, wait: Wait | null): Promise<void> {
  const Location = `/jobs/${record.job.jobId}`;
  // Without Preference-Applied, also to a client that would wait but may not, as too many do.
  if (!wait || !x.context.waiting.admits)
    return x.json(202, jobJson(record.job), { Location, 'Retry-After': x.context.retryAfter });
  await x.holdForEnd(record, wait.seconds);
  outcome(x, record.job, { ...wait.applied, Location });
}
