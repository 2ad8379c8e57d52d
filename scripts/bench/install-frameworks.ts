import { join } from 'node:path';
import { npmPackages } from '../setup/steps.mjs';
import { checkout, pathsOf } from '../shared/paths.mjs';
import { Problem } from '../shared/problem.mjs';
import { taskReporter } from '../shared/progress.mjs';

const root = join(import.meta.dirname, 'frameworks');
const step = npmPackages({
  root,
  nodeModules: join(root, 'node_modules'),
  lockFile: join(root, 'package-lock.json'),
  stamps: join(pathsOf(checkout).stamps, 'bench'),
});

export const hasFrameworks = (): boolean => step.isDone();

/** Installs Fastify and Hono for the bench alone, where they are missing. Error: `Problem`. */
export async function installFrameworks(signal: AbortSignal): Promise<void> {
  if (hasFrameworks()) return;
  const reporter = taskReporter(process.stdout);
  try {
    await reporter.task('Fastify and Hono, for the bench', () => step.run({ signal, working: () => {} }));
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Problem)) throw error;
    const details = error.details && `${error.details.trim()}\n`;
    throw new Problem(`${details}${error.message} By hand: npm ci --prefix scripts/bench/frameworks`);
  } finally {
    reporter.stop();
  }
}
