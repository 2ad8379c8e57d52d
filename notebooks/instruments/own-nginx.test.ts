import { afterEach, expect, it, vi } from 'vitest';
import { openNginx } from './own-nginx.js';

afterEach(() => void vi.unstubAllEnvs());
const printed = vi.spyOn(console, 'log').mockImplementation(() => {});

it('starts an nginx, says which, and stops it; says what nginx said of a wrong configuration', async ({ skip }) => {
  const nginx = await openNginx('location / { return 200 "here"; }');
  if (!nginx) return skip(String(printed.mock.lastCall));
  expect(printed.mock.lastCall?.[0]).toMatch(/nginx, at http:\/\/\S+, which this notebook has started/);
  expect(await (await fetch(nginx.url)).text()).toBe('here');
  await nginx.stop();
  await expect(fetch(nginx.url)).rejects.toThrow();
  await expect(openNginx('nonsense on;')).rejects.toThrow(/unknown directive "nonsense"/);
}, 60_000);

it('skips where there is none, in the form by which npm test counts it, and fails where CI is set', async () => {
  vi.stubEnv('PATH', '/nowhere');
  vi.stubEnv('NGINX_PATH', '/nowhere/nginx');
  vi.stubEnv('CI', '');
  expect(await openNginx('return 204;')).toBeNull();
  expect(printed.mock.lastCall?.[0]).toMatch(/^SKIPPED: the sections that need nginx\. No nginx was found\. Install/);
  vi.stubEnv('CI', 'true');
  await expect(openNginx('return 204;')).rejects.toThrow(/No nginx was found/);
}, 60_000);
