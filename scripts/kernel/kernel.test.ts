// The kernel's tests speak to it through Jupyter's own clients, in Python (tests/). Here each of them
// becomes a test of this runner's, so that one command runs and counts all.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

interface Outcome {
  name: string;
  outcome: 'passed' | 'failed' | 'skipped';
  detail: string;
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const python = here('../../.polling-lab/venv/bin/python');

async function runPython(): Promise<{ outcomes: Outcome[]; exitCode: number; complaint: string }> {
  const child = spawn(python, [here('tests/run.py')], {
    env: { ...process.env, NODE: process.execPath },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let complaint = '';
  child.stderr.on('data', (chunk) => {
    complaint += chunk;
  });
  const closed = once(child, 'close');
  const outcomes: Outcome[] = [];
  for await (const line of createInterface(child.stdout)) outcomes.push(JSON.parse(line));
  const [exitCode] = await closed;
  return { outcomes, exitCode, complaint };
}

if (!existsSync(python)) {
  test('needs the Python environment', () => {
    throw new Error(`Expected ${python}, got nothing there. Make it: node scripts/setup.mjs`);
  });
} else {
  const { outcomes, exitCode, complaint } = await runPython();
  for (const { name, outcome, detail } of outcomes) {
    test.skipIf(outcome === 'skipped')(name, () => {
      expect(outcome, detail).toBe('passed');
    });
  }
  test('the Python tests ran to their end', () => {
    expect(outcomes.length).toBeGreaterThan(0);
    const failed = outcomes.some(({ outcome }) => outcome === 'failed');
    expect(exitCode, complaint).toBe(failed ? 1 : 0);
  });
}
