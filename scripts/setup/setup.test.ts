// Set-up from end to end, with package managers that are played by scripts: what matters here is when they
// are called, and what is left when they fail.
import { type ChildProcess, spawn } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isAlive } from '../shared/child.mjs';
import { checkout, type Paths, pathsOf } from '../shared/paths.mjs';

const LOCK = { packages: { '': { dependencies: { a: '1.0.0' } }, 'node_modules/a': { version: '1.0.0' } } };

/** Says in `$CALLS/log` that it was called; `fail-NAME` and `hang-NAME` in that folder change what it does. */
const called = (name: string) => `#!/bin/sh
echo "${name} $*" >> "$CALLS/log"
`;
const install = (name: string) => `
  if [ -e "$CALLS/fail-${name}" ]; then cat "$CALLS/fail-${name}" >&2; exit 1; fi
  while [ -e "$CALLS/hang-${name}" ]; do echo $$ > "$CALLS/pid-${name}"; sleep 0.05; done
`;

const NPM = `${called('npm')}
rm -rf node_modules
${install('npm')}
mkdir -p node_modules/a
echo '{}' > node_modules/a/package.json
cp package-lock.json node_modules/.package-lock.json
`;

const python = (version: string, venv = true) => `${called('python')}
case "$*" in
  "-I -c"*) echo '[[${version.split('.').join(', ')}], "'"$0"'", ${venv}]' ;;
  *"-m venv"*) for last; do :; done; mkdir -p "$last/bin"; cp "$0" "$last/bin/python" ;;
  *"-m pip"*) ${install('pip')}
    touch "$(dirname "$0")/jupyter-lab" ;;
esac
`;

let root: string;
let paths: Paths;
const started: ChildProcess[] = [];

beforeEach(() => {
  root = join(realpathSync(mkdtempSync(join(tmpdir(), 'polling-lab-set-up-'))), 'a “quoted” ö folder');
  paths = pathsOf(root);
  for (const path of [
    'scripts/setup',
    'scripts/shared',
    'scripts/setup.mjs',
    'scripts/run.mjs',
    'scripts/commands.mjs',
    'server/settings-table.mjs',
    'scripts/kernel/kernel.json',
    'scripts/kernel/papermill',
    'scripts/kernel/cli',
    'scripts/runner/command.mjs',
  ])
    cpSync(join(checkout, path), join(root, path), { recursive: true });
  mkdirSync(join(root, 'calls'));
  mkdirSync(join(root, 'bin'));
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  writeFileSync(paths.lockFile, JSON.stringify(LOCK));
  play('npm', NPM);
  play('python3', python('3.11.7'));
  play('valkey-server', '#!/bin/sh\n');
  for (const tool of ['sh', 'cat', 'cp', 'rm', 'mkdir', 'dirname', 'touch', 'sleep', 'ps']) {
    const found = (process.env.PATH ?? '').split(':').find((folder) => existsSync(join(folder, tool)));
    symlinkSync(join(found ?? '/bin', tool), join(root, 'bin', tool));
  }
});
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  rmSync(dirname(root), { recursive: true, force: true });
});

function play(name: string, script: string) {
  writeFileSync(join(root, 'bin', name), script);
  chmodSync(join(root, 'bin', name), 0o755);
}

const tell = (what: string, text = '') => writeFileSync(join(root, 'calls', what), text);
const untell = (what: string) => rmSync(join(root, 'calls', what));

const setup = (env: Record<string, string> = {}, flags: string[] = []) => script(['setup.mjs', ...flags], env);

function script([name = '', ...args]: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [join(root, 'scripts', name), ...args], {
    cwd: root,
    env: { PATH: join(root, 'bin'), CALLS: join(root, 'calls'), ...env },
  });
  started.push(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  const ended = new Promise<{ code: number | null; said: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, said })),
  );
  return { child, ended, said: () => said };
}

