// `npm run soak`: the long checks.
import { randomInt } from 'node:crypto';
import { runCommand } from './shared/command.mjs';
import { readFlags } from './shared/flags.mjs';
import { Problem } from './shared/problem.mjs';
import { soakParts } from './soak/parts.js';
import { listed, runSteps } from './test/run-steps.js';

const SEEDS = 2 ** 31;

const HELP = `npm run soak -- [flags]

The long checks, one after the other: what "npm test" runs a sample of, and more of it. Some hours on two cores.

${listed(soakParts(0))}

  --only NAME   one of these alone (may be repeated)
  --seed N      what is random comes from it (a new one, printed)
  -h, --help

Exit code: 0 if every check passed; 1 if one failed or, where CI is set, was skipped; 2 if they could not be
tried.
`;

await runCommand(async (signal) => {
  const { only, seed: given } = readFlags(HELP, {
    only: { type: 'string', multiple: true, default: [] as string[] },
    seed: { type: 'string' },
  });
  const seed = given === undefined ? randomInt(SEEDS) : Number(given);
  if (!(Number.isInteger(seed) && seed >= 0 && seed < SEEDS)) {
    throw new Problem(`--seed expects a whole number from 0 to ${SEEDS - 1}, got "${given}".`);
  }
  const names = only as string[];
  const again = ['npm run soak --', `--seed ${seed}`, ...names.map((name) => `--only ${name}`)].join(' ');
  process.stdout.write(`The same again: ${again}\n`);
  return runSteps(soakParts(seed), names, signal);
});
