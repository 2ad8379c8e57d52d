import { createHash, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { mediaType, readJson } from '../http/body.js';
import type { Exchange } from '../http/exchange.js';
import { badRequest, Problem } from '../http/problem.js';
import type { Wait } from '../http/wait.js';
import { jobJson, type Spec } from '../jobs/job.js';
import type { JobRecord } from '../log/log.js';
import { outcome } from './result.js';
import { discard, receive } from './upload.js';

const MAX_DURATION_MS = 600_000;
const simulated = z
  .object({
    kind: z.literal('simulated'),
    durationMs: z.number().min(0).max(MAX_DURATION_MS).default(5000),
    steps: z.int().min(1).max(1000).default(20),
    failAtStep: z.int().min(1).nullable().default(null),
  })
  .refine((job) => (job.failAtStep ?? 0) <= job.steps, { path: ['failAtStep'], error: 'expected one of the steps' });
const submitBody = z.discriminatedUnion('kind', [simulated, z.object({ kind: z.literal('manual') })], {
  error: 'expected kind "simulated" or "manual" (a video is uploaded as video/*)',
});

/** `POST /jobs`: takes the work and answers at once with the job's id, so that the client need not wait. */
export async function submit(x: Exchange): Promise<void> {
  x.is('submit');
  x.accepts('application/json');
  const { jobs } = x.app;
  const wait = x.wait();
  const name = idempotencyKey(x);
  if (!name || !jobs.submittedWith(name)) jobs.admit();
  const jobId = randomUUID();
  const { spec, content } = await read(x, jobId);
  let record = name ? jobs.submittedWith(name) : undefined;
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
  x.app.run(record);
  await answered;
}

/** `202`, and where to come back; to a client that would wait, the outcome. */
async function answer(x: Exchange, record: JobRecord, wait: Wait | null): Promise<void> {
  const Location = `/jobs/${record.job.jobId}`;
  // Without Preference-Applied, also to a client that would wait but may not, as too many do.
  if (!wait || !x.mayWait) return x.json(202, jobJson(record.job), { Location, 'Retry-After': x.app.retryAfter });
  await x.holdForEnd(record, wait.seconds);
  outcome(x, x.committed(record), { ...wait.applied, Location });
}

/** What is to be done, and what tells the body that says so from another: its text, or its digest. Errors: 400, 413, 415. */
async function read(x: Exchange, jobId: string): Promise<{ spec: Spec; content: string }> {
  const type = mediaType(x);
  if (type === 'application/json') {
    const { text, value } = await readJson(x, submitBody);
    return { spec: value, content: text };
  }
  if (type.startsWith('video/') || type === 'application/octet-stream') {
    const paceMs = x.number('durationMs', 0, MAX_DURATION_MS);
    const { file, bytes, digest } = await receive(x, jobId);
    return { spec: { kind: 'video', file, bytes, paceMs }, content: digest };
  }
  const detail = `Expected a video (video/*, application/octet-stream) or application/json, got "${type}".`;
  throw new Problem(415, detail, { 'Accept-Post': 'application/json, application/octet-stream, video/*' });
}

/** draft-ietf-httpapi-idempotency-key-header. Error: 400. */
function idempotencyKey(x: Exchange): string | undefined {
  const key = x.req.headers['idempotency-key'] as string | undefined;
  if (key === undefined || (key.length > 0 && key.length <= 255)) return key;
  throw badRequest(`Idempotency-Key expects 1 to 255 characters, got ${key.length}. Send a UUID, say.`);
}

/** What makes a request the same one: its path, its query without `wait` and `experiment`, its type, its body. */
function fingerprint(x: Exchange, content: string): string {
  const query = [...x.query].filter(([name]) => name !== 'wait' && name !== 'experiment').sort();
  const parts = JSON.stringify([x.path, query, mediaType(x), content]);
  return createHash('sha256').update(parts).digest('hex');
}