/** How often each package manager installed something, in order. */
const installs = () =>
  (existsSync(join(root, 'calls/log')) ? readFileSync(join(root, 'calls/log'), 'utf8') : '')
    .split('\n')
    .flatMap((line) => (line.startsWith('npm ci') ? ['npm'] : line.includes('-m pip install') ? ['pip'] : []))
    .sort();

async function exists(file: string): Promise<string> {
  while (!existsSync(file) || readFileSync(file, 'utf8') === '') await sleep(20);
  return readFileSync(file, 'utf8');
}

test('installs once, and then nothing', async () => {
  const first = await setup().ended;
  expect(first).toMatchObject({ code: 0 });
  expect(first.said).toContain('npm packages');
  expect(installs()).toEqual(['npm', 'pip']);
  const spec = JSON.parse(readFileSync(paths.kernelspec, 'utf8'));
  expect(spec.argv[0]).toBe(process.execPath);
  expect(spec.argv).toContain(join(root, 'scripts', 'kernel', 'launch.cjs'));
  expect(spec.argv.at(-1)).toBe('{connection_file}');
  expect(existsSync(paths.overrides)).toBe(true);

  expect((await setup().ended).said).toMatch(/^Up to date \(\d+ ms\)\.\n$/);
  expect(installs()).toEqual(['npm', 'pip']);
});

test('an engine is fetched where none is on the PATH, once for each environment', async () => {
  rmSync(join(root, 'bin', 'valkey-server'));
  expect((await setup().ended).code).toBe(0);
  const pip = () => readFileSync(join(root, 'calls', 'log'), 'utf8').match(/pip install .*/g) ?? [];
  expect(pip().map((call) => call.includes('--require-hashes'))).toEqual([false, true]);
  expect((await setup().ended).code).toBe(0);
  expect(pip()).toHaveLength(2);
  rmSync(paths.venv, { recursive: true });
  expect((await setup().ended).code).toBe(0);
  expect(pip().map((call) => call.includes('--require-hashes'))).toEqual([false, true, false, true]);
});

test('a change installs what it concerns', async () => {
  await setup().ended;
  LOCK.packages['node_modules/a'].version = '1.0.1';
  writeFileSync(paths.lockFile, JSON.stringify(LOCK));
  await setup().ended;
  expect(installs()).toEqual(['npm', 'npm', 'pip']);
  appendFileSync(paths.requirements, '# changed\n');
  await setup().ended;
  expect(installs()).toEqual(['npm', 'npm', 'pip', 'pip']);
});

test('a broken environment is made anew', async () => {
  await setup().ended;
  rmSync(paths.python);
  rmSync(join(paths.nodeModules, 'a'), { recursive: true });
  rmSync(paths.overrides);
  expect((await setup().ended).code).toBe(0);
  expect(installs()).toEqual(['npm', 'npm', 'pip', 'pip']);
  expect(existsSync(paths.overrides)).toBe(true);
});

test('a moved checkout gets a new environment, since that is bound to its path', async () => {
  await setup().ended;
  const moved = `${root} moved`;
  renameSync(root, moved);
  root = moved;
  expect(await setup().ended).toMatchObject({ code: 0 });
  expect(installs()).toEqual(['npm', 'pip', 'pip']);
});

test.each([
  ['npm', 'npm error code ENOTFOUND', 'npm did not get an answer from its registry. Check the network'],
  ['npm', 'npm error ENOSPC: no space left', 'npm found the disk full. Free some space.'],
  ['pip', 'Failed to establish a new connection', 'JupyterLab could not be installed'],
])('a %s that fails half-way (%s) is told in a sentence, and mended by the next', async (who, says, sentence) => {
  tell(`fail-${who}`, says);
  const { code, said } = await setup().ended;
  expect(code).toBe(1);
  expect(said).toContain(says);
  expect(said).toContain(sentence);
  untell(`fail-${who}`);
  expect((await setup().ended).code).toBe(0);
});

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  '%s half-way stops what it started; the next mends it',
  async (signal) => {
    tell('hang-npm');
    const { child, ended } = setup();
    const pid = Number(await exists(join(root, 'calls/pid-npm')));
    child.kill(signal);
    expect((await ended).code).toBeGreaterThan(128);
    expect(isAlive(pid)).toBe(false);
    untell('hang-npm');
    expect((await setup().ended).code).toBe(0);
  },
);

