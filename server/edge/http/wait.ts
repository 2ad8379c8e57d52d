import type { Wait } from '../../core/exchange.js';
import { badRequest } from '../../core/problem.js';

/** The longest wait that is granted, in seconds: RFC 6202, section 5.5 calls half of it the safer value. */
export const MAX_WAIT_S = 60;

/**
 * Reads `?wait=N`, or `Prefer: wait=N` (RFC 7240, section 4.3). The query wins, and nonsense there is an error;
 * "a server MAY ignore" a preference it cannot make sense of (section 2), and so it does.
 */
export function readWait(query: URLSearchParams, prefer: string | string[] | undefined): Wait | null {
  const asked = query.get('wait');
  if (asked !== null) {
    if (!/^\d+$/.test(asked)) throw badRequest(`wait expects whole seconds from 0, got "${asked}". Send wait=30, say.`);
    return { seconds: Math.min(Number(asked), MAX_WAIT_S), applied: {} };
  }
  if (prefer === undefined) return null;
  const header = String(prefer);
  // Most clients that wait ask for the same time: what was read last is not read again, and its waits share one object.
  if (header !== last.header) last = { header, wait: waitOf(preferredWait(header)) };
  return last.wait;
}
let last: { header: string; wait: Wait | null } = { header: '', wait: null };

const waitOf = (seconds: number | null): Wait | null =>
  seconds === null ? null : { seconds, applied: { 'Preference-Applied': `wait=${seconds}` } };

function preferredWait(header: string): number | null {
  // At commas, but for those inside a quoted string (RFC 9110, section 5.6.4). One that is never closed goes to the
  // end: it is read once, or a head full of quotes would take quadratic time.
  for (const preference of header.match(/([^,"]|"(\\.|[^"\\])*("|\\?$))+/g) ?? []) {
    // A preference may carry parameters, after a semicolon; wait has none that mean anything.
    const [name = '', value = ''] = (preference.split(';')[0] ?? '').split('=').map((part) => part.trim());
    if (name.toLowerCase() !== 'wait') continue;
    // "If any preference is specified more than once, only the first instance is to be considered."
    const number = /^"?(\d+)"?$/.exec(value)?.[1];
    return number === undefined ? null : Math.min(Number(number), MAX_WAIT_S);
  }
  return null;
}
