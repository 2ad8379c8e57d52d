import type { Failure } from '../result.js';

/** How a notebook must fail: cells and lines count from 1, as people are told them. */
export interface Expected {
  kind: Failure['kind'];
  cell: number | null;
  /** Not looked at where a limit ended it: a kernel that hangs cannot always say where. */
  line?: number;
  message: string | RegExp;
}

const fails = (cell: number, line: number | undefined, message: string): Expected => ({
  kind: 'error',
  cell,
  ...(line === undefined ? {} : { line }),
  message,
});
const exits = (code: number) =>
  `ProcessExit: process.exit(${code}) was called. It would end the kernel and all its variables. To end the cell, throw an error or return from a function.`;
const noReader =
  'StdinNotImplementedError: The cell reads a line from its reader, and this client does not ask for one. Run it in JupyterLab, or give the value to the cell.';
/** The bare tag stands for an error that the cell's own code raises. */
const notItsOwn = (cell: number, line: number, got: string): Expected => ({
  kind: 'wrong-error',
  cell,
  line,
  message: `an error of the cell's own code was expected, got ${got}`,
});
/** Cell 2 expects an error, and cell 1 causes one. */
const ofCell1 = (line: number | undefined, got: string): Expected => ({
  kind: 'late-error',
  cell: 1,
  ...(line === undefined ? {} : { line }),
  message: `the error expected in cell 2 did not come, but one of cell 1: ${got}`,
});
const late = (cell: number, line: number | undefined, message: string): Expected => ({
  kind: 'late-error',
  cell,
  ...(line === undefined ? {} : { line }),
  message: `${message} (after cell ${cell} had ended)`,
});
const exitCode = (code: number): Expected => ({
  kind: 'exit-code',
  cell: null,
  message: `process.exitCode is ${code}: a test in the notebook failed, or a cell has set it`,
});
const hangs: Expected = { kind: 'cell-timeout', cell: 1, message: 'still running after 2 s' };
const leaks = (message: string | RegExp): Expected => ({ kind: 'leak', cell: null, message });

