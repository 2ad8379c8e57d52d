// Tests the tests of several servers: in a copy of the checkout, the code by which servers share an engine is broken in one place
// at a time, and a test has to fail.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { findEngine } from '../shared/find-program.mjs';
import { checkout, pathsOf } from '../shared/paths.mjs';
import { run } from '../shared/run.js';
import { borrowedCheckout } from '../test/borrow.js';
import type { Count } from '../test/test-steps.js';

/** What stands in a file of `server/edge/redis` once, and what is put in its place. Text: most of it is Lua. */
export interface EngineMutation {
  name: string;
  file: 'redis-store.ts' | 'scripts.ts';
  before: string;
  after: string;
}

export const engineMutations: EngineMutation[] = [
  {
    name: 'a read does not wait for the engine (the read index)',
    file: 'redis-store.ts',
    before: 'if (name === this.name) return await this.reach(Number(seq), until);',
    after: 'if (name === this.name) return;',
  },
  {
    name: 'a commit that is sent again is written again (its number)',
    file: 'scripts.ts',
    before: 'if last[1] and tonumber(last[1]) >= number then',
    after: 'if false then',
  },
  {
    name: 'a server whose lease has run out goes on with its jobs (the fence)',
    file: 'scripts.ts',
    before: "(not byWorker or call('HGET', OWNERS, id) == server)",
    after: 'true',
  },
  {
    name: 'a new run of the engine has the name of the one before (generations)',
    file: 'scripts.ts',
    before: 'if known[1] ~= run then',
    after: 'if not known[1] then',
  },
  {
    name: 'a change is written that was not made from the newest version (compare and set)',
    file: 'scripts.ts',
    before: "string.match(known, '^%d+') == before and ",
    after: '',
  },
  {
    name: 'events that the engine has dropped are not missed (holes)',
    file: 'redis-store.ts',
    before: 'if (seq !== this.head + 1) {',
    after: 'if (seq < 0) {',
  },
  {
    name: 'an Idempotency-Key makes a job at each server',
    file: 'scripts.ts',
    before: "(name == '' or call('HSETNX', KEYS_OF, name, id) == 1)",
    after: 'true',
  },
];

/** The tests that a mutation must make fail. A mutated server may wait for ever, so each test has a time-out. */
const TESTS = ['server/edge/redis/redis-store.test.ts', '--testTimeout', '20000', '--bail', '1'];

/** Where a mutation changes a checkout. Throws unless its text is there once. */
export function changed(root: string, { name, file, before, after }: EngineMutation): { path: string; text: string } {
  const path = join(root, 'server', 'edge', 'redis', file);
  const parts = readFileSync(path, 'utf8').split(before);
  if (parts.length !== 2)
    throw new Error(`${name}: expected once in ${file}, found ${parts.length - 1} times: ${before}`);
  return { path, text: parts.join(after) };
}

/** Tries every mutation; first, that the tests are green in a copy where nothing is changed. */
export async function engineSabotage(signal: AbortSignal): Promise<Count> {
  const count: Count = { passed: 0, failed: 0, skipped: [] };
  const engine = findEngine(pathsOf(checkout));
  if (!engine) return { ...count, skipped: engineMutations.map(({ name }) => `${name}: no engine was found`) };
  const copy = borrowedCheckout();
  // The copy has no engine of its own.
  const env = { PATH: `${dirname(engine)}:${process.env.PATH}` };
  const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
  const test = () => run([process.execPath, vitest, 'run', ...TESTS], { cwd: copy.root, env, signal });
  const say = (fine: boolean, name: string, why: string) => {
    count[fine ? 'passed' : 'failed'] += 1;
    process.stdout.write(`${fine ? '✓' : '✗'} ${name}${fine ? '' : `: ${why}`}\n`);
  };
  try {
    const untouched = await test();
    say(untouched.exitCode === 0, 'nothing is changed', untouched.stdall);
    for (const mutation of engineMutations) {
      const { path, text } = changed(copy.root, mutation);
      const source = readFileSync(path, 'utf8');
      writeFileSync(path, text);
      const { stdall } = await test();
      // A file that cannot be loaded has no test that failed.
      say(/^ +Tests .*\d+ failed/m.test(stripped(stdall)), mutation.name, 'survived, the tests stay green');
      writeFileSync(path, source);
    }
  } finally {
    copy.remove();
  }
  return count;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colors are written so (ECMA-48, section 8.3.117)
const stripped = (text: string) => text.replace(/\u001b\[[\d;]*m/g, '');
