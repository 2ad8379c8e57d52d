// Cells for the browser: `/** @browser */`.
//
// Stock tslab takes them and does nothing with them yet. Here such a cell is bundled, with what it imports, and shown as a
// page's script, which runs where the notebook is read.
import { type BuildFailure, build, type Loader, type Plugin, stop } from 'esbuild';
import { CompileError, excerpt } from './traceback.js';

export class BrowserCells {
  /** Cells that are `@module NAME` as well, by the path by which others import them. */
  private readonly modules = new Map<string, string>();

  constructor(
    private readonly folder: string,
    private readonly isJS: boolean,
  ) {}

  addModule(name: string, code: string): void {
    this.modules.set(`./${name}`, code);
  }

  /** A cell as HTML with one script. `name` is what an error calls it. */
  async toHtml(name: string, code: string): Promise<string> {
    let failure: unknown;
    try {
      for (const loader of this.loaders) {
        try {
          // esbuild writes `</script` in the strings of its output so that it ends no script.
          return `<script type="module">\n${await this.bundle(code, loader)}</script>\n`;
        } catch (error) {
          failure ??= error;
        }
      }
    } finally {
      await stop(); // or its process would stay
    }
    const [found] = (failure as BuildFailure).errors ?? [];
    if (!found) throw failure;
    const { file, line = 1, column = 0 } = found.location ?? {};
    const isCell = file === '<stdin>' || file === undefined;
    const where = `${isCell ? name : file}, line ${line}:${column + 1}`;
    const lines = isCell ? excerpt(code, line, column + 1) : [];
    throw new CompileError(found.text, [where, ...lines]);
  }

  /** A type assertion (`<T>x`) looks like JSX: what cannot be read as the one may be the other. */
  private get loaders(): Loader[] {
    return this.isJS ? ['jsx'] : ['ts', 'tsx'];
  }

  private async bundle(contents: string, loader: Loader): Promise<string> {
    const modules: Plugin = {
      name: 'cells',
      setup: ({ onResolve, onLoad }) => {
        onResolve({ filter: /^\.\// }, ({ path }) => (this.modules.has(path) ? { path, namespace: 'cell' } : null));
        onLoad({ filter: /.*/, namespace: 'cell' }, ({ path }) => ({
          contents: this.modules.get(path)!,
          loader: this.isJS ? 'jsx' : 'ts',
          resolveDir: this.folder,
        }));
      },
    };
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: this.folder, loader },
      bundle: true,
      format: 'esm',
      platform: 'browser',
      charset: 'utf8',
      write: false,
      logLevel: 'silent',
      plugins: [modules],
    });
    return outputFiles[0]!.text;
  }
}
