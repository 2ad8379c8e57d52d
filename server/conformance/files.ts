import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Every file in a folder and in those below it. */
export async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Whether these bytes stand in any file of a folder. */
export async function folderHolds(folder: string, bytes: Buffer): Promise<boolean> {
  for (const file of await filesOf(folder)) {
    // A file that is removed meanwhile holds nothing.
    const content = await readFile(file).catch(() => Buffer.alloc(0));
    if (content.includes(bytes)) return true;
  }
  return false;
}
