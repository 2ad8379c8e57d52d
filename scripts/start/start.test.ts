import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { signalGroup } from '../shared/child.mjs';
import { borrowedCheckout } from '../test/borrow.js';

/** How long something may take on a machine that is busy with other things. */
const PATIENCE_MS = 50_000;
/** As terminal.py says that a signal, and not an exit code, ended what it ran. */
const BY_SIGINT = 256 - 2;

let copy: ReturnType<typeof borrowedCheckout>;
const terminals: ChildProcess[] = [];
beforeAll(() => {
  copy = borrowedCheckout();
});
afterEach(async () => {
  // One that failed leaves the next a clean field.
  for (const child of terminals.splice(0)) signalGroup(child.pid, 'SIGKILL');
  for (const pid of ofCopy().keys()) process.kill(pid, 'SIGKILL');
  await nothingLeft();
});
afterAll(() => copy.remove());

/** Every process that has the copy's path in its command line, by id. */
function ofCopy(): Map<number, string> {
  const lines = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,args='], { encoding: 'utf8' }).split('\n');
  const found = lines.map((line) => /^\s*(\d+) (.*)$/.exec(line)).filter((match) => match?.[2]?.includes(copy.root));
  return new Map(found.map((match) => [Number(match?.[1]), match?.[2] ?? '']));
}

/** Waits until something is so. */
async function until<T>(what: string, look: () => T | undefined | false | null): Promise<T> {
  for (const began = performance.now(); performance.now() - began < PATIENCE_MS; await sleep(50)) {
    const found = look();
    if (found) return found;
  }
  throw new Error(`Waited in vain until ${what}.`);
}

const parse = (file: string) => JSON.parse(readFileSync(file, 'utf8'));

/** `npm start` by a person at a terminal. */
function npmStart(...flags: string[]) {
  const { CI: _ci, ...env } = process.env;
  const script = join(import.meta.dirname, '..', 'test', 'terminal.py');
  const args = [script, 'npm', 'start', '--', '--no-open', '--port', '0', '--lab-port', '0', ...flags];
  const terminal = spawn(copy.python, args, {
    cwd: copy.root,
    env,
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  terminals.push(terminal);
  let screen = '';
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text;
  });
  terminal.stdin.on('error', () => {});
  const exit = new Promise<number | null>((resolve) => terminal.once('close', resolve));
  const shows = (text: string) =>
    until(`the terminal shows "${text}"; it shows:\n${screen}`, () => screen.includes(text));
  return { terminal, exit, shows, screen: () => screen };
}

