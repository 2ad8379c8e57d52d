import { visible } from '../shared/visible.mjs';

/** The longest value of a query that is shown. A longer one may be a token, whatever its name is. */
const MAX_SHOWN = 24;

/** Names of parameters whose value is a secret, in the spellings that are common. */
const SECRET =
  /(^|[-_.])(auth|authorization|access[-_]?token|api[-_]?key|code|cookie|credential|credentials|id[-_]?token|jwt|key|pass|passwd|password|pwd|refresh[-_]?token|secret|session|session[-_]?id|sid|sig|signature|token)$|token$|secret$|password$|apikey$|sessionid$/i;

/**
 * A URL that may be shown: without a user, a password and a fragment, and with `…` in place of each value of its query
 * that is or may be a secret: by its name, or because it is longer than 24 characters. A part of the path that is long
 * and looks random (a capability URL) is `…` as well.
 */
export function shownUrl(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return visible(url.replace(/[?#].*/s, '?…'), { most: 80 });
  }
  const query = [...parsed.searchParams].map(([name, value]) =>
    value === '' ? name : `${name}=${SECRET.test(name) || value.length > MAX_SHOWN ? '…' : value}`,
  );
  const path = parsed.pathname
    .split('/')
    .map((part) => (part.length >= 40 || /^eyJ[\w-]*\./.test(part) ? '…' : part))
    .join('/');
  return visible(
    `${parsed.origin === 'null' ? `${parsed.protocol}//` : parsed.origin}${path}${query.length ? `?${query.join('&')}` : ''}`,
  );
}

/** Text of an error that may name a URL with secrets, fit to be shown. */
export const shownText = (text: string) => visible(text.replace(/\bhttps?:\/\/[^\s"'<>]+/gi, (url) => shownUrl(url)));
