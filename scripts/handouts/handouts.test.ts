import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { discover } from '../runner/discover.js';
import { findBrowser } from '../shared/find-program.mjs';
import { launchBrowser } from '../shared/launch-browser.js';
import { limiter } from '../shared/limiter.js';
import { checkout, pathsOf } from '../shared/paths.mjs';
import { Problem } from '../shared/problem.mjs';
import { run } from '../shared/run.js';
import { type BuildOptions, buildHandouts, EDITIONS } from './build-handouts.js';
import { type Chapter, readChapter } from './chapter.js';
import { type Execute, type Executed, execute } from './execute-course.js';
import { look } from './tests/look.js';
import { torn } from './tests/paper.js';
import { entities, filesIn, found, inspect, inspectPdfs, secretsOf } from './tests/secrets.js';

// A sample: one chapter. `npm run soak` takes the whole course.
const ALL = process.env.SOAK === '1';
const MINUTE = 60_000;
/** For a test that looks at each chapter. */
const LIMIT = (ALL ? 30 : 10) * MINUTE;
/** Tells how far the look at the whole course has come. */
const say = (what: string) => {
  if (ALL) console.log(what);
};
/** As many pages at once as there are cores. */
const atOnce = limiter(availableParallelism());
const browserPath = findBrowser();

const folder = mkdtempSync(join(tmpdir(), 'polling-lab-handouts-'));
const out = join(folder, 'handouts');
const executedCopies = join(folder, 'executed');
let notebooks: string[];
let chapters: Chapter[];
/** The first chapter that has exercises. */
let lesson: Chapter;
let executed: Executed[];
let browser: Browser;

/** What has been executed once is taken again. */
const again: Execute = async (paths, to) => {
  mkdirSync(to, { recursive: true });
  return Promise.all(
    paths.map(async (path) => {
      const one = executed.find(({ copy }) => basename(copy) === basename(path))!;
      const copy = join(to, basename(path));
      await copyFile(one.copy, copy);
      return { ...one, copy };
    }),
  );
};

const build = (options: Partial<BuildOptions> = {}) =>
  buildHandouts({
    notebooks,
    editions: EDITIONS,
    out,
    browser: browserPath,
    pdf: true,
    signal: new AbortController().signal,
    reporter: { task: (_, work) => work(), print: () => {} },
    execute: again,
    ...options,
  });

/** A small notebook, in a file. */
function notebook(name: string, cells: object[]): string {
  const about = { title: 'Small', goals: ['one'] };
  const kernelspec = { display_name: 'TypeScript', language: 'typescript', name: 'tslab' };
  const file = join(folder, `${name}.ipynb`);
  const metadata = { kernelspec, 'polling-lab': about };
  writeFileSync(file, JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata, cells }));
  return file;
}

const cell = (id: string, source: string, outputs: object[] = []) => ({
  ...{ cell_type: 'code', id, metadata: {}, outputs, execution_count: null, source },
});

/** What a build takes for a small notebook that has been executed: enough where what is in it does not matter. */
function small(name: string, cells: object[] = [cell('only', '1 + 1')]): Pick<BuildOptions, 'notebooks' | 'execute'> {
  const copy = notebook(name, cells);
  return { notebooks: [copy], execute: async () => [{ copy, durations: {}, ranMs: 1 }] };
}

/** A folder that looks like this checkout to a notebook in it, and has none of the course's. */
function checkoutWithoutNotebooks(): string {
  mkdirSync(join(checkout, 'build'), { recursive: true });
  const standIn = mkdtempSync(join(checkout, 'build', 'handed-out-'));
  const link = (name: string) => symlinkSync(join(checkout, name), join(standIn, name));
  mkdirSync(join(standIn, 'notebooks'));
  for (const name of readdirSync(checkout)) if (!['notebooks', 'build', '.git'].includes(name)) link(name);
  for (const name of readdirSync(join(checkout, 'notebooks'))) {
    if (!name.endsWith('.ipynb')) link(join('notebooks', name));
  }
  return standIn;
}

const path = (...parts: string[]) => join(out, ...parts);
const pagesOf = (edition: string) => readdirSync(path(edition)).filter((name) => name.endsWith('.html'));
const hashes = () =>
  filesIn(out).map(
    (file) =>
      `${createHash('sha256')
        .update(readFileSync(path(file)))
        .digest('hex')} ${file}`,
  );

