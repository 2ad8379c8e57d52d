// The front of the kernel: the Jupyter protocol, in a thread of its own.
import { readFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { parentPort } from 'node:worker_threads';
import type { Router } from 'zeromq';
import * as zmq from 'zeromq';
import { kernelInfo } from './info.js';
import { die, log, Shared, type ToFront, type ToMain } from './link.js';
import { watchParent } from './parent.js';
import { type Connection, type Content, decode, encode, type Header, type Message, makeMessage } from './protocol.js';
import { Publisher } from './publisher.js';

/** How long the main thread may leave a message unheard before it counts as stuck in a loop. */
const STUCK_MS = 150;
/** How long the kernel may take to its end: the running cell, and handlers of `process.on('exit')`. */
const EXIT_MS = 2000;

export function start(data: { connectionFile: string; shared: SharedArrayBuffer; isJS: boolean }): void {
  const connection: Connection = JSON.parse(readFileSync(data.connectionFile, 'utf8'));
  new Front(connection, new Int32Array(data.shared), data.isJS)
    .start()
    .catch((error) => die('The kernel could not open its sockets', error));
}

interface Request extends Message {
  socket: Router;
}

class Front {
  private readonly shell = new zmq.Router({ linger: 500 });
  private readonly control = new zmq.Router({ linger: 500 });
  private readonly stdin = new zmq.Router({ linger: 0 });
  private readonly heartbeat = new zmq.Reply({ linger: 0 });
  private readonly publisher: Publisher;
  /** Requests on the shell channel are answered one by one, in order. */
  private readonly queue: Request[] = [];
  private current: Request | undefined;
  /** Requests on the control channel that the main thread answers, by msg_id. */
  private readonly finishing = new Map<string, Request>();
  private exiting = false;

  constructor(
    private readonly connection: Connection,
    private readonly shared: Int32Array,
    private readonly isJS: boolean,
  ) {
    this.publisher = new Publisher(connection.key, shared);
  }

  async start(): Promise<void> {
    const { transport, ip, iopub_port, shell_port, control_port, stdin_port, hb_port } = this.connection;
    // With ipc, "ip" is the path of a file, and each socket's has its number behind it.
    const at = (port: number) => `${transport}://${ip}${transport === 'ipc' ? '-' : ':'}${port}`;
    // iopub first: the others can bring a request at once, and its answer goes through iopub.
    await this.publisher.socket.bind(at(iopub_port));
    await this.heartbeat.bind(at(hb_port));
    await this.control.bind(at(control_port));
    await this.stdin.bind(at(stdin_port));
    await this.shell.bind(at(shell_port));
    this.publisher.publish('status', undefined, { execution_state: 'starting' });
    parentPort!.on('message', (message: ToFront) => this.fromMain(message));
    watchParent(() => void this.exit());
    void this.listen(this.stdin, ({ header, content }) => {
      if (header.msg_type === 'input_reply') this.toMain({ kind: 'input', text: String(content.value ?? '') });
    });
    void this.listen(this.shell, (request) => {
      this.queue.push(request);
      this.next();
    });
    void this.listen(this.control, (request) => this.answerControl(request));
    for await (const frames of this.heartbeat) {
      if (!this.exiting) await this.heartbeat.send(frames);
    }
  }

  private async listen(socket: Router, hear: (request: Request) => void): Promise<void> {
    for await (const frames of socket) {
      try {
        hear({ ...decode(this.connection.key, frames), socket });
      } catch (error) {
        log(`A message was ignored: ${(error as Error).message}`);
      }
    }
  }

  private next(): void {
    if (this.current || this.exiting) return;
    const request = this.queue.shift();
    if (!request) return;
    this.current = request;
    this.status('busy', request);
    const { header, content } = request;
    switch (header.msg_type) {
      case 'execute_request':
      case 'is_complete_request':
      case 'inspect_request':
      case 'complete_request':
        this.toMain({ kind: 'request', type: header.msg_type, header, content });
        return;
      case 'comm_open':
        // "If the target_name is not found on the receiving side, then it should immediately reply
        // with a comm_close message to avoid an inconsistent state."
        this.publisher.publish('comm_close', header, { comm_id: content.comm_id, data: {} });
        break;
      default:
        this.answer(request);
    }
    this.done(request);
  }

  /** Requests that need no compiler and no cell. */
  private answer(request: Request): void {
    switch (request.header.msg_type) {
      case 'kernel_info_request':
        this.reply(request, kernelInfo(this.isJS));
        break;
      case 'comm_info_request':
        this.reply(request, { status: 'ok', comms: {} });
        break;
      case 'history_request':
        this.reply(request, { status: 'ok', history: [] });
        break;
      case 'comm_msg':
      case 'comm_close':
        break;
      default:
        log(`A message was ignored: its type ${request.header.msg_type} is not known.`);
    }
  }

  private done(request: Request): void {
    this.current = undefined;
    this.status('idle', request);
    this.next();
  }

  private fromMain(message: ToFront): void {
    if (typeof message === 'string') {
      this.publisher.write(message);
      return;
    }
    if (message.kind === 'stream') {
      this.publisher.writeTo(message.name, message.parent);
      return;
    }
    if (message.kind === 'ask') {
      // "The stdin socket of the client is required to have the same zmq IDENTITY as the client's shell socket."
      const { header, identities } = this.current!;
      const request = makeMessage('input_request', header, { prompt: message.prompt, password: false }, identities);
      this.stdin.send(encode(this.connection.key, request)).catch(() => {});
      return;
    }
    if (message.kind === 'publish') {
      this.publisher.publish(message.type, message.parent, message.content, message.size);
      return;
    }
    if (message.kind === 'finished') {
      const request = this.finishing.get(message.id)!;
      this.finishing.delete(message.id);
      this.reply(request, message.content);
      this.status('idle', request);
      return;
    }
    const request = this.current!;
    const failed = request.header.msg_type === 'execute_request' && message.content.status === 'error';
    if (!failed || request.content.stop_on_error === false) {
      this.reply(request, message.content);
      this.done(request);
      return;
    }
    // "stop_on_error: if True, aborts the execution queue if an exception is encountered": all that
    // was sent before the client could know of the failure, and nothing after. What is already in
    // the socket is taken in first.
    setImmediate(() => {
      this.reply(request, message.content);
      const waiting = this.queue.splice(0);
      this.queue.push(...waiting.filter((other) => !this.abort(other)));
      this.done(request);
    });
  }

  private abort(request: Request): boolean {
    if (request.header.msg_type !== 'execute_request') return false;
    this.status('busy', request);
    this.reply(request, {
      status: 'aborted',
      ename: 'Aborted',
      evalue: 'A cell before this one failed.',
      traceback: [],
    });
    this.status('idle', request);
    return true;
  }

  private answerControl(request: Request): void {
    const { msg_type } = request.header;
    this.status('busy', request);
    if (msg_type === 'finish_request') {
      const { msg_id: id } = request.header;
      this.finishing.set(id, request);
      this.toMain({ kind: 'finish', id, ms: 1000 * Number(request.content.seconds ?? 0) });
      return;
    }
    if (msg_type === 'interrupt_request') {
      this.interrupt();
      this.reply(request, { status: 'ok' });
    } else if (msg_type === 'shutdown_request') {
      this.reply(request, { status: 'ok', restart: request.content.restart === true });
    } else {
      this.answer(request);
    }
    this.status('idle', request);
    if (msg_type === 'shutdown_request') void this.exit();
  }

  /** Ends the running cell, wherever it waits or loops. */
  private interrupt(): void {
    const target = this.current?.header.msg_id;
    if (!target) return;
    Atomics.store(this.shared, Shared.stop, 1);
    this.whenStuck({ kind: 'interrupt', target }, () => {
      // A loop outside the cells' own code, such as a slow regular expression, does not look.
      if (Atomics.load(this.shared, Shared.synchronous) === 1) {
        const session = new Session();
        session.connectToMainThread();
        session.post('Runtime.terminateExecution', () => session.disconnect());
      }
      if (this.current?.header.msg_id === target) this.interrupt(); // until it is heard
    });
  }

  private async exit(): Promise<void> {
    if (this.exiting) return;
    this.exiting = true;
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), EXIT_MS);
    this.interrupt();
    for (const socket of [this.shell, this.control, this.stdin, this.heartbeat]) socket.close();
    await this.publisher.close();
    // The main thread's exit cuts this thread off wherever it is, and zeromq aborts the process when that is inside one
    // of its functions: so none is called any more, also not by the loops over the sockets, which end in this turn.
    setImmediate(() => this.toMain({ kind: 'exit' }));
  }

  private whenStuck(message: ToMain, act: () => void): void {
    const heard = Atomics.load(this.shared, Shared.heard);
    this.toMain(message);
    setTimeout(() => {
      if (Atomics.load(this.shared, Shared.heard) === heard) act();
    }, STUCK_MS);
  }

  private toMain(message: ToMain): void {
    parentPort!.postMessage(message);
  }

  private status(execution_state: string, request: { header: Header }): void {
    this.publisher.publish('status', request.header, { execution_state });
  }

  private reply(request: Request, content: Content): void {
    if (this.exiting) return;
    const type = request.header.msg_type.replace(/_request$/, '_reply');
    const message = makeMessage(type, request.header, content, request.identities);
    // A router queues without bound for a peer that is there, and drops for one that is gone.
    request.socket.send(encode(this.connection.key, message)).catch(() => {});
  }
}
