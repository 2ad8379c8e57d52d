// How long a kernel takes to its first answers, beside stock tslab, in one run.
import { fileURLToPath } from 'node:url';
import { runCommand } from '../shared/command.mjs';
import { readFlags } from '../shared/flags.mjs';
import { Problem } from '../shared/problem.mjs';
import { run } from '../shared/run.js';

const COMMAND = {
  call: 'npx tsx scripts/kernel/bench.ts',
  about: 'Measures how long a kernel takes to its first answers, beside stock tslab.',
  flags: { rounds: { value: 'N', whole: [1, 100], default: '5', about: 'how often each is measured (5)' } },
} as const;

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

await runCommand(async (signal) => {
  const { rounds } = readFlags(COMMAND);
  const command = [here('../../.polling-lab/venv/bin/python'), here('tests/bench.py'), String(rounds)];
  const { exitCode } = await run(command, { env: { NODE: process.execPath }, shown: true, signal });
  if (exitCode === 127) throw new Problem('There is no Python environment. Make it: npm run setup');
  return exitCode ?? 1;
});
