import { relative } from 'node:path';
import { plain } from '../../shared/visible.mjs';
import type { Other } from '../main.js';
import type { Result } from '../result.js';
import type { LineInFile } from './line-in-file.js';
import { tracebackText } from './source.js';
import { resultName } from './text.js';

/** `notRun`: notebooks in another language, which were left out. */
export function jsonReport(
  results: Result[],
  facts: { wallMs: number; exitCode: number; notRun: readonly Other[] },
): string {
  const notebooks = results.map((result) => ({
    ...result,
    failure: result.failure && {
      ...result.failure,
      traceback: result.failure.traceback.map(plain),
    },
  }));
  const failed = results.filter(({ status }) => status === 'failed').length;
  const report = {
    passed: results.length - failed,
    failed,
    durationMs: Math.round(facts.wallMs),
    exitCode: facts.exitCode,
    inOtherLanguages: facts.notRun,
    notebooks,
  };
  return `${JSON.stringify(report, null, 2)}\n`;
}

/** JUnit's XML: a suite for each notebook, a case for each code cell, with its line in the notebook's file. */
export function junitReport(results: Result[], lineInFile: LineInFile): string {
  const suites = results.map((result) => {
    const name = resultName(result);
    const at = (cell: number | null, line: number | null = null) =>
      `file=${attribute(result.notebook)} line="${lineInFile(result.path, cell, line)}"`;
    const cases = result.cells
      .filter(({ status }) => status !== 'empty')
      .map((cell) => {
        const failing = result.failure?.cell === cell.index ? result.failure.line : null;
        const head = `    <testcase classname=${attribute(name)} name="cell ${cell.index + 1}" ${at(cell.index, failing)} time="${inSeconds(cell.durationMs ?? 0)}"`;
        if (cell.status === 'failed') return `${head}>\n${failureElement(result)}\n    </testcase>`;
        if (cell.status === 'skipped') return `${head}><skipped/></testcase>`;
        if (cell.status === 'not-run') {
          return `${head}><skipped message="not run: an earlier cell failed"/></testcase>`;
        }
        return `${head}/>`;
      });
    if (result.failure && !result.cells.some(({ status }) => status === 'failed')) {
      cases.push(
        `    <testcase classname=${attribute(name)} name="notebook" ${at(null)} time="0">\n${failureElement(result)}\n    </testcase>`,
      );
    }
    const skipped = cases.filter((one) => one.includes('<skipped')).length;
    return [
      `  <testsuite name=${attribute(name)} tests="${cases.length}" failures="${result.failure ? 1 : 0}" errors="0" skipped="${skipped}" time="${inSeconds(result.durationMs)}">`,
      ...cases,
      '  </testsuite>',
    ].join('\n');
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join('\n')}\n</testsuites>\n`;
}

function failureElement({ failure }: Result): string {
  if (!failure) return '';
  const text = [failure.message, tracebackText(failure)].filter(Boolean).join('\n\n');
  return `      <failure type=${attribute(failure.kind)} message=${attribute(failure.message)}>${escapeXml(text)}</failure>`;
}

const inSeconds = (ms: number) => (ms / 1000).toFixed(3);

const attribute = (text: string) => `"${escapeXml(text).replaceAll('\n', '&#10;')}"`;

/** XML 1.0 has no control characters but tab and newline, not even escaped (section 2.2). */
function escapeXml(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return plain(text) // no control characters
    .replace(/[\ufffe\uffff]/g, '\ufffd')
    .replace(/[&<>"]/g, (character) => entities[character]!);
}

/**
 * What a run under GitHub Actions prints around its reports. Their lines may hold a notebook's own words, which are not
 * to be taken for workflow commands (`::add-mask::…`): commands are stopped, but for the annotations.
 * https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions#stopping-and-starting-workflow-commands
 */
export function workflow(token: string, workspace: string) {
  const [stop, go] = [`::stop-commands::${token}\n`, `::${token}::\n`];
  const annotate = (result: Result, lineInFile: LineInFile) =>
    `${go}${annotation(result, workspace, lineInFile)}\n${stop}`;
  return { stop, go, annotate };
}

/** A GitHub Actions annotation, shown at the line of the notebook's file in a pull request. Its path is the one in the repository. */
export function annotation(result: Result, workspace: string, lineInFile: LineInFile): string {
  const { failure } = result;
  if (!failure) return '';
  const data = (text: string) => plain(text).replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  const property = (text: string) => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
  const where = failure.cell === null ? '' : `, cell ${failure.cell + 1}`;
  const text = [failure.message, tracebackText(failure)].filter(Boolean).join('\n\n');
  const line = lineInFile(result.path, failure.cell, failure.line);
  return `::error file=${property(relative(workspace, result.path))},line=${line},title=${property(`${result.notebook}${where}`)}::${data(text)}`;
}
