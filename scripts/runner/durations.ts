import { readFile } from 'node:fs/promises';
import { writeWhole } from '../shared/files.mjs';
import type { Result } from './result.js';

/** How long each notebook took the last time it passed, in milliseconds; a guess that only orders the work. */
export async function knownDurations(file: string): Promise<Map<string, number>> {
  try {
    const durations: Record<string, number> = JSON.parse(await readFile(file, 'utf8'));
    return new Map(Object.entries(durations));
  } catch {
    return new Map();
  }
}

export async function rememberDurations(file: string, results: Result[]): Promise<void> {
  const durations = await knownDurations(file);
  for (const { notebook, status, durationMs } of results) {
    if (status === 'passed') durations.set(notebook, durationMs);
  }
  const kept = [...durations].slice(-500);
  writeWhole(file, `${JSON.stringify(Object.fromEntries(kept), null, 2)}\n`);
}
