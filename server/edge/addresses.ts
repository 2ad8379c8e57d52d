import { BlockList, isIP, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8); // RFC 1122, section 3.2.1.3
loopback.addAddress('::1', 'ipv6'); // RFC 4291, section 2.5.3

/** Whether no other machine can reach an address. */
export const isLoopback = (address: string): boolean => loopback.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');

/** Whether it stands for all addresses of this machine. */
export const isWildcard = (address: string): boolean => address === '0.0.0.0' || address === '::';

/** An address in the form of a URL's host: an IPv6 address has brackets (RFC 3986, section 3.2.2). */
export const urlHost = (address: string): string => (isIPv6(address) ? `[${address}]` : address);

/**
 * An address to listen on, as Node writes it; `localhost` is 127.0.0.1. Null for what is none: a name, which could stand for several
 * addresses, or an address with a zone (RFC 4007), which no URL can bear.
 */
export function canonicalAddress(text: string): string | null {
  if (text.toLowerCase() === 'localhost') return '127.0.0.1';
  const address = text.replace(/^\[(.*)\]$/, '$1');
  if (isIP(address) === 0 || !URL.canParse(`http://${urlHost(address)}`)) return null;
  return new URL(`http://${urlHost(address)}`).hostname.replace(/^\[(.*)\]$/, '$1');
}

/** An address of a socket, as it stands in the Host field: without a zone; an IPv4 client of an IPv6 socket is `::ffff:192.0.2.1`. */
export const hostOfSocket = (address: string): string =>
  urlHost(address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, ''));

/** Every address by which other machines may reach this one; no link-local ones, whose zone no URL can bear. */
export function addressesOfThisMachine(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.filter(({ internal, address }) => !internal && !/^fe80:/i.test(address)).map(({ address }) => address);
}

/** For people: where other machines reach a server that listens on an address. */
export function whereOthersReach(listen: string, port: number): string {
  const fits = (address: string) => listen === '::' || isIP(address) === 4;
  const addresses = isWildcard(listen) ? addressesOfThisMachine().filter(fits) : [listen];
  const urls = addresses.map((address) => `http://${urlHost(address)}:${port}`);
  return urls.length > 0
    ? `Other machines reach this server, with its access token, at ${urls.join(' ')}`
    : 'No other machine reaches this server: this machine has no network address.';
}
