// The kernel's package, and the compiler that it compiles cells with.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type TypeScript from 'typescript';

// From where the kernel is: a package manager may put what the kernel needs where the runner does not see it.
const fromKernel = createRequire(createRequire(import.meta.url).resolve('@polling-lab/kernel/package.json'));

/** The folder with the kernel's `launch.cjs`, as the package has it. */
export const kernelFolder = (): string => dirname(fromKernel.resolve('@polling-lab/kernel/launch.cjs'));

/** The folder of tslab. */
export const tslabFolder = (): string => dirname(fromKernel.resolve('tslab/package.json'));

/** The compiler at `file`, by default the one that tslab bundles. Loading it takes a third of a second. */
export const compiler = (file = '@tslab/typescript-for-tslab'): typeof TypeScript =>
  createRequire(join(tslabFolder(), 'package.json'))(file);
