import { idle } from './accounting.js';
import { Connection, get, inTurns, Stream } from './load-client.js';
import { type Held, type Name, type Server, startServer } from './measured-servers.js';
import { inTime } from './rounds.js';
import { markdown } from './tables.js';

/** How many clients are held to see what one takes. */
const CLIENTS = 1_000;

/** Of what a client takes on V8's heap: the parts, each with the names of what belongs to it. The last one is everything else. */
const PARTS: [part: string, names: string[]][] = [
  ["the ledger: a row, and a share of the connection's bytes", ['Row', 'Share']],
  ['the limits: the connection, the lifetime of the exchange', ['Connection', 'Lifetime', 'SmallSet']],
  ['the exchange, as techniques use it', ['HttpExchange']],
  ['the cursor or the stream, and its timer', ['OneTimeCursor', 'EventStream', 'Timeout']],
  [
    'functions, what they are bound to and what they keep',
    ['closure', 'system / Context', 'Promise', 'PromiseReaction'],
  ],
  [
    "Node's socket, request and response",
    ['Socket', 'IncomingMessage', 'ServerResponse', 'ReadableState', 'WritableState'],
  ],
  ['lists, plain objects, texts and numbers', []],
];

/** Adds up by part. Exported for its test. */
export function partsOfHeap(held: Held): [objects: number, bytes: number][] {
  const sums = PARTS.map((): [number, number] => [0, 0]);
  for (const [name, [objects, bytes]] of Object.entries(held)) {
    const found = PARTS.findIndex(([, names]) => names.some((one) => name === one || name.endsWith(`/ ${one}`)));
    const sum = sums.at(found) as [number, number]; // not found: the last one
    sum[0] += objects;
    sum[1] += bytes;
  }
  return sums;
}

/** What a client takes that does something, in objects and bytes by part: the difference that a thousand of them make. */
async function takes(server: Server, hold: () => Promise<{ close(): void }[]>): Promise<[number, number][]> {
  const close = (clients: { close(): void }[]) => {
    for (const client of clients) client.close();
  };
  close(await hold()); // what is made once is there then
  await idle(server.pids);
  const before = partsOfHeap(await server.ask('heap'));
  const clients = await hold();
  await idle(server.pids);
  const during = partsOfHeap(await server.ask('heap'));
  close(clients);
  return during.map(([objects, bytes], at) => [
    (objects - before[at]![0]) / CLIENTS,
    (bytes - before[at]![1]) / CLIENTS,
  ]);
}

interface Heap {
  waiter: [number, number][];
  stream: [number, number][];
}

async function heapOf(name: Name, signal: AbortSignal): Promise<Heap> {
  const server = await startServer(name, signal, true);
  try {
    const job = await server.submit();
    const waiter = await takes(server, async () => {
      const open = await inTurns(CLIENTS, () => Connection.open(server.port));
      for (const client of open) void client.send(get(server.paths.longPoll(job), 'Prefer: wait=60\r\n'));
      return open;
    });
    const stream = await takes(server, () =>
      inTurns(CLIENTS, () => Stream.open(server.port, server.paths.stream(job), () => {})),
    );
    return { waiter, stream };
  } catch (error) {
    signal.throwIfAborted(); // the server was stopped, and its clients failed because of that
    throw error;
  } finally {
    await server.stop();
  }
}

/** What a long poll and a stream hold on V8's heap, ours beside the floor's: a table in Markdown. `signal` stops it. */
export async function heap(signal: AbortSignal): Promise<string> {
  const of = (name: Name) => inTime(heapOf(name, signal), `the heap of ${name}`, signal);
  const [ours, floor] = [await of('ours'), await of('floor')];
  const whole = (value: number) => (Math.round(value) + 0).toLocaleString('en'); // plus 0: no "-0"
  const cell = ([objects, bytes]: [number, number]) => `${whole(bytes)} B, ${whole(objects)}`;
  const sum = (parts: [number, number][]) =>
    parts.reduce<[number, number]>(([objects, bytes], [o, b]) => [objects + o, bytes + b], [0, 0]);
  const row = (what: string, of: (parts: [number, number][]) => [number, number]) => [
    what,
    ...[ours.waiter, floor.waiter, ours.stream, floor.stream].map((parts) => cell(of(parts))),
  ];
  const rows = [...PARTS.map(([part], at) => row(part, (parts) => parts[at] as [number, number])), row('all', sum)];
  const head = ['', 'a long poll, ours', 'bare', 'a stream, ours', 'bare'];
  return markdown(head, 1, rows);
}
