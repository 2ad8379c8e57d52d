// Reads Jupyter notebooks, in the one format that is current (nbformat 4).
// https://nbformat.readthedocs.io/en/latest/format_description.html
import { readFile } from 'node:fs/promises';
import type {
  ICell,
  ICodeCell,
  IMarkdownCell,
  IMimeBundle,
  INotebookContent,
  IOutput,
  MultilineString,
} from '@jupyterlab/nbformat';
import { writeWhole } from './files.mjs';
import { Problem } from './problem.mjs';

export type * from '@jupyterlab/nbformat';

/** Reads a notebook. Throws a Problem if it cannot be read, or is no notebook. */
export async function readNotebookFile(path: string): Promise<{ text: string; content: INotebookContent }> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new Problem(`${path} cannot be read: ${(error as Error).message}`);
  }
  return { text, content: parseNotebookFile(path, text) };
}

/**
 * Parses a notebook: nbformat 4, with cells of the three types there are, and tags that are lists of strings. A lenient
 * reader would take a cell of another type for one that is not run. Throws a Problem that names `path`.
 */
export function parseNotebookFile(path: string, text: string): INotebookContent {
  let content: INotebookContent;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new Problem(`${path} is no notebook: it is not JSON (${(error as Error).message})`);
  }
  if (content?.nbformat !== 4 || !Array.isArray(content.cells)) {
    throw new Problem(
      `${path} is no notebook that can be run: expected nbformat 4 with cells, got nbformat ${content?.nbformat}. Open and save it in JupyterLab to bring it up to date.`,
    );
  }
  content.cells.forEach((cell, index) => {
    checkCell(`${path}, cell ${index + 1}`, cell);
  });
  return content;
}

const CELL_TYPES = ['code', 'markdown', 'raw'];

function checkCell(at: string, { cell_type, metadata }: Partial<ICell>): void {
  if (!CELL_TYPES.includes(cell_type as string)) {
    throw new Problem(`${at}: "cell_type" is one of ${CELL_TYPES.join(', ')}, got ${JSON.stringify(cell_type)}.`);
  }
  const tags: unknown = metadata?.tags;
  if (tags !== undefined && !(Array.isArray(tags) && tags.every((tag) => typeof tag === 'string'))) {
    throw new Problem(`${at}, metadata: "tags" takes a list of strings, got ${JSON.stringify(tags)}.`);
  }
}

/** A cell's id; '' in a notebook from before nbformat 4.5. */
export const idOf = ({ id }: ICell): string => String(id ?? '');

export const isCode = (cell: ICell): cell is ICodeCell => cell.cell_type === 'code';
export const isMarkdown = (cell: ICell): cell is IMarkdownCell => cell.cell_type === 'markdown';

/** Writes a notebook as JupyterLab does. */
export const writeNotebookFile = (path: string, content: INotebookContent): void =>
  writeWhole(path, `${JSON.stringify(content, null, 1)}\n`);

/** The text of a source or an output, which may be stored as a list of lines. */
export const textOf = (text: MultilineString): string => [text].flat().join('');

/** A text as nbformat stores it: a list of lines. */
export const linesOf = (text: string): string[] => text.split(/(?<=\n)/);

export const tagsOf = ({ metadata }: ICell): string[] => (metadata?.tags as string[] | undefined) ?? [];

/** What an output shows, by MIME type; nothing for a stream or an error. */
export const dataOf = ({ data }: IOutput): IMimeBundle => (data ?? {}) as IMimeBundle;

/** What an output shows as text of a MIME type; '' if it does not. */
export const shownAs = (output: IOutput, type: string): string =>
  textOf((dataOf(output)[type] ?? '') as MultilineString);
