import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { StoreError } from '../../core/log/store.js';
import { hello, type Script } from './scripts.js';

/** How long the engine may take for one command, in milliseconds. */
const COMMAND_MS = 2_000;
/** How long to wait between two attempts to reach the engine, in milliseconds. */
const AGAIN_MS = 100;
/** How long one blocking read waits for news, in milliseconds. The engine answers it then, or is taken for dead. */
const BLOCK_MS = 1_000;
/** How many entries one read returns at most. */
const ENTRIES_A_READ = 500;

/** An entry of the engine's stream: its position, and its fields. */
export interface Entry {
  seq: number;
  fields: Record<string, string>;
}

/** What the engine says of itself when a connection begins. */
export interface Greeting {
  /** The generation: a name that every run of the engine has for itself. */
  name: string;
  /** The newest position. */
  head: number;
  /** Earlier generations, the oldest first, each with the newest position that survived it. */
  earlier: { name: string; end: number }[];
}

/** Where an engine is. The password is in no text that this class makes. */
export class Address {
  readonly options: { host: string; port: number; db: number; username?: string; password?: string; tls?: object };
  /** For people: without user and password. */
  readonly text: string;

  /** Error: {@link StoreError}, for anything but `redis://HOST:PORT/DB`, `valkey://…`, `rediss://…` or `valkeys://…`. */
  constructor(url: string) {
    const wrong = (what: string) =>
      new StoreError(
        `--engine (ENGINE) expects redis://HOST:PORT/DB, valkey:// or, with TLS, rediss://; ${what}. Leave it out for SQLite.`,
      );
    if (!URL.canParse(url)) throw wrong('what was given is no URL');
    const { protocol, hostname, port, pathname, username, password } = new URL(url);
    const tls = { 'redis:': false, 'valkey:': false, 'rediss:': true, 'valkeys:': true }[protocol];
    if (tls === undefined) throw wrong(`got one that begins with ${protocol}//`);
    const [, db] = /^\/?(\d{0,4})$/.exec(pathname) ?? [];
    if (db === undefined) throw wrong('its path is not the number of a database');
    const host = hostname.replace(/^\[(.*)\]$/, '$1') || '127.0.0.1';
    this.options = {
      ...{ host, port: Number(port || 6379), db: Number(db || 0) },
      ...(username && { username: decodeURIComponent(username) }),
      ...(password && { password: decodeURIComponent(password) }),
      ...(tls && { tls: {} }),
    };
    this.text = `${protocol}//${hostname}:${port || 6379}/${db || 0}`;
  }
}

/** What a link is for. */
export interface LinkUser {
  /** Makes the name of a generation, should a connection begin one. */
  newName(): string;
  /** Called when both connections are there, before any other command. */
  greeted(greeting: Greeting): void;
  /** Called with what the read that waits brings. */
  read(entries: Entry[]): void;
  /** The position after which that read goes on; null while nothing is to be read. */
  position(): number | null;
}

/**
 * The connections to an engine: one for commands, one for the read that waits. When either breaks or answers late, both are
 * closed, and two new ones are made: nothing is queued or sent again behind the caller's back, since a read that a
 * library repeats after it has connected again may wait for ever (redis/ioredis issues 1285, 1888, 2193).
 */
export class Link {
  private commands: Redis | undefined;
  private reader: Redis | undefined;
  private closed = false;
  /** Resolves when the engine can be asked. */
  private ready = later();
  /** Resolves when there may be something to read. */
  private signal = later();
  private lastError = 'it was not reached yet';

  constructor(
    private readonly address: Address,
    private readonly user: LinkUser,
  ) {
    void this.keepUp();
  }

  /** Runs a script. Waits until a time of `performance.now()` for the engine to be there. Error: why it has not answered. */
  async run(script: Script, args: readonly (string | number)[], until: number): Promise<unknown> {
    return this.ask(until, (commands) => evaluate(commands, script, args));
  }

  /** Asks the engine. As {@link run}. */
  async ask<T>(until: number, question: (commands: Redis) => Promise<T>): Promise<T> {
    const commands = await this.connected(until);
    try {
      return await question(commands);
    } catch (error) {
      // An error that the engine itself has told leaves the connection as it is.
      if ((error as Error).name !== 'ReplyError') this.drop(commands, error as Error);
      throw new Error(this.explain(error as Error));
    }
  }

  /** Looks again at the position after which to read. */
  follow(): void {
    this.signal.resolve();
    this.signal = later();
  }

