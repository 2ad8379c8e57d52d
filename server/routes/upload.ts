import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { body } from '../http/body.js';
import type { Exchange } from '../http/exchange.js';
import { badRequest, unavailable } from '../http/problem.js';
import type { Spec } from '../jobs/job.js';

/** Streams a body to a file as it arrives, no faster than the disk takes it. Half an upload leaves nothing. */
export async function receive(x: Exchange, file: string): Promise<{ bytes: number; digest: string }> {
  const source = body(x, x.app.settings.maxUploadBytes);
  const path = join(x.app.uploads.folder, file);
  // Only a request that may be repeated is compared with another one.
  const hash = 'idempotency-key' in x.req.headers ? createHash('sha256') : null;
  let bytes = 0;
  const counted = async function* () {
    for await (const chunk of source) {
      bytes += chunk.length;
      hash?.update(chunk);
      yield chunk;
    }
  };
  try {
    await pipeline(counted, createWriteStream(path));
    if (bytes === 0) throw badRequest('Expected a video, got an empty body. Send the bytes of the file.');
  } catch (error) {
    await rm(path, { force: true });
    const { syscall, message } = error as NodeJS.ErrnoException;
    if (!syscall || x.req.destroyed) throw error;
    throw unavailable(`The upload cannot be written (${message}). Free some space, and try again.`, 5);
  }
  return { bytes, digest: hash?.digest('hex') ?? '' };
}

/** Removes what was received for a job that is not to be. */
export async function discard(x: Exchange, spec: Spec): Promise<void> {
  if (spec.kind === 'video') await rm(join(x.app.uploads.folder, spec.file), { force: true });
}
