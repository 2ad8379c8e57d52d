// The floor: node:http with the routes that are measured and nothing else. No ledger, no limits, no store, no checks,
// no heartbeats: written as anyone would write it first. It prints the port that it took.
import { randomUUID } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

class Job {
  readonly jobId = randomUUID();
  state = 'running';
  progress = 0;
  version = 2;
  readonly createdAt = new Date().toISOString();
  readonly startedAt = this.createdAt;
  finishedAt: string | null = null;
  result: unknown = null;
  readonly events: string[] = [];
  readonly streams = new Set<ServerResponse>();
  readonly waiters = new Set<ServerResponse>();

  tell(event: string, more = {}): void {
    const data = JSON.stringify({ jobId: this.jobId, progress: this.progress, version: ++this.version, ...more });
    const text = `id: ${this.events.length + 1}\nevent: ${event}\ndata: ${data}\n\n`;
    this.events.push(text);
    for (const res of this.streams) res.write(text);
  }

  toJSON() {
    const { jobId, state, progress, version, createdAt, startedAt, finishedAt, result } = this;
    const self = `/jobs/${jobId}`;
    const links = { self, result: `${self}/result`, events: `${self}/events` };
    const times = { createdAt, startedAt, finishedAt };
    return { jobId, kind: 'manual', state, progress, version, ...times, result, error: null, links };
  }
}

const jobs = new Map<string, Job>();

function json(res: ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value);
  res.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }).end(body);
}

const server = createServer(async (req, res) => {
  const path = req.url ?? '';
  if (req.method === 'POST') {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk);
    const body = JSON.parse(Buffer.concat(chunks).toString());
    if (path === '/jobs') {
      const job = new Job();
      jobs.set(job.jobId, job);
      job.tell('queued');
      job.tell('started');
      return json(res, 202, job);
    }
    const job = jobs.get(path.split('/')[2] ?? '');
    if (!job) return json(res, 404, {});
    if (path.endsWith('/progress')) {
      job.progress = body.progress;
      job.tell('progress');
    } else {
      Object.assign(job, {
        state: 'succeeded',
        progress: 1,
        finishedAt: new Date().toISOString(),
        result: body.result,
      });
      job.tell('succeeded', { result: job.result });
      for (const waiter of job.waiters) json(waiter, 200, job.result);
      job.waiters.clear();
    }
    return res.writeHead(204).end();
  }
  const [, , jobId = '', resource] = path.split('/');
  const job = jobs.get(jobId);
  if (!job) return json(res, 404, {});
  if (resource === undefined) return json(res, 200, job);
  if (resource === 'result') {
    if (job.finishedAt) return json(res, 200, job.result);
    job.waiters.add(res);
    const late = setTimeout(
      () => json(res, 202, job),
      Number(/wait=(\d+)/.exec(String(req.headers.prefer))?.[1] ?? 0) * 1000,
    );
    res.on('close', () => {
      clearTimeout(late);
      job.waiters.delete(res);
    });
    return;
  }
  res.writeHead(200, { 'Content-Type': 'text/event-stream' });
  for (const event of job.events.slice(Number(req.headers['last-event-id'] ?? 0))) res.write(event);
  job.streams.add(res);
  res.on('close', () => job.streams.delete(res));
});
server.keepAliveTimeout = 60_000;
process.on('SIGTERM', () => process.exit()); // a profile is written at an exit, not where a signal ends it
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  process.stdout.write(`ready http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
