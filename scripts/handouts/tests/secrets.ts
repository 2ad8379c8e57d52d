import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { discover } from '../../runner/discover.js';
import { limiter } from '../../shared/limiter.js';
import { readNotebookFile, textOf } from '../../shared/notebook-file.js';
import { checkout, pathsOf } from '../../shared/paths.mjs';
import type { Chapter } from '../chapter.js';
import { readNotes } from '../notes.js';

const run = promisify(execFile);

/** Text that students must not find, and what it is. */
export interface Secret {
  what: string;
  text: string;
}

/** What a PDF has in it, as `inspect_files.py` tells. */
export interface Pdf {
  pages: { text: string; width: number; height: number }[];
  /** Their kinds: `/Type0` is type, `/Type3` are drawings of letters. */
  fonts: string[];
  bookmarks: { title: string; page: number }[];
  strings: string[];
}

/** Code without white space, which a page or a PDF sets as it likes. */
const squeezed = (text: string) => text.replace(/\s/g, '');

/** Shorter lines stand in other code, too. */
const TELLING = 16;

/** The lines of each solution, and the plain words of each note, of a chapter, that no lesson has. */
export async function secretsOf(chapter: Chapter): Promise<Secret[]> {
  const file = join(checkout, 'notebooks', 'exercises', `${chapter.name}.ts`);
  const exercises = chapter.checkCells.size > 0 ? readFileSync(file, 'utf8') : '';
  const regions = [...exercises.matchAll(/^\/\/ #region (\S+)\n([\s\S]*?)^\/\/ #endregion/gm)];
  const solutions = regions.map(([, region, code]) => ({ what: `the solution "${region}"`, texts: code!.split('\n') }));
  const notes = Object.entries(await readNotes(chapter)).map(([cell, texts]) => ({
    what: `the note on "${cell}"`,
    // How emphasis and links look is up to the format.
    texts: texts.flatMap((text) => text.match(/[\w ,;:.'-]{30,}/g) ?? []),
  }));
  const lessons = await lessonText();
  return [...solutions, ...notes].flatMap(({ what, texts }) => {
    const telling = texts.map(squeezed).filter((text) => text.length >= TELLING && !lessons.includes(text));
    if (telling.length === 0) throw new Error(`Nothing tells ${what} of ${chapter.name} from the lessons.`);
    return telling.map((text) => ({ what, text }));
  });
}

/** The text of all lessons, as it is and as {@link readingsOf} reads it, without what looks like a tag. */
async function lessonText(): Promise<string> {
  const notebooks = await discover(['notebooks'], checkout);
  const files = await Promise.all(notebooks.map(readNotebookFile));
  const text = files.flatMap(({ content }) => content.cells.map(({ source }) => textOf(source))).join('\n');
  return squeezed(`${text}\n${withoutTags(text)}`);
}

const withoutTags = (text: string) => text.replace(/<[^>]*>/g, '');

/** The secrets that a folder gives away, and in which file; each once. */
export async function found(folder: string, secrets: Secret[]): Promise<string[]> {
  const given = new Set<string>();
  const files = filesIn(folder);
  await inspectPdfs(files.filter((file) => file.endsWith('.pdf')).map((file) => join(folder, file)));
  for (const file of files) {
    const readings = (await readingsOf(join(folder, file))).map(squeezed);
    for (const { what, text } of secrets) {
      if (readings.some((reading) => reading.includes(text))) given.add(`${file} has of ${what}`);
    }
  }
  return [...given];
}

export function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

const pdfs = new Map<string, Promise<Pdf>>();
const atOnce = limiter(availableParallelism());

/** What is in PDFs that will not change: each is read once, by a process of its own, as many at once as there are cores. */
export function inspectPdfs(files: string[]): Promise<Pdf[]> {
  const bySize = files.filter((file) => !pdfs.has(file)).sort((a, b) => statSync(b).size - statSync(a).size);
  for (const file of bySize) {
    const reading = atOnce(() => inspect<Pdf>(file)).then(([pdf]) => pdf!);
    pdfs.set(file, reading);
  }
  return Promise.all(files.map((file) => pdfs.get(file)!));
}

/** What is in PDFs and zips, as `inspect_files.py` tells. */
export async function inspect<T>(...files: string[]): Promise<T[]> {
  const script = join(import.meta.dirname, 'inspect_files.py');
  const { stdout } = await run(pathsOf(checkout).python, [script, ...files], { maxBuffer: 2 ** 28 });
  return JSON.parse(stdout);
}

/** A file in every way in which it can be read: as it is, decoded, and what is encoded within. */
async function readingsOf(file: string): Promise<string[]> {
  if (file.endsWith('.pdf')) {
    const [pdf] = await inspectPdfs([file]);
    return [pdf!.pages.map(({ text }) => text).join('\n'), pdf!.strings.join('\n')];
  }
  const raw = readFileSync(file, 'utf8');
  const encoded = [...raw.matchAll(/[A-Za-z0-9+/]{40,}={0,2}/g)].map(([text]) =>
    Buffer.from(text, 'base64').toString(),
  );
  return [raw, ...encoded].flatMap((text) => {
    const unescaped = text.replace(/\\u([0-9a-fA-F]{4})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
    const strings = unescaped.replace(/\\n/g, '\n').replace(/\\(.)/g, '$1');
    const visible = entities(withoutTags(unescaped));
    return [text, strings, entities(unescaped), visible, decoded(text)];
  });
}

export function entities(text: string): string {
  const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text
    .replace(/&#x([0-9a-f]+);/gi, (_, hex) => String.fromCodePoint(Number.parseInt(hex, 16)))
    .replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
    .replace(/&(amp|lt|gt|quot|apos);/g, (_, name) => named[name]!);
}

function decoded(text: string): string {
  return text.replace(/(%[0-9A-F]{2})+/gi, (run) => {
    try {
      return decodeURIComponent(run);
    } catch {
      return run; // a per cent sign that only looks like one
    }
  });
}
