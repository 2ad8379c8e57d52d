import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { linesOf } from '../../shared/notebook-file.js';
import { INVISIBLE, plain } from '../../shared/visible.mjs';
import { parseNotebook } from '../notebook.js';
import type { Failure, Result } from '../result.js';
import { failingLine } from '../result.js';
import type { Job } from '../run.js';
import { annotation, jsonReport, junitReport, workflow } from './files.js';
import { lineFinder } from './line-in-file.js';
import { progress } from './progress.js';
import { markedSource } from './source.js';
import { failureReport, resultLine, summary } from './text.js';

const source = 'const a = 1;\nif (a) {\n  throw new TypeError("a < b & c");\n}';
const notebook = parseNotebook(
  '/lab/notebooks/a.ipynb',
  // As JupyterLab writes it: line 14 of the file has line 1 of the second cell.
  JSON.stringify(
    {
      nbformat: 4,
      metadata: { kernelspec: { name: 'tslab' } },
      cells: [
        { cell_type: 'markdown', source: 'words' },
        { cell_type: 'code', source: linesOf(source), id: 'second' },
        { cell_type: 'code', source: 'more', id: 'third' },
      ],
    },
    null,
    1,
  ),
  'key',
);
const lineInFile = lineFinder([notebook]);

const failure: Failure = {
  kind: 'error',
  message: 'TypeError: a < b & c',
  cell: 1,
  line: 3,
  ename: 'TypeError',
  evalue: 'a < b & c',
  traceback: [
    '\u001b[31mTypeError\u001b[39m: a < b & c',
    'cell [1], line 3',
    '      2 | if (a) {',
    '\u001b[31m----> 3 |\u001b[39m   throw new TypeError("a < b & c");',
    '        |         \u001b[31m^\u001b[39m',
    'helpers.ts, line 7, in check',
    '----> 7 | fail();',
  ],
};

function result(more: Partial<Result> = {}): Result {
  return {
    notebook: 'notebooks/a.ipynb',
    path: '/lab/notebooks/a.ipynb',
    repeat: 1,
    status: 'failed',
    durationMs: 1234,
    kernelStartMs: 500,
    failure,
    leaks: [],
    cells: [
      { index: 1, id: 'second', status: 'failed', executionCount: 1, durationMs: 20 },
      { index: 2, id: 'third', status: 'not-run', executionCount: null, durationMs: null },
    ],
    copy: null,
    ...more,
  };
}
const passed = (more: Partial<Result> = {}) =>
  result({
    status: 'passed',
    failure: null,
    cells: [
      { index: 1, id: 'second', status: 'ran', executionCount: 1, durationMs: 20 },
      { index: 2, id: 'third', status: 'skipped', executionCount: null, durationMs: 0 },
    ],
    ...more,
  });

describe('failureReport', () => {
  it('says where, shows the source with the line marked, the error, and how to run it again', () => {
    expect(plain(failureReport(result(), notebook, 'npm run notebooks -- notebooks/a.ipynb'))).toBe(
      `✗ notebooks/a.ipynb  cell 2 of 3, In [1], line 3

  TypeError: a < b & c

    1 │ const a = 1;
    2 │ if (a) {
  → 3 │   throw new TypeError("a < b & c");
    4 │ }

  cell [1], line 3
  helpers.ts, line 7, in check
  ----> 7 | fail();

  again    npm run notebooks -- notebooks/a.ipynb
`,
    );
  });

  it('tells the way to the outputs from where its reader is', () => {
    const text = failureReport(result({ copy: '/lab/build/a.ipynb' }), notebook, 'again', '/elsewhere');
    expect(plain(text)).toContain('  outputs  ../lab/build/a.ipynb\n');
  });

  it('names no cell if none is to blame, and names the repeat', () => {
    const leak = { ...failure, kind: 'leak', cell: null, line: null, message: 'port 1 …', traceback: [] };
    const text = plain(failureReport(result({ failure: leak as Failure, repeat: 2 }), notebook, 'again'));
    expect(text).toBe('✗ notebooks/a.ipynb (repeat 2)\n\n  port 1 …\n\n  again    again\n');
  });
});

describe('markedSource', () => {
  it('shows of a long cell what is around the line', () => {
    const long = Array.from({ length: 30 }, (_, index) => `line${index + 1}`).join('\n');
    expect(markedSource(long, 15, 1)).toEqual(['  ⋮', '  14 │ line14', '→ 15 │ line15', '  16 │ line16', '  ⋮']);
    expect(markedSource(long, null, 1)).toEqual(['  1 │ line1', '  2 │ line2', '  ⋮']);
  });
});

describe('failingLine', () => {
  it('is the innermost of the cell that failed', () => {
    const traceback = ['Error: x', 'cell [1], line 9, in f', 'cell [2], line 4', 'cell [2], line 6'];
    expect(failingLine(traceback, 2)).toBe(4);
    expect(failingLine(traceback, null)).toBe(9);
    expect(failingLine(traceback, 3)).toBeNull();
    expect(failingLine(['cell [2], line 7:5 - Cannot find name'], 2)).toBe(7);
    expect(failingLine(['An error was thrown from cell [2] in line 3'], 2)).toBeNull();
  });
});

