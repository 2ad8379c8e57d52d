import { createHash, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { mediaType, readJson } from '../../edge/http/body.js';
import type { Exchange } from '../../edge/http/exchange.js';
import { badRequest, Problem } from '../../edge/http/problem.js';
import type { Wait } from '../../edge/http/wait.js';
import { HEADERS, RESPONSES, WAIT } from '../../edge/interface/parts.js';
import { json, type Link, type Route } from '../../edge/interface/route.js';
import * as schemas from '../../edge/interface/schemas.js';
import { discard, receive } from '../../edge/routes/upload.js';
import { jobJson, type Spec } from '../jobs/job.js';
import type { JobRecord } from '../log/log.js';
import { outcome } from './result.js';

const MAX_DURATION_MS = 600_000;
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
    description: 'A job whose pace is known beforehand: one `progress` event a step, the last one at 1.',
  });
const manual = z
  .object({ kind: z.literal('manual') })
  .meta({ id: 'Manual', description: 'A job that moves only when told.' });
const submitBody = z
  .discriminatedUnion('kind', [simulated, manual], {
    error: 'expected kind "simulated" or "manual" (a video is uploaded as video/*)',
  })
  .meta({ id: 'Submission', description: 'What is to be done.' });

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
  // A first try that is not committed yet may fail, and this one is then the first.
  while (name && record?.staged) {
    await x.app.log.flush();
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
  x.app.run(record);
  await answered;
}

/** `202`, and where to come back; to a client that would wait, the outcome. */
async function answer(x: Exchange, record: JobRecord, wait: Wait | null): Promise<void> {
  const Location = `/jobs/${record.job.jobId}`;
  // Without Preference-Applied, also to a client that would wait but may not, as too many do.
  if (!wait || !x.app.waiting.admits)
    return x.json(202, jobJson(record.job), { Location, 'Retry-After': x.app.retryAfter });
  await x.holdForEnd(record, wait.seconds);
  outcome(x, record.job, { ...wait.applied, Location });
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

/** What a client may do with the job that it has been given. */
const next = (operation: string, description: string): Link => ({
  ...{ operation, description, parameters: { id: '$response.body#/jobId' } },
});

export const submitJob: Route = {
  ...{ method: 'POST', path: '/jobs', answer: submit, operation: 'submitJob', tag: 'jobs' },
  summary: 'Submit a job',
  description:
    'Takes the work and answers at once with a job, so that the client need not wait. Simulated and manual jobs start at once; uploads take turns. With a wait it is plain request and response: the answer is held until the job ends.',
  takes: [
    {
      ...{ in: 'query', name: 'durationMs', schema: z.int().min(0).max(MAX_DURATION_MS) },
      description:
        'Of an upload: its job is paced to last that long, in milliseconds. Without it, as fast as it can be read. Means nothing with JSON.',
    },
    {
      ...{ in: 'header', name: 'Idempotency-Key', schema: z.string().min(1).max(255) },
      description:
        'A repeated submit with the same key is the same job, also while the first is in flight (draft-ietf-httpapi-idempotency-key-header). A UUID, say.',
    },
    ...WAIT,
  ],
  body: {
    'application/json': {
      schema: submitBody,
      examples: {
        simulated: {
          summary: 'A job whose pace is known beforehand',
          value: { kind: 'simulated', durationMs: 5000, steps: 20, failAtStep: null },
        },
        failing: {
          summary: 'One that fails half-way',
          value: { kind: 'simulated', durationMs: 1000, steps: 10, failAtStep: 5 },
        },
        manual: { summary: 'A job that moves only when told', value: { kind: 'manual' } },
      },
    },
    'video/*': {
      schema: z
        .unknown()
        .describe(
          'The bytes of a video, streamed to disk as they arrive. The job reads them: SHA-256, container, codec, size and duration.',
        ),
    },
    'application/octet-stream': { schema: z.unknown().describe('The same, without saying which kind of video.') },
  },
  answers: {
    200: json(
      'With a wait: the job has succeeded, and this is its result.',
      schemas.result,
      ...[HEADERS.Location, HEADERS['Preference-Applied']],
    ),
    202: {
      ...json(
        'The job is taken. With a wait: it did not end in time, or (without `Preference-Applied`) no more clients can wait.',
        schemas.job,
        ...[HEADERS.Location, HEADERS['Retry-After'], HEADERS['Preference-Applied']],
      ),
      links: {
        status: next('getJob', 'Ask how far it is: short poll.'),
        result: next('getResult', 'Ask for its result; with a wait, a long poll.'),
        events: next('readJobEvents', 'Follow its events: SSE.'),
        cancel: next('cancelJob', 'Cancel it.'),
        progress: next('progressJob', 'Move it on, if it is a manual one.'),
        finish: next('finishJob', 'End it, if it is a manual one.'),
      },
    },
    409: { ...RESPONSES.NoResult, headers: [HEADERS.Location, HEADERS['Preference-Applied']] },
    422: RESPONSES.KeyReused,
    429: RESPONSES.TooManyJobs,
    503: RESPONSES.Unavailable,
  },
};
