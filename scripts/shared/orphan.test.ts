import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

const orphan = JSON.stringify(join(import.meta.dirname, 'orphan.ts'));
const orphaned = `
  import { whenOrphaned } from ${orphan};
  whenOrphaned(() => { console.log('orphaned'); process.exit(); });
  setTimeout(() => console.log('goes on'), 1500);
`;
/** Whether a process whose ancestors `ps` tells of in this way takes itself for an orphan. */
async function said(agent: string, ps: string | null, script = orphaned): Promise<string> {
  if (ps !== null) {
    await writeFile(join(folder, 'ps'), `#!/bin/sh\n${ps}\n`);
    await chmod(join(folder, 'ps'), 0o755);
  }
  const env = { PATH: folder, npm_lifecycle_event: 'notebooks', npm_config_user_agent: agent };
  const args = ['--import', 'tsx', '--input-type=module', '--eval', script];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname, env });
  return stdout.trim();
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'orphan-'));
});
afterAll(() => rm(folder, { recursive: true }));

it('goes on where there is no ps', async () => {
  expect(await said('npm/10.0.0 node/v20.20.2', null)).toBe('goes on');
});
it('goes on where npm is the first process, as in a container', async () => {
  expect(await said('npm/10.0.0 node/v20.20.2', 'if [ $4 = 1 ]; then echo 0 npm run; else echo 1 sh; fi')).toBe(
    'goes on',
  );
});
it('ends where npm is gone before it could be seen', async () => {
  expect(await said('npm/10.0.0 node/v20.20.2', 'if [ $4 = 1 ]; then echo 0 init; else echo 1 sh; fi')).toBe(
    'orphaned',
  );
});
it('goes on under another package manager, which is not looked for', async () => {
  expect(await said('pnpm/9.0.0 npm/? node/v20.20.2', 'if [ $4 = 1 ]; then echo 0 init; else echo 1 sh; fi')).toBe(
    'goes on',
  );
});
it.each([
  ['is told by a signal', false, 'SIGHUP'],
  ['that is ending already goes on with that', true, 'goes on'],
])('a command %s', async (_, ending, says) => {
  const command = `
    import { endWhenOrphaned } from ${orphan};
    process.on('SIGHUP', () => { console.log('SIGHUP'); process.exit(); });
    endWhenOrphaned(${ending ? 'AbortSignal.abort()' : 'new AbortController().signal'});
    setTimeout(() => console.log('goes on'), 1500);
  `;
  expect(await said('npm/10.0.0 node/v20.20.2', 'if [ $4 = 1 ]; then echo 0 init; else echo 1 sh; fi', command)).toBe(
    says,
  );
});
