import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { fetchJars, type JavaProgram, javaVersion, moveInPlace, prepare } from './jars.js';

const PROGRAM: JavaProgram = { name: 'Queue', artifacts: ['org.example:queue:1'], mainClass: 'Main' };
const say = () => {};

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'polling-lab-jars-'));
  mkdirSync(join(folder, 'bin'));
  vi.stubEnv('PATH', `${join(folder, 'bin')}:/usr/bin:/bin`);
  vi.stubEnv('JAVA_HOME', folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const program = (name: string, script: string) =>
  writeFileSync(join(folder, 'bin', name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
const javaIs = (version: string) => program('java', `echo 'openjdk version "${version}" 2026-01-20' >&2`);
const jars = () => join(folder, 'jars');

test('reads the version of every java', () => {
  expect(javaVersion('openjdk version "17.0.15" 2025-04-15')).toBe(17);
  expect(javaVersion('java version "1.8.0_392"')).toBe(8);
  expect(javaVersion('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "25" 2025-09-16')).toBe(25);
  expect(javaVersion('No Java runtime present, requesting install.')).toBeNull();
});

test('refuses an old java; needs Maven only while the jars are not there', async () => {
  javaIs('1.8.0_392');
  program('mvn', 'mkdir jars');
  await expect(prepare(PROGRAM, jars(), say)).rejects.toThrow(
    /^Queue needs Java 17 or newer, and \S+ is Java 8\. Install/,
  );
  javaIs('17.0.15');
  const ready = await prepare(PROGRAM, jars(), say);
  expect(ready.java).toBe(join(folder, 'bin', 'java'));
  vi.stubEnv('PATH', '/nowhere');
  expect(await prepare(PROGRAM, jars(), say)).toEqual(ready);
  await expect(prepare({ ...PROGRAM, artifacts: ['org.example:queue:2'] }, jars(), say)).rejects.toThrow(
    'Queue needs Maven, which this machine lacks',
  );
});

test('removes what a killed process has left, and not what a running one fetches', async () => {
  program('mvn', 'mkdir jars');
  const running = `.fetching-${process.pid}-abc`;
  for (const name of ['.fetching-99999999-abc', running]) mkdirSync(join(jars(), name), { recursive: true });
  await fetchJars(PROGRAM, jars(), say);
  expect(readdirSync(jars()).filter((name) => name.startsWith('.'))).toEqual([running]);
});

test('leaves the jars of the process that was first', () => {
  for (const name of ['mine', 'place']) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'of'), name);
  }
  moveInPlace(join(folder, 'mine'), join(folder, 'place'));
  expect(readdirSync(folder).sort()).toEqual(['bin', 'mine', 'place']);
  expect(() => moveInPlace(join(folder, 'none'), join(folder, 'new'))).toThrow('ENOENT');
});
