import { spawn } from 'node:child_process';
import { findProgram } from '../shared/find-program.mjs';

/** The program that opens a file or a page on this machine's desktop; null where there is no desktop. */
export function opener(platform: NodeJS.Platform, env: NodeJS.ProcessEnv): string | null {
  const onPath = (name: string) => findProgram(name, env) !== null;
  if (platform === 'darwin') return 'open';
  if (env.WSL_DISTRO_NAME && onPath('wslview')) return 'wslview';
  return (env.DISPLAY || env.WAYLAND_DISPLAY) && onPath('xdg-open') ? 'xdg-open' : null;
}

/** Opens a page in the person's browser, where there is a desktop. If that fails, the URL was printed: it is no error. */
export function openBrowser(page: string): boolean {
  const command = opener(process.platform, process.env);
  if (!command) return false;
  spawn(command, [page], { stdio: 'ignore', detached: true })
    .on('error', () => {})
    .unref();
  return true;
}