beforeAll(async () => {
  if (!ALL) vi.spyOn(process.stdout, 'write').mockReturnValue(true); // the runner's progress
  notebooks = (await discover(['notebooks'], checkout)).filter((name) => ALL || /\/02-/.test(name));
  chapters = await Promise.all(notebooks.map(readChapter));
  lesson = chapters.find(({ checkCells }) => checkCells.size > 0)!;
  executed = await execute(notebooks, executedCopies, new AbortController().signal);
  vi.restoreAllMocks();
  const reporter: BuildOptions['reporter'] = {
    task: (name, work) => {
      say(`builds: ${name}`);
      return work();
    },
    print: () => {},
  };
  if (!browserPath) return build({ pdf: false, reporter });
  [browser] = await Promise.all([launchBrowser(browserPath), build({ reporter })]);
}, LIMIT);
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

describe('the student edition', () => {
  it(
    'gives no solution and no note away, in no form',
    async () => {
      const secrets = (await Promise.all(chapters.map(secretsOf))).flat();
      const [leaked, there] = await Promise.all(EDITIONS.map((edition) => found(path(edition), secrets)));
      expect(leaked).toEqual([]);
      // The search sees what there is to see: in each form in which it is handed out.
      const given = there!.join('\n');
      for (const { name, checkCells } of chapters) {
        for (const form of [
          `${name}.html`,
          `notebooks/executed/${name}.ipynb`,
          ...(browserPath ? [`pdf/${name}.pdf`] : []),
        ]) {
          if (checkCells.size > 0) expect(given).toContain(`${form} has of the solution`);
          expect(given).toContain(`${form} has of the note`);
        }
      }
    },
    LIMIT,
  );

  it('has room to answer each exercise, and its hint', () => {
    for (const { name, checkCells } of chapters) {
      const page = readFileSync(path('student', `${name}.html`), 'utf8');
      expect(page.match(/<textarea/g) ?? []).toHaveLength(checkCells.size);
      expect(page.match(/<summary>Hint/g) ?? []).toHaveLength(checkCells.size);
    }
  });

  it(
    'has notebooks that run inside a checkout, with their checks',
    async () => {
      const standIn = checkoutWithoutNotebooks();
      try {
        const copies = notebooks.map((notebook) => join(standIn, 'notebooks', basename(notebook)));
        for (const copy of copies) await copyFile(path('student', 'notebooks', basename(copy)), copy);
        if (!ALL) vi.spyOn(process.stdout, 'write').mockReturnValue(true);
        const results = await execute(copies, join(standIn, 'executed'), new AbortController().signal);
        vi.restoreAllMocks();
        for (const [i, { copy }] of results.entries()) {
          const text = readFileSync(copy, 'utf8');
          expect(text.match(/>○ Not attempted/g) ?? []).toHaveLength(chapters[i]!.checkCells.size);
        }
      } finally {
        rmSync(standIn, { recursive: true });
      }
    },
    LIMIT,
  );
});

describe('the instructor edition', () => {
  it('has what the student edition has not', () => {
    for (const { name, checkCells } of chapters) {
      const page = readFileSync(path('instructor', `${name}.html`), 'utf8');
      expect(page.match(/>Solution</g) ?? []).toHaveLength(checkCells.size);
      expect(page.match(/What the check asks/g) ?? []).toHaveLength(checkCells.size);
      expect(page).toContain('For the teacher.');
      expect(page).not.toContain('<textarea');
    }
  });
});

