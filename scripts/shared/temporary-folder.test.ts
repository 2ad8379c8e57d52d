import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it, onTestFinished, vi } from 'vitest';
import { startAtTerminal } from '../test/terminal.js';
import { isAlive } from './child.mjs';
import { checkout, pathsOf } from './paths.mjs';
import { temporaryFolder } from './temporary-folder.mjs';

const { python } = pathsOf(checkout);
const from = (...path: string[]) => JSON.stringify(pathToFileURL(join(checkout, 'scripts', ...path)).href);

it('makes a folder of its own each time, and removes it when told', () => {
  const [one, other] = [temporaryFolder('polling-lab-test-'), temporaryFolder('polling-lab-test-')];
  expect(one.path).not.toBe(other.path);
  for (const { path, remove } of [one, other]) {
    expect(readdirSync(path)).toEqual([]);
    remove();
    expect(() => readdirSync(path)).toThrow('ENOENT');
    remove(); // again: nothing is there
  }
});

it('leaves no folder and no server when a second Ctrl-C ends a command at once', async () => {
  const temporary = mkdtempSync(join(tmpdir(), 'polling-lab-test-'));
  onTestFinished(() => rmSync(temporary, { recursive: true, force: true }));
  // A server of the bench, and a command that never gets to its clean-up.
  const script = `
    import { runCommand } from ${from('shared', 'command.mjs')};
    import { startServer } from ${from('bench', 'measured-servers.ts')};
    await runCommand(async (signal) => {
      const { pids } = await startServer('ours', signal);
      signal.addEventListener('abort', () => console.log('stopping'));
      console.log('pids ' + pids);
      await new Promise((resolve) => setTimeout(resolve, 600_000));
    });
  `;
  const command = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', script];
  const terminal = startAtTerminal(python, command, { cwd: checkout, env: { ...process.env, TMPDIR: temporary } });
  const said = (words: RegExp) =>
    vi.waitFor(() => expect(terminal.said()).toMatch(words), { timeout: 50_000, interval: 20 });
  await said(/pids [\d,]+\r?\n/);
  const pids = /pids ([\d,]+)/.exec(terminal.said())![1]!.split(',').map(Number);
  onTestFinished(() => {
    for (const pid of pids.filter(isAlive)) process.kill(pid, 'SIGKILL');
  });
  expect(pids.filter(isAlive)).toEqual(pids);
  const folders = () => readdirSync(temporary).filter((name) => name.startsWith('polling-lab-bench-'));
  expect(folders()).toHaveLength(1);
  terminal.process.stdin!.write('\x03');
  await said(/stopping/);
  expect(folders()).toHaveLength(1);
  await terminal.interrupt();
  expect(await terminal.ended).toMatchObject({ code: 130 });
  expect(folders()).toEqual([]);
  await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), { timeout: 50_000 });
});
