import { once } from 'node:events';
import { Agent, createServer as createHttpServer, get } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type CountingProxy, openProxy } from './counting-proxy.js';
import { http } from './http1.js';
import { kafka } from './kafka.js';

/** A server of plain bytes, and the connections that it got. */
let server: Server;
let accepted: Socket[];
let proxy: CountingProxy;

beforeEach(async () => {
  accepted = [];
  server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted.push(socket.on('error', () => {}));
    server.emit('accepted');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  proxy = await openProxy({ to: to(server), framing: http() });
});
afterEach(async () => {
  await proxy.close();
  for (const socket of accepted) socket.destroy();
  server.close();
});

const to = (of: Server) => ({ host: '127.0.0.1', port: (of.address() as AddressInfo).port });

/** A client's connection through the proxy, and the server's end of it. */
async function pair(): Promise<[client: Socket, server: Socket]> {
  const came = once(server, 'accepted');
  const client = connect({ ...to2(proxy), allowHalfOpen: true });
  client.on('error', () => {});
  await came;
  return [client, accepted.at(-1) as Socket];
}
const to2 = ({ host, port }: CountingProxy) => ({ host, port });

/** Resolves when the socket is closed, in order or not. */
const closing = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve));

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await turn();
}

it('counts what a real client and a real server of HTTP say, on a connection that is kept', async () => {
  const web = createHttpServer((request, response) => {
    request.resume().on('end', () => response.end(request.url));
  });
  await once(web.listen(0, '127.0.0.1'), 'listening');
  const between = await openProxy({ to: to(web), framing: http() });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (const path of ['/jobs/a', '/jobs/b']) {
    const [response] = await once(get({ ...to2(between), path, agent }), 'response');
    let text = '';
    for await (const chunk of response) text += chunk;
    expect(text).toBe(path);
  }
  const shape = between.rows.map(({ route, technique, status, connection, protocol }) => {
    return { route, technique, status, connection, protocol };
  });
  const row = { technique: 'short-poll', status: 200, connection: 1, protocol: 'HTTP/1.1' };
  expect(shape).toEqual([
    { route: '/jobs/a', ...row },
    { route: '/jobs/b', ...row },
  ]);
  expect(between.connections).toEqual({ opened: 1, open: 1 });
  expect(between.unframed).toEqual([]);
  agent.destroy();
  await between.close();
  expect(between.connections.open).toBe(0);
  web.close();
});

it('passes on bytes that it cannot read, and says so', async () => {
  const [client, end] = await pair();
  const noise = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7) % 256));
  client.end(noise);
  const got: Buffer[] = [];
  end.on('data', (bytes) => got.push(bytes));
  await once(end, 'end');
  expect(Buffer.concat(got).equals(noise)).toBe(true);
  end.end('bye');
  const [answer] = await once(client, 'data');
  expect(String(answer)).toBe('bye');
  expect(proxy.unframed).toEqual(['connection 1: an unreadable header']);
  expect(proxy.rows).toEqual([]);
});

it('cuts what is open, and the row of a cut request has an end and no status', async () => {
  const [client, end] = await pair();
  client.write('GET /jobs/a HTTP/1.1\r\n\r\n');
  await once(end, 'data');
  const closed = [closing(client), closing(end)];
  expect(proxy.cut()).toBe(1);
  await Promise.all(closed);
  await until(() => proxy.connections.open === 0);
  expect(proxy.rows).toMatchObject([{ status: null, endedAt: expect.any(String) }]);
  const [again] = await pair();
  expect(again.destroyed).toBe(false);
});

it('freezes and thaws: nothing passes meanwhile, and nothing is lost', async () => {
  const [client, end] = await pair();
  client.write('1');
  await once(end, 'data');
  proxy.freeze();
  const got: string[] = [];
  end.on('data', (bytes) => got.push(String(bytes)));
  client.write('2');
  const [late, lateEnd] = await pair(); // a connection that is opened meanwhile waits, too
  lateEnd.on('data', (bytes) => got.push(String(bytes)));
  late.write('3');
  // What is written later, past the proxy, has arrived: the proxy has had its turn.
  const [direct, directEnd] = [connect(to(server)), once(server, 'accepted')];
  await directEnd;
  direct.write('x');
  await once(accepted.at(-1) as Socket, 'data');
  direct.destroy();
  expect(got).toEqual([]);
  proxy.thaw();
  await until(() => got.length === 2);
  expect(got.sort()).toEqual(['2', '3']);
});

