import { randomUUID } from 'node:crypto';
import http from 'node:http';
import type { Technique } from '../techniques.js';
import { StreamReader } from './stream.js';
import type { EventPage, Job, Row, Total, Traffic } from './types.js';
import { eventually, within } from './within.js';

export type Headers = Record<string, string | string[]>;

export interface RequestOptions {
  headers?: Headers;
  /** A value sent as JSON, with its content type. */
  json?: unknown;
  /** Bytes sent with a Content-Length; an iterable is sent chunked. */
  body?: string | Buffer | AsyncIterable<Buffer | string>;
  /** Milliseconds until the test gives up on an answer; 75,000, longer than the contract's longest wait. */
  deadline?: number;
  /** Drops the connection when it aborts. */
  signal?: AbortSignal;
}

/** An answer, whole. */
export class Answer {
  constructor(
    readonly status: number,
    readonly headers: http.IncomingHttpHeaders,
    readonly rawHeaders: string[],
    readonly body: Buffer,
  ) {}

  get text(): string {
    return this.body.toString();
  }

  get type(): string {
    return (this.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
  }

  json<T = Record<string, unknown>>(): T {
    try {
      return JSON.parse(this.text) as T;
    } catch {
      throw new Error(`expected JSON, got ${this.status} ${this.type}: ${this.text.slice(0, 500)}`);
    }
  }

  get job(): Job {
    return this.json<Job>();
  }
}

/** A client of the contract's interface, with nothing of its own: no retries, no kept connections, no cache. */
export class Client {
  private bases: string[] = [];
  /** Sent with every request that has no such header of its own. */
  headers: Headers = {};
  private turn = 0;

  /**
   * @param base - the server's URL without a slash at its end; may be set later, before the first request. Of several servers
   * that share an engine, all their URLs, with commas: every request goes to the next of them.
   */
  constructor(base = '') {
    this.base = base;
  }

  set base(urls: string) {
    this.bases = urls.split(',');
  }

  get base(): string {
    return this.bases[this.turn++ % this.bases.length] as string;
  }

  /** Sends a request and resolves with its response once the headers are there; the body is the caller's to read. */
  open(method: string, path: string, options: RequestOptions = {}): Promise<http.IncomingMessage> {
    const body = options.json === undefined ? options.body : JSON.stringify(options.json);
    const headers: Headers = { ...this.headers, ...options.headers };
    const named = Object.keys(headers).map((name) => name.toLowerCase());
    if (options.json !== undefined && !named.includes('content-type')) {
      headers['Content-Type'] = 'application/json';
    }
    const whole = typeof body === 'string' || Buffer.isBuffer(body);
    if (whole && !named.includes('content-length')) {
      headers['Content-Length'] = String(Buffer.byteLength(body));
    }
    return new Promise((resolve, reject) => {
      const request = http.request(this.base, {
        path, // as it is: a URL would be normalized
        method,
        headers,
        agent: false,
        ...(options.signal && { signal: options.signal }),
      });
      let answered = false;
      request.once('response', (response) => {
        answered = true;
        resolve(response);
      });
      // A server may answer (413, say) and close before it has read the whole body: the answer counts.
      request.on('error', (error) => answered || reject(error));
      if (body === undefined || whole) request.end(body);
      else {
        void (async () => {
          try {
            for await (const chunk of body) {
              if (request.destroyed) return;
              await new Promise<void>((written) => request.write(chunk, () => written()));
            }
            request.end();
          } catch (error) {
            request.destroy(error as Error);
          }
        })();
      }
    });
  }

  async request(method: string, path: string, options: RequestOptions = {}): Promise<Answer> {
    const exchange = async () => {
      const response = await this.open(method, path, options);
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      return new Answer(response.statusCode ?? 0, response.headers, response.rawHeaders, Buffer.concat(chunks));
    };
    return within(exchange(), `an answer to ${method} ${path}`, options.deadline ?? 75_000);
  }

  get(path: string, headers: Headers = {}): Promise<Answer> {
    return this.request('GET', path, { headers });
  }

  post(path: string, json: unknown, headers: Headers = {}): Promise<Answer> {
    return this.request('POST', path, { json, headers });
  }

  delete(path: string, headers: Headers = {}): Promise<Answer> {
    return this.request('DELETE', path, { headers });
  }

  // ── Jobs ──

  async manual(headers: Headers = {}): Promise<Job> {
    return accepted(await this.post('/jobs', { kind: 'manual' }, headers));
  }

  async simulated(settings: object = {}, headers: Headers = {}): Promise<Job> {
    const job = { kind: 'simulated', durationMs: 0, steps: 4, failAtStep: null, ...settings };
    return accepted(await this.post('/jobs', job, headers));
  }

  upload(
    body: Buffer | string | AsyncIterable<Buffer | string>,
    options: { type?: string; query?: string; headers?: Headers } = {},
  ): Promise<Answer> {
    const headers = { 'Content-Type': options.type ?? 'video/mp4', ...options.headers };
    return this.request('POST', `/jobs${options.query ?? ''}`, { headers, body });
  }

  async job(id: string): Promise<Job> {
    return (await this.get(`/jobs/${id}`)).job;
  }

  async progress(id: string, progress: number, passedOn: object = {}): Promise<void> {
    const answer = await this.post(`/jobs/${id}/progress`, { progress, ...passedOn });
    if (answer.status !== 204) {
      throw new Error(`expected 204 to progress, got ${answer.status}: ${answer.text}`);
    }
  }

