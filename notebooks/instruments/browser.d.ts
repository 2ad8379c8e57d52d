/** A Chromium, Chrome or Edge of this machine: the one that CHROME_PATH names, else the first there is; null if none. */
export function findBrowser(): Promise<string | null>;
