import { join } from 'node:path';
import { openProgram } from './own-program.js';

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
  const keep = join('scripts', 'examine', 'keep-nginx.ts');
  const nginx = await openProgram('nginx', 'nginx', (folder) => [keep, join(folder, 'nginx'), server]);
  return nginx && { url: nginx.address, stop: nginx.stop };
}
