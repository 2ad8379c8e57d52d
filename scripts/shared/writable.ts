// Checks that a run can write its output files. Called before anything runs, so that no result is lost at the end.
import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder } from './files.mjs';
import { Problem } from './problem.mjs';

/**
 * Makes a folder that a run writes to, unless it exists. Throws a Problem if the folder cannot be made or is not writable.
 * @param holds what goes there, in the plural
 * @param remedy what the error tells the user to do
 */
export function makeWritable(folder: string, holds: string, remedy: string): void {
  try {
    makeFolder(folder);
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Problem(`Expected to write to ${folder}, where ${holds} go: ${(error as Error).message}. ${remedy}`);
  }
}

/** Makes the folder of a file, as {@link makeWritable} does. Throws a Problem if `file` exists and is not a file, or may not be written. */
export function makeRoomFor(file: string, holds: string, remedy: string): void {
  makeWritable(dirname(file), holds, remedy);
  const found = statSync(file, { throwIfNoEntry: false });
  if (!found) return;
  if (found.isFile()) {
    try {
      accessSync(file, constants.W_OK);
    } catch (error) {
      throw new Problem(`Expected to write ${file}, where ${holds} go: ${(error as Error).message}. ${remedy}`);
    }
    return;
  }
  const got = found.isDirectory() ? 'a folder' : 'neither a file nor a folder';
  throw new Problem(`Expected to write ${file}, where ${holds} go, but it is ${got}. ${remedy}`);
}