test('a set-up that was killed leaves an npm at work: the next ends that', async () => {
  tell('hang-npm');
  const { child, ended } = setup();
  const pid = Number(await exists(join(root, 'calls/pid-npm')));
  child.kill('SIGKILL');
  await ended;
  expect(isAlive(pid)).toBe(true);
  rmSync(join(root, 'calls/pid-npm'));
  const next = setup();
  await exists(join(root, 'calls/pid-npm'));
  untell('hang-npm');
  expect((await next.ended).code).toBe(0);
  while (isAlive(pid)) await sleep(20);
});

test('of two at once, one installs and the other waits for it, also in another time zone', async () => {
  tell('hang-npm');
  const first = setup({ TZ: 'America/New_York' });
  await exists(join(root, 'calls/pid-npm'));
  const second = setup({ TZ: 'Asia/Tokyo' });
  while (!second.said().includes('waiting for it')) await sleep(20);
  untell('hang-npm');
  expect((await first.ended).code).toBe(0);
  expect((await second.ended).code).toBe(0);
  expect(installs()).toEqual(['npm', 'pip']);
  expect(existsSync(join(paths.stamps, 'lock'))).toBe(false);
});

test.each(['start', 'server', 'bench'])('%s with an unknown flag installs nothing, and says so', async (name) => {
  const { code, said } = await script(['run.mjs', name, '--nope']).ended;
  expect({ code, said }).toMatchObject({ code: 2, said: expect.stringContaining("Unknown option '--nope'") });
  expect(await script(['run.mjs', name, '--help']).ended).toMatchObject({ code: 0 });
  expect(installs()).toEqual([]);
});

test('without a Python that will do, it says so at once, with the remedy', async () => {
  play('python3', python('3.8.18'));
  const old = await setup().ended;
  expect(old.code).toBe(2);
  expect(old.said).toContain('JupyterLab needs Python 3.10 or newer, got 3.8.18');

  play('python3', python('3.12.1', false));
  const bare = await setup().ended;
  expect(bare.code).toBe(2);
  expect(bare.said).toMatch(/Python 3\.12\.1 .* comes without venv\. .*python3\.12-venv/);

  rmSync(join(root, 'bin', 'python3'));
  const none = await setup().ended;
  expect(none.code).toBe(2);
  expect(none.said).toContain('found none');

  const named = await setup({ PYTHON: '/no/such/python' }).ended;
  expect(named.code).toBe(2);
  expect(named.said).toContain('PYTHON is "/no/such/python"');
});

