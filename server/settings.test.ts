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
