// Which TypeScript compiles the cells of a folder: for the kernel, and for the checker of cells.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export interface Chosen {
  /** The compiler's main file. */
  file: string;
  version: string;
  /** Whether the project chose it. If not, it is the one that tslab bundles. */
  isOwn: boolean;
  /** Why the one that the project asks for cannot be had, if it cannot: a sentence with the remedy. */
  problems: string[];
}

/**
 * The compiler for notebooks in `folder`. A project asks for one of its own packages in the nearest `package.json` that
 * says something about it, under the name `key`: `"tslab": { "compiler": "typescript" }`. Without that it is the one that
 * tslab bundles, since a newer one finds errors in notebooks that were right.
 */
export function chooseCompiler(folder: string, key: string, tslabFolder: string): Chosen {
  const fromTslab = createRequire(join(tslabFolder, 'package.json'));
  const bundled = '@tslab/typescript-for-tslab';
  const { version } = fromTslab(`${bundled}/package.json`);
  const stock = { file: fromTslab.resolve(bundled), version, isOwn: false, problems: [] };
  const [manifest, name] = askedFor(folder, key);
  if (name === undefined) return stock;
  const instead = (why: string): Chosen => {
    const problem = `${manifest} asks for the compiler ${JSON.stringify(name)}, and ${why} TypeScript ${version} compiles the cells.`;
    return { ...stock, problems: [problem] };
  };
  if (typeof name !== 'string' || !/^(@[\w-][\w.-]*\/)?[\w-][\w.-]*$/.test(name))
    return instead('a compiler is the name of a package, such as "typescript".');
  try {
    const require = createRequire(manifest);
    const own: string = require(`${name}/package.json`).version;
    // TypeScript 7 is a program of its own, which no other program can ask to compile something.
    if (/^[56]\.\d+\.\d+[\w.-]*$/.test(own))
      return { file: require.resolve(name), version: own, isOwn: true, problems: [] };
    return instead(
      `its version is ${own}: expected 5 or 6. Install one beside it (npm i -D typescript6@npm:typescript@6) and name that.`,
    );
  } catch {
    return instead(`it is not installed: npm i -D ${name}.`);
  }
}

/** The nearest manifest whose member `key` has a `compiler`, and that name. Undefined if there is none. */
function askedFor(folder: string, key: string): [manifest: string, name: unknown] {
  for (let at = folder; ; at = dirname(at)) {
    const manifest = join(at, 'package.json');
    try {
      const name = JSON.parse(readFileSync(manifest, 'utf8'))[key]?.compiler;
      if (name !== undefined) return [manifest, name];
    } catch {
      // There is no package.json here, or it is not JSON.
    }
    if (at === dirname(at)) return ['', undefined];
  }
}
