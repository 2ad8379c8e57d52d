import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { App } from './app.js';
import { listen } from './listen.js';
import { StoreError } from './log/store.js';
import { help, readSettings, SettingError } from './settings.js';

async function main(): Promise<void> {
  const settings = readSettings(process.argv.slice(2), process.env);
  if (!settings) return void process.stdout.write(help());
  const token = randomBytes(16).toString('hex');
  const app = new App(settings, token);
  const { url, close } = await listen(app);

  if (settings.state) {
    mkdirSync(dirname(settings.state), { recursive: true });
    writeFileSync(settings.state, `${JSON.stringify({ url, httpsUrl: app.httpsUrl, pid: process.pid, token })}\n`, {
      mode: 0o600,
    });
  }

  let stopping = false;
  const stop = async () => {
    if (stopping) process.exit(1); // asked twice: at once
    stopping = true;
    app.stop();
    await close(settings.graceMs);
    app.close();
    if (settings.state && ours(settings.state)) rmSync(settings.state, { force: true });
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void stop());
  if (settings.exitWithStdin) process.stdin.on('close', () => void stop()).resume();

  process.stdout.write(`ready ${url}\n`);
}

/** Whether the state file still tells of this server: another one may have taken its place. */
function ours(file: string): boolean {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).pid === process.pid;
  } catch {
    return false;
  }
}

main().catch((error: Error) => {
  const expected = error instanceof SettingError || error instanceof StoreError;
  console.error(expected ? error.message : String(error.stack));
  process.exit(error instanceof SettingError ? 2 : 1);
});
