import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Spec } from '../../core/jobs/job.js';
import { Problem } from '../../core/problem.js';
import type { Submission } from '../../core/techniques/submit.js';
import { mediaType, readJson } from '../http/body.js';
import type { HttpExchange } from '../http/http-exchange.js';
import { discard, receive } from './upload.js';

export const MAX_DURATION_MS = 600_000;
const simulated = z
  .object({
    kind: z.literal('simulated'),
    durationMs: z
      .number()
      .min(0)
      .max(MAX_DURATION_MS)
      .default(5000)
      .describe('Milliseconds from its start to its end.'),
    steps: z.int().min(1).max(1000).default(20),
    failAtStep: z.int().min(1).nullable().default(null).describe('The step that is `failed` instead; one of `steps`.'),
  })
  .refine((job) => (job.failAtStep ?? 0) <= job.steps, { path: ['failAtStep'], error: 'expected one of the steps' })
  .meta({
    id: 'Simulated',
    description: 'A job of known duration: one `progress` event a step, the last one at 1.',
  });
const manual = z
  .object({ kind: z.literal('manual') })
  .meta({ id: 'Manual', description: 'A job that moves only when told.' });
export const submitBody = z
  .discriminatedUnion('kind', [simulated, manual], {
    error: 'expected kind "simulated" or "manual" (a video is uploaded as video/*)',
  })
  .meta({ id: 'Submission', description: 'What is to be done.' });

/** What a request submits. */
export const submissionOf = (x: HttpExchange): Submission => new HttpSubmission(x);

/** A class: tsx takes a microsecond to give a closure its name. */
class HttpSubmission implements Submission {
  constructor(private readonly x: HttpExchange) {}

  async read(jobId: string): Promise<{ spec: Spec; fingerprint: string }> {
    const { x } = this;
    const { spec, content } = await readSpec(x, jobId);
    // Only a request that the client may repeat is compared with another one.
    return { spec, fingerprint: 'idempotency-key' in x.req.headers ? fingerprint(x, content) : '' };
  }

  discard(spec: Spec): Promise<void> {
    return discard(this.x, spec);
  }
}

/** The specification of a job, and the body that it came in: its text, or a digest. Errors: 400, 413, 415. */
async function readSpec(x: HttpExchange, jobId: string): Promise<{ spec: Spec; content: string }> {
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

/** Equal for equal requests: the same path, query (without the names of `APART`), media type and body. */
function fingerprint(x: HttpExchange, content: string): string {
  const query = [...x.query].filter(([name]) => !APART.has(name)).sort();
  const parts = JSON.stringify([x.path, query, mediaType(x), content]);
  return createHash('sha256').update(parts).digest('hex');
}

/** Parameters that any request may have, and that change nothing about what is submitted. */
const APART: ReadonlySet<string> = new Set(['wait', 'experiment', 'access_token']);
