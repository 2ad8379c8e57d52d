import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The Python of the checkout's environment, if it has a module. */
export function findPython(module: string): string | undefined {
  const python = fileURLToPath(new URL('../../.polling-lab/venv/bin/python', import.meta.url));
  return runs(python, '-c', `import ${module}`) ? python : undefined;
}

export function findCurl(): string | undefined {
  return runs('curl', '--version') ? 'curl' : undefined;
}

function runs(program: string, ...args: string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
