// The floor: node:http with the routes that are measured and nothing else. No ledger, no limits, no durable store, no
// checks, no heartbeats: written as anyone would write it first. It prints the port that it took.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { findJob, type StoredEvent, submitJob, waitMs } from './job-store.js';
import { announce } from './peer.js';

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
    if (path === '/jobs') return json(res, 202, submitJob());
    const job = findJob(path.split('/')[2] ?? '');
    if (!job) return json(res, 404, {});
    if (path.endsWith('/progress')) job.advance(body.progress);
    else job.finish(body.result);
    return res.writeHead(204).end();
  }
  const [, , jobId = '', resource] = path.split('/');
  const job = findJob(jobId);
  if (!job) return json(res, 404, {});
  if (resource === undefined) return json(res, 200, job);
  if (resource === 'result') {
    if (job.finishedAt) return json(res, 200, job.result);
    const answer = () => json(res, 200, job.result);
    job.waiters.add(answer);
    const late = setTimeout(() => json(res, 202, job), waitMs(req.headers.prefer));
    res.on('close', () => {
      clearTimeout(late);
      job.waiters.delete(answer);
    });
    return;
  }
  res.writeHead(200, { 'Content-Type': 'text/event-stream' });
  for (const { frame } of job.events.slice(Number(req.headers['last-event-id'] ?? 0))) res.write(frame);
  const send = ({ frame }: StoredEvent) => res.write(frame);
  job.streams.add(send);
  res.on('close', () => job.streams.delete(send));
});
server.keepAliveTimeout = 60_000;
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  announce(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
