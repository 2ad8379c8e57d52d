import { readFile, writeFile } from 'node:fs/promises';
import { glob } from 'zx';

interface Cell {
  cell_type: string;
  outputs?: unknown[];
  execution_count?: number | null;
  metadata?: Record<string, unknown>;
}

/** What an execution leaves in a cell's metadata. */
const TRACES = ['execution', 'collapsed', 'scrolled', 'trusted'];

/** What a notebook has that a commit should not, in words; nothing if it is clean. */
export function traces(cells: Cell[]): string[] {
  return cells.flatMap((cell, index) => {
    const found = [
      cell.outputs?.length && 'outputs',
      typeof cell.execution_count === 'number' && 'an execution count',
      ...TRACES.filter((name) => cell.metadata && name in cell.metadata).map((name) => `metadata "${name}"`),
    ].filter(Boolean);
    return found.length ? [`cell ${index + 1} has ${found.join(', ')}`] : [];
  });
}

/** The same cells as if they had never run. */
export function stripped(cells: Cell[]): Cell[] {
  return cells.map((cell) => {
    const metadata = Object.fromEntries(Object.entries(cell.metadata ?? {}).filter(([name]) => !TRACES.includes(name)));
    return { ...cell, metadata, ...(cell.outputs && { outputs: [], execution_count: null }) };
  });
}

/** Holds the course's notebooks to being committed without outputs; `fix` strips them. One line a problem. */
export async function checkOutputs(root: string, fix: boolean): Promise<string[]> {
  const problems: string[] = [];
  for (const path of await glob('notebooks/**/*.ipynb', { cwd: root, absolute: true })) {
    const notebook = JSON.parse(await readFile(path, 'utf8')) as { cells: Cell[] };
    const found = traces(notebook.cells);
    if (found.length === 0) continue;
    const shown = path.slice(root.length + 1);
    if (fix) await writeFile(path, `${JSON.stringify({ ...notebook, cells: stripped(notebook.cells) }, null, 1)}\n`);
    else problems.push(...found.map((what) => `${shown}: ${what}`));
  }
  return problems;
}
