import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findBrowsers } from './browser.js';
import { waterfall } from './charts/waterfall.js';
import { connect } from './connect.js';
import { isBundling } from './display.js';
import { toSvg } from './draw.js';
import { CHECKOUT } from './own-server.js';
import { table } from './table.js';

/** One thing that the course needs. */
export interface Finding {
  what: string;
  /** `null`: good to have, the course runs without. */
  ready: boolean | null;
  found: string;
  /** What to do if it is not ready. */
  mend: string;
}

/**
 * Looks whether everything is there that the course needs, and shows it with what to do where it is not.
 *
 * @throws when the course cannot run like this.
 */
export async function checkReadiness(): Promise<void> {
  const findings = [await aServer(), kernel(), await node(), await charts(), browser()];
  const allReady = findings.every(({ ready }) => ready);
  table(
    findings.map(({ what, ready, found, mend }) => ({
      '': ready ? '✓' : ready === null ? '·' : '✗',
      what,
      found,
      ...(allReady ? {} : { 'what to do': ready ? '' : mend }),
    })),
    allReady ? 'Everything is ready.' : '',
  );
  const missing = findings.filter(({ ready }) => ready === false);
  if (missing.length > 0) throw new Error(missing.map(({ what, mend }) => `${what}: ${mend}`).join(' '));
}

async function aServer(): Promise<Finding> {
  const what = 'the server';
  try {
    return { what, ready: true, found: (await connect()).url, mend: '' };
  } catch (error) {
    return { what, ready: false, found: 'none that answers', mend: (error as Error).message };
  }
}

export function kernel(ours = isBundling()): Finding {
  const mend =
    'It runs the cells, but goes on after one that failed, and its charts are not interactive. Choose the kernel TypeScript of .polling-lab/venv.';
  return {
    what: 'the kernel',
    ready: ours || null,
    found: ours ? 'the one that comes with the course' : 'a stock tslab',
    mend,
  };
}

export async function node(version = process.versions.node): Promise<Finding> {
  const { engines } = JSON.parse(await readFile(join(CHECKOUT, 'package.json'), 'utf8'));
  const [major = 0, minor = 0] = engines.node.match(/\d+/g).map(Number);
  const [ours = 0, oursMinor = 0] = version.split('.').map(Number);
  const ready = ours > major || (ours === major && oursMinor >= minor);
  return { what: 'Node', ready, found: version, mend: `Install ${major}.${minor} or newer, then npm start again.` };
}

async function charts(): Promise<Finding> {
  const svg = await toSvg(waterfall([], { title: 'T' }));
  const mend = 'npm run clean, then npm start.';
  return { what: 'charts', ready: svg.startsWith('<svg'), found: 'drawn by vega-lite', mend };
}

/** Notebook 7 counts the connections of a real browser. */
function browser(): Finding {
  const what = 'a browser';
  try {
    const [found] = findBrowsers();
    const mend = 'Only notebook 7 needs one: install Chromium, Chrome, Edge or Firefox, or name one with CHROME_PATH.';
    return { what, ready: found ? true : null, found: found?.path ?? 'none found', mend };
  } catch (error) {
    return { what, ready: null, found: 'none found', mend: (error as Error).message };
  }
}
