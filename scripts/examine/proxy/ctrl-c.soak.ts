import { once } from 'node:events';
import { createServer } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { start } from '../../shared/child.mjs';

// Ctrl-C ends the command whatever is open at that moment. It says what was seen, and its port is free.

const head = (path: string, more = '', method = 'GET') =>
  `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;

test.each([
  ['before a request', '', 2],
  ['within a head', 'GET / HT', 2],
  ['at an idle connection', head('/ok'), 0],
  ['in a stream', head('/stream'), 0],
  ['in an upload', `${head('/held', 'Content-Length: 1000000\r\n', 'POST')}half`, 0],
  ['at a client that reads nothing', head('/large'), 0],
  ['in a WebSocket', head('/socket', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'), 0],
])('Ctrl-C %s', async (_, bytes, exitCode) => {
  const service = createServer((req, res) => {
    if (req.url === '/ok') res.end('ok');
    else if (req.url === '/stream') res.writeHead(200, { 'Content-Type': 'text/plain' }).write('first');
    else if (req.url === '/large') res.write(Buffer.alloc(50 * 1024 ** 2));
  });
  service.on('upgrade', (_req, socket) => {
    socket.on('error', () => {});
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  });
  await once(service.listen(0, '127.0.0.1'), 'listening');
  const { port } = service.address() as AddressInfo;
  const command = start(process.execPath, [
    ...['--import', 'tsx', 'scripts/examine.ts', '--proxy', `http://127.0.0.1:${port}`],
  ]);
  try {
    await expect
      .poll(command.said, { timeout: 60_000 })
      .toMatch(/ready [\s\S]*Ctrl-C ends it|Ctrl-C ends it[\s\S]*ready /);
    const own = Number(/ready http:\/\/127\.0\.0\.1:(\d+)/.exec(command.said())?.[1]);
    if (bytes !== '') {
      const isPassed = exitCode === 0;
      const arrived = Promise.race([once(service, 'request'), once(service, 'upgrade')]);
      const client = net.connect(own, '127.0.0.1').on('error', () => {});
      client.write(bytes);
      if (isPassed) await arrived;
      else await once(client, 'connect');
    }
    command.process.kill('SIGINT');
    expect((await command.ended).code).toBe(exitCode);
    expect(command.said()).toMatch(exitCode === 2 ? /No request has passed/ : /1 request passed to /);
    const again = net.createServer();
    await once(again.listen(own, '127.0.0.1'), 'listening');
    again.close();
  } finally {
    await command.stop();
    service.closeAllConnections();
    service.close();
  }
});
