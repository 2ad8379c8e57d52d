// Tests the notebooks' assertions: in a copy of the checkout, the server (or an instrument that counts) is made wrong in one
// place at a time, and the notebook that teaches the promise has to fail, at the cell that claims it.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectIn } from '../project.js';
import { readNotebook } from '../runner/notebook.js';
import type { Result } from '../runner/result.js';
import { run as runNotebooks } from '../runner/run.js';
import { findBrowser } from '../shared/find-program.mjs';
import { limiter } from '../shared/limiter.js';
import { Problem } from '../shared/problem.mjs';
import { run } from '../shared/run.js';
import { borrowedCheckout } from '../test/borrow.js';
import type { Count } from '../test/test-steps.js';
import { editAt, readSources } from './anchors.js';
import { type Mutation, mutations } from './mutations.js';

/** Copies at work at once: most of a notebook is waiting. */
const COPIES = 3;
const CELL_S = 60;
/** Without a browser, this notebook claims less: it would pass whatever the server does. */
const NEEDS_BROWSER = '07-six-connections';
const silent = { began: () => {}, step: () => {}, finished: () => {} };

/** Tries every mutation; first, that all the notebooks are green in a copy where nothing is changed. */
export async function sabotage(signal: AbortSignal, all = mutations): Promise<Count> {
  const isTried = ({ notebook }: Mutation) => notebook !== NEEDS_BROWSER || findBrowser() !== null;
  const wanted = all.filter(isTried);
  const skipped = all.filter((one) => !isTried(one)).map((one) => `${told(one)}: no browser was found`);
  const count: Count = { passed: 0, failed: 0, skipped };
  const say = (complaint: string | null, name: string) => {
    if (signal.aborted) return;
    if (complaint) count.failed += 1;
    else count.passed += 1;
    process.stdout.write(`${complaint ? '✗' : '✓'} ${name}${complaint ? `: ${complaint}` : ''}\n`);
  };
  const made = await Promise.allSettled(Array.from({ length: COPIES }, () => makeCopy(signal)));
  const copies = made.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
  const free = [...copies];
  const atOnce = limiter(COPIES);
  const inCopy = (name: string, attempt: (root: string) => Promise<string | null>) =>
    atOnce(async () => {
      if (signal.aborted) return;
      const copy = free.pop()!;
      say(await attempt(copy.root).catch((error: Error) => error.message), name);
      free.push(copy);
    });
  try {
    for (const one of made) if (one.status === 'rejected') throw one.reason;
    const notebooks = [...new Set(wanted.map(({ notebook }) => notebook))];
    await Promise.all(
      notebooks.map((name) => inCopy(`nothing is changed: ${name}`, (root) => untouched(root, name, signal))),
    );
    await Promise.all(wanted.map((one) => inCopy(told(one), (root) => survives(root, one, signal))));
  } finally {
    for (const copy of copies) copy.remove();
  }
  return count;
}

const told = ({ name, notebook, cells }: Mutation) => `${name} (${notebook}, ${cells.join(' or ')})`;

/** A copy that is ready to run notebooks. To be removed by the caller. */
export async function makeCopy(signal: AbortSignal): Promise<{ root: string; remove: () => void }> {
  const copy = borrowedCheckout();
  try {
    const { exitCode, stdall } = await run([process.execPath, join(copy.root, 'scripts', 'setup.mjs')], { signal });
    if (exitCode !== 0) throw new Problem('A copy of the checkout could not be set up.', { details: stdall });
    return copy;
  } catch (error) {
    copy.remove();
    throw error;
  }
}

/** What a mutation may change: the server of a checkout, and the proxy that counts where there is no ledger. */
export const sourcesOf = (root: string) => [
  ...readSources(join(root, 'server'), ['conformance']),
  ...readSources(join(root, 'notebooks', 'instruments', 'counting-proxy')),
];

/** Where a mutation changes the sources of a checkout. Throws unless it fits in one place. */
export const editOf = (root: string, { inside, pattern, make }: Mutation) =>
  editAt(sourcesOf(root), inside, pattern, make);

/** What is wrong with a notebook's verdict on sources that are made wrong; null if it noticed where it should. */
export async function survives(root: string, mutation: Mutation, signal: AbortSignal): Promise<string | null> {
  const { file, start, end, text } = editOf(root, mutation);
  const source = readFileSync(file, 'utf8');
  writeFileSync(file, source.slice(0, start) + text + source.slice(end));
  try {
    const { failure, cells } = await execute(root, mutation.notebook, signal);
    if (!failure) return 'survived: the notebook stays green';
    const cell = cells.find(({ index }) => index === failure.cell)?.id ?? 'none';
    const ran = failure.kind === 'cell-timeout' || (failure.kind === 'error' && failure.ename !== 'CompileError');
    const atItsCell = ran && mutation.cells.includes(cell);
    return atItsCell ? null : `red for another reason, ${failure.kind} at cell ${cell}: ${failure.message}`;
  } finally {
    writeFileSync(file, source);
  }
}

async function untouched(root: string, notebook: string, signal: AbortSignal): Promise<string | null> {
  const { failure } = await execute(root, notebook, signal);
  return failure ? `red without a reason, ${failure.kind}: ${failure.message}` : null;
}

async function execute(root: string, name: string, signal: AbortSignal): Promise<Result> {
  const project = projectIn(root);
  const notebook = await readNotebook(join(root, 'notebooks', `${name}.ipynb`), project.metadataKey);
  const [result] = await runNotebooks(
    [notebook],
    {
      ...{ project, out: join(root, 'build', 'notebooks'), jobs: 1, repeat: 1 },
      ...{ cellSeconds: CELL_S, notebookSeconds: 10 * CELL_S, withServer: true, leaksFail: false, bail: false },
      ...{ sources: new Map(), known: new Map(), signal },
    },
    silent,
  );
  if (!result) throw new Error('stopped');
  return result;
}
