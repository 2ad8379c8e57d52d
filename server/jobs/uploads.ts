import { createHash } from 'node:crypto';
import { createReadStream, readdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Problem } from '../http/problem.js';
import { THE_END } from '../log/cursor.js';
import type { JobTopic } from '../log/log.js';
import { hasEnded, type Spec } from './job.js';
import type { Jobs } from './jobs.js';
import { readMedia } from './media.js';

const PIECE_BYTES = 256 * 1024;
const specOf = ({ job }: JobTopic) => job.spec as Extract<Spec, { kind: 'video' }>;

/** Reads the uploaded videos, one after the other. */
export class Uploads {
  /** Kept when those that came before have been read. */
  private turn = Promise.resolve();

  constructor(
    readonly folder: string,
    private readonly jobs: Jobs,
  ) {
    // The files of no unfinished job are of uploads and clean-ups that were cut off by a kill.
    const unfinished = [...jobs.log.jobs()].filter(({ job }) => !hasEnded(job));
    const kept = new Set(unfinished.map((topic) => specOf(topic).file));
    for (const name of readdirSync(folder)) if (!kept.has(name)) rmSync(join(folder, name), { force: true });
  }

  enqueue(topic: JobTopic): void {
    this.turn = this.turn.then(() => this.work(topic));
  }

  private async work(topic: JobTopic): Promise<void> {
    const path = join(this.folder, specOf(topic).file);
    try {
      await this.process(topic, path);
    } catch (error) {
      await this.fail(topic, error as Error);
    }
    // What cannot be removed now is removed by the next server; those who wait for their turn are not to wait for ever.
    if (hasEnded(topic.job)) await rm(path, { force: true }).catch(() => {});
  }

  private async process(topic: JobTopic, path: string): Promise<void> {
    if (topic.job.state === 'queued') await this.jobs.start(topic);
    const sha256 = await this.read(topic, path);
    if (hasEnded(topic.job)) return; // cancelled
    const result = { bytes: specOf(topic).bytes, sha256, ...(await readMedia(path)) };
    await this.jobs.end(topic, { event: 'succeeded', result });
  }

  /** Reads the whole file and tells at most a hundred times how far it is. Returns its SHA-256, in hex. */
  private async read(topic: JobTopic, path: string): Promise<string> {
    const { bytes, paceMs } = specOf(topic);
    const hash = createHash('sha256');
    // After a restart the file is read again, and the pace goes on from where it was told last.
    const told = topic.job.progress;
    const began = Date.now() - told * (paceMs ?? 0);
    let read = 0;
    // A small file is read in small pieces, so that its pace is even.
    const highWaterMark = paceMs === null ? PIECE_BYTES : Math.min(PIECE_BYTES, Math.ceil(bytes / 100));
    for await (const chunk of createReadStream(path, { highWaterMark })) {
      hash.update(chunk);
      read += chunk.length;
      const progress = Math.floor((100 * read) / bytes) / 100;
      if (paceMs !== null && progress > told) await this.until(topic, began + (paceMs * read) / bytes);
      if (hasEnded(topic.job)) break; // cancelled
      if (progress > topic.job.progress) await this.jobs.progress(topic, progress);
    }
    return hash.digest('hex');
  }

  /** Waits for a time, but no longer than the job: a cancelled one ends its turn at once. */
  private async until(topic: JobTopic, time: number): Promise<void> {
    const ms = time - Date.now();
    if (ms <= 0 || hasEnded(topic.job)) return;
    await new Promise<void>((resolve) => this.jobs.log.delivery.wait(topic, topic.head, THE_END, ms, resolve));
  }

  /** The job has failed; or the log has, and the job is tried again. */
  private async fail(topic: JobTopic, error: Error): Promise<void> {
    const problem =
      error instanceof Problem ? error : new Problem(500, `The upload could not be read: ${error.message}`);
    try {
      if (problem.status === 503) throw problem;
      await this.jobs.end(topic, { event: 'failed', error: problem.toJSON() });
    } catch {
      setTimeout(() => this.enqueue(topic), 1_000);
    }
  }
}
