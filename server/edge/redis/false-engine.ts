import net from 'node:net';
import * as scripts from './scripts.js';

/** The reply to a command: bytes of RESP2, or a function that handles the connection. Undefined: what an empty engine answers. */
export type FalseReply = string | ((socket: net.Socket) => void) | undefined;

/** A server that speaks as much of RESP2 as it takes for a store to open an empty log on it. Its answers may be replaced. */
export interface FalseEngine {
  /** For `--engine`. */
  url: string;
  /** The reply to a command, or to a script by its name. */
  replies: Record<string, FalseReply>;
  /** How many times each was asked. */
  asked: Record<string, number>;
  close(): void;
}

const NAME = 'aaaaaaaa';
/** Lists of bulk strings and numbers, as RESP2 writes them. */
export const resp = (value: unknown): string => {
  if (Array.isArray(value)) return `*${value.length}\r\n${value.map(resp).join('')}`;
  if (typeof value === 'number') return `:${value}\r\n`;
  return value === null ? '$-1\r\n' : `$${Buffer.byteLength(String(value))}\r\n${value}\r\n`;
};

/** What an engine without any data answers. */
const EMPTY: Record<string, FalseReply> = {
  hello: resp([NAME, 0, []]),
  join: '*0\r\n',
  snapshot: resp([0, [], []]),
  dropBeyond: ':0\r\n',
  renew: resp([0]),
  commit: resp([0, []]),
  HELLO: "-ERR unknown command 'HELLO'\r\n",
  HMGET: resp([NAME, '0']),
  XREVRANGE: '*0\r\n',
  XREAD: () => {}, // it waits for news
};

const nameOf = new Map(
  Object.entries(scripts).flatMap(([name, value]) =>
    typeof value === 'object' ? [[value.sha, name] as [string, string]] : [],
  ),
);

export async function openFalseEngine(): Promise<FalseEngine> {
  const replies: FalseEngine['replies'] = {};
  const asked: FalseEngine['asked'] = {};
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)));
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += chunk;
      for (let command = first(text); command; command = first(text)) {
        text = text.slice(command.length);
        const [verb = '', sha = ''] = command.words;
        const name = nameOf.get(sha) ?? verb.toUpperCase();
        asked[name] = (asked[name] ?? 0) + 1;
        const reply = replies[name] ?? EMPTY[name] ?? '+OK\r\n';
        if (typeof reply === 'string') socket.write(reply);
        else reply(socket);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { url: `redis://127.0.0.1:${(server.address() as net.AddressInfo).port}/0`, replies, asked, close };
}

/** The first command of a text, if it is whole: a list of bulk strings. */
function first(text: string): { words: string[]; length: number } | null {
  const head = /^\*(\d+)\r\n/.exec(text);
  if (!head) return null;
  let at = head[0].length;
  const words: string[] = [];
  for (let n = Number(head[1]); n > 0; n--) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(at, at + 20));
    if (!size) return null;
    at += size[0].length;
    if (text.length < at + Number(size[1]) + 2) return null;
    words.push(text.slice(at, at + Number(size[1])));
    at += Number(size[1]) + 2;
  }
  return { words, length: at };
}
