import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isAlive, start } from './child.mjs';
import { readFlags, readPort } from './flags.mjs';
import { unsupported } from './platform.mjs';
import { run } from './run.js';

describe('flags', () => {
  const options = { port: { type: 'string' }, loud: { type: 'boolean', default: false } } as const;

  test('are read', () => {
    expect(readFlags('', options, ['--port', '1'])).toMatchObject({ port: '1', loud: false });
  });

  test.each([
    [['--prot', '1'], /Unknown option '--prot'.*--port, --loud.*--help/],
    [['--port'], /--port.*argument missing.*--help/],
    [['course'], /Unexpected argument 'course'.*--help/],
  ])('%j is an error that says what there is', (args, message) => {
    expect(() => readFlags('', options, args)).toThrow(message);
  });

  test.each(['0', '65535'])('%s is a port', (text) => expect(readPort('--port', text)).toBe(Number(text)));
  test.each(['65536', '-1', '1.5', 'http', ''])('"%s" is no port', (text) =>
    expect(() => readPort('--port', text)).toThrow(`got "${text}"`),
  );
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
