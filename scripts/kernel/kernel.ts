// The main thread: runs the cells, and answers what needs the compiler.
import type { Worker } from 'node:worker_threads';
import { Cell } from './cell.js';
import { redirectChildren } from './children.js';
import { Compiler } from './compiler.js';
import { complete, inspectCode, isComplete } from './editor.js';
import { Execution } from './execution.js';
import { finish } from './finish.js';
import { startGuardian } from './guardian.js';
import { Input } from './input.js';
import { die, Shared, type ToFront, type ToMain } from './link.js';
import { optionsInMetadata } from './options.js';
import { decodeJson, Output } from './output.js';
import { hidePromiseMarks } from './promises.js';
import type { Content } from './protocol.js';
import { settings } from './settings.js';
import { installStackTraces, toErrorContent } from './traceback.js';
import { saveCodeCache } from './typescript.js';

export function start(front: Worker, sharedBuffer: SharedArrayBuffer, isJS: boolean): void {
  startGuardian();
  const { exit, reallyExit } = process as typeof process & { reallyExit(code: number): never };
  let finished = false; // then the handlers of `exit` have run
  const shared = new Int32Array(sharedBuffer);
  // Work of no cell, such as a module's own timer, shows in the cell that runs.
  const output = new Output(front, shared, () => (Cell.current() ?? execution?.cell)?.header);
  const compiler = new Compiler(process.cwd(), {
    isJS,
    own: optionsInMetadata(process.env.JPY_SESSION_NAME, process.cwd(), settings.metadataKey),
  });
  installStackTraces(__dirname);
  hidePromiseMarks();
  redirectChildren();
  const execution: Execution = new Execution(compiler, output, shared);
  output.capture();
  offerDisplay(output);

  // Bound before any cell runs, for a cell may put something else in its place.
  const post: (message: ToFront) => void = front.postMessage.bind(front);
  const input = new Input(
    () => execution.cell,
    () => execution.allowsInput,
    (prompt) => post({ kind: 'ask', prompt }),
    (error, cause) => execution.strays.fail(toErrorContent(error), error, cause),
  );
  input.capture();
  const reply = (content: Content) => post({ kind: 'reply', content });
  const editors: Record<string, (content: Content) => Content> = {
    is_complete_request: isComplete,
    inspect_request: (content) => inspectCode(compiler, content),
    complete_request: (content) => complete(compiler, content),
  };

  process.on('SIGINT', () => execution.interrupt());
  front.on('error', (error) => die("The kernel's front failed", error));
  front.on('message', (message: ToMain) => {
    Atomics.add(shared, Shared.heard, 1);
    // Not as `process.exit(0)`: a cell may have put another function there.
    if (message.kind === 'exit') return Reflect.apply(finished ? reallyExit : exit, process, [0]);
    if (message.kind === 'input') return input.answer(message.text);
    if (message.kind === 'interrupt') {
      if (execution.cell?.header.msg_id === message.target) execution.interrupt();
      return;
    }
    if (message.kind === 'finish') {
      finished = true;
      void finish(front, execution.strays, message.ms).then((content) =>
        post({ kind: 'finished', id: message.id, content }),
      );
      return;
    }
    if (message.type === 'execute_request') {
      finished = false;
      return execution.start(message.header, message.content, (content) => {
        reply(content);
        setImmediate(saveCodeCache);
      });
    }
    try {
      reply(editors[message.type]!(message.content));
    } catch (error) {
      reply({ status: 'error', ...toErrorContent(error) });
    }
  });
}

function offerDisplay(output: Output): void {
  Object.assign(globalThis, { [Symbol.for(settings.displaySymbol)]: output.display });
  // What tslab's own `display` and `newDisplay` call.
  require('tslab/dist/jupyter.js').lastWriteDisplayData = (content: Content & { data: Content }, update?: boolean) =>
    output.publish(update ? 'update_display_data' : 'display_data', { ...content, data: decodeJson(content.data) });
}
