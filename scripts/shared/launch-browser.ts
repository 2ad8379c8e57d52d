import { type Browser, chromium } from 'playwright-core';

/**
 * Launches a Chromium, Chrome or Edge without a window. It is for the caller to close: a signal reaches the caller
 * alone, so that the caller can end in order.
 */
export const launchBrowser = (executablePath: string, args: string[] = []): Promise<Browser> =>
  chromium.launch({
    executablePath,
    args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), ...args], // as root it does not start with a sandbox
    ...{ handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false },
  });
