import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeRoomFor } from './writable.js';

let folder: string;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'writable é ')));
  await mkdir(join(folder, 'folder'));
  await writeFile(join(folder, 'file'), 'old');
});
afterAll(() => rm(folder, { recursive: true }));

const make =
  (...path: string[]) =>
  () =>
    makeRoomFor(join(folder, ...path), 'reports', 'Name another file: --junit FILE.');

describe('makeRoomFor', () => {
  it('makes the folders of a new file, and does not change an existing file', () => {
    make('new', 'deep', 'report.xml')();
    make('new', 'deep', 'report.xml')();
    make('file')();
  });

  it.each([
    [['file', 'report.xml'], 'file, where reports go: E(EXIST|NOTDIR)'],
    [['file', 'deep', 'report.xml'], 'deep, where reports go: E(EXIST|NOTDIR)'],
    [['folder'], 'folder, where reports go, but it is a folder'],
  ])('refuses %j, and says what to do', (path, why) => {
    const message = expect.stringMatching(`^Expected to write .*${why}.*\\. Name another file: --junit FILE\\.$`);
    expect(make(...path)).toThrow(expect.objectContaining({ message, exitCode: 2 }));
  });

  it.skipIf(process.platform === 'win32')('refuses a device, which the file would replace', () => {
    expect(() => makeRoomFor('/dev/null', 'reports', '')).toThrow('neither a file nor a folder');
  });

  it.runIf(process.platform === 'linux')('refuses a folder that the system does not let it make', () => {
    expect(() => makeRoomFor('/proc/none/report.xml', 'reports', '')).toThrow('where reports go: ENOENT');
  });
});
