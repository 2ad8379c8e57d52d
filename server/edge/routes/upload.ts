import { createHash } from 'node:crypto';
import type { Spec } from '../../core/jobs/job.js';
import { badRequest } from '../../core/problem.js';
import { body } from '../http/body.js';
import type { HttpExchange } from '../http/http-exchange.js';
import { Uploads } from '../uploads/uploads.js';

/** Streams a body to a job's file as it arrives. Half an upload leaves nothing. */
export async function receive(
  x: HttpExchange,
  jobId: string,
): Promise<{ file: string; bytes: number; digest: string }> {
  const { uploads, settings } = x.context;
  uploads.admit(Number(x.req.headers['content-length'] ?? 0));
  const source = body(x, settings.maxUploadBytes);
  const file = Uploads.nameOf(jobId);
  // Only a request that may be repeated is compared with another one.
  const hash = 'idempotency-key' in x.req.headers ? createHash('sha256') : null;
  const hashed = async function* () {
    for await (const chunk of source) {
      hash?.update(chunk);
      yield chunk;
    }
  };
  const bytes = await uploads.store(file, hash ? hashed() : source);
  if (bytes === 0) {
    await uploads.remove(file, 0);
    throw badRequest('Expected a video, got an empty body. Send the bytes of the file.');
  }
  return { file, bytes, digest: hash?.digest('hex') ?? '' };
}

/** Removes what was received for a job that is not to be. */
export async function discard(x: HttpExchange, spec: Spec): Promise<void> {
  if (spec.kind !== 'video') return;
  const { engine, uploads } = x.context;
  const remove = () => uploads.remove(spec.file, spec.bytes);
  const settled = engine.settled();
  if (!settled) return remove();
  // The job may have been made although the engine did not answer: then the file is its file.
  void settled.then(() => {
    if (!x.context.log.find(Uploads.jobOf(spec.file))) return remove();
  });
}
