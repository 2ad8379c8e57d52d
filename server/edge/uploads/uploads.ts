import { createHash } from 'node:crypto';
import { createReadStream, readdirSync, rmSync, statSync } from 'node:fs';
import { type FileHandle, lstat, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../../../scripts/shared/files.mjs';
import { hasEnded, type Spec } from '../../core/jobs/job.js';
import type { Jobs } from '../../core/jobs/jobs.js';
import { NotWritable, Overtaken } from '../../core/log/errors.js';
import type { JobRecord } from '../../core/log/log.js';
import { StoreError } from '../../core/log/store.js';
import { THE_END } from '../../core/log/topic.js';
import { failure } from '../../core/problem.js';
import { MediaReader, UnreadableVideo } from './media.js';

const PIECE_BYTES = 256 * 1024;
/** How many uploads may be arriving at the same time. Each has a file open, and a process may open 1,024, say. */
const MAX_ARRIVING = 256;
/** An upload that brings less than this in `--stall-ms` may have to give its place to another one, in bytes. */
const LEAST_BYTES = 64 * 1024;
const RETRY_MS = 1_000;
/** The files that this class makes, and the only ones that it removes: a version 4 UUID and an ending of its own. */
const NAME = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.upload$/;

const specOf = ({ job }: JobRecord) => job.spec as Extract<Spec, { kind: 'video' }>;

/** As many uploads are arriving as may, or the stored ones take as much of the disk as they may. */
export class TooManyUploads extends Error {}

/** The uploaded videos: stores them as they arrive, and reads them one after the other. */
export class Uploads {
  /** What the stored files take on the disk, in bytes; with those that are still arriving. */
  bytes = 0;
  /** Jobs whose file is yet to be read, the oldest first. */
  private readonly queue = new Set<JobRecord>();
  private working = false;
  private stopped = false;
  /** How many uploads are arriving. */
  private arriving = 0;
  /** How to refuse those that wait for more of their client; and since when each has brought less than {@link LEAST_BYTES}. */
  private readonly waiting = new Map<(reason: Error) => void, number>();
  private readonly reader = new MediaReader();
  /** The job whose headers are being read. */
  private reading: JobRecord | undefined;

  constructor(
    readonly folder: string,
    private readonly jobs: Jobs,
    /** `abandonedMs`: the age at which a file that no job names is removed when the server starts, in milliseconds. */
    private readonly limits: { maxStoredBytes: number; stallMs: number; abandonedMs: number },
  ) {
    const unfinished = [...jobs.log.jobs()].filter(({ job }) => job.spec.kind === 'video' && !hasEnded(job));
    const kept = new Set(unfinished.map((record) => specOf(record).file));
    // A file is removed when its job has ended. Whoever made this data folder must not choose which one.
    for (const file of kept)
      if (!NAME.test(file)) throw new StoreError(`A job names "${file}", which is no upload. Choose another --data.`);
    try {
      makeFolder(folder);
      // A kill leaves files behind: of uploads that were arriving, and of jobs that ended just then.
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        const path = join(folder, entry.name);
        if (!entry.isFile() || !NAME.test(entry.name) || kept.has(entry.name)) continue;
        const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0);
        if (limits.abandonedMs === 0 || age > limits.abandonedMs) rmSync(path, { force: true });
      }
    } catch (error) {
      const { message } = error as Error;
      throw new StoreError(
        `The folder of the uploads cannot be used (${message}). Make it writable, or choose another one with --data.`,
      );
    }
    jobs.onEnd = (record) => {
      // A job that was cancelled before its turn needs none: its file goes now.
      if (this.queue.delete(record)) void this.remove(specOf(record).file, specOf(record).bytes);
      // A job that was cancelled while its headers are read ends its turn at once.
      if (this.reading === record) void this.reader.stop();
    };
  }

  /** The name of a job's file. */
  static nameOf(jobId: string): string {
    return `${jobId}.upload`;
  }

  static jobOf(file: string): string {
    return file.replace(/\.upload$/, '');
  }

  /**
   * Makes room for one more upload, of so many bytes: the slowest one is refused instead. A client that sent a byte now and
   * then would otherwise keep its place for as long as a body may take. Error: {@link TooManyUploads}, when none is slower than
   * it may be, or the bytes would be too many.
   */
  admit(bytes: number): void {
    this.reserve(bytes);
    if (this.arriving < MAX_ARRIVING) return;
    const many = `${MAX_ARRIVING} uploads are arriving`;
    const [slowest] = [...this.waiting].sort(([, a], [, b]) => a - b);
    if (!slowest || performance.now() - slowest[1] < this.limits.stallMs)
      throw new TooManyUploads(`${many}, and no more are taken. Come back when some have.`);
    this.waiting.delete(slowest[0]);
    slowest[0](new TooManyUploads(`${many}, and this one is the slowest. Send it again, faster.`));
  }

  private reserve(bytes: number): void {
    if (this.bytes + bytes > this.limits.maxStoredBytes)
      throw new TooManyUploads(
        `The uploads that wait to be read may take ${this.limits.maxStoredBytes} bytes, and this one would be more. Come back when some have ended.`,
      );
  }

  /**
   * Writes what arrives to a file, no faster than the disk takes it. Half an upload leaves nothing. Returns how many
   * bytes came. Errors: {@link NotWritable}, {@link TooManyUploads}, and those of the source.
   */
  async store(file: string, source: AsyncIterable<Buffer>): Promise<number> {
    const path = join(this.folder, file);
    const chunks = source[Symbol.asyncIterator]();
    let bytes = 0;
    /** Since when less than {@link LEAST_BYTES} have come, and how many. */
    let [since, few] = [performance.now(), 0];
    this.arriving += 1;
    let handle: FileHandle | undefined;
    try {
      // Exclusive: whatever has that name already is not ours to overwrite.
      handle = await open(path, 'wx').catch(notWritable);
      for (;;) {
        const { done, value: chunk } = await this.next(chunks, since);
        if (done) break;
        this.reserve(chunk.length);
        bytes += chunk.length;
        this.bytes += chunk.length;
        few += chunk.length;
        if (few >= LEAST_BYTES) [since, few] = [performance.now(), 0];
        await handle.appendFile(chunk).catch(notWritable);
      }
      await handle.close().catch(notWritable);
    } catch (error) {
      await handle?.close().catch(() => {});
      if (handle) await this.remove(file, bytes);
      throw error;
    } finally {
      this.arriving -= 1;
      void chunks.return?.()?.catch(() => {});
    }
    return bytes;
  }

  /** What arrives next. Error: {@link TooManyUploads}, when another upload takes the place of this one. */
  private next(chunks: AsyncIterator<Buffer>, since: number): Promise<IteratorResult<Buffer>> {
    return new Promise((resolve, reject) => {
      this.waiting.set(reject, since);
      const arrived = chunks.next().finally(() => this.waiting.delete(reject));
      arrived.then(resolve, reject);
    });
  }

  /** Removes a file of so many bytes. */
  async remove(file: string, bytes: number): Promise<void> {
    // A file that cannot be removed now is removed by the next server.
    await rm(join(this.folder, file), { force: true }).catch(() => {});
    this.bytes -= bytes;
  }

  /** Counts the file of a job that another server has received, and this one is to read. */
  count({ job }: JobRecord): void {
    if (job.spec.kind === 'video') this.bytes += job.spec.bytes;
  }

  /** Reads a job's file when its turn comes. */
  enqueue(record: JobRecord): void {
    this.queue.add(record);
    if (!this.working && !this.stopped) void this.work();
  }

  /** Ends the reading. The next server reads the files whose jobs have not ended. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.reader.stop();
  }

  private async work(): Promise<void> {
    this.working = true;
    for (const record of this.queue) {
      if (this.stopped) return;
      this.queue.delete(record);
      if (hasEnded(record.job)) continue;
      const { file, bytes } = specOf(record);
      try {
        await this.process(record, join(this.folder, file));
      } catch (error) {
        await this.fail(record, error as NodeJS.ErrnoException);
      }
      if (hasEnded(record.job)) await this.remove(file, bytes);
    }
    this.working = false;
  }

  private async process(record: JobRecord, path: string): Promise<void> {
    while (record.staged) await this.jobs.log.flush();
    if (record.job.state === 'queued') await this.jobs.start(record);
    const { bytes } = specOf(record);
    // A pipe that stands in its place would hold up this queue for ever; a link would have another file read.
    if (!(await lstat(path)).isFile()) throw new Error('what has its name is no file');
    this.reader.start(); // its thread starts while the file is read
    const { read, sha256 } = await this.read(record, path);
    if (this.stopped || hasEnded(record.job)) return; // hasEnded: it was cancelled
    if (read !== bytes) throw new Error(`its file has ${read} bytes, and ${bytes} were received`);
    this.reading = record;
    const media = await this.reader.read(path).finally(() => {
      this.reading = undefined;
    });
    await this.jobs.end(record, { event: 'succeeded', result: { bytes, sha256, ...media } });
  }

  /** Reads the whole file, and tells at most a hundred times how far it is. The SHA-256 is in hex. */
  private async read(record: JobRecord, path: string): Promise<{ read: number; sha256: string }> {
    const { bytes, paceMs } = specOf(record);
    const hash = createHash('sha256');
    // After a restart the file is read again, and the pace goes on from the progress that was told last.
    const told = record.job.progress;
    const began = performance.now() - told * (paceMs ?? 0);
    let read = 0;
    // A small file is read in small pieces, so that its pace is even.
    const highWaterMark = paceMs === null ? PIECE_BYTES : Math.min(PIECE_BYTES, Math.ceil(bytes / 100));
    for await (const chunk of createReadStream(path, { highWaterMark })) {
      hash.update(chunk);
      read += chunk.length;
      const progress = Math.min(1, Math.floor((100 * read) / bytes) / 100);
      if (paceMs !== null && progress > told) await this.until(record, began + (paceMs * read) / bytes);
      while (hasEnded(record.latest) && record.staged) await this.jobs.log.flush();
      if (hasEnded(record.job)) break; // cancelled
      if (progress > record.job.progress) await this.jobs.progress(record, progress);
    }
    return { read, sha256: hash.digest('hex') };
  }

  /** Waits for a moment of `performance.now()`, but no longer than the job lasts: a cancelled one ends its turn at once. */
  private async until({ job, events }: JobRecord, time: number): Promise<void> {
    const ms = time - performance.now();
    if (ms <= 0 || hasEnded(job)) return;
    await new Promise<void>((resolve) => this.jobs.log.delivery.wait(events, events.head, THE_END, ms, resolve));
  }

  /** The job has failed; or the log or the process's descriptors have, and the job is tried again. */
  private async fail(record: JobRecord, error: NodeJS.ErrnoException): Promise<void> {
    if (this.stopped || hasEnded(record.job)) return;
    if (error instanceof Overtaken) {
      this.bytes -= specOf(record).bytes; // Another server reads the file now, and removes it.
      return;
    }
    const again = () => setTimeout(() => this.enqueue(record), RETRY_MS);
    if (error instanceof NotWritable || error.code === 'EMFILE' || error.code === 'ENFILE') return void again();
    const [status, detail] =
      error instanceof UnreadableVideo
        ? [422, error.message]
        : [500, `The upload could not be read: ${error.message}.`];
    await this.jobs.end(record, { event: 'failed', error: failure(status, detail) }).catch(again);
  }
}

const notWritable = ({ message }: Error): never => {
  throw new NotWritable(message);
};
