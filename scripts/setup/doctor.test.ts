import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkout } from '../shared/paths.mjs';

const doctor = (env: NodeJS.ProcessEnv) =>
  spawnSync(process.execPath, [join(checkout, 'scripts', 'doctor.mjs')], { encoding: 'utf8', env });

test('the doctor finds everything here, since these tests run here', () => {
  const { status, stdout } = doctor(process.env);
  expect(stdout).toMatch(/✓ npm packages +up to date/);
  expect(stdout).toMatch(/✓ Python environment +up to date/);
  expect(stdout).toContain('Ready: npm start');
  expect(status).toBe(0);
});

test('the doctor says what is missing, and the one command that mends it', () => {
  const { status, stdout } = doctor({ ...process.env, PATH: '/nowhere', PYTHON: '' });
  expect(stdout).toMatch(/✗ npm +not found/);
  expect(stdout).toMatch(/✗ Python +none that will do\n +→ JupyterLab needs Python 3\.10/);
  expect(stdout).toContain('Do this first: install npm');
  expect(status).toBe(1);
});