test('--into registers the kernels in an environment that exists, and makes none; --out-of takes it back', async () => {
  const prefix = join(root, 'somebody’s');
  const wrong = await setup({}, ['--into', prefix]).ended;
  expect(wrong.code).toBe(2);
  expect(wrong.said).toContain('--into expects the folder of a Python environment');

  const packages = join(prefix, 'lib/python3.11/site-packages');
  const kernelspec = (name: string) => join(prefix, 'share/jupyter/kernels', name, 'kernel.json');
  const stock = JSON.stringify({ argv: ['tslab', 'kernel', '--config-path', '{connection_file}'] });
  mkdirSync(join(prefix, 'bin'), { recursive: true });
  symlinkSync(join(root, 'bin', 'python3'), join(prefix, 'bin', 'python'));
  mkdirSync(packages, { recursive: true });
  mkdirSync(dirname(kernelspec('tslab')), { recursive: true });
  writeFileSync(kernelspec('tslab'), stock);

  // As under npm, started in the environment's folder. The second time, what is there is ours and is not kept.
  for (const _ of [1, 2]) {
    const { code, said } = await setup({ INIT_CWD: prefix }, ['--into', '.']).ended;
    expect(code).toBe(0);
    expect(said).toContain(`Kept what was there: ${kernelspec('tslab')}.before-polling-lab`);
    expect(said).toContain('npm run setup -- --out-of .');
  }
  expect(installs()).toEqual(['npm']);
  const launcher = join(root, 'scripts', 'kernel', 'launch.cjs');
  const spec = (name: string) => JSON.parse(readFileSync(kernelspec(name), 'utf8'));
  expect(spec('tslab')).toMatchObject({ language: 'typescript', argv: expect.arrayContaining([launcher]) });
  const settings = join(root, 'scripts', 'kernel-settings.json');
  expect(spec('jslab').argv.slice(-5)).toEqual([launcher, '--js', '--settings', settings, '{connection_file}']);
  expect(spec('jslab')).toMatchObject({ language: 'javascript', display_name: 'JavaScript' });
  expect(readdirSync(packages)).toHaveLength(2);

  expect((await setup({ INIT_CWD: prefix }, ['--out-of', '.']).ended).code).toBe(0);
  expect(readFileSync(kernelspec('tslab'), 'utf8')).toBe(stock);
  expect(readdirSync(join(prefix, 'share/jupyter/kernels'))).toEqual(['tslab']);
  expect(readdirSync(dirname(kernelspec('tslab')))).toEqual(['kernel.json']);
  expect(readdirSync(packages)).toEqual([]);
  const again = await setup({ INIT_CWD: prefix }, ['--out-of', '.']).ended;
  expect(again).toMatchObject({ code: 1, said: expect.stringContaining('nothing to take back') });

  // A file in the place of a folder: nothing is left half registered.
  writeFileSync(join(prefix, 'share/jupyter/kernels/jslab'), 'in the way');
  const failed = await setup({ INIT_CWD: prefix }, ['--into', '.']).ended;
  expect(failed).toMatchObject({ code: 2, said: expect.stringContaining('Nothing there was changed') });
  expect(failed.said).not.toContain('registration.mjs');
  expect(readdirSync(dirname(kernelspec('tslab')))).toEqual(['kernel.json']);
  expect(readFileSync(kernelspec('tslab'), 'utf8')).toBe(stock);
  rmSync(join(prefix, 'share/jupyter/kernels/jslab'));

  // Somebody installs another over ours: both of those before are kept, and the later comes back.
  const other = stock.replace('tslab', '/of/others/kernel/launch.cjs');
  expect((await setup({ INIT_CWD: prefix }, ['--into', '.']).ended).code).toBe(0);
  writeFileSync(kernelspec('tslab'), other);
  const over = await setup({ INIT_CWD: prefix }, ['--into', '.']).ended;
  expect(over.said).toContain(`${kernelspec('tslab')}.before-polling-lab.2`);
  const back = await setup({ INIT_CWD: prefix }, ['--out-of', '.']).ended;
  expect(back.said).toContain(`Kept from before: ${kernelspec('tslab')}.before-polling-lab`);
  expect(readFileSync(kernelspec('tslab'), 'utf8')).toBe(other);
  expect(readFileSync(`${kernelspec('tslab')}.before-polling-lab`, 'utf8')).toBe(stock);
});

test('a folder that cannot be written is told in a sentence', async () => {
  writeFileSync(paths.own, 'in the way');
  const { code, said } = await setup().ended;
  expect(code).toBe(2);
  expect(said).toContain('clone it to a place where you may write');
});

test('Binder gets the JupyterLab that set-up installs', () => {
  const versionIn = (file: string) => /jupyterlab==(\S+)/.exec(readFileSync(join(checkout, file), 'utf8'))?.[1];
  expect(versionIn('.binder/environment.yml')).toBe(versionIn('scripts/setup/requirements.txt'));
});
