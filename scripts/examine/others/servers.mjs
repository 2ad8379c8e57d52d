// Streams and answers by libraries for Node, as their documentation writes them, each configured well and badly. Run in a
// folder that has the libraries; prints `NAME URL` for each server, and ends with its standard input.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const require = createRequire(join(process.cwd(), 'package.json'));
const load = (/** @type {string} */ name) => import(pathToFileURL(require.resolve(name)).href);

// One log of events for all of them, three a second.
/** @type {{ id: string, data: string }[]} */
const log = [];
/** @type {Set<() => void>} */
const waiting = new Set();
setInterval(() => {
  log.push({ id: String(log.length + 1), data: new Date().toISOString() });
  for (const wake of waiting) wake();
  waiting.clear();
}, 330);
/** Events after an id, then as they come. */
async function* after(/** @type {string | null | undefined} */ id, /** @type {AbortSignal} */ signal) {
  for (let next = id ? Number(id) : log.length; !signal.aborted; next += 1) {
    while (next >= log.length) await new Promise((resolve) => waiting.add(() => resolve(undefined)));
    if (!signal.aborted) yield/** @type {typeof log[number]} */ (log[next]);
  }
}
const gone = (/** @type {import('node:http').ServerResponse} */ response) => {
  const leaving = new AbortController();
  response.on('close', () => leaving.abort());
  return leaving.signal;
};
const tell = (/** @type {string} */ name, /** @type {import('node:http').Server} */ server) =>
  server.listen(0, '127.0.0.1', () =>
    console.log(`${name} http://127.0.0.1:${/** @type {any} */ (server.address()).port}`),
  );

process.stdin.on('end', () => process.exit()).resume();

// Express with better-sse.
{
  const { default: express } = await load('express');
  const { createSession } = await load('better-sse');
  const { default: compression } = await load('compression');
  const app = express();
  app.get('/resumes', async (/** @type {any} */ request, /** @type {any} */ response) => {
    const session = await createSession(request, response, { trustClientEventId: true });
    for await (const { id, data } of after(request.get('last-event-id'), gone(response)))
      session.push(data, 'tick', id);
  });
  app.get('/default', async (/** @type {any} */ request, /** @type {any} */ response) => {
    const session = await createSession(request, response);
    for await (const { id, data } of after(null, gone(response))) session.push(data, 'tick', id);
  });
  // By hand, behind the middleware that half of the tutorials have; nothing flushes it.
  app.get(
    '/compressed',
    compression({ filter: () => true }),
    async (/** @type {any} */ request, /** @type {any} */ response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
      for await (const { id, data } of after(request.get('last-event-id'), gone(response)))
        response.write(`id: ${id}\ndata: ${data}\n\n`);
    },
  );
  app.get('/session', (/** @type {any} */ _request, /** @type {any} */ response) => response.redirect('/login'));
  app.get('/login', (/** @type {any} */ _request, /** @type {any} */ response) =>
    response.send('<form><input type="password" name="p"></form>'),
  );
  app.get('/json', (/** @type {any} */ _request, /** @type {any} */ response) => response.json({ state: 'running' }));
  tell('express', createServer(app));
}

// Fastify with @fastify/sse.
{
  const { default: fastify } = await load('fastify');
  const app = fastify();
  await app.register((await load('@fastify/sse')).default);
  app.get('/resumes', { sse: true }, async (/** @type {any} */ request, /** @type {any} */ reply) => {
    await reply.sse.send(after(request.headers['last-event-id'], gone(reply.raw)));
  });
  app.get('/forgets', { sse: true }, async (/** @type {any} */ _request, /** @type {any} */ reply) => {
    await reply.sse.send(after(null, gone(reply.raw)));
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  console.log(`fastify http://127.0.0.1:${app.server.address().port}`);
}

// Hono.
{
  const { Hono } = await load('hono');
  const { streamSSE } = await load('hono/streaming');
  const { getRequestListener } = await load('@hono/node-server');
  const app = new Hono();
  app.get('/resumes', (/** @type {any} */ context) =>
    streamSSE(context, async (stream) => {
      const leaving = new AbortController();
      stream.onAbort(() => leaving.abort());
      for await (const event of after(context.req.header('last-event-id'), leaving.signal))
        await stream.writeSSE(event);
    }),
  );
  app.get('/no-ids', (/** @type {any} */ context) =>
    streamSSE(context, async (stream) => {
      const leaving = new AbortController();
      stream.onAbort(() => leaving.abort());
      for await (const { data } of after(null, leaving.signal)) await stream.writeSSE({ data });
    }),
  );
  tell('hono', createServer(getRequestListener(app.fetch)));
}

// MCP's SDK: each POST is answered by an event stream of its own.
{
  const { McpServer } = await load('@modelcontextprotocol/sdk/server/mcp.js');
  const { StreamableHTTPServerTransport } = await load('@modelcontextprotocol/sdk/server/streamableHttp.js');
  tell(
    'mcp',
    createServer(async (request, response) => {
      const server = new McpServer({ name: 'examined', version: '1' });
      const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
      response.on('close', () => transport.close());
      await server.connect(transport);
      await transport.handleRequest(request, response);
    }),
  );
}

// json-server.
{
  const { default: jsonServer } = await load('json-server');
  const app = jsonServer.create();
  app.use(jsonServer.router({ posts: [{ id: 1, title: 'one' }] }));
  tell('json-server', createServer(app));
}
