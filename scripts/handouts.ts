// `npm run handouts`: what a class needs, on paper and on a laptop without a network.
import { join, resolve } from 'node:path';
import { commands } from './commands.mjs';
import { buildHandouts, EDITIONS } from './handouts/build-handouts.js';
import { execute } from './handouts/execute-course.js';
import { discover } from './runner/discover.js';
import { runCommand } from './shared/command.mjs';
import { findBrowser } from './shared/find-program.mjs';
import { readFlags } from './shared/flags.mjs';
import { endWhenOrphaned } from './shared/orphan.js';
import { checkout } from './shared/paths.mjs';
import { Problem } from './shared/problem.mjs';
import { inSeconds, taskReporter } from './shared/progress.mjs';

await runCommand(async (signal) => {
  const { only, edition, out: given = join('build', 'handouts'), 'no-pdf': noPdf } = readFlags(commands.handouts);
  const began = performance.now();
  const editions = EDITIONS.filter((name) => edition.length === 0 || edition.includes(name));
  const notebooks = chooseChapters(await discover(['notebooks'], checkout), only);
  const out = resolve(process.env.INIT_CWD ?? checkout, given);
  const browser = findBrowser();
  endWhenOrphaned(signal);
  const reporter = taskReporter();
  try {
    await buildHandouts({ notebooks, editions, out, browser, pdf: !noPdf, signal, reporter, execute });
  } catch (error) {
    if (signal.aborted) reporter.print('Stopped. The handouts of before are as they were.');
    throw error;
  } finally {
    reporter.stop();
  }
  reporter.print(`handouts: ${notebooks.length} chapters, built in ${inSeconds(performance.now() - began)}`);
});

function chooseChapters(paths: string[], only: string[]): string[] {
  if (only.length === 0) return paths;
  const numberOf = (path: string) => Number.parseInt(path.slice(path.lastIndexOf('/') + 1), 10);
  const missing = only.find((number) => !paths.some((path) => numberOf(path) === Number(number)));
  if (missing) throw new Problem(`--only takes the number of a chapter, as "03", got "${missing}".`);
  return paths.filter((path) => only.some((number) => numberOf(path) === Number(number)));
}
