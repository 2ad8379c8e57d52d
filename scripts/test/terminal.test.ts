import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { isAlive } from '../shared/child.mjs';
import { checkout, pathsOf } from '../shared/paths.mjs';

const { python } = pathsOf(checkout);

/** As npm does, it has a child and goes on when its parent is gone. Tells the ids of both processes. */
const LIKE_NPM = ['sh', '-c', 'sleep 600 & echo "ids $$ $!"; wait'];
const idsIn = (text: string) => /ids (\d+) (\d+)/.exec(text)?.slice(1).map(Number);

it('what runs at a terminal ends when the process that started it is killed, and its children with it', async () => {
  const script = `
    import { startAtTerminal } from ${JSON.stringify(join(import.meta.dirname, 'terminal.ts'))};
    const { process: { stdout } } = startAtTerminal(${JSON.stringify(python)}, ${JSON.stringify(LIKE_NPM)});
    stdout.pipe(process.stdout);
  `;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', script];
  const starter = spawn(process.execPath, args, { cwd: checkout, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  for await (const chunk of starter.stdout) {
    text += chunk;
    if (idsIn(text)) break;
  }
  const ids = idsIn(text)!;
  onTestFinished(() => {
    for (const id of ids.filter(isAlive)) process.kill(id, 'SIGKILL');
  });
  expect(ids.filter(isAlive)).toEqual(ids);
  const ended = once(starter, 'exit');
  starter.kill('SIGKILL');
  await ended;
  await vi.waitFor(() => expect(ids.filter(isAlive)).toEqual([]), { timeout: 50_000 });
});
