import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type * as Zmq from 'zeromq';
import { temporaryFolder } from '../../shared/temporary-folder.mjs';
import { decode, encode, type Message, makeMessage } from '../protocol.js';
import { type Place, registeredIn } from './registration.mjs';

export interface Finding {
  ok: boolean;
  found: string;
}

/** How long a kernel may take to answer: a machine may be slow, and do other things. */
const PATIENCE_MS = 60_000;

/** What this machine has, and whether the kernel in `folder` starts, runs a cell and ends. */
export async function* findings(folder: string, places: Place[], signal: AbortSignal): AsyncGenerator<Finding> {
  yield { ok: true, found: `Node ${process.versions.node} (${process.execPath})` };
  const fromKernel = createRequire(join(folder, 'launch.cjs'));
  const tslab = createRequire(fromKernel.resolve('tslab/package.json'));
  const versionOf = (name: string) => tslab(`${name}/package.json`).version;
  const compiler = `TypeScript ${versionOf('@tslab/typescript-for-tslab')}`;
  yield { ok: true, found: `tslab ${fromKernel('tslab/package.json').version}, with ${compiler}` };

  const registered = places.flatMap(registeredIn);
  for (const { path, node, launcher } of registered) {
    const missing = [node, launcher].find((file) => !existsSync(file));
    yield missing
      ? { ok: false, found: `${path} starts ${missing}, which is gone: install again` }
      : { ok: true, found: `registered: ${path}` };
  }
  const looked = places.map(({ data }) => join(data, 'kernels')).join(' and ');
  if (registered.length === 0) yield { ok: true, found: `registered nowhere (looked in ${looked})` };

  const began = performance.now();
  try {
    const zmq: typeof Zmq = tslab('zeromq');
    const shown = await runCell(zmq, join(folder, 'launch.cjs'), 'const answer: number = 6 * 7; answer', signal);
    const took = `${((performance.now() - began) / 1000).toFixed(1)} s`;
    yield shown === '42'
      ? { ok: true, found: `it starts, runs a cell, and ends (${took})` }
      : { ok: false, found: `its cell should have shown 42, and showed ${JSON.stringify(shown)}` };
  } catch (error) {
    yield { ok: false, found: `it does not run a cell: ${(error as Error).message}` };
  }
}

/** Starts a kernel, runs one cell, and returns what it showed as its result. */
async function runCell(zmq: typeof Zmq, launcher: string, code: string, signal: AbortSignal): Promise<unknown> {
  const { path: folder, remove } = temporaryFolder('kernel-doctor-');
  const key = randomUUID();
  // Sockets that are files need no free ports.
  const ports = { shell_port: 1, iopub_port: 2, stdin_port: 3, control_port: 4, hb_port: 5 };
  const connection = { transport: 'ipc', ip: join(folder, 's'), key, signature_scheme: 'hmac-sha256', ...ports };
  const file = join(folder, 'connection.json');
  await writeFile(file, JSON.stringify(connection));
  const kernel = spawn(process.execPath, [launcher, file], {
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: folder,
    signal,
  });
  let said = '';
  kernel.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2_000);
  });
  const ended = new Promise<never>((_, reject) => {
    kernel.once('error', reject);
    kernel.once('close', (exitCode) => reject(new Error(`it ended with ${exitCode}. ${said}`)));
  });
  ended.catch(() => {});
  const [shell, control, iopub] = [new zmq.Dealer(), new zmq.Dealer(), new zmq.Subscriber()];
  const sockets = [shell, control, iopub];
  for (const socket of sockets) socket.receiveTimeout = PATIENCE_MS;
  const hear = async (socket: Zmq.Dealer | Zmq.Subscriber): Promise<Message> =>
    decode(key, await Promise.race([socket.receive(), ended]));
  try {
    const at = (port: number) => `ipc://${connection.ip}-${port}`;
    iopub.subscribe();
    for (const [socket, port] of [
      [shell, 1],
      [iopub, 2],
      [control, 4],
    ] as const)
      socket.connect(at(port));
    await shell.send(encode(key, makeMessage('kernel_info_request', undefined, {})));
    await hear(shell);
    const request = makeMessage('execute_request', undefined, { code, silent: false, store_history: true });
    await shell.send(encode(key, request));
    let shown: unknown;
    for (let idle = false; !idle; ) {
      const { header, parent, content } = await hear(iopub);
      if (parent.msg_id !== request.header.msg_id) continue;
      if (header.msg_type === 'error') throw new Error(`${content.ename}: ${content.evalue}`);
      if (header.msg_type === 'execute_result') shown = (content.data as Record<string, unknown>)['text/plain'];
      idle = header.msg_type === 'status' && content.execution_state === 'idle';
    }
    await control.send(encode(key, makeMessage('shutdown_request', undefined, { restart: false })));
    await Promise.race([hear(control), ended]);
    return shown;
  } finally {
    for (const socket of sockets) socket.close();
    kernel.kill();
    await ended.catch(() => {});
    remove();
  }
}
