import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { writeWhole } from '../shared/files.mjs';
import type { Settings } from './project.js';
import type { Result } from './result.js';

type Kept = Pick<Settings, 'durationsFile'> & { root: string };

/**
 * How long each notebook took the last time it passed, in milliseconds, by its path in the project; a guess that only
 * orders the work.
 */
export async function knownDurations({ durationsFile }: Kept): Promise<Map<string, number>> {
  try {
    const durations: Record<string, number> = JSON.parse(await readFile(durationsFile ?? '', 'utf8'));
    return new Map(Object.entries(durations));
  } catch {
    return new Map();
  }
}

export async function rememberDurations({ durationsFile, root }: Kept, results: Result[]): Promise<void> {
  if (durationsFile === undefined) return;
  const durations = await knownDurations({ durationsFile, root });
  for (const { path, status, durationMs } of results) {
    if (status === 'passed') durations.set(relative(root, path), durationMs);
  }
  const kept = [...durations].slice(-500);
  writeWhole(durationsFile, `${JSON.stringify(Object.fromEntries(kept), null, 2)}\n`);
}
