import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isFile, makeFolder } from '../scripts/shared/files.mjs';
import { visible } from '../scripts/shared/visible.mjs';
import { App } from './app.js';
import { StoreError } from './core/log/store.js';
import { listen } from './edge/listen.js';
import { readSettings, SettingError } from './settings.js';
import { help } from './settings-table.mjs';

async function main(): Promise<void> {
  const settings = readSettings(process.argv.slice(2), process.env);
  if (!settings) return void process.stdout.write(help());
  const { state } = settings;
  if (state && existsSync(state) && pidIn(state) === null)
    throw new SettingError(`${state} exists and is no state file of a server. Choose another one with --state.`);
  const token = randomBytes(16).toString('hex');
  const app = await App.open(settings, token);
  const { url, httpsUrl, close } = await listen(settings, app.handle, app.connections);
  app.httpsUrl = httpsUrl;

  if (state)
    writeState(state, { url, httpsUrl, pid: process.pid, token, accessToken: settings.accessToken || undefined });

  let stopping = false;
  const stop = async () => {
    if (stopping) process.exit(1); // asked twice: at once
    stopping = true;
    app.stop();
    await close(settings.graceMs);
    await app.close();
    // Unless another server has taken its place meanwhile.
    if (state && pidIn(state) === process.pid) rmSync(state, { force: true });
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void stop().catch(fail));
  if (settings.exitWithStdin) process.stdin.on('close', () => void stop().catch(fail)).resume();

  process.stdout.write(`ready ${url}\n`);
}

/** Tells where this server is. The file is renamed when it is whole: a kill leaves no half of it. */
function writeState(file: string, content: object): void {
  const draft = `${file}.${process.pid}`;
  try {
    makeFolder(dirname(file));
    writeFileSync(draft, `${JSON.stringify(content)}\n`, { mode: 0o600 });
    renameSync(draft, file);
  } catch (error) {
    throw new SettingError(
      `The state file ${file} cannot be written (${(error as Error).message}). Choose another one with --state.`,
    );
  }
}

/** The process id in a state file; 0 in an empty file, which a kill may leave; null in anything else. */
function pidIn(file: string): number | null {
  if (!isFile(file)) return null;
  try {
    const text = readFileSync(file, 'utf8');
    return text === '' ? 0 : (JSON.parse(text).pid ?? null);
  } catch {
    return null;
  }
}

/** Says what was wrong, and ends the process. */
function fail(error: Error): never {
  const expected = error instanceof SettingError || error instanceof StoreError;
  console.error(visible(expected ? error.message : error.stack, { most: 10_000, lines: true }));
  process.exit(error instanceof SettingError ? 2 : 1);
}

main().catch(fail);
