import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Client } from './client.js';
import { Http2Client } from './http2.js';
import { LocalServer, ownServers, withServer } from './server.js';
import type { Job } from './types.js';
import { within } from './within.js';

/** The table of `server/README.md`: for each line, its cells. */
function tableOfBounds(): string[][] {
  const readme = readFileSync(fileURLToPath(new URL('../README.md', import.meta.url)), 'utf8');
  const section = readme
    .split(/^## /m)
    .find((part) => part.startsWith('What bounds what a client can make the server hold'));
  return (section ?? '')
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
}

ownServers('the inventory of bounds', () => {
  test('names every limit that --help names, with its default', async () => {
    const server = new LocalServer(['--help'], '', { bare: true });
    await server.exited;
    const limits = [
      ...server.stdout.matchAll(/^ {2}--((?:max|keep)-\S+|\S+-timeout-ms|stall-ms) .*\(default (\d+)\)$/gm),
    ];
    expect(limits.length).toBeGreaterThan(10);
    const bounds = tableOfBounds().map(([, bound = '']) => bound);
    for (const [, flag, fallback] of limits) {
      const told = bounds.find((bound) => bound.includes(`\`--${flag}\` (`));
      expect(told, `--${flag} in the table of server/README.md`).toBeDefined();
      const number = new RegExp(`\`--${flag}\` \\(([^)]+)\\)`).exec(told ?? '')?.[1] ?? '';
      expect(bytesOrNumber(number), `--${flag}: ${number}`).toBe(Number(fallback));
    }
  });
});

/** "32 MiB" or "10,000" as a number; durations are in milliseconds: "30 s". */
function bytesOrNumber(text: string): number {
  const [, digits = '', unit = ''] = /^([\d,]+) ?(KiB|MiB|GiB|s|min)?$/.exec(text) ?? [];
  const units: Record<string, number> = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, s: 1_000, min: 60_000 };
  return Number(digits.replaceAll(',', '')) * (units[unit] ?? 1);
}

/** Requests over connections that are kept: thousands are sent. */
function fast(base: string) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 20 });
  const send = (path: string, body: string, key?: string) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
      const named = key === undefined ? headers : { ...headers, 'Idempotency-Key': key };
      const request = http.request(`${base}${path}`, { agent, method: 'POST', headers: named }, (response) => {
        let text = '';
        response.on('data', (some) => {
          text += some;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      });
      request.on('error', reject).end(body);
    });
  return { send, close: () => agent.destroy() };
}

async function many(count: number, one: (n: number) => Promise<void>): Promise<void> {
  let n = 0;
  const worker = async () => {
    while (n < count) await one(n++);
  };
  await Promise.all(Array.from({ length: 40 }, worker));
}

