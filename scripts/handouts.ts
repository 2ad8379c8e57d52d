// `npm run handouts`: what a class needs, on paper and on a laptop without a network.
import { join, resolve } from 'node:path';
import { buildHandouts, EDITIONS, type Edition } from './handouts/build.js';
import { execute } from './handouts/execute.js';
import { discover } from './runner/discover.js';
import { findBrowser } from './shared/browser.mjs';
import { runCommand } from './shared/command.mjs';
import { readFlags } from './shared/flags.mjs';
import { whenOrphaned } from './shared/orphan.js';
import { checkout } from './shared/paths.mjs';
import { Problem } from './shared/problem.mjs';
import { inSeconds } from './shared/progress.mjs';

const HELP = `npm run handouts -- [flags]

Executes the course and builds its handouts, in a student and an instructor edition: pages that need no
network, PDFs, notebooks to work in and to look at, and a zip of it all.

  --only N         a chapter alone, by its number (may be repeated)
  --edition NAME   student or instructor (both)
  --out FOLDER     where to (build/handouts); the handouts of before are replaced when the new ones are whole
  --no-pdf         no PDFs
  -h, --help

PDFs are printed by a Chromium, Chrome or Edge of this machine: the one that CHROME_PATH names, else the first
there is. Exit code: 0 if all was built; 1 if a notebook failed, and nothing was; 2 if it could not be tried,
or all but the PDFs was built, for want of a browser.
`;

const say = (line: string) => process.stdout.write(`${line}\n`);

await runCommand(async (signal) => {
  const flags = readFlags(HELP, {
    only: { type: 'string', multiple: true, default: [] },
    edition: { type: 'string', multiple: true, default: [...EDITIONS] },
    out: { type: 'string', default: join('build', 'handouts') },
    'no-pdf': { type: 'boolean', default: false },
  });
  const began = performance.now();
  const editions = chooseEditions(flags.edition as string[]);
  const notebooks = chooseChapters(await discover(['notebooks'], checkout), flags.only as string[]);
  const out = resolve(process.env.INIT_CWD ?? checkout, flags.out as string);
  const browser = findBrowser();
  const pdf = !flags['no-pdf'];
  whenOrphaned(() => process.kill(process.pid, 'SIGHUP'));
  await buildHandouts({ notebooks, editions, out, browser, pdf, signal, say, execute }).catch((error) => {
    if (signal.aborted) say('Stopped. The handouts of before are as they were.');
    throw error;
  });
  say(`handouts: ${notebooks.length} chapters, built in ${inSeconds(performance.now() - began)}`);
});

function chooseEditions(names: string[]): Edition[] {
  const unknown = names.find((name) => !EDITIONS.includes(name as Edition));
  if (unknown) throw new Problem(`--edition takes ${EDITIONS.join(' or ')}, got "${unknown}".`);
  return EDITIONS.filter((edition) => names.includes(edition));
}

function chooseChapters(paths: string[], only: string[]): string[] {
  if (only.length === 0) return paths;
  const numberOf = (path: string) => Number.parseInt(path.slice(path.lastIndexOf('/') + 1), 10);
  const missing = only.find((number) => !paths.some((path) => numberOf(path) === Number(number)));
  if (missing) throw new Problem(`--only takes the number of a chapter, as "03", got "${missing}".`);
  return paths.filter((path) => only.some((number) => numberOf(path) === Number(number)));
}
