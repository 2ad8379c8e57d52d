// Hono on @hono/node-server, as its documentation writes such routes: c.json, and streamSSE with writeSSE and onAbort.
// In JavaScript, because the packages, and so their types, are installed only where they are measured.
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { streamSSE } from 'hono/streaming';
import { findJob, submitJob, waitMs } from '../job-store.js';
import { announce } from '../peer.js';

const app = new Hono();

function jobOf(c) {
  const job = findJob(c.req.param('jobId'));
  if (!job) throw new HTTPException(404, { message: 'There is no such job.' });
  return job;
}

app.post('/jobs', async (c) => {
  await c.req.json();
  return c.json(submitJob(), 202);
});

app.post('/jobs/:jobId/progress', async (c) => {
  const { progress } = await c.req.json();
  jobOf(c).advance(progress);
  return c.body(null, 204);
});

app.post('/jobs/:jobId/finish', async (c) => {
  const { result } = await c.req.json();
  jobOf(c).finish(result);
  return c.body(null, 204);
});

app.get('/jobs/:jobId', (c) => c.json(jobOf(c)));

app.get('/jobs/:jobId/result', async (c) => {
  const job = jobOf(c);
  if (!job.finishedAt) {
    await new Promise((resolve) => {
      const late = setTimeout(resolve, waitMs(c.req.header('Prefer')));
      const answer = () => {
        clearTimeout(late);
        resolve();
      };
      job.waiters.add(answer);
      c.env.outgoing.on('close', () => {
        job.waiters.delete(answer);
        answer();
      });
    });
  }
  return job.finishedAt ? c.json(job.result) : c.json(job, 202);
});

app.get('/jobs/:jobId/events', (c) => {
  const job = jobOf(c);
  return streamSSE(c, async (stream) => {
    const send = ({ id, event, data }) => stream.writeSSE({ id, event, data });
    for (const event of job.events.slice(Number(c.req.header('Last-Event-ID') ?? 0))) void send(event);
    job.streams.add(send);
    // The stream ends when this function does.
    await new Promise((resolve) => stream.onAbort(resolve));
    job.streams.delete(send);
  });
});

const serverOptions = { keepAliveTimeout: 60_000 };
serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1', serverOptions }, ({ port }) =>
  announce(`http://127.0.0.1:${port}`),
);
