// Whether a run can write what it is asked to write. Asked before anything runs, so that no result is lost at the end.
import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder } from './files.mjs';
import { Problem } from './problem.mjs';

/**
 * Makes a folder that a run writes to. Throws a Problem where the folder cannot be made, or nothing can be written in it.
 * @param holds what goes there, in the plural
 * @param remedy what to do if it cannot
 */
export function makeWritable(folder: string, holds: string, remedy: string): void {
  try {
    makeFolder(folder);
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Problem(`Expected to write to ${folder}, where ${holds} go: ${(error as Error).message}. ${remedy}`);
  }
}

/** The same for a file's folder. What already has the file's name must be a file, which the new one replaces. */
export function makeRoomFor(file: string, holds: string, remedy: string): void {
  makeWritable(dirname(file), holds, remedy);
  const found = statSync(file, { throwIfNoEntry: false });
  if (!found || found.isFile()) return;
  const got = found.isDirectory() ? 'a folder' : 'neither a file nor a folder';
  throw new Problem(`Expected to write ${file}, where ${holds} go, but it is ${got}. ${remedy}`);
}
