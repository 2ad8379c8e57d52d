import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { commands } from '../commands.mjs';
import { isAlive, start } from './child.mjs';
import { helpOf, readFlags } from './flags.mjs';
import { checkout } from './paths.mjs';
import { unsupported } from './platform.mjs';
import { run } from './run.js';

describe('flags', () => {
  const command = {
    call: 'npm run tea',
    about: 'Makes tea.',
    names: 'leaf ...',
    parts: { boil: 'boils water' },
    flags: {
      cups: { short: 'c', value: 'N', whole: [1, 9], default: '2', about: 'how many' },
      minutes: { value: 'N', positive: true, about: 'how long' },
      with: { value: 'THING', multiple: true, oneOf: ['milk', 'lemon'], about: 'what goes in' },
      loud: { about: 'whistles' },
    },
    notes: 'Exit code: 0 if there is tea.',
  } as const;

  test('are read, and have their defaults', () => {
    const nothing = { cups: 2, minutes: undefined, with: [], loud: false, names: [] };
    expect(readFlags(command, [])).toEqual(nothing);
    const given = ['-c', '3', '--minutes', '1.5', '--with', 'milk', '--with', 'lemon', '--loud', 'green'];
    const all = { cups: 3, minutes: 1.5, with: ['milk', 'lemon'], loud: true, names: ['green'] };
    expect(readFlags(command, given)).toEqual(all);
  });

  test.each([
    [['--cusp', '1'], /Unknown option '--cusp'.*--cups, --minutes, --with, --loud; --help/],
    [['--cups'], /--cups.*argument missing.*--help/],
    [['--cups', '10'], '--cups expects a whole number from 1 to 9, got "10".'],
    [['--cups', '1.5'], '--cups expects a whole number from 1 to 9, got "1.5".'],
    [['--cups', ''], '--cups expects a whole number from 1 to 9, got "".'],
    [['--minutes', '0'], '--minutes expects a number above 0, got "0".'],
    [['--with', 'milk', '--with', 'salt'], '--with expects one of milk, lemon, got "salt".'],
  ])('%j is an error that says what is expected', (args, message) => {
    expect(() => readFlags(command, args)).toThrow(message);
  });

  test('beside which nothing may be named are an error where something is', () => {
    const { names: _none, ...others } = command;
    expect(() => readFlags(others, ['green'])).toThrow(/Unexpected argument 'green'.*--help/);
  });

  test('are told by the help', () => {
    expect(helpOf(command)).toBe(`npm run tea -- [flags] [leaf ...]

Makes tea.

  boil  boils water

  -c, --cups N  how many
  --minutes N   how long
  --with THING  what goes in
  --loud        whistles
  -h, --help

Exit code: 0 if there is tea.
`);
  });

  test('of every command are in its help, and the README has every command', () => {
    const { scripts } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'));
    expect(Object.keys(scripts).sort()).toEqual(Object.keys(commands).sort());
    const readme = readFileSync(join(checkout, 'README.md'), 'utf8');
    for (const command of Object.values(commands)) {
      for (const line of helpOf(command).split('\n')) expect(line.length, line).toBeLessThanOrEqual(120);
      expect(readme).toContain(`| \`${command.call}\` |`);
    }
  });
});

test.each([
  ['win32', '24.0.0', /WSL/],
  ['linux', '18.20.1', /Node 20\.19 or newer is needed, got 18\.20\.1/],
  ['darwin', '20.18.3', /got 20\.18\.3/],
  ['linux', '20.19.0', null],
  ['darwin', '26.1.0', null],
])('%s with Node %s', (platform, version, problem) => {
  const said = unsupported(platform, version);
  if (problem) expect(said).toMatch(problem);
  else expect(said).toBeNull();
});

describe('a child', () => {
  test('is told with what it said', async () => {
    const child = start('sh', ['-c', 'echo out; echo err >&2; exit 3']);
    expect(await child.ended).toEqual({ code: 3, signal: null });
    expect(child.said().split('\n').sort()).toEqual(['', 'err', 'out']);
  });

  test('that is not there is an end, with the reason', async () => {
    const child = start('no-such-program', []);
    expect((await child.ended).code).toBeNull();
    expect(child.said()).toContain('ENOENT');
  });

  test('is stopped with all that it started', async () => {
    const child = start('sh', ['-c', 'sleep 600 & echo $!; wait']);
    const grandchild = await new Promise<number>((resolve) =>
      child.process.stdout?.once('data', (text) => resolve(Number(text))),
    );
    await child.stop();
    while (isAlive(grandchild)) await new Promise((resolve) => setTimeout(resolve, 10));
  });

  test('ends with this process', async () => {
    const script = `import { start } from './child.mjs';
      const child = start('sleep', ['600']); console.log(child.process.pid); process.exit();`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: join(import.meta.dirname),
      encoding: 'utf8',
    });
    const pid = Number(stdout);
    expect(pid).toBeGreaterThan(1);
    while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 10));
  });
});

describe('a program that is run to its end', () => {
  test('gets its arguments as they are, and its input', async () => {
    expect((await run(['printf', '%s|', "a b'c", '$HOME', ''])).stdout).toBe("a b'c|$HOME||");
    expect((await run(['cat'], { input: 'hello' })).stdout).toBe('hello');
    expect((await run(['sh', '-c', 'echo $GREETING'], { env: { GREETING: 'hi' } })).stdout).toBe('hi\n');
  });

  test('is told with its exit code, and one that is not there with 127', async () => {
    expect(await run(['sh', '-c', 'echo out; echo err >&2; exit 3'])).toMatchObject({ exitCode: 3, stderr: 'err\n' });
    expect(await run(['no-such-program'])).toMatchObject({ exitCode: 127 });
  });

  test('is stopped with all that it started, for the reason that the signal has', async () => {
    const stopping = new AbortController();
    const folder = mkdtempSync(join(tmpdir(), 'polling-lab-run-'));
    const file = join(folder, 'pid');
    try {
      const running = run(['sh', '-c', `sleep 600 & echo $! > '${file}.part'; mv '${file}.part' '${file}'; wait`], {
        signal: stopping.signal,
      });
      while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 10));
      stopping.abort(new Error('as it should'));
      await expect(running).rejects.toThrow('as it should');
      const grandchild = Number(readFileSync(file, 'utf8'));
      while (isAlive(grandchild)) await new Promise((resolve) => setTimeout(resolve, 10));
      await expect(run(['true'], { signal: stopping.signal })).rejects.toThrow('as it should');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