  /** Closes both connections, so that the engine is asked anew who it is. */
  renew(): void {
    this.drop(this.commands, new Error('its generation has changed'));
  }

  /** Closes both connections for good. */
  close(): void {
    this.closed = true;
    this.drop(this.commands, new Error('this server has closed the connection'));
    this.ready.resolve();
  }

  private async connected(until: number): Promise<Redis> {
    while (!this.commands) {
      const ms = until - performance.now();
      if (ms <= 0 || this.closed) throw new Error(this.explain(new Error(this.lastError)));
      const timer = new AbortController();
      await Promise.race([this.ready.promise, pause(ms, undefined, { signal: timer.signal }).catch(() => {})]);
      timer.abort();
    }
    return this.commands;
  }

  private explain({ message }: Error): string {
    return `${this.address.text}: ${message}`;
  }

  /** Connects, and connects again, until the link is closed. */
  private async keepUp(): Promise<void> {
    while (!this.closed) {
      const commands = this.client(COMMAND_MS);
      const reader = this.client(BLOCK_MS + COMMAND_MS);
      try {
        await Promise.all([commands.connect(), reader.connect()]);
        const [name, head, earlier] = (await evaluate(commands, hello, [this.user.newName()])) as [
          string,
          number,
          string[],
        ];
        if (this.closed) return;
        this.user.greeted({ name, head: Number(head), earlier: generations(earlier) });
        [this.commands, this.reader] = [commands, reader];
        this.ready.resolve();
        await this.readOn(reader);
      } catch (error) {
        this.drop(this.commands ?? commands, error as Error);
      } finally {
        commands.disconnect();
        reader.disconnect();
      }
      await pause(AGAIN_MS);
    }
  }

  /** Reads the stream for as long as its connection lasts. */
  private async readOn(reader: Redis): Promise<void> {
    while (this.reader === reader) {
      const position = this.user.position();
      if (position === null) {
        await this.signal.promise;
        continue;
      }
      const found = await reader.xread('COUNT', ENTRIES_A_READ, 'BLOCK', BLOCK_MS, 'STREAMS', LOG, `${position}-0`);
      if (this.reader !== reader) return;
      const entries = found?.[0]?.[1] ?? [];
      if (entries.length > 0)
        this.user.read(entries.map(([id, fields]) => ({ seq: Number.parseInt(id, 10), fields: record(fields) })));
    }
  }

  private client(commandTimeout: number): Redis {
    const client = new Redis({
      ...this.address.options,
      ...{
        lazyConnect: true,
        enableReadyCheck: false,
        enableOfflineQueue: false,
        autoResendUnfulfilledCommands: false,
      },
      ...{ retryStrategy: () => null, reconnectOnError: null, maxRetriesPerRequest: 0 },
      ...{ connectTimeout: COMMAND_MS, commandTimeout },
    });
    client.on('error', (error: Error) => {
      this.lastError = error.message;
    });
    client.on('close', () => this.drop(client, new Error('the connection is closed')));
    return client;
  }

  private drop(client: Redis | undefined, { message }: Error): void {
    if (!client || (client !== this.commands && client !== this.reader)) return;
    const [commands, reader] = [this.commands, this.reader];
    this.lastError = message;
    this.commands = this.reader = undefined;
    if (!this.closed) this.ready = later();
    commands?.disconnect();
    reader?.disconnect();
    this.follow();
  }
}

/** The keys that are read without a script. */
export const LOG = 'polling-lab:log';
export const META = 'polling-lab:meta';

/** Runs a script by its hash, which spares the engine to read it again; in full where the engine does not know it yet. */
async function evaluate(client: Redis, { text, sha }: Script, args: readonly (string | number)[]): Promise<unknown> {
  try {
    return await client.evalsha(sha, 0, ...args);
  } catch (error) {
    if (!(error as Error).message.startsWith('NOSCRIPT')) throw error;
    return client.eval(text, 0, ...args);
  }
}

/** A list of names and values in turn, as an object. */
export const record = (fields: string[]): Record<string, string> => {
  const object: Record<string, string> = {};
  for (let at = 0; at < fields.length; at += 2) object[fields[at] as string] = fields[at + 1] as string;
  return object;
};

/** A list of names and positions in turn. */
const generations = (list: string[]) =>
  Array.from({ length: list.length / 2 }, (_, n) => ({ name: list[2 * n] as string, end: Number(list[2 * n + 1]) }));

/** A promise, and what resolves it. */
export function later() {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
