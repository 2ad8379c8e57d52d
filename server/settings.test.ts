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
