import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { CHECKOUT } from './own-server.js';
import type { Technique } from './technique.js';

/** Something that `npm run examine` found. */
export interface Found {
  /** `serious`: data is lost or late, or readers stop for good. `warning`: this will happen in common circumstances. */
  severity: 'serious' | 'warning' | 'note';
  /** The rule's name, such as `stream-buffered`. */
  rule: string;
  /** What was seen, with numbers. */
  saw: string;
  why: string;
  fix: string;
  /** The number of the notebook that explains it. */
  notebook: string;
}

/** A request of a recording. Times are milliseconds since the first request of the recording began. */
export interface Recorded {
  method: string;
  /** Without the values of its query. */
  url: string;
  technique: Technique;
  startedAt: number;
  /** How long it waited in the browser before it was sent, in milliseconds; null if the recording does not say. */
  blockedMs: number | null;
  endedAt: number;
  /** 0 if there was no answer. */
  status: number;
  /** A number that equal bodies share; null if the recording has no body for this request. */
  body: number | null;
  /** How many events it brought; null if it is not a stream. */
  events: number | null;
}

/** What `npm run examine` says about an endpoint or a recording. */
export interface Examined {
  summary: string;
  /** The worst first. */
  findings: Found[];
  /** The requests of a recording, in the order in which they began. */
  timeline?: Recorded[];
}

/**
 * Runs `npm run examine -- SUBJECT`. Nothing leaves this machine except the requests to a URL that you name.
 *
 * @param subject a URL, or the path of a HAR file: relative paths begin at the folder of this checkout.
 * @param flags as `npm run examine -- --help` names them: `{ for: '8s', beside: url, quick: true }`.
 * @throws with the reason, if the subject cannot be examined.
 * @example const { findings } = await examine('notebooks/media/dashboard.har');
 */
export async function examine(subject: string, flags: Record<string, string | true> = {}): Promise<Examined> {
  const given = Object.entries(flags).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, value],
  );
  const args = ['--import', 'tsx', join('scripts', 'examine.ts'), subject, '--json', '-', ...given];
  // Removes variables that are not for this command: NODE_OPTIONS is the kernel's, npm_lifecycle_event Jupyter's.
  const { NODE_OPTIONS, npm_lifecycle_event, ...env } = process.env;
  const child = spawn(process.execPath, args, {
    ...{ cwd: CHECKOUT, env: { ...env, INIT_CWD: CHECKOUT } },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, said] = ['', ''];
  child.stdout.on('data', (text) => {
    out += text;
  });
  child.stderr.on('data', (text) => {
    said += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0 && code !== 1) throw new Error(said.trim() || `"npm run examine" ended with exit code ${code}.`);
  return JSON.parse(out) as Examined;
}
