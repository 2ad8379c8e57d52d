import type { ClientRequest, IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Problem } from '../../../server/core/problem.js';
import { closeSoon } from '../../../server/edge/http/closing.js';
import { rawProblem } from '../../../server/edge/http/http1.js';
import type { Connections } from '../../../server/edge/http/lifetime.js';
import type { Ledger } from '../../../server/edge/ledger.js';
import { answerFields, passedFields, requestFields } from './fields.js';
import { faultOf, fieldLines, headText, type Interim, interimText, pathOf } from './heads.js';
import type { Upstream } from './upstream.js';

/** How long a handshake may take, until both sides have agreed or the service's refusal is sent, in milliseconds. */
export const HANDSHAKE_MS = 30_000;

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

/** Whether a request asks for a WebSocket (RFC 6455, section 4.1). HTTP/1.0 cannot upgrade (RFC 9110, section 7.8). */
export function asksForWebSocket({ method, headers, httpVersion }: IncomingMessage): boolean {
  const hasBody = 'transfer-encoding' in headers || Number(headers['content-length'] ?? 0) > 0;
  return method === 'GET' && !hasBody && httpVersion !== '1.0' && isWebSocket(headers.upgrade);
}
const isWebSocket = (upgrade: string | undefined) => /^websocket$/i.test(upgrade ?? '');

/**
 * Passes on a request to become a WebSocket (RFC 6455, section 4), and, once the service has agreed, all bytes in both
 * directions. Faults do not touch them. The ledger gets a row with the bytes.
 */
export function passUpgrade({ req, socket, head, upstream, ledger, connections, route }: Upgrading): void {
  const begun = socket.bytesRead;
  const sentBefore = socket.bytesWritten;
  const { method = 'GET', httpVersion } = req;
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
  const refuse = (problem: Problem) => {
    answered(problem.status);
    closeSoon(socket, rawProblem(problem));
  };
  let sent: ClientRequest;
  const handshake = setTimeout(() => {
    if (row.status !== null) socket.destroy();
    else
      refuse(new Problem(504, `The service at ${upstream.origin} did not answer the WebSocket's handshake in time.`));
    sent?.destroy();
  }, HANDSHAKE_MS);
  socket.once('close', () => {
    clearTimeout(handshake);
    sent?.destroy();
    row.end();
    row.settle();
  });

  const fields = [...requestFields(req, upstream), 'Connection', 'Upgrade', 'Upgrade', 'websocket'];
  try {
    sent = upstream.request({ method, path: pathOf(req), fields, isFresh: true });
  } catch {
    refuse(new Problem(400, 'The path has characters not allowed in a URL. Encode them (RFC 3986, section 2.1).'));
    return;
  }
  const refuseAnswer = (fault: string) => {
    refuse(upstream.badAnswer(fault));
    sent.destroy();
  };
  sent.on('error', (error) => {
    if (socket.destroyed || row.status !== null) return;
    refuse(upstream.unreachable(error));
  });
  sent.on('information', (interim) => {
    const text = interimText(interim as Interim, httpVersion);
    if (text !== undefined) socket.write(text, 'latin1');
  });
  // The service has refused. Its answer is the last one of the connection.
  sent.on('response', (answer) => {
    const fault = faultOf(answer);
    if (fault !== undefined) return refuseAnswer(fault);
    answered(answer.statusCode as number);
    socket.write(headText(answer, [...answerFields(answer, upstream, req), 'Connection', 'close']), 'latin1');
    answer.on('close', () => (answer.complete ? socket.end() : socket.destroy())).on('error', () => {});
    answer.pipe(socket);
  });
  sent.on('upgrade', (answer, service: Duplex, rest) => {
    if (!isWebSocket(answer.headers.upgrade)) {
      service.destroy();
      return refuseAnswer('a switch to another protocol than WebSocket');
    }
    clearTimeout(handshake);
    answered(101);
    const own = ['Connection', 'Upgrade', 'Upgrade', 'websocket'];
    socket.write(headText(answer, [...passedFields(answer.rawHeaders, answer.httpVersion), ...own]), 'latin1');
    if (rest.length > 0) socket.write(rest);
    if (head.length > 0) service.write(head);
    service.on('error', () => socket.destroy()).once('close', () => socket.destroy());
    socket.once('close', () => service.destroy());
    service.pipe(socket).pipe(service);
  });
  sent.end();
}

/**
 * Handles a request that asks for another protocol than WebSocket as if it did not: a server may ignore "Upgrade" (RFC 9110,
 * section 7.8). Java's HttpClient asks each server for HTTP/2 in this way. Node has taken the connection out of its
 * hands: the request is given back to it, without "Upgrade".
 */
export function withoutUpgrade(server: Server, req: IncomingMessage, socket: Socket, head: Buffer): void {
  const lines = fieldLines(fieldsWithoutUpgrade(req.rawHeaders));
  const again = [`${req.method} ${req.url} HTTP/${req.httpVersion}`, ...lines, '', ''].join('\r\n');
  socket.unshift(Buffer.concat([Buffer.from(again, 'latin1'), head]));
  server.emit('connection', socket);
}

/** The fields of a request without those of an upgrade, and without their names in "Connection". */
function fieldsWithoutUpgrade(raw: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const [name, value] = [raw[i] as string, raw[i + 1] as string];
    if (/^(upgrade|http2-settings)$/i.test(name)) continue;
    const isConnection = name.toLowerCase() === 'connection';
    const options = value.split(',').filter((option) => !/^\s*(upgrade|http2-settings)\s*$/i.test(option));
    if (!isConnection) kept.push(name, value);
    else if (options.length > 0) kept.push(name, options.join(','));
  }
  return kept;
}
