import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A Chromium that a person has; nothing is downloaded. `CHROME_PATH` names another. */
export function findChromium(): string | undefined {
  const places = [
    process.env.CHROME_PATH,
    ...['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'microsoft-edge'].map(
      (name) => `/usr/bin/${name}`,
    ),
    '/snap/bin/chromium',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
  ];
  return places.find((place) => place && existsSync(place));
}

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
