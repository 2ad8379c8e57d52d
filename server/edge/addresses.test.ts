import { expect, test } from 'vitest';
import { canonicalAddress, hostOfSocket, isLoopback, whereOthersReach } from './addresses.js';

test.each([
  ['127.0.0.1', '127.0.0.1'],
  ['localhost', '127.0.0.1'],
  ['[::1]', '::1'],
  ['::', '::'],
  ['0.0.0.0', '0.0.0.0'],
  ['2001:DB8:0:0::7', '2001:db8::7'],
  ['lab.test', null],
  ['', null],
  ['192.0.2', null],
  ['fe80::1%eth0', null],
  ['192.0.2.7:4321', null],
])('an address to listen on: %s is %s', (text, expected) => {
  expect(canonicalAddress(text)).toBe(expected);
});

test('loopback is 127.0.0.0/8 and ::1, also as an IPv4 address within IPv6', () => {
  expect(['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'].filter((address) => !isLoopback(address))).toEqual([]);
  expect(['0.0.0.0', '::', '128.0.0.1', '::ffff:192.0.2.7', '2001:db8::1'].filter(isLoopback)).toEqual([]);
});

test('where other machines reach a server is told as URLs', () => {
  expect(whereOthersReach('192.0.2.7', 4321)).toMatch(/ http:\/\/192\.0\.2\.7:4321$/);
  expect(whereOthersReach('2001:db8::7', 4321)).toMatch(/ http:\/\/\[2001:db8::7\]:4321$/);
  expect(whereOthersReach('0.0.0.0', 4321)).not.toMatch(/0\.0\.0\.0|127\.0\.0\.1/);
});

test("a socket's address stands in Host without zone and mapping", () => {
  expect(hostOfSocket('::ffff:192.0.2.7')).toBe('192.0.2.7');
  expect(hostOfSocket('fe80::7%eth0')).toBe('[fe80::7]');
});
