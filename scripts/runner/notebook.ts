import { readFile } from 'node:fs/promises';
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
  cells: Cell[];
  /** Options for the compiler of its cells, in the words of a `tsconfig.json`, from the notebook's metadata. */
  compilerOptions: object;
}

interface RawCell {
  id?: unknown;
  cell_type?: unknown;
  source?: unknown;
  metadata?: { tags?: unknown; 'polling-lab'?: { raises?: unknown; timeout?: unknown } };
}

/** Reads and checks a notebook: nbformat 4, for the kernel `tslab`, with annotations that make sense. */
export async function readNotebook(path: string): Promise<Notebook> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new Problem(`${path} cannot be read: ${(error as Error).message}`);
  }
  return parseNotebook(path, text);
}

export function parseNotebook(path: string, text: string): Notebook {
  let raw: {
    nbformat?: unknown;
    cells?: unknown;
    metadata?: {
      kernelspec?: { name?: unknown };
      'polling-lab'?: { timeout?: unknown; compilerOptions?: unknown };
    };
  };
  try {
    raw = JSON.parse(text);
  } catch (error) {
    throw new Problem(`${path} is no notebook: it is not JSON (${(error as Error).message})`);
  }
  if (raw?.nbformat !== 4 || !Array.isArray(raw.cells)) {
    throw new Problem(
      `${path} is no notebook that can be run: expected nbformat 4 with cells, got nbformat ${raw?.nbformat}. Open and save it in JupyterLab to bring it up to date.`,
    );
  }
  const kernel = raw.metadata?.kernelspec?.name;
  if (kernel !== 'tslab') {
    throw new Problem(
      `${path} is for the kernel ${JSON.stringify(kernel ?? 'none')}: only notebooks for "tslab" are run here.`,
    );
  }
  const { timeout, compilerOptions = {} } = raw.metadata?.['polling-lab'] ?? {};
  checkTimeout(`${path}, metadata`, timeout);
  if (typeof compilerOptions !== 'object' || compilerOptions === null) {
    throw new Problem(
      `${path}, metadata "polling-lab": "compilerOptions" takes an object such as {"strict": true}, got ${JSON.stringify(compilerOptions)}.`,
    );
  }
  const cells = raw.cells.map((cell: RawCell, index): Cell => {
    checkShape(`${path}, cell ${index + 1}`, cell);
    const tags = cell.metadata?.tags;
    const checked: Cell = {
      index,
      id: typeof cell.id === 'string' ? cell.id : null,
      isCode: cell.cell_type === 'code',
      source: Array.isArray(cell.source) ? cell.source.join('') : String(cell.source ?? ''),
      tags: (tags as string[] | undefined) ?? [],
    };
    checkAnnotations(path, checked, cell.metadata?.['polling-lab']);
    return checked;
  });
  return { path, text, cells, compilerOptions };
}

const CELL_TYPES = ['code', 'markdown', 'raw'];

/** Refuses what a lenient reader would take for a cell that is not run, or for one without tags. */
function checkShape(at: string, { cell_type, metadata }: RawCell): void {
  if (!CELL_TYPES.includes(cell_type as string)) {
    throw new Problem(`${at}: "cell_type" is one of ${CELL_TYPES.join(', ')}, got ${JSON.stringify(cell_type)}.`);
  }
  const tags = metadata?.tags;
  if (tags !== undefined && !(Array.isArray(tags) && tags.every((tag) => typeof tag === 'string'))) {
    throw new Problem(`${at}, metadata: "tags" takes a list of strings, got ${JSON.stringify(tags)}.`);
  }
}

/** Cell metadata `"polling-lab": { "raises": { "name", "message" }, "timeout": seconds }`. */
function checkAnnotations(
  path: string,
  cell: Cell,
  annotations: { raises?: unknown; timeout?: unknown } | undefined,
): void {
  const at = `${path}, cell ${cell.index + 1}, metadata`;
  const { raises, timeout } = annotations ?? {};
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
