import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { opener } from './open-browser.js';

let PATH: string;
beforeAll(() => {
  PATH = mkdtempSync(join(tmpdir(), 'polling-lab-path-'));
  for (const name of ['xdg-open', 'wslview']) {
    writeFileSync(join(PATH, name), '');
    chmodSync(join(PATH, name), 0o755);
  }
});
afterAll(() => rmSync(PATH, { recursive: true, force: true }));

test('a page opens where there is a desktop, and nowhere else', () => {
  expect(opener('darwin', {})).toBe('open');
  expect(opener('linux', { PATH, DISPLAY: ':0' })).toBe('xdg-open');
  expect(opener('linux', { PATH, WAYLAND_DISPLAY: 'wayland-0' })).toBe('xdg-open');
  expect(opener('linux', { PATH, WSL_DISTRO_NAME: 'Debian' })).toBe('wslview');
  expect(opener('linux', { PATH })).toBeNull();
  expect(opener('linux', { PATH: '/nowhere', DISPLAY: ':0' })).toBeNull();
});