it('delays each piece, in order, and takes no more meanwhile than its bound', async () => {
  const [client, end] = await pair();
  proxy.delay(50);
  const sentAt = performance.now();
  const big = Buffer.alloc(5_000_000, 'a');
  client.end(big);
  let bytes = 0;
  for await (const piece of end) {
    if (bytes === 0) expect(performance.now() - sentAt).toBeGreaterThanOrEqual(49);
    bytes += piece.length;
    proxy.delay(0);
  }
  expect(bytes).toBe(big.length);
  expect(() => proxy.delay(-1)).toThrow('Expected a delay of 0 to 60000 ms, got -1.');
});

it('slows a sender down whose reader does not read', async () => {
  const [client, end] = await pair();
  const big = Buffer.alloc(20_000_000);
  end.pause();
  client.write(big);
  const [other, otherEnd] = await pair(); // the proxy serves others meanwhile
  other.write('x');
  await once(otherEnd, 'data');
  expect(client.writableLength).toBe(big.length); // which is the whole write, until all of it is out
  let bytes = 0;
  for await (const piece of end) {
    bytes += piece.length;
    if (bytes === big.length) break;
  }
  expect(bytes).toBe(big.length);
});

it('ends one side when the other ends, and breaks it when the other breaks', async () => {
  const [client, end] = await pair();
  end.end('all');
  end.resume();
  const got: Buffer[] = [];
  client.on('data', (bytes) => got.push(bytes));
  await once(client, 'end');
  expect(String(Buffer.concat(got))).toBe('all');
  client.end();
  await until(() => proxy.connections.open === 0);
  const [broken, other] = await pair();
  const closed = closing(other);
  broken.resetAndDestroy();
  await closed;
  await until(() => proxy.connections.open === 0);
});

it('goes on after a frame of 2 GiB and after a client that resets in the middle of one, and counts the others', async () => {
  const between = await openProxy({ to: to(server), framing: kafka });
  const open = async () => {
    const came = once(server, 'accepted');
    const client = connect(to2(between)).on('error', () => {});
    await came;
    return [client, accepted.at(-1) as Socket] as const;
  };
  const fetch = Buffer.from([0, 0, 0, 10, 0, 1, 0, 11, 0, 0, 0, 1, 9, 9]);
  const answer = Buffer.from([0, 0, 0, 6, 0, 0, 0, 1, 9, 9]);
  const [huge, hugeEnd] = await open();
  const rest = Buffer.alloc(1_000_000);
  huge.end(Buffer.concat([fetch, Buffer.from([0x7f, 0xff, 0xff, 0xff]), rest]));
  let bytes = 0;
  for await (const piece of hugeEnd) bytes += piece.length;
  expect(bytes).toBe(fetch.length + 4 + rest.length); // passed on, though not counted
  const [half, halfEnd] = await open();
  half.write(fetch.subarray(0, 13));
  await once(halfEnd, 'data');
  const closed = closing(halfEnd);
  half.resetAndDestroy();
  await closed;
  const [client, end] = await open();
  client.write(fetch);
  await once(end, 'data');
  end.write(answer);
  await once(client, 'data');
  const counted = between.rows.map(({ connection, status, bytesIn, bytesOut, endedAt }) => {
    return [connection, status, bytesIn, bytesOut, endedAt === null];
  });
  expect(counted).toEqual([
    [1, null, 14, 0, false],
    [2, null, 13, 0, false],
    [3, 200, 14, 10, false],
  ]);
  expect(between.unframed).toEqual(['connection 1: a frame of 2147483647 bytes']);
  await between.close();
});