describe('every page', () => {
  it.runIf(browserPath)(
    'asks for nothing beyond its folder, fits on a screen, a phone and paper, and is accessible',
    async () => {
      // The instructor's pages that are no chapters are left to `npm run soak -- --only handouts`.
      const pages = EDITIONS.flatMap((edition) =>
        pagesOf(edition)
          .filter((name) => ALL || edition === 'student' || /^\d/.test(name))
          .map((name) => `${edition}/${name}`),
      );
      const lookAt = async (page: string) => {
        const problems = await look(browser, path(page));
        say(`looked at ${page}: ${problems.length} problems`);
        return problems.map((problem) => `${page}: ${problem}`);
      };
      const problems = await Promise.all(pages.map((page) => atOnce(() => lookAt(page))));
      expect(problems.flat()).toEqual([]);
    },
    LIMIT,
  );

  it('has a glossary, the figures and an index to turn to', () => {
    const page = readFileSync(path('student', 'reference.html'), 'utf8');
    const plots = chapters.flatMap(({ name }) =>
      readFileSync(path('student', `${name}.html`), 'utf8').match(/<figcaption>/g),
    );
    const [, glossary, figures, index] = page.split('<section ');
    expect(figures!.match(/<li>/g)).toHaveLength(plots.length);
    expect(index).toMatch(/<li>idempotent <a href="02-a-job-and-its-id.html#/);
    expect(glossary).toContain('<dt>idempotent</dt>');
    // A term that no notebook names does not get in.
    const terms = readFileSync(join(checkout, 'notebooks', 'glossary.md'), 'utf8').match(/^\*\*/gm)!;
    if (ALL) expect(glossary!.match(/<dt>/g)).toHaveLength(terms.length);
    else expect(glossary).not.toContain('bfcache');
  });

  it('links only to what is there', () => {
    const dangling: string[] = [];
    for (const edition of EDITIONS) {
      for (const page of pagesOf(edition)) {
        for (const [, link] of readFileSync(path(edition, page), 'utf8').matchAll(/\s(?:href|src)="([^"]+)"/g)) {
          const [file, fragment] = link!.split('#');
          if (/^(https:|data:)/.test(link!) || (browserPath === null && /\.pdf$/.test(link!))) continue;
          const target = path(edition, file || page);
          const id = decodeURIComponent(fragment ?? '')
            .replaceAll("'", '&#x27;')
            .replaceAll('"', '&quot;'); // as attributes write it
          const there = existsSync(target) && (!id || readFileSync(target, 'utf8').includes(`id="${id}"`));
          if (!there) dangling.push(`${edition}/${page}: ${link}`);
        }
      }
    }
    expect(dangling).toEqual([]);
  });

  it.runIf(browserPath)('copies a listing as it was written, and keeps an answer', async () => {
    const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
    const page = await context.newPage();
    await page.goto(`file://${path('student', `${lesson.name}.html`)}`);
    await page.getByRole('button', { name: 'Copy' }).first().click();
    const { cells } = JSON.parse(readFileSync(lesson.path, 'utf8'));
    const isShown = ({
      cell_type,
      metadata,
    }: {
      cell_type: string;
      metadata: { jupyter?: { source_hidden?: boolean } };
    }) => cell_type === 'code' && !metadata.jupyter?.source_hidden;
    const code = cells.find(isShown);
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(code.source.join(''));
    await page.locator('textarea').first().fill('while (true) ask();');
    await page.reload();
    expect(await page.locator('textarea').first().inputValue()).toBe('while (true) ask();');
    await context.close();
  });

  it.runIf(browserPath)(
    'replays what a cell recorded, by keyboard, and by itself unless the reader wants no motion',
    async () => {
      const url = `file://${path('student', `${lesson.name}.html`)}`;
      const context = await browser.newContext();
      const page = await context.newPage();
      await page.clock.install({ time: 0 });
      await page.goto(url);
      const chart = page.locator('.watched').first();
      await chart.scrollIntoViewIfNeeded();
      const time = chart.getByLabel('Time of the replay');
      const seconds = async () => Number(await time.inputValue());
      const shown = () => chart.locator('clipPath rect').evaluate((rect) => Number(rect.getAttribute('width')));
      await time.waitFor();
      const [last, whole] = [await seconds(), await shown()];
      expect(await chart.locator('[clip-path^="url(#replay"]').count()).toBe(0);
      await time.press('Home');
      expect(await seconds()).toBe(0);
      expect(await chart.locator('[clip-path^="url(#replay"]').count()).toBeGreaterThan(0);
      const nothing = await shown();
      await page.clock.pauseAt(3_600_000);
      await chart.getByRole('button', { name: 'Replay' }).press('Enter');
      await page.clock.runFor(500);
      expect(await seconds()).toBeGreaterThan(0);
      expect(await seconds()).toBeLessThan(last);
      expect(await shown()).toBeGreaterThan(nothing);
      expect(await shown()).toBeLessThan(whole);
      await page.clock.runFor(20_000);
      expect(await seconds()).toBe(last);
      expect(await chart.locator('[clip-path^="url(#replay"]').count()).toBe(0);
      await chart.getByRole('button', { name: 'Replay' }).waitFor(); // it can be seen again
      await context.close();

      const still = await browser.newPage({ reducedMotion: 'reduce' });
      await still.goto(url);
      await still.locator('.watched').first().scrollIntoViewIfNeeded();
      await still.getByLabel('Time of the replay').first().waitFor();
      expect(await still.getByRole('button', { name: 'Replay' }).count()).toBe(0);
      await still.close();
    },
  );

  it.runIf(browserPath)('shows its plots without scripts, too', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    for (const { name } of chapters) {
      await page.goto(`file://${path('student', `${name}.html`)}`);
      const drawn = await page
        .locator('.chart img')
        .evaluateAll((images) =>
          images.map((one) => [(one as HTMLImageElement).naturalWidth > 0, one.getAttribute('alt') !== '']),
        );
      expect(drawn.length).toBeGreaterThan(0);
      expect(drawn.flat()).not.toContain(false);
    }
    await context.close();
  });
});

