import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { z } from 'zod';
import { visible } from '../../../scripts/shared/visible.mjs';
import { StoreError } from '../../core/log/store.js';
import { checked, type entries as Entries, greeting, readEntries } from './replies.js';
import { hello, type Script } from './scripts.js';

/** How long the engine may take for one command, in milliseconds. */
const COMMAND_MS = 2_000;
/** How long to wait between two attempts to reach the engine, in milliseconds. */
const AGAIN_MS = 100;
/** How long one blocking read waits for news, in milliseconds. The engine answers it then, or is taken for dead. */
const BLOCK_MS = 1_000;
/** How many entries one read returns at most. */
const ENTRIES_A_READ = 500;
/** How much the engine may send without completing a reply, in bytes. */
const MAX_REPLY_BYTES = 256 * 1024 * 1024;
/** What ioredis says of every command once a connection has ended. Why it has ended was told before, by its event `error` or by `drop`. */
const CLOSED = /^(Connection is closed\.|Stream isn't writeable)/;
/** Errors of an engine that it takes a person to fix: nobody waits for it. */
const LASTING = /^(UNFIT|WRONGPASS|NOAUTH|NOPERM|ERR (invalid password|DB index|invalid DB index))/;
/** How often it is said at most that the engine is away, in milliseconds. */
const SAY_MS = 10_000;

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
    const decoded = (text: string): string => {
      try {
        return decodeURIComponent(text);
      } catch {
        throw wrong('its user or password has a % that begins no code (write %25 for the character %)');
      }
    };
    const tls = { 'redis:': false, 'valkey:': false, 'rediss:': true, 'valkeys:': true }[protocol];
    if (tls === undefined) throw wrong(`got one that begins with ${protocol}//`);
    const [, db] = /^\/?(\d{0,4})$/.exec(pathname) ?? [];
    if (db === undefined) throw wrong('its path is not the number of a database');
    const host = hostname.replace(/^\[(.*)\]$/, '$1') || '127.0.0.1';
    this.options = {
      ...{ host, port: Number(port || 6379), db: Number(db || 0) },
      ...(username && { username: decoded(username) }),
      ...(password && { password: decoded(password) }),
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
  /** Whether the engine has ever been greeted: until then, whoever opens the store says what is wrong. */
  private wasGreeted = false;
  /** Resolves when the engine can be asked. */
  private ready = later();
  /** Resolves when there may be something to read. */
  private signal = later();
  private lastError = 'it was not reached yet';
  /** How many bytes each connection has brought since its last reply was whole. */
  private readonly incomplete = new WeakMap<Redis, number>();
  /** When it was last said that the engine is away, and whether it has answered since. */
  private said = { at: Number.NEGATIVE_INFINITY, away: false };

  constructor(
    private readonly address: Address,
    private readonly user: LinkUser,
  ) {
    void this.keepUp();
  }

  /**
   * Runs a script, whose reply has a shape. Waits until a time of `performance.now()` for the engine to be there. Error: why it has
   * not answered.
   */
  async run<T>(script: Script, args: readonly (string | number)[], until: number, shape: z.ZodType<T>): Promise<T> {
    return this.ask(until, shape, (commands) => evaluate(commands, script, args));
  }

  /** Asks the engine. As {@link run}. */
  async ask<T>(until: number, shape: z.ZodType<T>, question: (commands: Redis) => Promise<unknown>): Promise<T> {
    const commands = await this.connected(until);
    try {
      const reply = checked(shape, await question(commands));
      this.incomplete.set(commands, 0);
      if (this.said.away) console.error(`The engine ${this.address.text} answers again.`);
      this.said.away = false;
      return reply;
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
    this.drop(this.commands, new Error('its generation has changed'), { said: true });
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
      if (ms <= 0 || this.closed || LASTING.test(this.lastError))
        throw new Error(this.explain(new Error(this.lastError)));
      const timer = new AbortController();
      await Promise.race([this.ready.promise, pause(ms, undefined, { signal: timer.signal }).catch(() => {})]);
      timer.abort();
    }
    return this.commands;
  }

  private explain(error: Error): string {
    const message = CLOSED.test(error.message) ? this.lastError : error.message;
    const [, parsed] = /^(Unknown RESP type .*?)(\. Please report this\.)?$/s.exec(message) ?? [];
    const why = parsed ? `what answers there is no Redis or Valkey (${parsed})` : message.replace(/^(ERR|UNFIT) /, '');
    return `${this.address.text}: ${visible(why)}`;
  }

  /** Says that the engine is away, and why: at most once in a while, since an engine may come and go all the time. */
  private say(error: Error): void {
    const now = performance.now();
    if (this.closed || !this.wasGreeted || now - this.said.at < SAY_MS) return;
    this.said = { at: now, away: true };
    console.error(`The engine does not answer; trying again (${this.explain(error)}).`);
  }

  /** Connects, and connects again, until the link is closed. */
  private async keepUp(): Promise<void> {
    while (!this.closed) {
      const commands = this.client(COMMAND_MS);
      const reader = this.client(BLOCK_MS + COMMAND_MS);
      let greeted = false;
      try {
        await Promise.all([commands.connect(), reader.connect()]);
        const reply = await evaluate(commands, hello, [this.user.newName()]);
        const [name, head, earlier] = checked(greeting, reply);
        if (this.closed) return;
        this.wasGreeted = greeted = true;
        this.user.greeted({ name, head, earlier: generations(earlier) });
        [this.commands, this.reader] = [commands, reader];
        this.ready.resolve();
        await this.readOn(reader);
      } catch (error) {
        if (greeted) this.drop(this.commands, error as Error);
        else if (!CLOSED.test((error as Error).message)) this.lastError = (error as Error).message;
        if (!greeted && LASTING.test(this.lastError)) {
          this.ready.resolve();
          this.ready = later();
        }
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
      const reply = await reader.xread('COUNT', ENTRIES_A_READ, 'BLOCK', BLOCK_MS, 'STREAMS', LOG, `${position}-0`);
      if (this.reader !== reader) return;
      const [[, found]] = checked(readEntries, reply) ?? [['', []]];
      this.incomplete.set(reader, 0);
      if (found.length > 0) this.user.read(found.map(entryOf));
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
      this.drop(client, error);
      // ioredis would go on: after a reply to no command, say, or in another database if the one that was asked for is not there.
      client.disconnect();
    });
    client.on('connect', () => {
      client.stream.on('data', ({ length }: Buffer) => {
        const bytes = (this.incomplete.get(client) ?? 0) + length;
        this.incomplete.set(client, bytes);
        if (bytes <= MAX_REPLY_BYTES) return;
        client.emit('error', new Error(`it has sent ${bytes} bytes that are no whole reply`));
      });
    });
    client.on('close', () => this.drop(client, new Error('the connection is closed')));
    return client;
  }

  private drop(client: Redis | undefined, error: Error, { said = false } = {}): void {
    const { message } = error;
    if (!client || (client !== this.commands && client !== this.reader)) return;
    const [commands, reader] = [this.commands, this.reader];
    this.lastError = message;
    if (!said) this.say(error);
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

/** An entry as the engine tells it. */
export const entryOf = ([id, fields]: z.infer<typeof Entries>[number]): Entry => ({
  seq: Number.parseInt(id, 10),
  fields: record(fields),
});

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
