import type { ClientRequest, IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Problem, statusName } from '../../../server/core/problem.js';
import { closeSoon } from '../../../server/edge/http/closing.js';
import { rawProblem } from '../../../server/edge/http/http1.js';
import type { Connections } from '../../../server/edge/http/lifetime.js';
import type { Ledger } from '../../../server/edge/ledger.js';
import { passedFields, replaceField } from './fields.js';
import { badStatusLine, isStatusLine, pathOf } from './passage.js';
import type { Upstream } from './upstream.js';

interface Upgrading {
  readonly req: IncomingMessage;
  readonly socket: Socket;
  /** What the client has sent behind the request. */
  readonly head: Buffer;
  readonly upstream: Upstream;
  readonly ledger: Ledger;
  readonly connections: Connections;
  /** The path, as it may be shown. */
  readonly route: string;
}

/**
 * Passes on a request to become a WebSocket (RFC 6455, section 4), and, once the service has agreed, all bytes in both
 * directions. Faults do not touch them. The ledger gets a row with the bytes.
 */
export function passUpgrade({ req, socket, head, upstream, ledger, connections, route }: Upgrading): void {
  const begun = socket.bytesRead;
  const sentBefore = socket.bytesWritten;
  const { method = 'GET', rawHeaders, httpVersion } = req;
  const bytes = {
    received: 0,
    sent: 0,
    measure() {
      this.received = socket.bytesRead - begun;
      this.sent = socket.bytesWritten - sentBefore;
    },
    ...{ finish() {}, end() {}, settle() {} },
  };
  const connection = connections.connectionOf(socket, null).id;
  const row = ledger.begin({ method, protocol: `HTTP/${httpVersion}`, connection, bytes });
  Object.assign(row, { route });
  const answered = (status: number) => {
    Object.assign(row, { status, answeredAt: row.now() });
    ledger.touch(row);
  };
  socket.on('error', () => {}); // "close" follows
  socket.once('close', () => {
    row.end();
    row.settle();
  });

  let fields = [...passedFields(rawHeaders, httpVersion), 'Connection', 'Upgrade', 'Upgrade', 'websocket'];
  const { host } = upstream;
  if (host !== undefined) fields = replaceField(fields, 'host', () => host);
  const refuse = (problem: Problem) => {
    answered(problem.status);
    closeSoon(socket, rawProblem(problem));
  };
  let sent: ClientRequest;
  try {
    sent = upstream.request({ method, path: pathOf(req), fields, isFresh: true });
  } catch {
    refuse(new Problem(400, 'The path has characters not allowed in a URL. Encode them (RFC 3986, section 2.1).'));
    return;
  }
  socket.once('close', () => sent.destroy());
  sent.on('error', (error) => {
    if (socket.destroyed || row.status !== null) return;
    refuse(upstream.unreachable(error));
  });
  // The service has refused. Its answer is the last one of the connection.
  sent.on('response', (answer) => {
    if (!isStatusLine(answer)) {
      refuse(badStatusLine(upstream.origin));
      sent.destroy();
      return;
    }
    answered(answer.statusCode as number);
    socket.write(headOf(answer, [...passedFields(answer.rawHeaders, answer.httpVersion), 'Connection', 'close']));
    answer.on('close', () => (answer.complete ? socket.end() : socket.destroy())).on('error', () => {});
    answer.pipe(socket);
  });
  sent.on('upgrade', (answer, service: Duplex, rest) => {
    answered(answer.statusCode ?? 101);
    const own = ['Connection', 'Upgrade', 'Upgrade', answer.headers.upgrade ?? 'websocket'];
    socket.write(headOf(answer, [...passedFields(answer.rawHeaders, answer.httpVersion), ...own]));
    if (rest.length > 0) socket.write(rest);
    if (head.length > 0) service.write(head);
    service.on('error', () => socket.destroy()).once('close', () => socket.destroy());
    socket.once('close', () => service.destroy());
    service.pipe(socket).pipe(service);
  });
  sent.end();
}

/** The head of an answer. */
function headOf({ statusCode = 0, statusMessage }: IncomingMessage, fields: readonly string[]): string {
  const lines = fields.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${fields[i + 1]}`] : []));
  const name = statusMessage || statusName(statusCode) || '';
  return [`HTTP/1.1 ${statusCode} ${name}`, ...lines, '', ''].join('\r\n');
}

/**
 * Handles a request that asks for another protocol than WebSocket as if it did not: a server may ignore "Upgrade" (RFC 9110,
 * section 7.8). Java's HttpClient asks each server for HTTP/2 in this way. Node has taken the connection out of its
 * hands: the request is given back to it, without "Upgrade".
 */
export function withoutUpgrade(server: Server, req: IncomingMessage, socket: Socket, head: Buffer): void {
  const fields = passedOn(req.rawHeaders);
  const lines = fields.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${fields[i + 1]}`] : []));
  const again = [`${req.method} ${req.url} HTTP/${req.httpVersion}`, ...lines, '', ''].join('\r\n');
  socket.unshift(Buffer.concat([Buffer.from(again, 'latin1'), head]));
  server.emit('connection', socket);
}

/** The fields without those of an upgrade. */
const passedOn = (raw: readonly string[]) =>
  raw.filter((_, i) => !/^(upgrade|http2-settings|connection)$/i.test(raw[i - (i % 2)] as string));