describe('lines', () => {
  it('for one notebook', () => {
    expect(plain(resultLine(passed()))).toBe('✓ notebooks/a.ipynb  1 cells, 1 skipped, 1.2 s');
    expect(plain(resultLine(result({ repeat: 3 })))).toBe(
      '✗ notebooks/a.ipynb (repeat 3)  0 cells, 1.2 s  cell 2: TypeError: a < b & c',
    );
  });

  it('for all', () => {
    expect(summary([passed(), result()], 2, 5000)).toBe('notebooks: 1 passed, 1 failed (5.0 s)');
    expect(summary([passed(), result({ repeat: 2 })], 3, 5000)).toBe(
      'notebooks/a.ipynb: failed 1 of 2 times\nnotebooks: 1 passed, 1 failed, 1 not run (5.0 s)',
    );
  });
});

describe('progress', () => {
  const job: Job = { notebook, name: 'notebooks/a.ipynb', repeat: 1, id: 1 };

  it('is plain where there is no terminal', () => {
    let text = '';
    const live = progress({ write: (more) => (text += more) });
    live.began([job]);
    live.step(job, 'kernel');
    live.step(job, 1);
    live.finished(passed(), notebook);
    live.stop();
    expect(plain(text)).toBe('✓ notebooks/a.ipynb  1 cells, 1 skipped, 1.2 s\n');
  });

  it('leaves on a terminal what is finished, and nothing else', () => {
    let text = '';
    const live = progress({ isTTY: true, columns: 40, write: (more) => (text += more) });
    live.began([job]);
    live.step(job, 1);
    live.finished(passed(), notebook);
    live.stop();
    const erased = '\u001b[1F\u001b[J';
    expect(plain(text)).toContain('  1 of 1 notebooks\n');
    expect(text.endsWith(erased)).toBe(true);
  });
});

describe('files', () => {
  it('JUnit: a suite for a notebook, a case for a cell', () => {
    expect(
      junitReport([result(), passed({ notebook: 'b.ipynb' })], lineInFile),
    ).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="notebooks/a.ipynb" tests="2" failures="1" errors="0" skipped="1" time="1.234">
    <testcase classname="notebooks/a.ipynb" name="cell 2" file="notebooks/a.ipynb" line="18" time="0.020">
      <failure type="error" message="TypeError: a &lt; b &amp; c">TypeError: a &lt; b &amp; c

TypeError: a &lt; b &amp; c
cell [1], line 3
      2 | if (a) {
----&gt; 3 |   throw new TypeError(&quot;a &lt; b &amp; c&quot;);
        |         ^
helpers.ts, line 7, in check
----&gt; 7 | fail();</failure>
    </testcase>
    <testcase classname="notebooks/a.ipynb" name="cell 3" file="notebooks/a.ipynb" line="25" time="0.000"><skipped message="not run: an earlier cell failed"/></testcase>
  </testsuite>
  <testsuite name="b.ipynb" tests="2" failures="0" errors="0" skipped="1" time="1.234">
    <testcase classname="b.ipynb" name="cell 2" file="b.ipynb" line="16" time="0.020"/>
    <testcase classname="b.ipynb" name="cell 3" file="b.ipynb" line="25" time="0.000"><skipped/></testcase>
  </testsuite>
</testsuites>
`);
  });

  it('JUnit: no character that XML does not know, and a case for what no cell is to blame for', () => {
    const strange: Failure = { ...failure, cell: null, message: 'a\u0000\u0007\u009bb', traceback: [] };
    const text = junitReport([passed({ status: 'failed', failure: strange })], lineInFile);
    expect(text).toContain('<failure type="error" message="a\\u{0}\\u{7}\\u{9b}b">');
    expect(text).toContain('name="notebook" file="notebooks/a.ipynb" line="1" time="0">');
  });

  it('JSON: counts, and tracebacks without colors', () => {
    const report = JSON.parse(jsonReport([result(), passed()], { wallMs: 10.4, exitCode: 1, notRun: [] }));
    expect(report).toMatchObject({ passed: 1, failed: 1, durationMs: 10, exitCode: 1 });
    expect(report.notebooks[0].failure.traceback[0]).toBe('TypeError: a < b & c');
  });

  it('text: what cannot be seen is shown as its code, and moves no cursor', () => {
    const strange: Failure = {
      ...failure,
      message: 'a\u001b[2J\u001b[31mred\u0007\u202eb\u200b\r\n::error::c\td',
      traceback: [],
    };
    const texts = [
      resultLine(result({ failure: strange })),
      failureReport(result({ failure: strange }), notebook, 'again'),
    ];
    for (const text of texts) {
      expect(text).toContain('a\\u{1b}[2Jred\\u{7}\\u{202e}b\\u{200b}');
      expect(
        stripVTControlCharacters(text)
          .replace(/[\n\t]/g, '')
          .match(INVISIBLE),
      ).toBeNull();
    }
  });

  it('GitHub: commands are stopped, but for the annotations', () => {
    const { stop, go, annotate } = workflow('TOKEN', '/lab');
    expect([stop, go]).toEqual(['::stop-commands::TOKEN\n', '::TOKEN::\n']);
    expect(annotate(result(), lineInFile)).toBe(`${go}${annotation(result(), '/lab', lineInFile)}\n${stop}`);
  });

  it('GitHub: an annotation in one line', () => {
    const text = annotation(result({ notebook: 'a.ipynb' }), '/lab', lineInFile);
    expect(text).toMatch(
      /^::error file=notebooks\/a\.ipynb,line=18,title=a\.ipynb%2C cell 2::TypeError: a < b & c%0A%0A/,
    );
    expect(text).not.toContain('\n');
    expect(annotation(passed(), '/lab', lineInFile)).toBe('');
  });
});
