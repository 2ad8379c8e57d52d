import type net from 'node:net';
import tls from 'node:tls';
import { type Client, newExperiment, sum } from './client.js';
import { END_STREAM, FRAME, frame, plainConnection, RawHttp2, secureConnection } from './raw-http2.js';
import type { LocalServer } from './server.js';
import { eventually } from './within.js';

/*
 * Each kind of request, in each protocol, ended by its client in each way. Afterwards the server's waiters, open rows,
 * sockets, timers and descriptors are what they were before.
 */

export type Protocol = 'HTTP/1.1' | 'HTTP/1.1 over TLS' | 'HTTP/2 over TLS';
const PROTOCOLS: readonly Protocol[] = ['HTTP/1.1', 'HTTP/1.1 over TLS', 'HTTP/2 over TLS'];

interface Ask {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
  /** The protocols that it can be asked in; without it, all of them. */
  protocols?: readonly Protocol[];
}

/** Each kind of request, for a job that is running, or for one that has ended. */
const REQUESTS: Record<string, (running: string, ended: string) => Ask> = {
  'short poll': (running) => ({ method: 'GET', path: `/jobs/${running}` }),
  'long poll': (running) => ({ method: 'GET', path: `/jobs/${running}/result?wait=60` }),
  'long poll for a change': (running) => ({
    method: 'GET',
    path: `/jobs/${running}?wait=60`,
    headers: { 'if-none-match': '"2"' },
  }),
  'result at once': (_, ended) => ({ method: 'GET', path: `/jobs/${ended}/result` }),
  stream: (running) => ({ method: 'GET', path: `/jobs/${running}/events` }),
  'stream of all': () => ({ method: 'GET', path: '/events' }),
  consume: (running) => ({
    method: 'GET',
    path: `/jobs/${running}/events?wait=60&min=9`,
    headers: { accept: 'application/json' },
  }),
  upload: () => ({
    method: 'POST',
    path: '/jobs',
    headers: { 'content-type': 'video/mp4', 'content-length': '50' },
    body: 'x'.repeat(50),
  }),
  submit: () => ({
    method: 'POST',
    path: '/jobs',
    headers: { 'content-type': 'application/json', 'content-length': '17' },
    body: '{"kind":"manual"}',
  }),
  'submit that waits': () => ({
    method: 'POST',
    path: '/jobs?wait=60',
    headers: { 'content-type': 'application/json', 'content-length': '17' },
    body: '{"kind":"manual"}',
  }),
  'submit that streams': () => ({
    method: 'POST',
    path: '/jobs',
    headers: { 'content-type': 'application/json', 'content-length': '17', accept: 'text/event-stream' },
    body: '{"kind":"manual"}',
  }),
  'a body that nobody wants': () => ({
    method: 'POST',
    path: '/nowhere',
    headers: { 'content-length': '50' },
    body: 'x'.repeat(50),
  }),
  'the ledger, live': () => ({ method: 'GET', path: '/traffic', headers: { accept: 'text/event-stream' } }),
};

/** Every request, in each of its protocols, with every ending. */
export const everyCase = (): [Protocol, string, string][] =>
  Object.entries(REQUESTS).flatMap(([request, asks]) =>
    (asks('', '').protocols ?? PROTOCOLS).flatMap((protocol) =>
      Object.keys(ENDINGS).map((ending): [Protocol, string, string] => [protocol, request, ending]),
    ),
  );

/** A connection on which the test speaks for a client of either HTTP. */
interface Speaker {
  readonly socket: net.Socket;
  /** Sends a request: whole, without the end of its body, or half of its head. */
  ask(ask: Ask, part?: 'no end' | 'half a head'): void;
  /** Breaks the protocol. */
  breakIt(): void;
  /** Cancels the request and keeps the connection; in HTTP/1.1, closes the connection, since nothing else cancels. */
  cancel(): void;
}

