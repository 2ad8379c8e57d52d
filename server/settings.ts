import { type ParseArgsConfig, parseArgs } from 'node:util';
import { canonicalAddress, isLoopback } from './edge/addresses.js';
import { flagOf, table, variableOf } from './settings-table.mjs';

type Name = keyof typeof table;
const names = Object.keys(table) as Name[];

/** The settings. `asked` says which were given, not defaulted. */
export type Settings = { [N in Name]: (typeof table)[N][0] } & { asked: ReadonlySet<string> };

/** A setting that cannot be used. Its message says what was expected, what was got, and what to do. */
export class SettingError extends Error {}

/** Reads the settings from flags, then the environment, then the defaults. Null when help was asked for. */
export function readSettings(args: string[], env: NodeJS.ProcessEnv): Settings | null {
  const options: NonNullable<ParseArgsConfig['options']> = { help: { type: 'boolean', short: 'h' } };
  for (const name of names) {
    const type = typeof table[name][0] === 'boolean' ? 'boolean' : 'string';
    options[flagOf(name)] = { type, multiple: name in LISTS };
  }
  let given: ReturnType<typeof parseArgs>['values'];
  try {
    given = parseArgs({ args, options }).values;
  } catch (error) {
    throw new SettingError(`${(error as Error).message} See --help.`);
  }
  if (given.help) return null;
  // The settings that a user exports for one server do not reach the servers that programs start for themselves.
  const variables = given['ignore-env'] ? {} : env;
  const asked = new Set<string>();
  const settings: Record<string, unknown> = { asked };
  for (const name of names) {
    const value = given[flagOf(name)] ?? (variables[variableOf(name)] || undefined);
    if (value !== undefined) asked.add(name);
    settings[name] = value === undefined ? table[name][0] : read(name, String(value));
  }
  if (!asked.has('httpsPort')) {
    if (settings.port === 0) settings.httpsPort = 0;
    // A default gives way to what was asked for.
    else if (settings.port === settings.httpsPort) settings.httpsPort = Number(settings.port) + 1;
  }
  // Asked for more events or jobs, the server does not let them go for their bytes: the default grows with the number.
  for (const [number, bytes] of [
    ['maxEvents', 'maxEventBytes'],
    ['keepJobs', 'keepJobBytes'],
  ] as const) {
    const share = Number(settings[number]) / table[number][0];
    if (!asked.has(bytes)) settings[bytes] = Math.ceil(table[bytes][0] * Math.max(1, share));
  }
  if (!/^[\w.-]{1,32}$/.test(String(settings.serverName)))
    throw new SettingError(
      `--server-name (SERVER_NAME) expects 1 to 32 letters, digits, dots, dashes and underscores, got "${settings.serverName}".`,
    );
  checkAccess(settings as Settings);
  return settings as Settings;
}

/** RFC 6750, section 2.1: the characters of a token. */
const TOKEN = /^[\w.~+/-]+=*$/;
/** The least length of a token, in characters. 16 random hexadecimal digits are 64 bits: too many to guess over a network. */
const MIN_TOKEN = 16;

/** Other machines are let in with an access token only. No message shows the token. */
function checkAccess({ listen, accessToken }: Settings): void {
  if (accessToken === '') {
    if (isLoopback(listen)) return;
    throw new SettingError(
      `--listen ${listen} lets other machines in, and they must show an access token. Choose one, and name it in the environment: ` +
        'ACCESS_TOKEN="$(openssl rand -hex 16)". Or listen on 127.0.0.1.',
    );
  }
  if (accessToken.length >= MIN_TOKEN && accessToken.length <= 256 && TOKEN.test(accessToken)) return;
  throw new SettingError(
    `--access-token (ACCESS_TOKEN) expects ${MIN_TOKEN} to 256 letters, digits and -._~+/ (RFC 6750, section 2.1), ` +
      `got ${TOKEN.test(accessToken) ? `${accessToken.length} characters` : 'other characters'}. "openssl rand -hex 16" makes one.`,
  );
}

function read(name: Name, value: string): number | string | boolean {
  const [fallback, min, max] = table[name];
  const refuse = (expected: string, got: string): never => {
    throw new SettingError(
      `--${flagOf(name)} (${variableOf(name)}) expects ${expected}, got ${JSON.stringify(got)}. See --help.`,
    );
  };
  if (name in LISTS) {
    const { canonical, expected } = LISTS[name as keyof typeof LISTS];
    const items = value.match(/[^\s,]+/g) ?? [];
    return items.map((item) => canonical(item) ?? refuse(expected, item)).join(',');
  }
  if (name === 'data' && value === '') return refuse('a folder', value);
  if (name === 'listen')
    return (
      canonicalAddress(value) ??
      refuse('an address of this machine, 0.0.0.0 (all of IPv4) or :: (all there are)', value)
    );
  if (typeof fallback === 'string') return value;
  if (typeof fallback === 'boolean')
    return ['true', '1'].includes(value) || (!['false', '0'].includes(value) && refuse('true or false', value));
  if (/^\d+$/.test(value) && Number(value) >= Number(min) && Number(value) <= Number(max)) return Number(value);
  return refuse(`a whole number from ${min} to ${max}`, value);
}

/**
 * Lists with commas or spaces. Their items are kept in the form in which requests bring them, so that each can match one. An
 * item that no request could ever bring is refused.
 */
const LISTS = {
  allowHost: { canonical: canonicalHost, expected: 'names of hosts, such as lab.example.org or [fd00::1]' },
  allowOrigin: {
    canonical: canonicalOrigin,
    expected: 'origins, such as https://lab.example.org:8443 (scheme, host, and no path)',
  },
};

/** A host, lower case, as `Host` names it (RFC 9110, section 7.2); its port, which is not compared, is left out. */
function canonicalHost(text: string): string | null {
  const url = `http://${text}`;
  return canonicalOrigin(url) && new URL(url).hostname;
}

/** An origin as browsers send it (RFC 6454, section 6.1): lower case, without a default port. A lone slash may follow it. */
function canonicalOrigin(text: string): string | null {
  const [, scheme = '', host = '', port = ''] =
    /^([a-z][a-z\d+.-]*):\/\/(\[[^\]]*\]|[^/?#:@]*)(:\d*)?\/?$/i.exec(text) ?? [];
  // No page has these schemes.
  if (/^(|wss?|ftp)$/i.test(scheme)) return null;
  // Only the web's own schemes make a name canonical. Others are those of browsers' extensions, say.
  if (!/^https?$/i.test(scheme)) return /^[\w.-]*$/.test(host) ? `${scheme}://${host}${port}`.toLowerCase() : null;
  if (!URL.canParse(text)) return null;
  const { hostname, origin } = new URL(text);
  return /^([\w.-]+|\[[\da-f:.]+\])$/.test(hostname) ? origin : null;
}
