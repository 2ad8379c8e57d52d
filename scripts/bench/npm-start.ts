import { join } from 'node:path';
import { start } from '../shared/child.mjs';
import { checkout, pathsOf } from '../shared/paths.mjs';
import { Problem } from '../shared/problem.mjs';
import { temporaryFolder } from '../shared/temporary-folder.mjs';
import { median } from './median.js';

const LIMIT_MS = 120_000;

/** How long a command takes until it says a text, in seconds. It is stopped then. */
async function timeTo(text: string, [program = '', ...args]: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const began = performance.now();
  const child = start(program, args, { cwd: checkout, env: { ...process.env, ...env } });
  try {
    return await new Promise((resolve, reject) => {
      const fail = (why: string) =>
        reject(new Problem(`"${program} ${args.join(' ')}" ${why}.`, { exitCode: 1, details: child.said() }));
      const timer = setTimeout(() => fail(`did not say "${text}" in ${LIMIT_MS / 1000} s`), LIMIT_MS);
      const look = () => {
        if (!child.said().includes(text)) return;
        clearTimeout(timer);
        resolve((performance.now() - began) / 1000);
      };
      child.process.stdout?.on('data', look);
      child.process.stderr?.on('data', look);
      void child.ended.then(() => {
        clearTimeout(timer);
        fail('ended');
      });
    });
  } finally {
    await child.stop();
  }
}

/** `npm start` and bare `jupyter lab`, in turns; tells the medians. */
export async function measureStart(rounds: number, signal: AbortSignal, say: (line: string) => void): Promise<void> {
  const runtime = temporaryFolder('polling-lab-bench-');
  const root = process.getuid?.() === 0 ? ['--allow-root'] : [];
  const lab = join(pathsOf(checkout).venv, 'bin', 'jupyter-lab');
  const commands = {
    'npm start': ['npm', 'start', '--silent', '--', '--no-open', '--port', '0', '--lab-port', '0'],
    'jupyter lab': [lab, '--no-browser', '--port=0', ...root],
  };
  const seconds: Record<string, number[]> = {};
  try {
    // Once for the caches, then for the record.
    for (let round = -1; round < rounds; round++) {
      for (const [name, command] of Object.entries(commands)) {
        signal.throwIfAborted();
        const ready = name === 'npm start' ? 'Ctrl-C stops both' : 'is running at';
        const took = await timeTo(ready, command, { JUPYTER_RUNTIME_DIR: runtime.path });
        if (round >= 0) seconds[name] = [...(seconds[name] ?? []), took];
      }
    }
  } finally {
    runtime.remove();
  }
  const [ours, bare] = Object.keys(commands).map((name) => median(seconds[name] ?? []));
  say(`  npm start ${ours!.toFixed(2)} s, jupyter lab ${bare!.toFixed(2)} s, ratio ${(ours! / bare!).toFixed(2)}`);
}