ownServers('everything at its bound at once', () => {
  // `npm run soak` fills the server with its defaults; a sample fills one that may hold a tenth.
  const share = process.env.SOAK ? 1 : 10;
  const bounds = {
    jobs: 10_000 / share,
    waiters: 12_000 / share,
    unread: 1_200 / share,
    eventBytes: Math.floor((32 * 1024 ** 2) / share),
  };
  const flags =
    share === 1
      ? []
      : [
          ...['--max-jobs', String(bounds.jobs), '--max-waiters', String(bounds.waiters)],
          ...[
            '--max-event-bytes',
            String(bounds.eventBytes),
            '--keep-job-bytes',
            String(Math.floor((16 * 1024 ** 2) / share)),
          ],
          ...['--max-rows', String(20_000 / share)],
        ];
  const most = share === 1 ? 512e6 : 250e6;

  test(`${bounds.jobs} jobs, ${bounds.waiters} waiters, results, rows, unread answers: under ${most / 1e6} MB, others are served, and one more of each is refused`, async () => {
    await withServer(flags, async (server, client) => {
      const { send, close } = fast(server.url);
      const sessions: Http2Client[] = [];
      try {
        // Results of 60 KB, half as many again as are held.
        let large = '';
        await many(Math.ceil((1.5 * bounds.eventBytes) / 60_000), async (n) => {
          const { jobId } = JSON.parse((await send('/jobs', '{"kind":"manual"}')).text) as Job;
          const { status } = await send(
            `/jobs/${jobId}/finish`,
            JSON.stringify({ result: `${n}${'x'.repeat(60_000)}` }),
          );
          expect(status).toBe(204);
          large = jobId;
        });
        // Unfinished jobs, each with the longest key.
        const jobs: string[] = [];
        await many(bounds.jobs, async (n) => {
          const { status, text } = await send('/jobs', '{"kind":"manual"}', String(n).padEnd(255, 'k'));
          expect(status).toBe(202);
          jobs.push((JSON.parse(text) as Job).jobId);
        });
        expect((await send('/jobs', '{"kind":"manual"}')).status).toBe(429);
        // Streams, 100 on each of some connections.
        const { httpsUrl } = (await client.get('/healthz')).json<{ httpsUrl: string }>();
        for (let n = 0; n < bounds.waiters; n += 100) {
          const session = await Http2Client.connect(httpsUrl);
          sessions.push(session);
          const streams = Array.from({ length: 100 }, (_, i) => {
            const stream = session.send('GET', `/jobs/${jobs[(n + i) % jobs.length]}/events`, {
              accept: 'text/event-stream',
            });
            stream.resume();
            return new Promise((resolve, reject) => stream.once('response', resolve).once('error', reject));
          });
          for (const headers of (await within(Promise.all(streams), '100 streams')) as { ':status': number }[])
            expect(headers[':status']).toBe(200);
        }
        expect((await client.get('/events')).status).toBe(503);
        // Results that nobody takes, on connections whose window is shut.
        for (let n = 0; n < bounds.unread; n += 100) {
          const session = await Http2Client.connect(httpsUrl, { initialWindowSize: 0 });
          sessions.push(session);
          const streams = Array.from({ length: 100 }, () => session.send('GET', `/jobs/${large}/result`));
          // A head, or the end of the stream: of more than are held, some are dropped.
          const told = streams.map(
            (stream) => new Promise<void>((resolve) => stream.once('response', () => resolve()).once('close', resolve)),
          );
          await within(Promise.all(told), '100 answers that are not read');
        }
        await served(client, jobs[0] as string);
        const rss = residentBytes(server.pid);
        console.log(`everything at its bound: ${Math.round(rss / 1e6)} MB`);
        expect(rss).toBeLessThan(most);
      } finally {
        close();
        for (const session of sessions) session.close();
      }
    });
  }, 600_000);
});

ownServers('simulated jobs whose steps are due all at once', () => {
  const count = process.env.SOAK ? 10_000 : 5_000;

  test(`${count} jobs of 1,000 steps a second: others are served, an ordinary job ends, and SIGTERM ends the server`, async () => {
    await withServer([], async (server, client) => {
      const { send, close } = fast(server.url);
      try {
        const flood = JSON.stringify({ kind: 'simulated', durationMs: 1_000, steps: 1_000 });
        await many(count - 1, async () => expect((await send('/jobs', flood)).status).toBe(202));
        const submitted = await send('/jobs', '{"kind":"simulated","durationMs":100,"steps":2}');
        const { jobId } = JSON.parse(submitted.text) as Job;
        for (let n = 0; n < 20; n++) await within(client.get('/healthz'), 'GET /healthz', 10_000);
        expect((await client.until(jobId)).state).toBe('succeeded');
        expect(await unfinished(client)).toBeGreaterThan(0); // it did not wait for all the others
        expect(residentBytes(server.pid)).toBeLessThan(512e6);
      } finally {
        close();
      }
      server.kill('SIGTERM');
      expect(await within(server.exited, 'the server to exit', 10_000)).toEqual({ code: 0, signal: null });
    });
  }, 300_000);
});

/** How many jobs have not ended, as `GET /metrics` tells. */
async function unfinished(client: Client): Promise<number> {
  const { text } = await client.get('/metrics');
  return Number(/^polling_lab_jobs_unfinished (\d+)$/m.exec(text)?.[1]);
}

/** Another client is answered, by every technique that does not wait. */
async function served(client: Client, jobId: string): Promise<void> {
  for (const path of ['/healthz', `/jobs/${jobId}`, `/jobs/${jobId}/result`, '/jobs?limit=1000', '/metrics'])
    expect((await client.get(path)).status, path).toBeLessThan(300);
  await client.progress(jobId, 0.5);
}

/** What a process has in memory, as the system counts it. */
const residentBytes = (pid: number): number =>
  1024 * Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }));
