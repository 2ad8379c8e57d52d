// @ts-check
// `node scripts/pack.mjs kernel` (or `runner`): makes what npm publishes, in that folder's `build`. `npm pack` and
// `npm publish` start it by themselves (`prepack`). JavaScript alone: Node 20 runs no TypeScript, and no Node runs any in
// `node_modules`.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import ts from 'typescript';

const [part = ''] = process.argv.slice(2);
const folder = join(import.meta.dirname, part);
const out = join(folder, 'build');
const source = (/** @type {string} */ name) => readFileSync(join(folder, name), 'utf8');

/** Joins a program and the files of this repository that it imports. Packages are imported where it runs. */
const bundle = (/** @type {Record<string, string>} */ entryPoints) =>
  build({
    ...{ entryPoints, absWorkingDir: folder, outdir: out, outExtension: { '.js': '.mjs' } },
    ...{ bundle: true, packages: 'external', platform: 'node', format: 'esm', target: 'node20.19', charset: 'utf8' },
    ...{ legalComments: 'none', logLevel: 'warning' },
  });

/** The declarations of a file, which must say all types itself. */
const declare = (/** @type {string} */ name) => {
  const compilerOptions = { isolatedDeclarations: true, declaration: true };
  const { outputText, diagnostics = [] } = ts.transpileDeclaration(source(name), {
    ...{ fileName: name, compilerOptions, reportDiagnostics: true },
  });
  if (diagnostics.length > 0) throw new Error(ts.formatDiagnostics(diagnostics, ts.createCompilerHost({})));
  writeFileSync(join(out, name.replace(/(\.d)?\.ts$/, '.d.ts')), outputText);
};

const make = {
  kernel: async () => {
    // As `launch.cjs` compiles them in a checkout.
    const compilerOptions = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, esModuleInterop: true };
    for (const name of readdirSync(folder).filter((name) => /(?<!\.d|\.test|bench)\.ts$/.test(name))) {
      const { outputText } = ts.transpileModule(source(name), { fileName: name, compilerOptions });
      writeFileSync(join(out, name.replace(/ts$/, 'cjs')), outputText);
    }
    for (const name of ['launch.cjs', 'kernel.json', 'display.d.ts', 'papermill'])
      cpSync(join(folder, name), join(out, name), { recursive: true });
    await bundle({ cli: 'cli/main.ts' });
  },
  runner: async () => {
    for (const name of readdirSync(folder).filter((name) => /\.py$|^requirements\.txt$/.test(name)))
      cpSync(join(folder, name), join(out, name));
    declare('project.ts');
    await bundle({ cli: 'cli.ts' });
  },
}[part];
if (!make) throw new Error(`expected "kernel" or "runner", got "${part}"`);

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
cpSync(join(import.meta.dirname, '..', 'LICENSE'), join(out, 'LICENSE'));
await make();
