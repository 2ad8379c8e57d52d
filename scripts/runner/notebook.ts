import {
  type INotebookContent,
  isCode,
  parseNotebookFile,
  readNotebookFile,
  tagsOf,
  textOf,
} from '../shared/notebook-file.js';
import { Problem } from '../shared/problem.mjs';

export interface Cell {
  /** Position in the notebook, from 0. People are told `index + 1`. */
  index: number;
  id: string | null;
  isCode: boolean;
  source: string;
  tags: string[];
}

export interface Notebook {
  path: string;
  /** The file as it was read: what is executed, also if somebody saves another meanwhile. */
  text: string;
  kernel: Kernel;
  /** The kernel that the notebook itself names. */
  namedKernel: string | null;
  cells: Cell[];
  /** Options for the compiler of its cells, in the words of a `tsconfig.json`, from the notebook's metadata. */
  compilerOptions: object;
}

/** The kernels of this checkout: for TypeScript, and for JavaScript. */
export const kernels = ['tslab', 'jslab'] as const;
export type Kernel = (typeof kernels)[number];
export const isKernel = (name: unknown): name is Kernel => kernels.includes(name as Kernel);

/**
 * Reads a notebook and checks that it can be run: in TypeScript or JavaScript, with annotations that make sense. `as` is
 * the kernel to run it with, whatever it names itself.
 */
export async function readNotebook(path: string, as?: Kernel): Promise<Notebook> {
  const { text, content } = await readNotebookFile(path);
  return toNotebook(path, text, content, as);
}

/** As `readNotebook`, for the text of a file. */
export function parseNotebook(path: string, text: string, as?: Kernel): Notebook {
  return toNotebook(path, text, parseNotebookFile(path, text), as);
}

function toNotebook(
  path: string,
  text: string,
  { cells: rawCells, metadata }: INotebookContent,
  as?: Kernel,
): Notebook {
  const named = typeof metadata?.kernelspec?.name === 'string' ? metadata.kernelspec.name : null;
  const kernel = as ?? kernelFor(metadata ?? {});
  if (!kernel) {
    throw new Problem(
      `${path} is for the kernel ${JSON.stringify(named ?? 'none')}, and its metadata does not say that its language is TypeScript or JavaScript. If it is, name the kernel: --kernel tslab, or --kernel jslab for JavaScript.`,
    );
  }
  const { timeout, compilerOptions = {} } = annotationsOf(metadata);
  checkTimeout(`${path}, metadata`, timeout);
  if (typeof compilerOptions !== 'object' || compilerOptions === null) {
    throw new Problem(
      `${path}, metadata "polling-lab": "compilerOptions" takes an object such as {"strict": true}, got ${JSON.stringify(compilerOptions)}.`,
    );
  }
  const cells = rawCells.map((cell, index): Cell => {
    const checked: Cell = {
      index,
      id: typeof cell.id === 'string' ? cell.id : null,
      isCode: isCode(cell),
      source: textOf(cell.source ?? ''),
      tags: tagsOf(cell),
    };
    checkAnnotations(path, checked, annotationsOf(cell.metadata));
    return checked;
  });
  return { path, text, kernel, namedKernel: named, cells, compilerOptions };
}

/**
 * The kernel that a notebook asks for, by name; or, since that name is one of the machine it was written on, the one
 * for the language that it says it is in.
 */
function kernelFor({ kernelspec, language_info }: INotebookContent['metadata']): Kernel | undefined {
  const name = kernelspec?.name;
  if (isKernel(name)) return name;
  const language = String(kernelspec?.language ?? language_info?.name).toLowerCase();
  return language === 'typescript' ? 'tslab' : language === 'javascript' ? 'jslab' : undefined;
}

/** What the metadata of a notebook or of a cell says to this runner. Nothing of it is checked yet. */
function annotationsOf(metadata: object | undefined): Record<string, unknown> {
  return ((metadata as Record<string, unknown> | undefined)?.['polling-lab'] ?? {}) as Record<string, unknown>;
}

/** Cell metadata `"polling-lab": { "raises": { "name", "message" }, "timeout": seconds }`. */
function checkAnnotations(path: string, cell: Cell, annotations: Record<string, unknown>): void {
  const at = `${path}, cell ${cell.index + 1}, metadata`;
  const { raises, timeout } = annotations;
  checkTimeout(at, timeout);
  if (raises === undefined) return;
  const { name, message, ...unknown } = Object(raises) as Record<string, unknown>;
  const wellFormed =
    typeof raises === 'object' &&
    [name, message].every((value) => value === undefined || typeof value === 'string') &&
    Object.keys(unknown).length === 0;
  if (!wellFormed) {
    throw new Problem(
      `${at} "polling-lab": "raises" takes "name" and "message" (a regular expression), got ${JSON.stringify(raises)}.`,
    );
  }
  if (!cell.tags.includes('raises-exception')) {
    throw new Problem(
      `${at} "polling-lab" names the error expected, so the cell must carry the tag "raises-exception" (other tools go by it).`,
    );
  }
}

function checkTimeout(at: string, timeout: unknown): void {
  if (timeout === undefined || (typeof timeout === 'number' && timeout > 0)) return;
  throw new Problem(`${at} "polling-lab": "timeout" takes seconds above 0, got ${JSON.stringify(timeout)}.`);
}
