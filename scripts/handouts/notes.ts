import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Problem } from '../shared/problem.mjs';
import type { Chapter } from './chapter.js';

/** A teacher's notes on a notebook, in Markdown, by the id of the cell that each is about. */
export type Notes = Record<string, string[]>;

/**
 * Reads the notes on a chapter: `notes/NAME.md` beside the notebook. A heading `## cell-id` says which cell the
 * text below it is about. Without the file there are none.
 */
export async function readNotes({ path, name, cellIds }: Chapter): Promise<Notes> {
  const file = join(dirname(path), 'notes', `${name}.md`);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const notes = parseNotes(text);
  const astray = Object.keys(notes).find((id) => !cellIds.includes(id));
  if (astray) throw new Problem(`${file} has a note on the cell "${astray}", and ${name} has no cell of that name.`);
  return notes;
}

export function parseNotes(text: string): Notes {
  const notes: Notes = {};
  for (const part of text.split(/^## /m).slice(1)) {
    const [id = '', ...lines] = part.split('\n');
    notes[id.trim()] = [...(notes[id.trim()] ?? []), lines.join('\n').trim()];
  }
  return notes;
}
