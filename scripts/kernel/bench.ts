// How long a kernel takes to its first answers, beside stock tslab, in one run:
//   npx tsx scripts/kernel/bench.ts [rounds]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const { positionals } = parseArgs({ allowPositionals: true });
const rounds = Number(positionals[0] ?? 5);
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error(`bench: expected a number of rounds, got ${positionals[0]}.`);
  process.exit(2);
}
const { status, error } = spawnSync(
  here('../../.polling-lab/venv/bin/python'),
  [here('tests/bench.py'), String(rounds)],
  { stdio: 'inherit', env: { ...process.env, NODE: process.execPath } },
);
if (error) {
  console.error(`bench: no Python environment (${error.message}). Make it: node scripts/setup.mjs`);
}
process.exit(error ? 2 : (status ?? 1));