  async finish(id: string, outcome: object = { result: { answer: 42 } }): Promise<void> {
    const answer = await this.post(`/jobs/${id}/finish`, outcome);
    if (answer.status !== 204) {
      throw new Error(`expected 204 to finish, got ${answer.status}: ${answer.text}`);
    }
  }

  /** A manual job that has ended. */
  async finished(outcome?: object): Promise<Job> {
    const { jobId } = await this.manual();
    await this.finish(jobId, outcome);
    return this.job(jobId);
  }

  /** Polls until a job has one of the states; by default, until it has ended. */
  until(id: string, ...states: Job['state'][]): Promise<Job> {
    const wanted = states.length ? states : ['succeeded', 'failed', 'cancelled'];
    let last: Job | undefined;
    return eventually(
      async () => {
        last = await this.job(id);
        return wanted.includes(last.state) ? last : undefined;
      },
      () => `job ${id} to be ${wanted.join(' or ')}; it is ${JSON.stringify(last)}`,
      60_000,
    );
  }

  // ── Events ──

  async stream(path: string, headers: Headers = {}): Promise<StreamReader> {
    const response = await within(
      this.open('GET', path, { headers: { Accept: 'text/event-stream', ...headers } }),
      `the headers of the stream ${path}`,
    );
    return new StreamReader(response);
  }

  async consume(path: string, headers: Headers = {}): Promise<EventPage> {
    const answer = await this.get(path, { Accept: 'application/json', ...headers });
    if (answer.status !== 200) {
      throw new Error(`expected 200 to ${path}, got ${answer.status}: ${answer.text}`);
    }
    return answer.json<EventPage>();
  }

  // ── The ledger ──

  async traffic(experiment?: string): Promise<Traffic> {
    const query = experiment === undefined ? '' : `?experiment=${encodeURIComponent(experiment)}`;
    const read = async (client: Client) => {
      const answer = await client.get(`/traffic${query}`);
      if (answer.status !== 200) throw new Error(`/traffic: ${answer.status} ${answer.text}`);
      return answer.json<Traffic>();
    };
    // Each server has a ledger of its own.
    const each = this.bases.length > 1 ? this.bases.map((base) => new Client(base)) : [this];
    const [first, ...others] = await Promise.all(each.map(read));
    return others.reduce(added, first as Traffic);
  }

  /** Waits until the ledger shows so many requests of an experiment, all of them over. */
  settled(experiment: string, requests: number): Promise<Traffic> {
    let last: Traffic | undefined;
    return eventually(
      async () => {
        last = await this.traffic(experiment);
        const over = last.requests.filter((row) => row.endedAt !== null).length;
        return over === requests && last.requests.length === requests ? last : undefined;
      },
      () => `${requests} ended rows of ${experiment}; there are ${JSON.stringify(last, null, 1)}`,
    );
  }

  /** Waits until no request of an experiment is open, by the totals. */
  quiet(experiment: string): Promise<Traffic> {
    return eventually(async () => {
      const traffic = await this.traffic(experiment);
      return sum(traffic.totals, 'open') === 0 ? traffic : undefined;
    }, `${experiment} to have no open requests`);
  }

  /**
   * Waits until the server itself says that so many requests of an experiment are held: arrived, not answered.
   * This is how a test knows that its long poll has got there, without waiting for a time.
   */
  async held(experiment: string, requests = 1): Promise<Row[]> {
    let last: Traffic | undefined;
    const held = await eventually(
      async () => {
        last = await this.traffic(experiment);
        const held = last.requests.filter((row) => row.endedAt === null && row.answeredAt === null);
        return held.length === requests ? held : undefined;
      },
      () => `${requests} held requests of ${experiment}; there are ${JSON.stringify(last, null, 1)}`,
    );
    // A server that shares its engine first asks it for its newest position. When it answers a later request, it is past that.
    if (process.env.CONFORMANCE_URL) await Promise.all(this.bases.map((base) => new Client(base).get('/jobs?limit=1')));
    return held;
  }
}

/** The ledgers of two servers as one. */
function added(one: Traffic, other: Traffic): Traffic {
  const requests = [...one.requests, ...other.requests].sort((a, b) => a.arrivedAt.localeCompare(b.arrivedAt));
  const members = ['requests', 'bytesIn', 'bytesOut', 'events', 'open'] as const;
  const totals = Object.entries(one.totals).map(([technique, total]) => {
    const more = other.totals[technique as Technique] as Total;
    return [technique, Object.fromEntries(members.map((member) => [member, total[member] + more[member]]))];
  });
  return { requests, totals: Object.fromEntries(totals) };
}

function accepted(answer: Answer): Job {
  if (answer.status !== 202) {
    throw new Error(`expected 202 to a submit, got ${answer.status}: ${answer.text}`);
  }
  return answer.job;
}

/** A name that no other test uses. */
export function newExperiment(): string {
  return `conformance-${randomUUID().slice(0, 8)}`;
}

export function sum(totals: Traffic['totals'], member: keyof Total): number {
  return Object.values(totals).reduce((all, total) => all + total[member], 0);
}

export function total(traffic: Traffic, technique: Technique): Total {
  return traffic.totals[technique] ?? { requests: 0, bytesIn: 0, bytesOut: 0, events: 0, open: 0 };
}