/** The book's title, and the page itself. */
const UNLISTED = ['Polling Lab', 'Contents'];

describe.runIf(browserPath)('the PDFs', () => {
  const pdfs = () =>
    EDITIONS.flatMap((edition) => readdirSync(path(edition, 'pdf')).map((name) => path(edition, 'pdf', name)));
  const words = (text: string) => text.replace(/\s+/g, ' ');
  const sectionsOf = (edition: string, name: string) =>
    readFileSync(path(edition, `${name}.html`), 'utf8')
      .match(/<nav class="contents".*?<\/nav>/s)![0]
      .match(/<li>/g)!.length;
  const plain = (html: string) => entities(html.replace(/<[^>]*>/g, ''));

  it(
    'are A4, with a running head and a number on each page, and contents that are right',
    async () => {
      const files = pdfs();
      expect(files).toHaveLength(EDITIONS.length * (chapters.length + 1));
      for (const [i, { pages, bookmarks }] of (await inspectPdfs(files)).entries()) {
        const isBook = basename(files[i]!) === 'polling-lab.pdf';
        const edition = /student/.test(files[i]!) ? 'Student edition' : 'Instructor edition';
        for (const [at, { text, width, height }] of pages.entries()) {
          expect([Math.round(width), Math.round(height)]).toEqual([595, 842]);
          if (isBook && at === 0) continue; // the cover
          expect(words(text)).toContain(`Polling Lab`);
          expect(words(text)).toMatch(new RegExp(`${at + 1} ?${edition}|${edition} ?${at + 1}`));
        }
        const listable = bookmarks.filter(({ title }) => !UNLISTED.includes(title));
        // The book's contents are the pages between its cover and the first chapter.
        const firstChapter = Math.min(...listable.map(({ page }) => page));
        const front = isBook ? pages.slice(1, firstChapter - 1) : pages.slice(0, 1);
        // Of a chapter's first page, what follows the goals: "Run" is a section, and a word of theirs.
        const contents = words(front.map(({ text }) => text).join(' '))
          .split('In this chapter')
          .at(-1)!;
        // A title may be in several chapters, or a word of the text: what has a number after it is in the contents.
        const titles = new Set(listable.map(({ title }) => title));
        const listed = [...titles].flatMap((title) => {
          const pages = bookmarks.filter((one) => one.title === title).map(({ page }) => String(page));
          const numbers = contents.split(`${title} `).flatMap((rest, i) => (i && /^\d+/.exec(rest)) || []);
          return numbers.map((number) => ({ title, number, pages }));
        });
        const named = chapters.filter(({ name }) => isBook || basename(files[i]!) === `${name}.pdf`);
        const sections = named.map(({ name }) =>
          Math.min(5, sectionsOf(edition === 'Student edition' ? 'student' : 'instructor', name)),
        );
        expect(listed.length).toBeGreaterThanOrEqual(sections.reduce((sum, count) => sum + count, 0));
        for (const { title, number, pages } of listed) expect(pages, title).toContain(number);
      }
    },
    LIMIT,
  );

  it(
    'are set in type, have an outline, and tell in words what each plot shows',
    async () => {
      for (const edition of EDITIONS) {
        for (const { name } of chapters) {
          const [pdf] = await inspectPdfs([path(edition, 'pdf', `${name}.pdf`)]);
          expect(pdf!.fonts).toEqual(['/Type0']);
          const page = readFileSync(path(edition, `${name}.html`), 'utf8');
          const headings = [...page.matchAll(/<(h[1-3])\b[^>]*>(.*?)<\/\1>/g)].map(([, , text]) => plain(text!));
          expect(pdf!.bookmarks.map(({ title }) => title)).toEqual(headings);
          const told = [...page.matchAll(/<figure class="chart[^>]*><img [^>]*alt="([^"]+)"/g)].map(([, alt]) => alt!);
          expect(told.length).toBeGreaterThan(0);
          expect(pdf!.strings).toEqual(expect.arrayContaining(told.map(plain)));
        }
      }
    },
    LIMIT,
  );

  it(
    'tear nothing, and leave nothing behind',
    async () => {
      const editions = ALL ? EDITIONS : (['student'] as const);
      const pages = editions.flatMap((edition) => chapters.map(({ name }) => `${edition}/${name}.html`));
      const lookAt = async (page: string) => {
        const problems = await torn(browser, path(page));
        say(`printed ${page}: ${problems.length} problems`);
        return problems.map((problem) => `${page}: ${problem}`);
      };
      const problems = await Promise.all(pages.map((page) => atOnce(() => lookAt(page))));
      expect(problems.flat()).toEqual([]);
      // The search sees what is torn.
      const careless = join(folder, 'careless.html');
      const page = readFileSync(path('student', `${lesson.name}.html`), 'utf8');
      writeFileSync(careless, page.replace(/break-(inside|after): avoid/g, 'break-$1: auto'));
      expect((await torn(browser, careless)).length).toBeGreaterThan(0);
    },
    LIMIT,
  );
});

describe('the executed notebooks', () => {
  it.runIf(browserPath)(
    'show their plots where only pictures are shown, as nbviewer does',
    async () => {
      const lookAt = async ({ name }: Chapter) => {
        const file = path('student', 'notebooks', 'executed', `${name}.ipynb`);
        const charts = readFileSync(file, 'utf8').match(/"application\/vnd\.vegalite\.v5\+json"/g) ?? [];
        // nbviewer is this very program.
        const nbconvert = ['-m', 'nbconvert', '--to', 'html', '--template', 'classic', '--stdout', file];
        const { stdout } = await run([pathsOf(checkout).python, ...nbconvert]);
        expect(charts.length).toBeGreaterThan(0);
        expect(stdout.match(/<img[^>]* src="data:image\/png;base64,iVBORw0KGgo/g)).toHaveLength(charts.length);
        expect(readFileSync(file, 'utf8')).not.toContain('image/svg+xml');
      };
      await Promise.all(chapters.map((chapter) => atOnce(() => lookAt(chapter))));
    },
    LIMIT,
  );
});

describe('the zips', () => {
  it('have all of their edition in them', async () => {
    for (const edition of EDITIONS) {
      const [entries] = await inspect<Record<string, string>>(path(`polling-lab-${edition}.zip`));
      const there = Object.entries(entries!).map(([name, hash]) => `${hash} ${name.replace('polling-lab-', '')}`);
      expect(there.sort()).toEqual(
        hashes()
          .filter((line) => line.includes(` ${edition}/`))
          .sort(),
      );
      expect(Object.keys(entries!)).toContain(`polling-lab-${edition}/how-to-use.html`);
    }
  });
});

describe('the handouts of before stay as they were', () => {
  const untouched = async (failing: Promise<unknown>, reason: RegExp | typeof Problem) => {
    const before = hashes();
    await expect(failing).rejects.toThrow(reason);
    expect(hashes()).toEqual(before);
    expect(readdirSync(folder).filter((name) => name.startsWith('handouts'))).toEqual(['handouts']);
  };

  it('when a notebook fails, and the cell is named', async () => {
    const bad = "throw new Error('as it should')";
    const failing = notebook('09-failing', [cell('good', '1 + 1'), cell('bad', bad)]);
    let told = '';
    const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      told += text;
      return true;
    });
    await untouched(build({ notebooks: [failing], execute }), /A notebook failed/);
    write.mockRestore();
    expect(told).toMatch(/cell 2[\s\S]*as it should/);
  });

  it.each(['pages and notebooks', ...(browserPath ? ['PDFs of the student edition'] : [])])(
    'when it is stopped at the %s',
    async (step) => {
      const stopping = new AbortController();
      const task = <T>(name: string, work: () => Promise<T>) => {
        if (name === step) stopping.abort(new Problem('Stopped by SIGINT.'));
        return work();
      };
      const stopped = build({ ...small('07-small'), signal: stopping.signal, reporter: { task, print: () => {} } });
      await untouched(stopped, /Stopped by SIGINT/);
    },
    2 * MINUTE,
  );

  it('when the folder has something else in it', async () => {
    const home = dirname(folder);
    await expect(build({ out: folder })).rejects.toThrow(/is no handout, and would be lost/);
    expect(existsSync(home)).toBe(true);
  });

  it('when the folder is a file, or would be in one', async () => {
    const file = import.meta.filename;
    await expect(build({ out: file })).rejects.toThrow(/Expected .* to be a folder.*--out FOLDER/);
    await expect(build({ out: join(file, 'in-it') })).rejects.toThrow(/Expected to write to .*--out FOLDER/);
  });
});

it(
  'are built without a browser, but for the PDFs, and that is told',
  async () => {
    const bare = join(folder, 'bare');
    const telling = build({ ...small('07-small'), browser: null, out: bare });
    await expect(telling).rejects.toMatchObject({ exitCode: 2, message: expect.stringMatching(/There are no PDFs/) });
    expect(filesIn(bare).filter((file) => /\.(pdf|zip)$/.test(file))).toEqual(
      EDITIONS.map((edition) => `polling-lab-${edition}.zip`).sort(),
    );
    expect(readFileSync(join(bare, 'student', 'index.html'), 'utf8')).not.toContain('.pdf');
    await build({ ...small('07-small'), browser: null, out: bare, pdf: false }); // as was wanted
  },
  2 * MINUTE,
);

it('set what notebooks can have in them: mathematics, fences, colors, errors, pictures, folded cells', async () => {
  const stream = { output_type: 'stream', name: 'stderr', text: 'half\rwhole \u001b[31mred\u001b[0m\n\n  a < b\n' };
  const traceback = ['\u001b[31mError\u001b[0m: as it should'];
  const error = { output_type: 'error', ename: 'Error', evalue: 'as it should', traceback };
  const data = { 'image/png': 'iVBORw0KGgo=', 'text/plain': 'a <dot>' };
  const picture = { output_type: 'display_data', metadata: {}, data };
  const words =
    '# Small\n\nHalf: $\\frac{T}{2}$\n\n$$n = \\lceil T / i \\rceil$$\n\n```ts\nconst n = 1_000;\n```\n\n```\nid: 1\n\n```\n\n## Same\n\n## Same\n';
  const markdown = { cell_type: 'markdown', id: 'words', metadata: {}, source: words };
  const folded = {
    ...cell('folded', '// Asks until `isDone` is < 1.\n'),
    metadata: { jupyter: { source_hidden: true } },
  };
  const executed = small('08-small', [markdown, cell('odd', 'x\n', [stream, error, picture]), folded]);
  const odd = join(folder, 'odd');
  await build({ ...executed, out: odd, browser: null, pdf: false });
  const page = readFileSync(join(odd, 'student', '08-small.html'), 'utf8');
  expect(page.match(/<math /g)).toHaveLength(2);
  expect(page).toContain('<mfrac>');
  expect(page).toContain('<span class="mi">1_000</span>');
  expect(page).toMatch(/>id: 1\n<\/span><span class="line" style="--in:0">\n<\/span><\/code>/); // a blank line at the end
  expect(page).toMatch(/half\n<\/span>.*>whole red\n<\/span>/);
  expect(page).toContain('--in:2"><span class="indent">  </span>a &lt; b');
  expect(page).toContain('alt="a &lt;dot&gt;"');
  expect(page).toContain('<summary>Asks until <code>isDone</code> is &lt; 1.</summary>');
  expect(page).toMatch(/id="08-small\.Same"[\s\S]*id="08-small\.Same-2"/);
}, 60_000);
