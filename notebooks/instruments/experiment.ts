import { randomBytes } from 'node:crypto';
import { finished } from 'node:stream';
import { remedyAt } from './remedy.js';
import { type Technique, techniqueOf } from './technique.js';
import { NOTEBOOK } from './this-notebook.js';

/** A request as the client that sent it saw it. Times are milliseconds since the epoch. */
export interface SentRequest {
  technique: Technique;
  method: string;
  path: string;
  sentAt: number;
  /** When the head of the response was here; null until then. */
  answeredAt: number | null;
  /** When the body was read to its end; null until then, and where the client cannot tell. */
  endedAt: number | null;
  /** The status of the response; null until it is here. */
  status: number | null;
  /** Why there was no response: the connection failed, or the client gave up. */
  error: string | null;
}

/** What is needed of a `fetch`: both node-fetch's and Node's own have it. */
export type FetchLike = (url: never, init?: never) => Promise<{ readonly status: number; readonly body: unknown }>;

type Init = { method?: string; headers?: ConstructorParameters<typeof Headers>[0] };

/** Requests that are counted together, by the client and, under the same name, by the server. */
export interface Experiment<F> {
  /**
   * The name that the requests bear in the header `Experiment`: `03-short-polling / one client #a1b2c3`. The server's page groups
   * experiments by the notebook before the slash. A new name each time, so that a cell can be run again.
   */
  readonly name: string;
  /** What is tried, as the cell has said it. */
  readonly title: string;
  /** A `fetch` that writes a row for every request it sends, and changes nothing else. */
  readonly fetch: F;
  /** The client's own record: one row per request, in the order they were sent. */
  readonly rows: SentRequest[];
}

/**
 * Begins an experiment: gives you a `fetch` that keeps a record.
 *
 * @param title What is tried, in a few words. The server keeps its own count under it.
 * @param fetch The client to record: node-fetch, Node's own `fetch`, or any other of that shape.
 * @param notebook The notebook that the experiment belongs to; by default the one that runs.
 * @example
 * const run = experiment('one job, one client', fetch);
 * await run.fetch(`${server.url}/jobs`, { method: 'POST' });
 * run.rows.length; // 1
 */
export function experiment<F extends FetchLike>(title: string, fetch: F, notebook = NOTEBOOK): Experiment<F> {
  const name = `${group(notebook)}${title.slice(0, 60)} #${randomBytes(3).toString('hex')}`;
  const rows: SentRequest[] = [];
  const recorded = async (input: string | URL, init: Init = {}) => {
    const url = absolute(input);
    const headers = new Headers(init.headers);
    const method = (init.method ?? 'GET').toUpperCase();
    const row = begin(method, url, headers);
    rows.push(row);
    headers.set('Experiment', name);
    try {
      const marked = { ...init, headers: Object.fromEntries(headers) };
      const response = await fetch(input as never, marked as never);
      row.answeredAt = now();
      row.status = response.status;
      noteEnd(response, row);
      return response;
    } catch (error) {
      row.endedAt = now();
      row.error = (error as Error).message;
      throw explained(error as NodeJS.ErrnoException, url);
    }
  };
  return { name, title, fetch: recorded as unknown as F, rows };
}

/**
 * What groups an experiment's name: at most 28 characters, so that the whole name stays within the ledger's 100. A header
 * carries no character outside ASCII safely (RFC 9110, section 5.5), and a file may be named with any.
 */
const group = (notebook: string) => (notebook ? `${notebook.replace(/[^ -~]/g, '_').slice(0, 25)} / ` : '');

/** The wall clock, with a resolution under a millisecond. */
export const now = () => performance.timeOrigin + performance.now();

function begin(method: string, url: URL, headers: Headers): SentRequest {
  const technique = techniqueOf(method, url, headers);
  const path = url.pathname + url.search;
  return {
    technique,
    method,
    path,
    sentAt: now(),
    answeredAt: null,
    endedAt: null,
    status: null,
    error: null,
  };
}

function absolute(input: string | URL): URL {
  try {
    return new URL(input);
  } catch {
    throw new TypeError(`Expected a whole URL, got "${input}". Put the server's in front: \`\${server.url}/jobs\`.`);
  }
}

/** Notes when the body has been read to its end. */
function noteEnd(response: { body: unknown }, row: SentRequest): void {
  const end = () => {
    row.endedAt = now();
  };
  const { body } = response;
  if (body === null) {
    end();
    return;
  }
  // node-fetch's bodies are Node streams, which tell without being read by us.
  if (typeof (body as NodeJS.ReadableStream).pipe === 'function') {
    finished(body as NodeJS.ReadableStream, end);
    return;
  }
  // A web stream does not; the ways to read it whole do. A stream that is read in pieces stays open in the record.
  const whole = response as unknown as Record<string, () => Promise<unknown>>;
  for (const name of ['arrayBuffer', 'blob', 'json', 'text']) {
    const read = whole[name]?.bind(response);
    if (read) whole[name] = () => read().finally(end);
  }
}

/** A refused connection in words that say what to do; any other error as it came. */
export function explained(error: NodeJS.ErrnoException, { origin }: URL): Error {
  const code = error.code ?? (error.cause as NodeJS.ErrnoException | undefined)?.code;
  if (code !== 'ECONNREFUSED') return error;
  const remedy = remedyAt(origin) ?? 'Run again the cell that gave you this URL.';
  return new Error(`No server answers at ${origin}. ${remedy}`, { cause: error });
}
