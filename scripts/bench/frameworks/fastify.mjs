// Fastify with @fastify/sse, as their documentation writes such routes: serialization by a response schema ("Getting
// Started"), the plugin's keepAlive, send and onClose, its default heartbeat, and a serializer that leaves text as it is.
// In JavaScript, because the packages, and so their types, are installed only where they are measured.
import sse from '@fastify/sse';
import Fastify from 'fastify';
import { findJob, submitJob, waitMs } from '../job-store.js';
import { announce } from '../peer.js';

const text = { type: 'string' };
const jobSchema = {
  type: 'object',
  properties: {
    ...{ jobId: text, kind: text, state: text, progress: { type: 'number' }, version: { type: 'integer' } },
    ...{ createdAt: text, startedAt: text, finishedAt: { type: ['string', 'null'] }, result: {}, error: {} },
    links: { type: 'object', properties: { self: text, result: text, events: text } },
  },
};
const answers = (status) => ({ schema: { response: { [status]: jobSchema } } });

const app = Fastify({ keepAliveTimeout: 60_000 });
await app.register(sse, { serializer: (data) => (typeof data === 'string' ? data : JSON.stringify(data)) });

function jobOf({ params }) {
  const job = findJob(params.jobId);
  if (!job) throw Object.assign(new Error('There is no such job.'), { statusCode: 404 });
  return job;
}

app.post('/jobs', answers(202), async (_, reply) => {
  reply.code(202);
  return submitJob();
});

app.post('/jobs/:jobId/progress', async (request, reply) => {
  jobOf(request).advance(request.body.progress);
  return reply.code(204).send();
});

app.post('/jobs/:jobId/finish', async (request, reply) => {
  jobOf(request).finish(request.body.result);
  return reply.code(204).send();
});

app.get('/jobs/:jobId', answers(200), async (request) => jobOf(request));

app.get('/jobs/:jobId/result', answers(202), (request, reply) => {
  const job = jobOf(request);
  const answer = () => reply.send(job.result);
  if (job.finishedAt) return answer();
  job.waiters.add(answer);
  const late = setTimeout(() => reply.code(202).send(job), waitMs(request.headers.prefer));
  reply.raw.on('close', () => {
    clearTimeout(late);
    job.waiters.delete(answer);
  });
});

app.get('/jobs/:jobId/events', { sse: 'only' }, async (request, reply) => {
  const job = jobOf(request);
  reply.sse.keepAlive();
  reply.sse.sendHeaders(); // without an event to send at once, Fastify would end the answer
  const send = ({ id, event, data }) => reply.sse.send({ id, event, data });
  for (const event of job.events.slice(Number(reply.sse.lastEventId ?? 0))) void send(event);
  job.streams.add(send);
  reply.sse.onClose(() => job.streams.delete(send));
});

announce(await app.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }));
