// `npm start`: the course's server in the background, and JupyterLab on the course.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalAddress, isLoopback, whereOthersReach } from '../server/edge/addresses.js';
import { commands } from './commands.mjs';
import { lock } from './setup/lock.mjs';
import type { Running } from './shared/child.mjs';
import { runCommand } from './shared/command.mjs';
import { readFlags } from './shared/flags.mjs';
import { whenOrphaned } from './shared/orphan.js';
import { checkout, pathsOf } from './shared/paths.mjs';
import { tryPort } from './shared/ports.mjs';
import { Problem } from './shared/problem.mjs';
import { chooseNotebook } from './start/choose-notebook.js';
import { accessTokenOf, keepCourseServer, namedServer, runningServer } from './start/course-server.js';
import { forgetOpenNotebooks, type Lab, notebookUrl, runningLab, startLab, sweepRuntime } from './start/lab.js';
import { openBrowser } from './start/open-browser.js';

const DEFAULT_PORT = 4321;
const DEFAULT_LAB_PORT = 8888;

const paths = pathsOf(checkout);
const say = (line: string) => process.stdout.write(`${line}\n`);

function announce(lab: Lab, serverUrl: string, notebook: string, open: boolean): void {
  const url = notebookUrl(lab, notebook);
  say(`\n  JupyterLab  ${url}\n  Server      ${serverUrl}\n`);
  if (open) openBrowser(url);
}

/** A port that was asked for and is taken is an error, told before anything is started. */
async function mustBeFree(flag: string, port: number | undefined): Promise<void> {
  if (!port) return;
  await tryPort(port).catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'EADDRINUSE' ? 'is taken' : `cannot be used (${error.code})`;
    throw new Problem(`Port ${port} ${why}. Name another with ${flag}, or leave it out to get a free one.`);
  });
}

function givesWay(what: string, wanted: number, asked: unknown, url: string): void {
  const got = Number(new URL(url).port);
  if (asked === undefined && got !== wanted) say(`Port ${wanted} is taken: ${what} is on port ${got}.`);
}

await runCommand(async (signal) => {
  const { port, 'lab-port': labPort, ...flags } = readFlags(commands.start);
  const notebook = chooseNotebook(checkout, flags.notebook);
  mkdirSync(paths.own, { recursive: true });

  // Two at once: the second waits until the first is up, and opens that.
  const held = await lock(
    join(paths.own, 'start.lock'),
    () => say('Another "npm start" is under way here: waiting for it.'),
    signal,
  );
  const children: Pick<Running, 'stop'>[] = [];
  const stopped = new Promise<'signal'>((resolve) => signal.addEventListener('abort', () => resolve('signal')));
  try {
    const there = await runningLab(paths);
    if (there) {
      say('Polling Lab is running already in this folder.');
      announce(there, (await runningServer(paths)) ?? 'not running', notebook, !flags['no-open']);
      return 0;
    }
    await mustBeFree('--port', port);
    await mustBeFree('--lab-port', labPort);
    const named = await namedServer(process.env, say);
    sweepRuntime(paths);
    forgetOpenNotebooks(paths);

    // JupyterLab takes longest, so it goes first; it is told the server's URL when that is known.
    const lab = startLab(paths, { port: labPort, notebook });
    children.push(lab);
    const existing = named?.url ?? (await runningServer(paths));
    const server = existing ? null : keepCourseServer(paths, port, say);
    if (server) children.push(server);
    const up = async () => {
      const url = existing ?? (await server!.ready);
      const accessToken = named ? named.accessToken : accessTokenOf(paths);
      return { serverUrl: url, info: await lab.tell({ url, accessToken }) };
    };
    const ready = await Promise.race([up(), stopped]);
    held.release();
    if (ready === 'signal') return;

    const { serverUrl, info } = ready;
    if (named) say('The server is the one that POLLING_LAB_URL names: your experiments are seen there.');
    else if (existing) say('The server of this folder was running already; it stays when this ends.');
    else givesWay('the server', DEFAULT_PORT, port ?? process.env.PORT, serverUrl);
    givesWay('JupyterLab', DEFAULT_LAB_PORT, labPort, info.url);
    announce(info, serverUrl, notebook, !flags['no-open']);
    const listen = canonicalAddress(process.env.LISTEN || '127.0.0.1');
    if (server && listen && !isLoopback(listen)) say(whereOthersReach(listen, Number(new URL(serverUrl).port)));
    say(named ? 'Ctrl-C stops JupyterLab.' : 'Ctrl-C stops both.');

    const orphaned = new Promise<'orphaned'>((resolve) => whenOrphaned(() => resolve('orphaned')));
    const ends = [stopped, orphaned, lab.ended.then(({ code }) => (code === 0 ? 'closed' : 'lab'))] as const;
    switch (await Promise.race(ends)) {
      case 'signal':
        say('\nStopping.');
        return 0;
      case 'closed':
        say('JupyterLab was shut down: stopping the server.');
        return 0;
      case 'lab':
        throw new Problem('JupyterLab ended by itself.', { exitCode: 1, details: lab.said() });
      default:
        return 1; // no terminal is left to print to
    }
  } finally {
    held.release();
    await Promise.all(children.map((child) => child.stop()));
  }
});