/** The notebooks that must fail, each named by what it does. */
export const failing: Record<string, Expected> = {
  // throws
  'throws.ipynb': fails(2, 3, 'Error: no such luck'),
  'throws-string.ipynb': fails(1, undefined, "NonError: 'only a string'"),
  'throws-undefined.ipynb': fails(1, undefined, 'NonError: undefined'),
  'throws-plain-object.ipynb': fails(1, undefined, 'NonError: { status: 503, retryAfter: 2 }'),
  'throws-error-with-cause.ipynb': fails(1, 4, 'Error: could not read the job'),
  'throws-error-of-own-class.ipynb': fails(2, 1, 'JobFailed: at step 3'),
  'throws-in-function-of-earlier-cell.ipynb': fails(2, 2, 'RangeError: polled too often'),
  'throws-after-await.ipynb': fails(1, 2, 'Error: after the await'),
  'throws-in-for-await.ipynb': fails(2, 1, 'Error: the stream broke'),
  'overflows-stack.ipynb': fails(1, 2, 'RangeError: Maximum call stack size exceeded'),
  'fails-assertion.ipynb': fails(2, 2, 'AssertionError: client and ledger disagree\n\n6 !== 7\n'),
  'rejects-awaited.ipynb': fails(2, 1, 'TypeError: terminated'),

  // fails where nobody waits for it
  'rejects-while-cell-runs.ipynb': fails(1, 1, 'UnhandledRejection: Error: nobody listens'),
  'rejects-without-reason.ipynb': fails(1, undefined, 'UnhandledRejection: NonError: undefined'),
  'rejects-in-later-cell.ipynb': fails(2, undefined, 'UnhandledRejection: Error: left behind'),
  'rejects-after-last-cell.ipynb': fails(1, 2, 'UnhandledRejection: Error: too late'),
  'throws-in-timer.ipynb': fails(1, 2, 'UncaughtException: Error: in a timer'),
  'throws-in-timer-of-earlier-cell.ipynb': fails(2, undefined, 'UncaughtException: Error: from cell 1'),
  'throws-in-microtask.ipynb': fails(1, 2, 'UncaughtException: Error: in a microtask'),
  'throws-in-callback.ipynb': fails(
    2,
    undefined,
    "UncaughtException: Error: ENOENT: no such file or directory, open 'no-such-file'",
  ),
  'throws-after-last-cell.ipynb': fails(1, 2, 'UncaughtException: Error: after the last cell'),
  'throws-undefined-after-last-cell.ipynb': late(1, undefined, 'UncaughtException: NonError: undefined'),
  'throws-some-time-after-last-cell.ipynb': late(2, 2, 'UncaughtException: Error: half a second later'),
  'throws-after-fetch.ipynb': late(2, 3, 'UnhandledRejection: Error: after the response'),
  'throws-after-file-read.ipynb': late(1, 8, 'UncaughtException: Error: read to its end'),
  'rejects-after-file-operations.ipynb': late(1, 4, 'UnhandledRejection: Error: after 200 calls'),
  'throws-after-child-process.ipynb': late(1, 3, 'UncaughtException: Error: exit code 3'),
  'throws-after-thread-pool.ipynb': late(1, 5, 'UncaughtException: Error: compressed'),
  'throws-on-socket-close.ipynb': late(1, 7, 'UncaughtException: Error: the socket has closed'),
  'worker-throws-after-last-cell.ipynb': late(1, undefined, 'UncaughtException: Error: in a worker, later'),
  'throws-in-before-exit-handler.ipynb': late(1, 3, 'UncaughtException: Error: before exit'),
  'throws-in-exit-handler.ipynb': late(1, 2, 'UncaughtException: Error: at exit'),
  'throws-while-leaks-are-looked-for.ipynb': late(1, 5, 'UncaughtException: Error: during the look for leaks'),
  'emits-unhandled-error.ipynb': fails(2, 2, 'UncaughtException: Error: connection lost'),
  'worker-throws.ipynb': fails(2, undefined, 'UncaughtException: Error: in a worker'),

  // fails by an exit code
  'fails-node-test.ipynb': exitCode(1),
  'fails-node-test-unawaited.ipynb': exitCode(1),
  'sets-exit-code.ipynb': exitCode(3),
  'sets-exit-code-at-exit.ipynb': exitCode(4),

  // replaces what Node tells errors and output by
  'silences-console.ipynb': late(1, 3, 'UncaughtException: Error: half a second later'),
  'silences-console-and-leaves-timer-pending.ipynb': leaks('1 timer is still pending'),
  'replaces-console-and-write.ipynb': late(1, 6, 'UncaughtException: Error: not to be hidden'),
  'freezes-globals.ipynb': fails(2, 2, 'UncaughtException: Error: not to be hidden'),
  'replaces-globals.ipynb': late(1, 21, 'UncaughtException: TypeError: not to be hidden either'),
  'removes-listeners.ipynb': fails(2, 1, 'UnhandledRejection: Error: hidden'),
  'sets-capture-callback.ipynb': fails(1, 3, 'UncaughtException: Error: captured'),
  'replaces-process-emit.ipynb': fails(2, 1, 'UnhandledRejection: Error: emitted nowhere'),
  'throws-in-handler.ipynb': fails(1, 5, 'UncaughtException: Error: first'),

  // does not compile
  'does-not-compile.ipynb': fails(1, 2, "CompileError: Type 'number' is not assignable to type 'string'. (TS2322)"),
  'has-syntax-error.ipynb': fails(1, 1, 'CompileError: Expression expected. (TS1109)'),
  'names-what-is-not-there.ipynb': fails(2, 1, "CompileError: Cannot find name 'missing'. (TS2304)"),
  'leaves-type-open.ipynb': fails(1, 1, "CompileError: Parameter 'ms' implicitly has an 'any' type. (TS7006)"),
  'imports-missing-module.ipynb': fails(
    1,
    1,
    "CompileError: Cannot find module 'no-such-module' or its corresponding type declarations. (TS2307)",
  ),

  // expects an error
  'fails-to-compile-after-expected-error.ipynb': fails(
    2,
    1,
    "CompileError: Type 'string' is not assignable to type 'number'. (TS2322)",
  ),
  'expects-error-but-does-not-compile.ipynb': {
    kind: 'wrong-error',
    cell: 1,
    line: 2,
    message:
      "an error at run time was expected, got CompileError: Cannot find name 'asert'. Did you mean 'Set'? (TS2552)",
  },
  'expects-error-but-has-broken-pattern.ipynb': {
    kind: 'wrong-error',
    cell: 1,
    line: 1,
    message: 'an error at run time was expected, got CompileError: Invalid regular expression: /(/: Unterminated group',
  },
  'expects-what-does-not-compile-but-webassembly-raises.ipynb': {
    kind: 'wrong-error',
    cell: 1,
    line: 3,
    message: /^an error at compile time was expected, got CompileError: WebAssembly\.compile\(\): .* at run time$/,
  },
  'expects-error-but-earlier-cell-raises.ipynb': ofCell1(2, 'UncaughtException: Error: a bug of cell 1'),
  'expects-error-but-earlier-cell-throws-without-context.ipynb': ofCell1(
    7,
    'UncaughtException: Error: a bug of cell 1',
  ),
  'expects-error-but-earlier-cell-exits.ipynb': ofCell1(4, exits(1)),
  'expects-error-but-earlier-cell-asks.ipynb': ofCell1(undefined, noReader),
  'expects-error-but-earlier-cell-interrupts.ipynb': notItsOwn(2, 2, 'KeyboardInterrupt: The cell was stopped.'),
  'expects-error-but-asks-its-reader.ipynb': notItsOwn(1, 3, noReader),
  'expects-error-but-exits-process.ipynb': notItsOwn(1, 1, exits(0)),
  'raises-second-error.ipynb': {
    kind: 'wrong-error',
    cell: 1,
    line: 3,
    message: 'expected a message like /expected/, got UncaughtException: RangeError: a bug',
  },
  'raises-two-errors-at-once.ipynb': fails(
    1,
    2,
    'one error was expected, and there was another: UnhandledRejection: RangeError: a bug',
  ),
  'rejects-with-same-error-again.ipynb': fails(3, undefined, 'UnhandledRejection: Error: shared'),
  'fails-after-expected-error.ipynb': fails(3, 1, 'Error: not expected'),
  'does-not-raise-what-is-expected.ipynb': {
    kind: 'not-raised',
    cell: 1,
    message: 'an error was expected here, and none was raised',
  },
  'expects-error-of-empty-cell.ipynb': {
    kind: 'not-raised',
    cell: 2,
    message: 'an error was expected here, and the cell is empty',
  },
  'raises-another-error.ipynb': {
    kind: 'wrong-error',
    cell: 1,
    line: 1,
    message: 'expected the error RangeError, got TypeError: terminated',
  },
  'raises-another-message.ipynb': {
    kind: 'wrong-error',
    cell: 1,
    line: 1,
    message: 'expected a message like /^fetch failed/, got TypeError: terminated',
  },

  'asks-its-reader.ipynb': fails(2, 1, noReader),

  // ends or never ends
  'exits-process.ipynb': fails(1, 1, exits(0)),
  'exits-process-in-timer.ipynb': fails(1, 1, exits(0)),
  'kills-its-kernel.ipynb': { kind: 'kernel-died', cell: 1, message: 'the kernel ended: signal 9' },
  'loops-forever.ipynb': hangs,
  'waits-forever.ipynb': hangs,
  'takes-too-long-as-a-whole.ipynb': {
    kind: 'notebook-timeout',
    cell: null, // whichever it is at
    message: 'the notebook took longer than 2 s; this cell was running',
  },

  // leaves something open
  'leaves-port-listening.ipynb': leaks(/^port \d+ is still listening \(the kernel\)$/),
  'leaves-process-running.ipynb': leaks(/^process \d+ \(sleep 600\) is still running$/),
  'leaves-detached-process.ipynb': leaks(/^process \d+ \(sleep 600\) is still running$/),
  'leaves-timer-pending.ipynb': leaks('1 timer is still pending'),
  'emits-before-exit-and-leaves-timer-pending.ipynb': leaks('1 timer is still pending'),
  'leaves-worker-running.ipynb': leaks('a worker thread is still running'),
  'leaves-udp-socket-open.ipynb': leaks(/^a UDP socket on port \d+ is still open$/),
  'leaves-unix-socket-listening.ipynb': leaks(/^the socket \S+ is still listening \(the kernel\)$/),
  'leaves-file-watched.ipynb': leaks('a file is still watched'),
  'leaves-immediates-going.ipynb': leaks('setImmediate is called again and again'),
  'leaves-connection-open.ipynb': leaks(/a connection to 127\.0\.0\.1 port \d+ is still open/),

  // runs nothing
  'has-no-code.ipynb': { kind: 'nothing-ran', cell: null, message: 'nothing ran: it has no code cells' },
  'skips-every-cell.ipynb': {
    kind: 'nothing-ran',
    cell: null,
    message: 'nothing ran: every code cell is empty or skipped',
  },
};

