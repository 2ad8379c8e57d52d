import { glob } from 'zx';
import { type ICell, isCode, readNotebookFile, writeNotebookFile } from '../shared/notebook-file.js';

/** What an execution leaves in a cell's metadata. */
const TRACES = ['execution', 'collapsed', 'scrolled', 'trusted'];

/** What a notebook has that a commit should not, in words; nothing if it is clean. */
export function traces(cells: ICell[]): string[] {
  return cells.flatMap((cell, index) => {
    const found = [
      isCode(cell) && cell.outputs?.length && 'outputs',
      isCode(cell) && typeof cell.execution_count === 'number' && 'an execution count',
      ...TRACES.filter((name) => name in (cell.metadata ?? {})).map((name) => `metadata "${name}"`),
    ].filter(Boolean);
    return found.length ? [`cell ${index + 1} has ${found.join(', ')}`] : [];
  });
}

/** The same cells as if they had never run. */
export function stripped(cells: ICell[]): ICell[] {
  return cells.map((cell) => {
    const metadata = Object.fromEntries(Object.entries(cell.metadata ?? {}).filter(([name]) => !TRACES.includes(name)));
    return { ...cell, metadata, ...(isCode(cell) && { outputs: [], execution_count: null }) };
  });
}

/** Holds the course's notebooks to being committed without outputs; `fix` strips them. One line a problem. */
export async function checkOutputs(root: string, fix: boolean): Promise<string[]> {
  const problems: string[] = [];
  for (const path of await glob('notebooks/**/*.ipynb', { cwd: root, absolute: true })) {
    const { content } = await readNotebookFile(path);
    const found = traces(content.cells);
    if (found.length === 0) continue;
    const shown = path.slice(root.length + 1);
    if (fix) writeNotebookFile(path, { ...content, cells: stripped(content.cells) });
    else problems.push(...found.map((what) => `${shown}: ${what}`));
  }
  return problems;
}
