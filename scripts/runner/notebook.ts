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
  annotations: Annotations;
}

/** What a cell's metadata says to the runner. */
export interface Annotations {
  /** The error that the cell must raise: its name, and a regular expression for its message. */
  raises?: { name?: string; message?: string };
  /** The cell's own limit, in seconds. */
  timeout?: number;
}

export interface Notebook {
  path: string;
  /** The file as it was read. This text is executed, also if the file changes meanwhile. */
  text: string;
  kernel: Kernel;
  /** The kernel that the notebook itself names. */
  namedKernel: string | null;
  cells: Cell[];
  /** The notebook's own limit, in seconds. */
  timeout: number | undefined;
  /** About how many minutes it runs, as it says itself: a guess that only orders the work. */
  runMinutes: number | undefined;
  /** Options for the compiler of its cells, in the words of a `tsconfig.json`, from the notebook's metadata. */
  compilerOptions: object;
}

/** What keeps a notebook from running here: it names a kernel of another language. */
export class OtherLanguage extends Problem {
  constructor(
    message: string,
    readonly kernel: string,
  ) {
    super(message);
  }
}

/** The kernels that notebooks run with: for TypeScript, and for JavaScript. */
export const kernels = ['tslab', 'jslab'] as const;
export type Kernel = (typeof kernels)[number];
export const isKernel = (name: unknown): name is Kernel => kernels.includes(name as Kernel);

/**
 * Reads a notebook and checks that it can be run: in TypeScript or JavaScript, with annotations that make sense. `key` is
 * the member of its metadata that has them; `as` is the kernel to run it with, whatever it names itself.
 */
export async function readNotebook(path: string, key: string, as?: Kernel): Promise<Notebook> {
  const { text, content } = await readNotebookFile(path);
  return toNotebook(path, text, content, key, as);
}

/** As `readNotebook`, for the text of a file. */
export function parseNotebook(path: string, text: string, key: string, as?: Kernel): Notebook {
  return toNotebook(path, text, parseNotebookFile(path, text), key, as);
}

function toNotebook(path: string, text: string, content: INotebookContent, key: string, as?: Kernel): Notebook {
  const { cells: rawCells, metadata } = content;
  const named = typeof metadata?.kernelspec?.name === 'string' ? metadata.kernelspec.name : null;
  const kernel = as ?? kernelFor(metadata ?? {});
  if (!kernel) {
    const message = `${path} is for the kernel ${JSON.stringify(named ?? 'none')}, and its metadata does not say that its language is TypeScript or JavaScript. If it is, name the kernel: --kernel tslab, or --kernel jslab for JavaScript.`;
    if (named === null) throw new Problem(message);
    throw new OtherLanguage(`${message} If it is not, leave it out: --only-tslab.`, named);
  }
  const known = ['timeout', 'runMinutes', 'compilerOptions'];
  const { timeout, runMinutes, compilerOptions = {} } = annotationsOf(path, metadata, key, known);
  const at = `${path}, metadata "${key}"`;
  checkAboveZero(at, 'timeout', 'seconds', timeout);
  checkAboveZero(at, 'runMinutes', 'minutes', runMinutes);
  if (!isObject(compilerOptions)) {
    throw new Problem(
      `${at}: "compilerOptions" takes an object such as {"strict": true}, got ${JSON.stringify(compilerOptions)}.`,
    );
  }
  const cells = rawCells.map((cell, index): Cell => {
    const where = `${path}, cell ${index + 1}`;
    const annotations = annotationsOf(where, cell.metadata, key, ['raises', 'timeout']);
    const tags = tagsOf(cell);
    checkAnnotations(`${where}, metadata "${key}"`, annotations, tags);
    const id = typeof cell.id === 'string' ? cell.id : null;
    return { index, id, isCode: isCode(cell), source: textOf(cell.source ?? ''), tags, annotations };
  });
  return { path, text, kernel, namedKernel: named, cells, timeout, runMinutes, compilerOptions };
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

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * What the metadata of a notebook or of a cell says to this runner, in the member `key`. Its values are not checked yet. The
 * member may say things to others too, so a name that is not `known` is refused only where it looks misspelt.
 */
function annotationsOf(at: string, metadata: object = {}, key: string, known: string[]): Record<string, unknown> {
  const letters = (name: string) => name.toLowerCase().replace(/[^a-z]/g, '');
  const misspelt = (as: string, is: string) =>
    new Problem(`${at}, metadata: expected ${JSON.stringify(as)}, got ${JSON.stringify(is)}. Correct its spelling.`);
  for (const name of Object.keys(metadata)) {
    if (name !== key && letters(name) === letters(key)) throw misspelt(key, name);
  }
  const annotations = (metadata as Record<string, unknown>)[key] ?? {};
  if (!isObject(annotations)) {
    const got = JSON.stringify(annotations);
    throw new Problem(`${at}, metadata: "${key}" takes an object such as {"timeout": 5}, got ${got}.`);
  }
  for (const name of Object.keys(annotations)) {
    const meant = known.find((one) => name !== one && letters(name).startsWith(letters(one).slice(0, 4)));
    if (meant) throw misspelt(`${key}.${meant}`, `${key}.${name}`);
  }
  return annotations;
}

/** A cell's `{ "raises": { "name", "message" }, "timeout": seconds }`. */
function checkAnnotations(
  at: string,
  annotations: Record<string, unknown>,
  tags: string[],
): asserts annotations is Annotations & Record<string, unknown> {
  const { raises, timeout } = annotations;
  checkAboveZero(at, 'timeout', 'seconds', timeout);
  if (raises === undefined) return;
  const { name, message, ...unknown } = Object(raises) as Record<string, unknown>;
  const wellFormed =
    isObject(raises) &&
    [name, message].every((value) => value === undefined || typeof value === 'string') &&
    Object.keys(unknown).length === 0;
  if (!wellFormed) {
    throw new Problem(
      `${at}: "raises" takes "name" and "message" (a regular expression), got ${JSON.stringify(raises)}.`,
    );
  }
  if (!tags.includes('raises-exception')) {
    throw new Problem(
      `${at} names the error expected, so the cell must carry the tag "raises-exception" (other tools go by it).`,
    );
  }
}

function checkAboveZero(at: string, name: string, unit: string, value: unknown): asserts value is number | undefined {
  if (value === undefined || (typeof value === 'number' && value > 0)) return;
  throw new Problem(`${at}: "${name}" takes ${unit} above 0, got ${JSON.stringify(value)}.`);
}