/** The notebooks that must pass. */
export const passing: string[] = [
  'assigns-in-later-cell.ipynb',
  'awaits-at-top-level.ipynb',
  'awaits-in-for-only.ipynb',
  'closes-what-it-opens.ipynb',
  'declares-names-again.ipynb',
  'ends-its-background-work-in-time.ipynb',
  'expects-error-of-webassembly.ipynb',
  'expects-what-does-not-compile.ipynb',
  'exports-from-cells.ipynb',
  'freezes-globals-and-is-well.ipynb',
  'handles-its-errors.ipynb',
  'has-empty-cells.ipynb',
  'has-parameters.ipynb',
  'imports-in-other-ways.ipynb',
  'imports-local-file.ipynb',
  'imports-packages.ipynb',
  'leaves-only-what-node-does-not-wait-for.ipynb',
  'leaves-types-to-be-guessed.ipynb',
  'names-another-kernel.ipynb',
  'passes-node-test.ipynb',
  'prints-100000-lines.ipynb',
  'prints-from-earlier-cell.ipynb',
  'prints-half-an-emoji.ipynb',
  'prints.ipynb',
  'raises-one-error-in-two-promises.ipynb',
  'raises-what-is-expected.ipynb',
  'rejects-as-expected.ipynb',
  'replaces-globals-and-is-well.ipynb',
  'rethrows-in-handlers.ipynb',
  'runs-in-the-order-of-node.ipynb',
  'runs-javascript.ipynb',
  'sets-exit-code-to-zero-as-text.ipynb',
  'shows-browser-cell.ipynb',
  'shows-proxies.ipynb',
  'shows-rich-output.ipynb',
  'skips-tagged-cell.ipynb',
  'uses-types-across-cells.ipynb',
  'writes-to-stderr.ipynb',
];

