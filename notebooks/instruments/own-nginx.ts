import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { endProgram, type NotStarted, ownFolder, startProgram } from './own-server.js';

/** An nginx that was started here. */
export interface OwnNginx {
  url: string;
  /** Stops it. Resolves when it is gone. */
  stop(): Promise<void>;
}

/**
 * Starts an nginx for this kernel alone, on a free port of loopback, and prints its path. It ends with the kernel, even a killed one.
 * Where no nginx is found, prints what to do and returns null.
 *
 * @param server what stands in the block `server` of its configuration, apart from `listen`.
 * @throws if there is no nginx in continuous integration (`CI` is set), which must not skip tests; and if nginx refuses the
 * configuration.
 * @example const nginx = await openNginx(`location / { proxy_pass ${own.url}; }`);
 */
export async function openNginx(server: string): Promise<OwnNginx | null> {
  const folder = ownFolder();
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const args = [join('scripts', 'examine', 'keep-nginx.ts'), join(folder, 'nginx'), server];
  const started = await startProgram('nginx', args).catch((error: NotStarted) => {
    remove();
    if (error.exitCode !== 2 || process.env.CI) throw error;
    console.log(`SKIPPED: the sections that need nginx. ${error.said} Then restart the kernel.`);
    return null;
  });
  if (!started) return null;
  const { child, ready } = started;
  const [url, program] = ready.split(/ (.*)/) as [string, string];
  process.once('exit', remove);
  console.log(`nginx: ${program}, which this notebook has started; it ends with the kernel`);
  return {
    url,
    async stop() {
      process.off('exit', remove);
      await endProgram(child);
      remove();
    },
  };
}
