import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from '../shared/files.mjs';
import type { Result } from './result.js';

const file = (checkout: string) => join(checkout, '.polling-lab', 'notebook-durations.json');

/** How long each notebook took the last time it passed; a guess that only orders the work. */
export async function known(checkout: string): Promise<Map<string, number>> {
  try {
    const durations: Record<string, number> = JSON.parse(await readFile(file(checkout), 'utf8'));
    return new Map(Object.entries(durations));
  } catch {
    return new Map();
  }
}

export async function remember(checkout: string, results: Result[]): Promise<void> {
  const durations = await known(checkout);
  for (const { notebook, status, durationMs } of results) {
    if (status === 'passed') durations.set(notebook, durationMs);
  }
  const kept = [...durations].slice(-500);
  writeWhole(file(checkout), `${JSON.stringify(Object.fromEntries(kept), null, 2)}\n`);
}
