import { visible } from '../shared/visible.mjs';

/** The longest value of a query that is shown. A longer one may be a token, whatever its name is. */
const MAX_SHOWN = 24;

/** Names of parameters whose value is a secret, in the spellings that are common. */
const SECRET =
  /(^|[-_.])(auth|authorization|access[-_]?token|api[-_]?key|code|cookie|credential|credentials|id[-_]?token|jwt|key|pass|passwd|password|pwd|refresh[-_]?token|secret|session|session[-_]?id|sid|sig|signature|token)$|token$|secret$|password$|apikey$|sessionid$/i;

/**
 * A URL that may be shown: without a user, a password and a fragment, and with `…` in place of each value of its query
 * that is or may be a secret: by its name, or because it is longer than 24 characters. A part of the path that is long
 * and looks random (a capability URL) is `…` as well. A URL that cannot be parsed, or has no origin, is shown
 * without all that may be its user, password or query.
 */
export function shownUrl(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || parsed.origin === 'null') {
    const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*:\/\/)?(.*)$/is.exec(url) ?? [];
    // A password may contain any character. With an "@" behind "?" or "#", it cannot be told where the password ends.
    const shown = /[?#].*@/s.test(rest) ? '…' : rest.replace(/^.*@/s, '…@').replace(/[?#].*/s, '?…');
    return visible(`${scheme}${shownPath(shown)}`, { most: 80 });
  }
  const query = [...parsed.searchParams].map(([name, value]) =>
    value === '' ? name : `${name}=${SECRET.test(name) || value.length > MAX_SHOWN ? '…' : value}`,
  );
  return visible(`${parsed.origin}${shownPath(parsed.pathname)}${query.length ? `?${query.join('&')}` : ''}`);
}

/** A path with `…` in place of each part that is long and looks random. */
const shownPath = (path: string) =>
  path
    .split('/')
    .map((part) => (part.length >= 40 || /^eyJ[\w-]*\./.test(part) ? '…' : part))
    .join('/');

/** Text of an error that may name a URL with secrets, fit to be shown. */
export const shownText = (text: string) => visible(text.replace(/\bhttps?:\/\/[^\s"'<>]+/gi, (url) => shownUrl(url)));
