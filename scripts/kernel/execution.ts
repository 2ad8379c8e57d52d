// Executes cells.
import { inspect, types } from 'node:util';
import { type CodeMetadata, getCodeMetadata } from 'tslab/dist/metadata.js';
import { installAwaits } from './awaits.js';
import type { BrowserCells } from './browser.js';
import { Cell } from './cell.js';
import type { Compiled, Compiler } from './compiler.js';
import { throwIfAny } from './diagnostics.js';
import { Shared } from './link.js';
import { cellFile, Modules, type Require } from './modules.js';
import { encodeBundle, type Output } from './output.js';
import type { Content, Header } from './protocol.js';
import { makeScope } from './scope.js';
import { makeFunction } from './script.js';
import { Strays } from './strays.js';
import { CompileError, StrayError, toErrorContent } from './traceback.js';

const { then } = globalThis.Promise.prototype; // of the cells' promises

type CellFunction = (exports: object, require: Require, importModule: Require['import']) => Promise<void>;

export class Execution {
  private readonly scope = makeScope();
  private readonly modules: Modules;
  private readonly require: Require;
  readonly strays = new Strays(
    () => this.cell,
    (error, header) => this.output.publish('error', error, header),
  );
  private browserCells: BrowserCells | undefined;
  private count = 0;
  /** The cell that runs now. */
  cell: Cell | undefined;
  /** Whether the client that sent it answers an `input_request`. */
  allowsInput = false;

  constructor(
    private readonly compiler: Compiler,
    private readonly output: Output,
    private readonly shared: Int32Array,
  ) {
    this.modules = new Modules((id, from) => compiler.resolveLocal(id, from));
    this.require = this.modules.makeRequire(cellFile(process.cwd()));
    installAwaits(shared.subarray(Shared.stop), () => {
      if (this.cell && Cell.current() === this.cell) throw this.interrupt();
    });
  }

  /** Runs one `execute_request`; `reply` is called once. */
  start(header: Header, content: Content, reply: (content: Content) => void): void {
    const code = String(content.code);
    const silent = content.silent === true;
    const counted = !silent && content.store_history !== false && code.trim() !== '';
    if (counted) this.count += 1;
    const execution_count = this.count;
    if (!silent) this.output.publish('execute_input', { code, execution_count }, header);

    // Code that is not counted has a name of its own: in tracebacks it must not stand in for a cell of the reader's.
    const cell = new Cell(counted ? `cell [${execution_count}]` : 'code without a number', header);
    this.cell = cell;
    this.allowsInput = content.allow_stdin === true;
    cell.outcome
      .then((result) => {
        if (!silent && result) this.show(result.value, execution_count, header);
        // A cell is only as good as what the ones before it left behind.
        const late = this.strays.take();
        if (late) throw new StrayError(late.error, late.from ?? null);
      })
      .then(
        () => reply({ status: 'ok', execution_count, user_expressions: {}, payload: [] }),
        (reason) => {
          const error = toErrorContent(reason);
          if (!silent) this.output.publish('error', error, header);
          // Not of the Jupyter protocol: the request that caused the error, where that is not this one, null if unknown;
          // and that the code did not compile, which no name says (WebAssembly has a CompileError too).
          const from = StrayError.is(reason) ? reason.from : undefined;
          const cause = from === undefined ? {} : { caused_by: from?.msg_id ?? null };
          const phase = CompileError.is(reason) ? { phase: 'compile' } : {};
          reply({ status: 'error', execution_count, ...error, ...cause, ...phase });
        },
      )
      .finally(() => {
        Atomics.store(this.shared, Shared.synchronous, 0); // where it was cut off
        this.cell = undefined;
      });
    this.run(cell, code);
  }

  interrupt(): Error {
    const error = new Error('The cell was stopped.');
    error.name = 'KeyboardInterrupt'; // as clients of Jupyter know it
    this.strays.ignore(error, this.cell);
    this.cell?.fail(error);
    return error;
  }

  private run(cell: Cell, code: string): void {
    let run: CellFunction;
    let resultName: string | undefined;
    let imports: readonly string[];
    try {
      const meta = getCodeMetadata(code);
      if (meta.mode === 'browser') {
        cell.run(() => this.showInBrowser(cell, code, meta.module));
        return;
      }
      const compiled = this.compile(cell, code, meta);
      if (!compiled) {
        cell.run(async () => undefined);
        return;
      }
      resultName = compiled.lastExpressionVar;
      imports = compiled.imports;
      run = this.link(cell, code, compiled);
    } catch (error) {
      cell.fail(error);
      return;
    }
    Atomics.store(this.shared, Shared.stop, 0);
    Atomics.store(this.shared, Shared.synchronous, 1);
    cell.run(async () => {
      const prepared = this.modules.prepare(imports, cellFile(process.cwd()));
      if (prepared) {
        Atomics.store(this.shared, Shared.synchronous, 0); // nothing behind an `await` can be cut off
        await prepared;
      }
      const ended = run(this.scope, this.require, this.require.import);
      Atomics.store(this.shared, Shared.synchronous, 0);
      // Not `await ended`, which would call a `then` that a cell may have put in place of the language's.
      await new Promise((resolve, reject) => Reflect.apply(then, ended, [resolve, reject]));
      if (resultName === undefined) return undefined;
      const value = this.scope[resultName];
      delete this.scope[resultName];
      return { value }; // boxed, for a promise is a value too and not to be awaited
    });
  }

  private compile(cell: Cell, code: string, meta: CodeMetadata): Compiled | undefined {
    // Told once, where the reader looks.
    for (const problem of this.compiler.problems.splice(0)) process.stderr.write(`${problem}\n`);
    if (meta.module) {
      throwIfAny(this.compiler.addModule(meta.module, code, meta.jsx === true), cell.name, code);
      return undefined;
    }
    const compiled = this.compiler.compile(code);
    this.modules.update(compiled.files);
    throwIfAny(compiled.diagnostics, cell.name, code);
    return compiled;
  }

  private async showInBrowser(cell: Cell, code: string, module: string | undefined): Promise<undefined> {
    if (!this.browserCells) {
      // Loaded only for notebooks that have such cells.
      const { BrowserCells } = require('./browser.js') as typeof import('./browser.js');
      this.browserCells = new BrowserCells(process.cwd(), this.compiler.isJS);
    }
    if (module) return this.browserCells.addModule(module, code) as undefined;
    const html = await this.browserCells.toHtml(cell.name, code);
    this.output.publish('display_data', { data: { 'text/html': html }, metadata: {} }, cell.header);
  }

  private link(cell: Cell, code: string, compiled: Compiled): CellFunction {
    // Always asynchronous: what awaits, `for await` included, needs no telling from what does not.
    const source = { name: cell.name, text: () => code, map: compiled.map };
    const run = makeFunction(cell.name, source, compiled.output, 'exports, require, __import', true);
    this.compiler.keep(compiled);
    return run as CellFunction;
  }

  /** The value of a cell's last expression, as a REPL shows it. */
  private show(value: unknown, execution_count: number, header: Header): void {
    if (value === undefined) return;
    // A proxy may answer with an error, or print what is asked of it; `inspect` looks behind it.
    const asked = types.isProxy(value) ? undefined : (value as { [key: symbol]: unknown } | null);
    const bundle = asked?.[Symbol.for('Jupyter.display')];
    const data = typeof bundle === 'function' ? encodeBundle(bundle.call(value)) : { 'text/plain': inspect(value) };
    this.output.publish('execute_result', { execution_count, data, metadata: {} }, header);
  }
}
