import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createParser } from 'eventsource-parser';
import { z } from 'zod';
import { Problem } from '../../shared/problem.mjs';
import { visible } from '../../shared/visible.mjs';
import { shownUrl } from '../redact.js';

/** The largest file that is read, in bytes. */
const MAX_FILE = 256 * 2 ** 20;
/** How many requests of a file are looked at. */
const MAX_ENTRIES = 100_000;

const number = z.number().catch(-1);
const text = z.string().catch('');
const headers = z.array(z.object({ name: text, value: text }).catch({ name: '', value: '' })).catch([]);

/**
 * What is read of an entry: HAR 1.2 (http://www.softwareishard.com/blog/har-12-spec/), and private fields, which begin
 * with "_". Chrome writes `_resourceType`, `_connectionId`, `timings._blocked_queueing`, `response._transferSize`,
 * `response._error` and `_eventSourceMessages`; Safari writes `_fetchType` and `response._transferSize`; Playwright writes
 * `response._transferSize` and `response._failureText`, and -1 as the status of a request without an answer. All else
 * than a URL and a time may be missing or of a wrong type.
 */
const entrySchema = z.object({
  startedDateTime: z.string().refine((time) => Number.isFinite(Date.parse(time))),
  time: number,
  request: z.object({ method: text, url: z.string().max(100_000), httpVersion: text, headers }),
  response: z
    .object({
      status: number,
      httpVersion: text,
      headers,
      content: z
        .object({ mimeType: text, text: z.string().optional().catch(undefined), encoding: text })
        .partial()
        .catch({}),
      bodySize: number,
      _transferSize: number,
    })
    .partial()
    .catch({}),
  timings: z.object({ blocked: number, _blocked_queueing: number }).partial().catch({}),
  connection: z
    .union([z.string(), z.number().transform(String)])
    .optional()
    .catch(undefined),
  _connectionId: z
    .union([z.string(), z.number().transform(String)])
    .optional()
    .catch(undefined),
  _resourceType: text,
  _eventSourceMessages: z
    .array(z.object({ eventId: text, data: text }).partial())
    .optional()
    .catch(undefined),
});
export type Entry = z.infer<typeof entrySchema>;

/** One request of a recording. Times are milliseconds since the first request began. */
export interface Recorded {
  readonly method: string;
  /** The URL without its query's values, its user and its password. */
  readonly shown: string;
  /** The same for requests that ask the same: method and URL, without parameters that only defeat caches. */
  readonly key: string;
  /** Scheme, host and port. */
  readonly origin: string;
  readonly startedAt: number;
  readonly endedAt: number;
  /** How long it waited before it was sent, in milliseconds; undefined if the recording does not tell. */
  readonly blockedMs: number | undefined;
  /** 0 if there was no answer. */
  readonly status: number;
  /** The type of the answer's body, without parameters. */
  readonly type: string;
  /** What came over the network, in bytes; undefined if the recording does not tell. */
  readonly bytes: number | undefined;
  /** The same for equal bodies; undefined if the recording has no body. */
  readonly body: string | undefined;
  readonly etag: string | undefined;
  /** In seconds. */
  readonly retryAfter: number | undefined;
  readonly lastEventId: string | undefined;
  /** It is or should be an event stream. */
  readonly wantsStream: boolean;
  /** Ids of its events, in order; undefined if the recording has no events of it. */
  readonly eventIds: readonly (string | undefined)[] | undefined;
  /** HTTP/1.0 or HTTP/1.1; undefined if the recording does not tell. */
  readonly http1: boolean | undefined;
  readonly connection: string | undefined;
}

export interface Recording {
  /** What made it: `WebInspector 537.36`. */
  readonly creator: string;
  /** In the order in which they began. */
  readonly requests: readonly Recorded[];
  readonly durationMs: number;
  /** How many entries could not be read. */
  readonly unreadable: number;
  /** How many entries were too many. */
  readonly leftOut: number;
}

/**
 * Reads a recording of a browser's developer tools. Nothing leaves the machine, and what is returned has no cookie, token,
 * body or value of a query. Error: a {@link Problem} that says what is wrong with the file.
 */
export async function readHar(file: string): Promise<Recording> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw new Problem(`${visible(file)} could not be read (${error.code}). Is the path right?`);
  });
  // A pipe or a device may never end.
  if (!found.isFile()) throw new Problem(`${visible(file)} is no file. Expected a HAR file.`);
  const { size } = found;
  if (size > MAX_FILE) {
    throw new Problem(
      `${visible(file)} has ${Math.round(size / 2 ** 20)} MiB; at most ${MAX_FILE / 2 ** 20} are read. Record a shorter time, or without bodies.`,
    );
  }
  return parseHar((await readFile(file, 'utf8')).replace(/^\uFEFF/, ''), file);
}

