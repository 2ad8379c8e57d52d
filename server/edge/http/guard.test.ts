import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { guard } from './guard.js';

/** A request to a server, on a connection to one of its addresses. */
const request = (localAddress: string, headers: Record<string, string>) =>
  ({
    url: '/jobs',
    httpVersion: '1.1',
    headers,
    rawHeaders: ['Host', ''],
    socket: { localAddress },
  }) as unknown as IncomingMessage;

/** The status of the refusal; null if there is none. */
function refusal(listen: string, localAddress: string, headers: Record<string, string>): number | null {
  try {
    guard({ allowHost: 'lab.test', allowOrigin: '', listen }, new Set())(request(localAddress, headers), '/jobs');
    return null;
  } catch (error) {
    return (error as { status: number }).status;
  }
}

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['192.0.2.7:4321', '192.0.2.7'],
  ['192.0.2.7:4321', '::ffff:192.0.2.7'], // an IPv4 client of a server that listens on ::
  ['[2001:db8::7]:4321', '2001:db8::7'],
  ['[fe80::7]', 'fe80::7%eth0'],
  ['lab.test', '192.0.2.7'],
])(
  'a server that other machines reach answers for the address that the client has connected to: %s at %s',
  (host, address) => {
    expect(refusal('::', address, { host })).toBeNull();
  },
);

test.each([
  ['rebound.test', '192.0.2.7'],
  ['192.0.2.8', '192.0.2.7'],
  ['192.0.2.7.rebound.test', '192.0.2.7'],
  ['[2001:db8::8]', '2001:db8::7'],
])('and for no other: %s at %s', (host, address) => {
  expect(refusal('0.0.0.0', address, { host })).toBe(421);
});

test('a server on loopback answers for no address, whatever leads to it', () => {
  expect(refusal('127.0.0.1', '192.0.2.7', { host: '192.0.2.7' })).toBe(421);
});

test('a page of the server itself may use it, and one of another port or host may not', () => {
  const from = (origin: string) => refusal('0.0.0.0', '192.0.2.7', { host: '192.0.2.7:4321', origin });
  expect(from('http://192.0.2.7:4321')).toBeNull();
  expect(from('http://192.0.2.7:8080')).toBe(403);
  expect(from('http://192.0.2.8:4321')).toBe(403);
  expect(from('http://192.0.2.7:4321.rebound.test')).toBe(403);
});
