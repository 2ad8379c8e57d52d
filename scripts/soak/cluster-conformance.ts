// Holds a cluster to the interface: each of its servers, and all of them for a client that changes server at every request.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster } from '../cluster/cluster.js';
import { NO_ENGINE } from '../cluster/engine.js';
import { findEngine } from '../shared/find-program.mjs';
import { checkout, pathsOf } from '../shared/paths.mjs';
import { type Count, vitest } from '../test/test-steps.js';

const SERVERS = 3;

/** Runs the conformance tests. What needs settings or a process of its own, and what each server has for itself, is skipped and named. */
export async function clusterConformance(limitMs: number, signal: AbortSignal): Promise<Count> {
  const count: Count = { passed: 0, failed: 0, skipped: [] };
  if (!findEngine(pathsOf(checkout)))
    return { ...count, skipped: [`the conformance tests of a cluster: ${NO_ENGINE}`] };
  const folder = mkdtempSync(join(tmpdir(), 'polling-lab-cluster-'));
  const cluster = await Cluster.start({ root: checkout, servers: SERVERS, folder, signal });
  try {
    const urls = cluster.servers.map(({ url }) => url);
    for (const aim of [...urls, urls.join(',')]) {
      signal.throwIfAborted();
      const what = aim.includes(',')
        ? 'another server at every request'
        : `server ${cluster.servers[urls.indexOf(aim)]!.name}`;
      process.stdout.write(`\n── the conformance tests: ${what}\n`);
      // One file after the other: some look at all that the service does.
      const args = ['server/conformance', '--no-file-parallelism'];
      const one = await vitest(
        { name: 'soak-cluster-conformance', args, limitMs, env: { CONFORMANCE_URL: aim } },
        signal,
      );
      count.passed += one.passed;
      count.failed += one.failed;
      count.skipped.push(...one.skipped.map((name) => `${name} (${what})`));
    }
  } finally {
    await cluster.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  return count;
}
