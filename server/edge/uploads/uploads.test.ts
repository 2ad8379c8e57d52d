import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { App } from '../../app.js';
import { eventually } from '../../conformance/within.js';
import { readSettings } from '../../settings.js';
import { TooManyUploads, Uploads } from './uploads.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let app: App;
beforeEach(async () => {
  app = await App.open(readSettings(['--data', await mkdtemp(join(tmpdir(), 'polling-lab-uploads-'))], {})!, '');
});
afterEach(async () => {
  vi.restoreAllMocks();
  app.stop();
  await app.close();
  await rm(app.settings.data, { recursive: true });
});

const newFile = () => Uploads.nameOf(randomUUID());

/** A body that arrives as the test has it. */
class Source implements AsyncIterable<Buffer> {
  asked = 0;
  private resolve: (next: IteratorResult<Buffer>) => void = () => {};

  [Symbol.asyncIterator] = (): AsyncIterator<Buffer> => ({
    next: () =>
      new Promise((resolve) => {
        this.asked += 1;
        this.resolve = resolve;
      }),
  });

  send(bytes: number): void {
    this.resolve({ value: Buffer.alloc(bytes), done: false });
  }

  end(): void {
    this.resolve({ value: undefined, done: true });
  }
}

test('the slowest upload gives its place to a new one, though bytes of it come again and again', async () => {
  const now = vi.spyOn(performance, 'now').mockReturnValue(0);
  const { stallMs } = app.settings;
  const [fast, ...drips] = Array.from({ length: 256 }, () => new Source());
  const all = [fast!, ...drips];
  const stored = all.map((source) => app.uploads.store(newFile(), source).catch((error) => error));
  const asked = (times: number) =>
    eventually(async () => all.every((source) => source.asked === times) || undefined, 'all to be asked for more');
  await asked(1);
  expect(() => app.uploads.admit(0)).toThrow(TooManyUploads);
  now.mockReturnValue(stallMs - 1);
  fast!.send(64 * 1024);
  for (const drip of drips) drip.send(1);
  await asked(2);
  expect(() => app.uploads.admit(0)).toThrow(TooManyUploads);
  now.mockReturnValue(stallMs);
  app.uploads.admit(0);
  for (const source of all) source.end();
  const results = await Promise.all(stored);
  expect(results[0]).toBe(64 * 1024);
  expect(results.filter((result) => result instanceof TooManyUploads)).toHaveLength(1);
  expect(results.filter((result) => result === 1)).toHaveLength(254);
});

test('a pipe that stands where an upload was fails its job, and holds up no other', async () => {
  const file = newFile();
  execFileSync('mkfifo', [join(app.uploads.folder, file)]);
  const record = await app.jobs.create({ kind: 'video', file, bytes: 1, paceMs: null }, null, randomUUID());
  app.run(record);
  const error = await eventually(async () => record.job.error ?? undefined, 'the job to fail');
  expect(JSON.parse(error).detail).toContain('is no file');
});