/** Started, ready, and with a kernel at work, as in the middle of a lesson. */
async function lesson() {
  const started = npmStart();
  await started.shows('Ctrl-C stops both');
  const { url, token, pid: lab } = parse(copy.lab);
  const { url: serverUrl, pid: server } = parse(copy.state);
  const body = { path: 'notebooks/x.ipynb', type: 'notebook', name: 'x', kernel: { name: 'tslab' } };
  const session = await fetch(`${url}api/sessions`, {
    method: 'POST',
    headers: { Authorization: `token ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  }).catch((error) => {
    throw new Error(
      `JupyterLab did not answer: ${error.cause}\n${started.screen()}\n${readFileSync(copy.labLog, 'utf8')}`,
    );
  });
  expect(session.status).toBe(201);
  const processOf = (name: string) => [...ofCopy()].find(([, args]) => args.includes(name))?.[0];
  await until('a kernel runs', () => processOf('launch.cjs'));
  const main = Number(execFileSync('ps', ['-o', 'ppid=', '-p', String(lab)], { encoding: 'utf8' }));
  return {
    ...started,
    lab: lab as number,
    server: server as number,
    main,
    url: url as string,
    token: token as string,
    serverUrl: serverUrl as string,
  };
}

const nothingLeft = () => until('nothing is left running', () => ofCopy().size === 0);

describe('npm start', () => {
  test('Ctrl-C stops both, with no question asked, and is no failure', async () => {
    const { terminal, exit, shows, screen } = await lesson();
    terminal.stdin.write('\x03');
    await shows('Stopping');
    expect([0, BY_SIGINT]).toContain(await exit); // npm dies of the signal that it got as well
    await nothingLeft();
    expect(screen()).not.toMatch(/y\/\[?n|npm error/i);
  });

  test('a second start opens the one that runs, and leaves it alone', async () => {
    const first = await lesson();
    const second = npmStart();
    expect(await second.exit).toBe(0);
    expect(second.screen()).toContain('running already');
    expect(second.screen()).toContain(first.token);
    expect(second.screen()).toContain(first.serverUrl);
    expect((await fetch(`${first.serverUrl}/healthz`)).status).toBe(200);
    first.terminal.stdin.write('\x03\x03'); // and two Ctrl-C end it at once
    await first.exit;
    await nothingLeft();
  });

  const ends: [name: string, end: (run: Lesson) => void][] = [
    ['the terminal is closed', (run) => run.terminal.stdin.end()],
    ['it is killed (SIGKILL)', (run) => process.kill(run.main, 'SIGKILL')],
    ['it is told to end (SIGTERM)', (run) => process.kill(run.main, 'SIGTERM')],
    ['JupyterLab is killed', (run) => process.kill(run.lab, 'SIGKILL')],
  ];
  // The others are left to `npm run soak -- --only jupyterlab`.
  test.each(process.env.SOAK ? ends : ends.slice(0, 2))('nothing is left when %s', async (_, end) => {
    const run = await lesson();
    end(run);
    await nothingLeft();
    run.terminal.stdin.end();
    await run.exit;
  });

  test('a server that is killed is started again with its port and its jobs; JupyterLab goes on, also without it', async () => {
    const { terminal, exit, shows, screen, server, serverUrl, url, token } = await lesson();
    const submitted = await fetch(`${serverUrl}/jobs`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"kind":"manual"}',
    });
    process.kill(server, 'SIGKILL');
    await shows('ended by itself (SIGKILL)');
    await shows(`back at ${serverUrl}`);
    expect(screen()).not.toContain('ready http'); // is for programs
    expect((await fetch(`${serverUrl}${submitted.headers.get('location')}`)).status).toBe(200);

    const main = join(copy.root, 'server', 'main.ts');
    const whole = readFileSync(main, 'utf8');
    writeFileSync(main, 'throw new Error("no server today");');
    process.kill(parse(copy.state).pid, 'SIGKILL');
    await shows('no server today');
    await shows('JupyterLab goes on without it');
    expect((await fetch(`${url}api/status`, { headers: { Authorization: `token ${token}` } })).status).toBe(200);
    terminal.stdin.write('\x03');
    await exit;
    await nothingLeft();
    writeFileSync(main, whole);
  });

  test('a JupyterLab that cannot start is told with its last words, and ends it all', async () => {
    const script = join(copy.root, 'scripts', 'start', 'lab.py');
    const whole = readFileSync(script, 'utf8');
    writeFileSync(script, whole.replace('sys.exit(main())', 'sys.exit("no Lab today")'));
    const { exit, screen } = npmStart();
    expect(await exit).toBe(1);
    expect(screen()).toContain('no Lab today');
    expect(screen()).toContain('JupyterLab could not start.');
    await nothingLeft();
    writeFileSync(script, whole);
  });

  test('a port that was asked for and is taken is an error', async () => {
    const taken = createServer();
    const port = await new Promise<number>((resolve) =>
      taken.listen(0, '127.0.0.1', () => resolve((taken.address() as { port: number }).port)),
    );
    for (const flag of ['--port', '--lab-port']) {
      const { exit, screen } = npmStart(flag, String(port));
      expect(await exit).toBe(2);
      expect(screen()).toContain(`Port ${port} is taken. Name another with ${flag}`);
    }
    await new Promise((resolve) => taken.close(resolve));
    await nothingLeft();
  });
});

type Lesson = Awaited<ReturnType<typeof lesson>>;
