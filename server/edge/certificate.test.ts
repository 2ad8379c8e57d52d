import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { certificate } from './certificate.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'polling-lab-certificate-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function expectUsable(pem: string): void {
  const made = new X509Certificate(pem);
  expect(made.checkPrivateKey(createPrivateKey(pem))).toBe(true);
  expect(Date.parse(made.validTo)).toBeGreaterThan(Date.now());
}

test('it is made on first use, for nobody else to read, and stays', async () => {
  const file = join(folder, 'in', 'a', 'folder', 'certificate.pem');
  const made = await certificate(file);
  expectUsable(made);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await certificate(file)).toBe(made);
  expect(await readFile(file, 'utf8')).toBe(made);
});

test.each([
  ['cut off', async (pem: string) => pem.slice(0, 300)],
  ['empty', async () => ''],
  ['with the key of another', async (pem: string) => pem.replace(/^.*?(?=-----BEGIN CERT)/s, (await pair(1)).private)],
  ['expired', async () => of(await pair(-1))],
  ['about to expire', async () => of(await pair(0.5))],
])('what is %s is made anew', async (_, damage) => {
  const file = join(folder, 'certificate.pem');
  const before = await damage(await certificate(file));
  await writeFile(file, before);
  const after = await certificate(file);
  expect(after).not.toBe(before);
  expectUsable(after);
});

test('two servers at once leave one that is whole, and nothing beside it', async () => {
  const file = join(folder, 'both', 'certificate.pem');
  const made = await Promise.all([certificate(file), certificate(file)]);
  made.forEach(expectUsable);
  expect(made).toContain(await readFile(file, 'utf8'));
  expect(await readdir(join(folder, 'both'))).toEqual(['certificate.pem']);
});

/** A pair that is valid for so many days from now. */
function pair(days: number) {
  const notBeforeDate = new Date(Date.now() - 9 * 86_400_000);
  const notAfterDate = new Date(Date.now() + days * 86_400_000);
  return generate(undefined, { keyType: 'ec', algorithm: 'sha256', notBeforeDate, notAfterDate });
}

const of = ({ private: key, cert }: { private: string; cert: string }) => `${key}${cert}\n`;
