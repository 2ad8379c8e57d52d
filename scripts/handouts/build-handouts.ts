import { existsSync, statSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import type { Browser } from 'playwright-core';
import { isAlive } from '../shared/child.mjs';
import { launchBrowser } from '../shared/launch-browser.js';
import { limiter } from '../shared/limiter.js';
import { checkout, pathsOf } from '../shared/paths.mjs';
import { Problem } from '../shared/problem.mjs';
import type { taskReporter } from '../shared/progress.mjs';
import { run } from '../shared/run.js';
import { makeWritable } from '../shared/writable.js';
import { about } from './about.js';
import { writeAssets } from './assets.js';
import { type Chapter, readChapter } from './chapter.js';
import type { Execute } from './execute-course.js';
import { readChecks } from './exercise-checks.js';
import { readNotes } from './notes.js';
import { addPictures } from './png-pictures.js';
import { printPdf } from './print-pdf.js';

export const EDITIONS = ['student', 'instructor'] as const;
export type Edition = (typeof EDITIONS)[number];

export interface BuildOptions {
  /** Paths of the notebooks, in the order of the chapters. */
  notebooks: string[];
  editions: readonly Edition[];
  /** The folder of the handouts. What was built there before stays until the new handouts are whole. */
  out: string;
  /** Chromium's path; without it there are no PDFs, and the charts of executed notebooks stay SVGs. */
  browser: string | null;
  pdf: boolean;
  signal: AbortSignal;
  reporter: Pick<ReturnType<typeof taskReporter>, 'task' | 'print'>;
  /** Runs the notebooks; {@link execute}, but for tests. */
  execute: Execute;
}

const NO_BROWSER =
  'There are no PDFs, and the plots of the executed notebooks are SVGs, which GitHub may not show whole: for both, a ' +
  'Chromium, Chrome or Edge is needed. Install one, or name one with CHROME_PATH; or say --no-pdf.';

/** Two Chromium pages fill two cores. */
const PRINTS_AT_ONCE = 2;

/**
 * Builds the handouts: all of them, or none.
 *
 * @throws Problem when a notebook fails; and at the end, with all the rest built, when there is no browser for PDFs.
 */
export async function buildHandouts(options: BuildOptions): Promise<void> {
  const { out, signal } = options;
  const remedy = 'Name another folder: --out FOLDER.';
  makeWritable(dirname(out), 'handouts', remedy);
  await ours(out);
  await sweep(out);
  const chapters = await Promise.all(options.notebooks.map(readChapter));
  const part = `${out}.part-${process.pid}`;
  try {
    // Some file systems let a folder be written to, and no folder be made in it.
    makeWritable(part, 'handouts', remedy);
    await write(chapters, part, options);
    signal.throwIfAborted();
    await replace(out, part);
  } finally {
    await rm(part, { recursive: true, force: true });
  }
  const shown = relative(process.cwd(), out) || out;
  for (const edition of options.editions) {
    options.reporter.print(
      `${join(shown, edition, 'index.html')}, and all of it in ${join(shown, `polling-lab-${edition}.zip`)}`,
    );
  }
  if (options.pdf && !options.browser) throw new Problem(NO_BROWSER);
}

async function write(chapters: Chapter[], part: string, options: BuildOptions): Promise<void> {
  const { editions, signal, reporter } = options;
  const work = join(part, 'work');
  const told = await Promise.all(
    chapters.map(async (chapter) => ({ notes: await readNotes(chapter), checks: await readChecks(chapter) })),
  );
  const executed = await options.execute(options.notebooks, join(work, 'executed'), signal);
  signal.throwIfAborted();

  const browser = options.browser ? await launch(options.browser) : null;
  const close = () => void browser?.close();
  signal.addEventListener('abort', close);
  try {
    if (browser) {
      await reporter.task('pictures for GitHub and nbviewer', async () => {
        for (const { copy } of executed) await addPictures(browser, copy);
      });
    }
    const order = {
      out: part,
      editions,
      pdf: options.pdf && browser !== null,
      about: await about(options.browser, signal),
      assets: await writeAssets(join(work, 'assets')),
      chapters: chapters.map(({ name, number, path, title, goals, time }, i) => {
        const { copy, durations, ranMs } = executed[i]!;
        return { name, number, path, title, goals, ...time, ...told[i]!, executed: copy, durations, ranMs };
      }),
    };
    await reporter.task('pages and notebooks', () => python('convert.py', JSON.stringify(order), signal));
    for (const edition of editions) {
      const folder = join(part, edition);
      if (browser && options.pdf) {
        const printing = () => print(browser, folder, chapters, signal);
        await reporter.task(`PDFs of the ${edition} edition`, printing);
      }
      await rm(join(folder, 'book.html'));
    }
  } catch (error) {
    signal.throwIfAborted(); // what a closed browser says is no news then
    throw error;
  } finally {
    signal.removeEventListener('abort', close);
    await browser?.close();
  }
  await rm(work, { recursive: true });
  await python('archive.py', JSON.stringify({ folder: part, editions }), signal);
}

async function print(browser: Browser, folder: string, chapters: Chapter[], signal: AbortSignal): Promise<void> {
  const pdfs = join(folder, 'pdf');
  await mkdir(pdfs);
  const atOnce = limiter(PRINTS_AT_ONCE);
  // The longest first.
  const files = [['book', 'polling-lab'], ...chapters.map(({ name }) => [name, name])] as [string, string][];
  await Promise.all(
    files.map(([html, pdf]) =>
      atOnce(() => printPdf(browser, join(folder, `${html}.html`), join(pdfs, `${pdf}.pdf`), signal)),
    ),
  );
}

async function launch(executablePath: string): Promise<Browser> {
  return launchBrowser(executablePath).catch((error: Error) => {
    const remedy = 'Name another browser with CHROME_PATH, or say --no-pdf.';
    throw new Problem(`${executablePath} did not start. ${remedy}`, { details: error.message });
  });
}

/** Runs a script of `convert/` on an order. */
async function python(script: string, order: string, signal: AbortSignal): Promise<void> {
  const command = [pathsOf(checkout).python, '-B', join(import.meta.dirname, 'convert', script)];
  const { exitCode, stdall } = await run(command, { input: order, signal });
  if (exitCode !== 0) throw new Problem(`${script} failed.`, { exitCode: 1, details: stdall });
}

/** Refuses to take the place of a folder that has anything but handouts in it. */
async function ours(out: string): Promise<void> {
  const own = EDITIONS.flatMap((edition) => [edition, `polling-lab-${edition}.zip`]) as string[];
  if (existsSync(out) && !statSync(out).isDirectory())
    throw new Problem(
      `Expected ${out} to be a folder, where handouts go, but it is none. Name another folder: --out FOLDER.`,
    );
  const strange = existsSync(out) ? (await readdir(out)).find((name) => !own.includes(name)) : undefined;
  if (strange) {
    throw new Problem(`${out} has "${strange}" in it, which is no handout, and would be lost. Name another folder.`);
  }
}

/** Removes what a build left that was killed. */
async function sweep(out: string): Promise<void> {
  const beside = existsSync(dirname(out)) ? await readdir(dirname(out)) : [];
  for (const name of beside) {
    const [, of, pid] = /^(.+)\.(?:part|old)-(\d+)$/.exec(name) ?? [];
    if (of === basename(out) && !isAlive(Number(pid))) await rm(join(dirname(out), name), { recursive: true });
  }
}

async function replace(out: string, part: string): Promise<void> {
  const old = `${out}.old-${process.pid}`;
  if (existsSync(out)) await rename(out, old);
  await rename(part, out);
  await rm(old, { recursive: true, force: true });
}