/** What fails or passes by a mechanism that another notebook shows as well: run with SOAK=1 only. */
export const soakOnly = new Set([
  'sets-exit-code-at-exit.ipynb',
  'expects-error-but-earlier-cell-throws-without-context.ipynb',
  'raises-two-errors-at-once.ipynb',
  'throws-in-for-await.ipynb',
  'leaves-worker-running.ipynb',
  'leaves-udp-socket-open.ipynb',
  'leaves-unix-socket-listening.ipynb',
  'silences-console.ipynb',
  'fails-node-test-unawaited.ipynb',
  'throws-on-socket-close.ipynb',
  'rejects-after-file-operations.ipynb',
  'throws-some-time-after-last-cell.ipynb',
  'throws-undefined-after-last-cell.ipynb',
  'rejects-while-cell-runs.ipynb',
  'throws-in-function-of-earlier-cell.ipynb',
  'throws-string.ipynb',
  'throws-in-timer-of-earlier-cell.ipynb',
  'throws-after-file-read.ipynb',
  'leaves-detached-process.ipynb',
  'imports-packages.ipynb',
  'declares-names-again.ipynb',
  'has-empty-cells.ipynb',
  'throws-undefined.ipynb',
  'throws-plain-object.ipynb',
  'throws-error-of-own-class.ipynb',
  'throws-after-await.ipynb',
  'rejects-without-reason.ipynb',
  'throws-in-microtask.ipynb',
  'throws-in-callback.ipynb',
  'emits-unhandled-error.ipynb',
  'exits-process-in-timer.ipynb',
  'has-syntax-error.ipynb',
  'names-what-is-not-there.ipynb',
  'fails-to-compile-after-expected-error.ipynb',
  'raises-another-message.ipynb',
  'leaves-process-running.ipynb',
  'assigns-in-later-cell.ipynb',
  'awaits-at-top-level.ipynb',
  'handles-its-errors.ipynb',
  'has-no-code.ipynb',
  'rejects-as-expected.ipynb',
  'writes-to-stderr.ipynb',
  'overflows-stack.ipynb',
  'rejects-awaited.ipynb',
  'throws-after-thread-pool.ipynb',
  'worker-throws.ipynb',
  'throws-in-exit-handler.ipynb',
  'sets-exit-code.ipynb',
  'silences-console-and-leaves-timer-pending.ipynb',
  'freezes-globals-and-is-well.ipynb',
  'sets-capture-callback.ipynb',
  'throws-in-handler.ipynb',
  'expects-error-but-has-broken-pattern.ipynb',
  'expects-what-does-not-compile-but-webassembly-raises.ipynb',
  'expects-error-but-earlier-cell-exits.ipynb',
  'expects-error-but-earlier-cell-asks.ipynb',
  'expects-error-but-earlier-cell-interrupts.ipynb',
  'expects-error-but-asks-its-reader.ipynb',
  'rejects-with-same-error-again.ipynb',
  'fails-after-expected-error.ipynb',
  'expects-error-of-empty-cell.ipynb',
  'emits-before-exit-and-leaves-timer-pending.ipynb',
  'leaves-file-watched.ipynb',
  'leaves-immediates-going.ipynb',
  'leaves-connection-open.ipynb',
  'ends-its-background-work-in-time.ipynb',
  'expects-error-of-webassembly.ipynb',
  'exports-from-cells.ipynb',
  'has-parameters.ipynb',
  'imports-local-file.ipynb',
  'leaves-types-to-be-guessed.ipynb',
  'passes-node-test.ipynb',
  'prints-half-an-emoji.ipynb',
  'prints.ipynb',
  'raises-one-error-in-two-promises.ipynb',
  'rethrows-in-handlers.ipynb',
  'runs-in-the-order-of-node.ipynb',
  'sets-exit-code-to-zero-as-text.ipynb',
  'shows-proxies.ipynb',
]);

/** Those that need a server, in the folder `with-server`. */
export const withServer = {
  failing: {
    'leaves-stream-open.ipynb': leaks(
      /^a connection to 127\.0\.0\.1 port \d+ is still open\nGET \/events is still open$/,
    ),
    'ends-its-server.ipynb': {
      kind: 'server-ended',
      cell: null,
      message: /^the notebook's server ended before the notebook did/,
    },
  } satisfies Record<string, Expected> as Record<string, Expected>,
  passing: ['keeps-connections.ipynb', 'uses-its-server.ipynb'],
};
