import { expect, test } from 'vitest';
import { readSettings } from './settings.js';

test('the HTTPS port, where it is only a default, gives way to a --port that is the same', () => {
  const ports = (...args: string[]) => {
    const settings = readSettings(args, {});
    return [settings?.port, settings?.httpsPort];
  };
  expect(ports('--port', '4322')).toEqual([4322, 4323]);
  expect(ports('--port', '5000')).toEqual([5000, 4322]);
  expect(ports('--port', '0')).toEqual([0, 0]);
});

test('--ignore-env takes no setting from the environment', () => {
  const variables = { PORT: '5000', MAX_EVENTS: '7', DATA_DIR: 'elsewhere', EXIT_WITH_STDIN: 'true' };
  expect(readSettings([], variables)).toMatchObject({
    port: 5000,
    maxEvents: 7,
    data: 'elsewhere',
    exitWithStdin: true,
  });
  const asked = new Set(['ignoreEnv']);
  expect(readSettings(['--ignore-env'], variables)).toEqual({ ...readSettings([], {}), asked, ignoreEnv: true });
});

test.each([
  ['--allow-origin', 'https://Course.test', 'https://course.test'],
  ['--allow-origin', 'https://course.test:443/, http://course.test:80', 'https://course.test,http://course.test'],
  ['--allow-origin', 'https://bücher.test:8443', 'https://xn--bcher-kva.test:8443'],
  ['--allow-origin', 'http://[FD00:0::1]:80 chrome-extension://ABC/', 'http://[fd00::1],chrome-extension://abc'],
  ['--allow-host', 'Lab.test:8080 bücher.test', 'lab.test,xn--bcher-kva.test'],
  ['--allow-origin', 'file:///', 'file://'],
  ['--allow-host', '[FD00:0::1], 010.0.0.1', '[fd00::1],8.0.0.1'],
])('%s %s is taken as requests bring it', (flag, given, expected) => {
  const name = flag === '--allow-host' ? 'allowHost' : 'allowOrigin';
  const variable = flag === '--allow-host' ? 'ALLOW_HOST' : 'ALLOW_ORIGIN';
  expect(readSettings([flag, given], {})?.[name]).toBe(expected);
  expect(
    readSettings(
      given.split(/[\s,]+/).flatMap((item) => [flag, item]),
      {},
    )?.[name],
  ).toBe(expected);
  expect(readSettings([], { [variable]: given })?.[name]).toBe(expected);
});

test.each([
  ...[
    'https://course.test/hub',
    'https://course.test//',
    'https://course.test?',
    'https://course.test/#',
    'course.test',
  ],
  ...['https://me@course.test', 'https://*.test', '*', 'null', 'wss://course.test', 'https://course.test;', 'https://'],
  ...['https://course.test:99999', 'https:course.test', 'https://a|b.test', "app://x'"],
])('an origin that no request could bring is refused: %s', (origin) => {
  const refused = `--allow-origin (ALLOW_ORIGIN) expects origins, such as https://lab.example.org:8443 (scheme, host, and no path), got ${JSON.stringify(origin)}. See --help.`;
  expect(() => readSettings(['--allow-origin', `https://lab.test,${origin}`], {})).toThrow(refused);
  expect(() => readSettings([], { ALLOW_ORIGIN: origin })).toThrow(refused);
});

test.each(['http://lab.test', '*.test', 'fd00::1', 'a@b.test', 'lab.test;', '[::1', ':80'])(
  'a host that no request could name is refused: %s',
  (host) => {
    const refused = `--allow-host (ALLOW_HOST) expects names of hosts, such as lab.example.org or [fd00::1], got ${JSON.stringify(host)}.`;
    expect(() => readSettings(['--allow-host', host], {})).toThrow(refused);
    expect(() => readSettings([], { ALLOW_HOST: `lab.test ${host}` })).toThrow(refused);
  },
);

test('a setting that would silently be taken for another value is refused', () => {
  expect(() => readSettings(['--data', ''], {})).toThrow('--data (DATA_DIR) expects a folder, got "".');
  expect(() => readSettings([], { EXIT_WITH_STDIN: 'no' })).toThrow(
    '(EXIT_WITH_STDIN) expects true or false, got "no".',
  );
  expect(readSettings([], { EXIT_WITH_STDIN: '0' })).toMatchObject({ exitWithStdin: false });
});

test('an address that other machines reach wants an access token', () => {
  expect(() => readSettings(['--listen', '0.0.0.0'], {})).toThrow('ACCESS_TOKEN="$(openssl rand -hex 16)"');
  const env = { ACCESS_TOKEN: '0123456789abcdef' };
  expect(readSettings(['--listen', '0.0.0.0'], env)).toMatchObject({
    listen: '0.0.0.0',
    accessToken: env.ACCESS_TOKEN,
  });
  for (const loopback of ['127.0.0.1', '127.0.0.2', 'localhost', '::1'])
    expect(readSettings(['--listen', loopback], {})?.accessToken).toBe('');
  expect(() => readSettings(['--listen', 'lab.test'], env)).toThrow(
    '--listen (LISTEN) expects an address of this machine',
  );
});

test.each([
  ['too short', 'secret-7', '16 to 256'],
  ['too long', `secret-7${'x'.repeat(250)}`, '16 to 256'],
  ['with a character that no token has', 'secret-7 0123456789', 'RFC 6750'],
])('an access token that is %s is refused, and not shown', (_, token, expected) => {
  for (const [args, env] of [
    [['--access-token', token], {}],
    [[], { ACCESS_TOKEN: token }],
  ] as const) {
    const read = () => readSettings([...args], env);
    expect(read).toThrow(expected);
    expect(read).not.toThrow('secret-7');
  }
});
