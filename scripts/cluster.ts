// `npm run cluster`: several servers on one engine, in the foreground.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Cluster } from './cluster/cluster.js';
import { commands } from './commands.mjs';
import { runCommand } from './shared/command.mjs';
import { readFlags } from './shared/flags.mjs';
import { checkout, pathsOf } from './shared/paths.mjs';

await runCommand(async (signal) => {
  const { servers, engine = process.env.ENGINE, port } = readFlags(commands.cluster);
  const say = (line: string) => process.stdout.write(`${line}\n`);
  // Two clusters of one checkout have nothing in common.
  const folder = join(pathsOf(checkout).own, `cluster-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  try {
    const options = { root: checkout, servers, folder, engine: engine || undefined, port: port || undefined };
    const cluster = await Cluster.start({ ...options, fromEnvironment: true, say, signal });
    // A named engine may have a password in its URL.
    if (!engine) say(`engine ${cluster.url}`);
    for (const { name, url } of cluster.servers) say(`ready ${url}  ${name}`);
    say('Ctrl-C stops all of it.');
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    await cluster.stop();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
