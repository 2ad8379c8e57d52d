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
    const { message, details } = error;
    // The sentence says by itself what went wrong, or that it is "above".
    const above = message.includes('above') ? `${details.trim()}\n` : '';
    throw new Problem(`${above}${message} To see all that npm says: npm ci --prefix scripts/bench/frameworks`);
  } finally {
    reporter.stop();
  }
}