async function speakerOf(protocol: Protocol, lab: Client, httpsUrl: string): Promise<Speaker> {
  if (protocol === 'HTTP/2 over TLS') {
    const raw = await RawHttp2.connect(httpsUrl);
    const asked: number[] = [];
    return {
      socket: raw.socket,
      ask({ method, path, headers, body }, part) {
        const stream = raw.request(method, path, headers, body === undefined ? END_STREAM : 0);
        asked.push(stream);
        if (part === 'half a head') raw.send(frame(FRAME.HEADERS, 0, stream + 2, Buffer.from([0, 1])));
        else if (body !== undefined)
          raw.send(frame(FRAME.DATA, part ? 0 : END_STREAM, stream, Buffer.from(part ? body.slice(0, 9) : body)));
      },
      breakIt: () => raw.send(frame(FRAME.DATA, 0, 9999, Buffer.from('x'))),
      cancel: () => {
        raw.send(...asked.map((stream) => frame(FRAME.RST_STREAM, 0, stream, Buffer.from([0, 0, 0, 8]))));
      },
    };
  }
  const socket =
    protocol === 'HTTP/1.1' ? await plainConnection(lab.base, true) : await secureConnection(httpsUrl, ['http/1.1']);
  socket.resume();
  return {
    socket,
    ask({ method, path, headers, body = '' }, part) {
      const lines = Object.entries({ host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
      const head = `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
      socket.write(part === 'half a head' ? head.slice(0, -9) : head + (part ? body.slice(0, 9) : body));
    },
    breakIt: () => void socket.write('\0\r\n\r\n'),
    cancel: () => void socket.destroy(),
  };
}

type Ending = (speaker: Speaker, ask: Ask, arrived: () => Promise<void>) => Promise<void>;

/** Sends the request, or the `part` of it; waits until it has arrived; then ends. */
const onceThere =
  (end: (speaker: Speaker) => void, part?: 'no end'): Ending =>
  async (speaker, ask, arrived) => {
    speaker.ask(ask, part);
    await arrived();
    end(speaker);
  };

/** The ways in which a client can end a request. */
const ENDINGS: Record<string, Ending> = {
  'closes once it is there': onceThere(({ socket }) => socket.destroy()),
  'closes at once': async (speaker, ask) => {
    speaker.ask(ask);
    speaker.socket.destroySoon();
  },
  'half closes': onceThere(({ socket }) => socket.end()),
  resets: onceThere(({ socket }) => reset(socket)),
  'stops reading': onceThere(({ socket }) => {
    socket.pause();
    socket.destroy();
  }),
  'breaks the protocol': onceThere((speaker) => {
    speaker.breakIt();
    speaker.socket.end();
  }),
  'breaks the protocol, and stays': onceThere((speaker) => speaker.breakIt()),
  'cancels, then goes': onceThere((speaker) => {
    speaker.cancel();
    speaker.socket.end();
  }),
  'asks three times in one piece, then resets': async (speaker, ask, arrived) => {
    speaker.socket.cork();
    for (let n = 0; n < 3; n++) speaker.ask(ask);
    speaker.socket.uncork();
    await arrived();
    reset(speaker.socket);
  },
  'asks behind a long poll, then closes': async (speaker, ask, arrived) => {
    speaker.ask(ask);
    speaker.ask(ask, 'no end');
    await arrived();
    speaker.socket.destroy();
  },
  'goes in the middle of the body': onceThere(({ socket }) => socket.destroy(), 'no end'),
  'goes in the middle of a head': async (speaker, ask) => {
    speaker.ask(ask, 'half a head');
    speaker.socket.destroySoon();
  },
};

/** Resets the TCP connection, also below TLS. */
function reset(socket: net.Socket): void {
  const under = (socket as tls.TLSSocket & { _parent?: net.Socket })._parent;
  if (socket instanceof tls.TLSSocket && !under) socket.destroy();
  else (under ?? socket).resetAndDestroy();
}

/** What a server holds for its clients. */
export interface Held {
  waiting: number;
  open: number;
  sockets: number;
  timers: number;
  descriptors: number;
}

/** What the server holds now; the requests that ask for it are not counted. */
export async function heldBy(lab: Client, server: LocalServer): Promise<Held> {
  const { resources } = await server.memory();
  const metrics = (await lab.get('/metrics')).text;
  const number = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(metrics)?.[1] ?? Number.NaN);
  return {
    waiting: number('polling_lab_waiting_clients'),
    open: sum((await lab.traffic()).totals, 'open'),
    sockets: resources.TCPSocketWrap ?? 0,
    timers: resources.Timeout ?? 0,
    descriptors: number('process_open_fds'),
  };
}

/** Tries the cases, 20 at a time, and then waits until the server holds no more than before. */
export async function holdsNothing(
  lab: Client,
  server: LocalServer,
  cases: readonly [Protocol, string, string][],
): Promise<void> {
  const running = (await lab.manual()).jobId;
  const ended = (await lab.finished()).jobId;
  const { httpsUrl } = (await lab.get('/healthz')).json<{ httpsUrl: string }>();
  const before = await heldBy(lab, server);
  const kept: net.Socket[] = [];
  for (let at = 0; at < cases.length; at += 20) {
    const some = cases.slice(at, at + 20).map(async ([protocol, request, ending]) => {
      const experiment = newExperiment();
      const ask = REQUESTS[request]!(running, ended);
      ask.headers = { ...ask.headers, experiment };
      const speaker = await speakerOf(protocol, lab, httpsUrl);
      speaker.socket.on('error', () => {});
      kept.push(speaker.socket);
      const arrived = async () => {
        // The ledger has no row for a request that reads it, so that its arrival cannot be seen there.
        if (request === 'the ledger, live') return void (await lab.get('/healthz'));
        await eventually(
          async () => ((await lab.traffic(experiment)).requests.length > 0 ? true : undefined),
          `${request} (${protocol}) that ${ending} to arrive`,
        );
      };
      await ENDINGS[ending]!(speaker, ask, arrived);
    });
    await Promise.all(some);
  }
  let now = before;
  await eventually(
    async () => {
      now = await heldBy(lab, server);
      const members = Object.keys(before) as (keyof Held)[];
      return members.every((member) => now[member] <= before[member]) ? true : undefined;
    },
    () => `the server to hold what it held, ${JSON.stringify(before)}; it holds ${JSON.stringify(now)}`,
    30_000,
  );
  for (const socket of kept) socket.destroy();
}
