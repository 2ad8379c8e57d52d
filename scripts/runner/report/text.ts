import { relative } from 'node:path';
import { chalk } from 'zx';
import { plain } from '../../shared/visible.mjs';
import type { Other } from '../main.js';
import type { Notebook } from '../notebook.js';
import type { Result } from '../result.js';
import { cellName, markedSource, tracebackText } from './source.js';

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** What reports call a result's notebook: its path, and which run it was if not the first. */
export const resultName = ({ notebook, repeat }: Result): string =>
  repeat > 1 ? `${notebook} (repeat ${repeat})` : notebook;

/** One line that a finished notebook leaves on the terminal. */
export function resultLine(result: Result): string {
  const name = resultName(result);
  const ran = result.cells.filter(({ status }) => status === 'ran' || status === 'raised').length;
  const skipped = result.cells.filter(({ status }) => status === 'skipped').length;
  const facts = [`${ran} cells`, ...(skipped ? [`${skipped} skipped`] : []), seconds(result.durationMs)].join(', ');
  if (result.status === 'passed') return `${chalk.green('✓')} ${name}  ${chalk.dim(facts)}`;
  return `${chalk.red('✗')} ${name}  ${chalk.dim(facts)}  ${headline(result)}`;
}

function headline(result: Result): string {
  const { failure } = result;
  if (!failure) return '';
  const where = failure.cell === null ? '' : `cell ${failure.cell + 1}: `;
  return `${where}${plain(failure.message).split('\n')[0]}`;
}

/**
 * What a reader needs to fix a failure: the place, the source, the error, and the command that runs the notebook again.
 * The path of the executed copy is shown relative to `base`.
 */
export function failureReport(result: Result, notebook: Notebook, again: string, base = process.cwd()): string {
  const { failure } = result;
  if (!failure) return '';
  const lines = [chalk.red.bold(`✗ ${resultName(result)}`)];
  const cell = failure.cell === null ? undefined : notebook.cells[failure.cell];
  const count = result.cells.find(({ index }) => index === cell?.index)?.executionCount ?? null;
  if (cell) {
    const prompt = count ? `, In [${count}]` : '';
    const line = failure.line ? `, line ${failure.line}` : '';
    lines[0] += chalk.bold(`  ${cellName(cell.index, notebook)}${prompt}${line}`);
  }
  lines.push('', ...indent(plain(failure.message)));
  if (cell) {
    const source = markedSource(plain(cell.source), failure.line);
    lines.push('', ...indent(source.map((one) => (one.startsWith('→') ? chalk.red(one) : one)).join('\n')));
  }
  const traceback = withoutShown(tracebackText(failure), failure.message, count);
  if (traceback) lines.push('', ...indent(chalk.dim(traceback)));
  lines.push('');
  if (result.copy) lines.push(`  outputs  ${relative(base, result.copy)}`);
  lines.push(`  again    ${again}`, '');
  return lines.join('\n');
}

/** A traceback without what the report shows already: the message, and the excerpts from the failing cell. */
function withoutShown(traceback: string, message: string, count: number | null): string {
  let inCell = false;
  const lines = traceback.split('\n').filter((line, index) => {
    if (index === 0 && line.trim() === message) return false;
    if (/, line \d+/.test(line)) inCell = count !== null && line.startsWith(`cell [${count}], `);
    return !(inCell && /^(?:---->| {5}) *\d* \|/.test(line));
  });
  return lines.join('\n').trim();
}

function indent(text: string): string[] {
  return text.split('\n').map((line) => `  ${line}`.trimEnd());
}

/** Which notebooks were left out, since they are in another language. */
export function othersLine(others: readonly Other[]): string {
  const count = others.length === 1 ? '1 notebook is' : `${others.length} notebooks are`;
  const names = others.map(({ notebook, kernel }) => `${notebook} (${kernel})`).join(', ');
  return plain(`${count} in another language and skipped: ${names}`);
}

/** The last line of a run; with `--repeat`, how often each notebook failed. */
export function summary(results: Result[], planned: number, wallMs: number): string {
  const failed = results.filter(({ status }) => status === 'failed');
  const lines: string[] = [];
  if (results.some(({ repeat }) => repeat > 1)) {
    const names = [...new Set(failed.map(({ notebook }) => notebook))];
    for (const name of names) {
      const all = results.filter(({ notebook }) => notebook === name);
      const bad = all.filter(({ status }) => status === 'failed');
      lines.push(`${name}: failed ${bad.length} of ${all.length} times`);
    }
  }
  const parts = [`${results.length - failed.length} passed`, `${failed.length} failed`];
  if (planned > results.length) parts.push(`${planned - results.length} not run`);
  lines.push(`notebooks: ${parts.join(', ')} (${seconds(wallMs)})`);
  return lines.join('\n');
}