export function parseHar(json: string, name = 'The recording'): Recording {
  const wrong = (what: string) =>
    new Problem(
      `${visible(name)} ${what}. Expected a HAR file: in the browser's developer tools, "Network", then "Export HAR" or "Save all as HAR".`,
    );
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    throw wrong(json.trim() === '' ? 'is empty' : 'is not JSON, or is cut off');
  }
  const log = (parsed as { log?: unknown } | null)?.log as { entries?: unknown; creator?: unknown } | undefined;
  if (!Array.isArray(log?.entries)) throw wrong('has no list "log.entries"');
  const all = log.entries as unknown[];
  if (all.length === 0) throw wrong('has no requests');
  const entries = all.slice(0, MAX_ENTRIES).flatMap((entry) => {
    const result = entrySchema.safeParse(entry);
    return result.success && URL.canParse(result.data.request.url) ? [result.data] : [];
  });
  if (entries.length === 0) throw wrong('has no request with a URL and a time');
  const began = entries.reduce(
    (min, { startedDateTime }) => Math.min(min, Date.parse(startedDateTime)),
    Number.POSITIVE_INFINITY,
  );
  const requests = entries.map((entry) => recorded(entry, began)).sort((a, b) => a.startedAt - b.startedAt);
  const creator = z.object({ name: text, version: text }).catch({ name: 'unknown', version: '' }).parse(log.creator);
  return {
    creator: visible(`${creator.name} ${creator.version}`.trim(), { most: 60 }),
    requests,
    durationMs: requests.reduce((end, { endedAt }) => Math.max(end, endedAt), 0),
    unreadable: Math.min(all.length, MAX_ENTRIES) - entries.length,
    leftOut: Math.max(0, all.length - MAX_ENTRIES),
  };
}

/** Parameters that only keep caches away: their value is another one each time. */
const BUSTER = /^(_|_t|cb|cachebust(er)?|nocache|nonce|r|rand|random|t|time|timestamp|ts)$/i;

/** An entry without its secrets. `began` is when the recording began, in milliseconds since the epoch. */
export function recorded(entry: Entry, began: number): Recorded {
  const { request, response, timings } = entry;
  const header = (list: { name: string; value: string }[] | undefined, name: string) =>
    list?.find((each) => each.name.toLowerCase() === name)?.value;
  const url = new URL(request.url);
  for (const name of [...url.searchParams.keys()]) if (BUSTER.test(name)) url.searchParams.delete(name);
  url.username = '';
  url.password = '';
  url.hash = '';
  const names = [...new Set(url.searchParams.keys())];
  const shown = `${shownUrl(url.origin === 'null' ? `${url.protocol}//…` : `${url.origin}${url.pathname}`)}${names.length ? `?${visible(names.map((name) => `${name}=…`).join('&'), { most: 80 })}` : ''}`;
  const type = (response.content?.mimeType ?? header(response.headers, 'content-type') ?? '')
    .split(';', 1)[0]!
    .trim()
    .toLowerCase();
  const startedAt = Date.parse(entry.startedDateTime) - began;
  const { blocked = -1, _blocked_queueing: queued = -1 } = timings;
  const bytes = [response._transferSize, response.bodySize].find((size) => size !== undefined && size >= 0);
  const body = bodyOf(response.content);
  const version = (response.httpVersion || request.httpVersion).toLowerCase();
  const retryAfter = Number(header(response.headers, 'retry-after'));
  const accept = header(request.headers, 'accept') ?? '';
  const wantsStream =
    type === 'text/event-stream' ||
    entry._resourceType === 'eventsource' ||
    /^text\/event-stream$/i.test(accept.trim());
  return {
    ...{
      method: request.method.toUpperCase().slice(0, 16) || 'GET',
      shown,
      origin: url.origin,
      startedAt,
      type,
      bytes,
      wantsStream,
    },
    key: hash(`${request.method} ${url.href}`),
    endedAt: startedAt + Math.max(0, entry.time),
    blockedMs: Math.max(blocked, queued) >= 0 ? Math.max(blocked, queued) : undefined,
    status: Math.max(0, response.status ?? 0),
    body: body === undefined ? undefined : hash(body),
    etag: header(response.headers, 'etag'),
    retryAfter: Number.isFinite(retryAfter) ? retryAfter : undefined,
    lastEventId: header(request.headers, 'last-event-id'),
    eventIds: wantsStream ? idsOf(entry, body) : undefined,
    http1: version === '' || version === 'unknown' ? undefined : /^http\/1/.test(version),
    connection: entry.connection ?? entry._connectionId,
  };
}

const hash = (value: string) => createHash('sha256').update(value).digest('base64');

function bodyOf(content: NonNullable<Entry['response']['content']> = {}): string | undefined {
  if (content.text === undefined) return undefined;
  return content.encoding === 'base64' ? Buffer.from(content.text, 'base64').toString('utf8') : content.text;
}

/** The ids of a stream's events, as the browser noted them, or from the body. */
function idsOf(
  { _eventSourceMessages: messages }: Entry,
  body: string | undefined,
): (string | undefined)[] | undefined {
  if (messages) return messages.map(({ eventId }) => eventId || undefined);
  if (body === undefined) return undefined;
  const ids: (string | undefined)[] = [];
  const parser = createParser({ onEvent: ({ id }) => ids.push(id), maxBufferSize: 2 ** 20 });
  try {
    parser.feed(body);
  } catch {
    // What came before the event that is too long is kept.
  }
  return ids;
}
