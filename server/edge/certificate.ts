import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname } from 'node:path';

const DAY_MS = 24 * 60 * 60_000;
const VALID_DAYS = 365;

/**
 * The certificate of HTTPS, for loopback names and no others, after its private key, both in PEM. Made on first use, and
 * anew when what is in the file is damaged, valid for less than a day, or not for all that is named.
 *
 * @param names - further names and addresses that it is for.
 */
export async function certificate(file: string, names: string[] = []): Promise<string> {
  const kept = usable(file, names);
  if (kept) return kept;
  const { generate } = await import('selfsigned'); // once a year, and not when the server starts
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'Polling Lab' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - DAY_MS),
    notAfterDate: new Date(Date.now() + VALID_DAYS * DAY_MS),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true }, // it vouches for no other certificate
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 2, value: '*.localhost' },
          { type: 7, ip: '127.0.0.1' },
          { type: 7, ip: '::1' },
          ...names.map((name) => (isIP(name) ? { type: 7 as const, ip: name } : { type: 2 as const, value: name })),
        ],
      },
    ],
  });
  mkdirSync(dirname(file), { recursive: true });
  // One file, renamed into its place: of two servers that do this at once, the later one's pair stays, and whole.
  const draft = `${file}.${process.pid}`;
  const pem = `${key}${cert}\n`;
  writeFileSync(draft, pem, { mode: 0o600 });
  renameSync(draft, file);
  return pem;
}

/** The pair in a file; null when it cannot be used. */
function usable(file: string, names: string[]): string | null {
  try {
    const pem = readFileSync(file, 'utf8');
    const certificate = new X509Certificate(pem);
    const isOurs = certificate.checkPrivateKey(createPrivateKey(pem));
    const isFor = (name: string) =>
      (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined;
    if (!names.every(isFor)) return null;
    return isOurs && Date.parse(certificate.validTo) > Date.now() + DAY_MS ? pem : null;
  } catch {
    return null;
  }
}
