import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkout, courseNotebooks } from '../shared/paths.mjs';
import { checkLessons } from './lessons.js';
import { checkNavigation } from './navigation.js';
import { checkOutputs } from './outputs.js';
import { checkSources } from './sources.js';
import { syllabus } from './syllabus.js';

// One more lesson is added to a copy of the course, by the steps of notebooks/README.md; then each step is undone.
let root: string;
const NAME = '15-websockets';
const at = (path: string) => join(root, path);
const write = (path: string, text: string) => {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), text);
};

interface Cell {
  cell_type: string;
  id: string;
  metadata: { tags?: string[]; 'polling-lab'?: { covers: string[] } };
  source: string;
  outputs?: object[];
  execution_count?: number | null;
}
const words = (id: string, source: string, metadata = {}): Cell => ({ cell_type: 'markdown', id, metadata, source });
const code = (id: string, source: string, metadata: Cell['metadata'] = {}): Cell => ({
  ...{ cell_type: 'code', id, metadata, source, outputs: [], execution_count: null },
});
const exercise = (kind: string) => code(`exercise-1-${kind}`, `echo.${kind}();`, { tags: ['exercise', kind] });

const CELLS = [
  words('title', '# WebSockets\n\n**What you will find out**\n\n- one\n- two\n\n**Time**: 1 minute.'),
  code('guess', "const guess = predict('frames', null);"),
  code('handler', "await showSource('server/app.ts', 'App');"),
  code('run-one', 'await witnesses(run);\nassert.equal(3, 3);', { 'polling-lab': { covers: ['15-echo'] } }),
  code('plot', "await draw(waterfall(run.rows, { title: 'Three frames' }));"),
  ...['check', 'solution'].map(exercise),
  words('sources', '**Sources**\n\n- [RFC 6455](https://www.rfc-editor.org/rfc/rfc6455)'),
];
const about = { title: 'WebSockets', goals: ['one', 'two'], runMinutes: 0.5, picture: 'plot' };

function writeLesson(cells: Cell[] = CELLS, metadata: object = about): void {
  const kernelspec = { display_name: 'TypeScript', language: 'typescript', name: 'tslab' };
  const notebook = { nbformat: 4, nbformat_minor: 5, cells, metadata: { kernelspec, 'polling-lab': metadata } };
  write(`notebooks/${NAME}.ipynb`, JSON.stringify(notebook));
}

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'polling-lab-lesson-'));
  for (const name of [
    'exercises',
    'notes',
    'covers',
    'media',
    'lessons',
    'twin',
    'instruments',
    ...courseNotebooks(checkout),
  ])
    cpSync(join(checkout, 'notebooks', name), at(`notebooks/${name}`), { recursive: true });
  for (const path of ['.github/images', 'server/app.ts', 'server/edge/interface'])
    cpSync(join(checkout, path), at(path), { recursive: true });
  const row = `| 15 | [WebSockets](notebooks/${NAME}.ipynb) | echoes | <img src=".github/images/15.svg"> |\n`;
  write('README.md', readFileSync(join(checkout, 'README.md'), 'utf8') + row);
  write(`notebooks/exercises/${NAME}.ts`, '');
  write(`notebooks/exercises/${NAME}.test.ts`, '');
  write(`notebooks/notes/${NAME}.md`, '# Notes');
  write('notebooks/covers/15.json', '{ "15-echo": "An echo." }');
  write('.github/images/15.svg', '<svg/>');
  writeLesson();
  await checkNavigation(root, true);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const found = async () =>
  [
    ...(await checkLessons(root)),
    ...(await checkOutputs(root, false)),
    ...(await checkNavigation(root, false)),
    ...(await checkSources(root)),
    ...(await syllabus(root)).problems,
  ].filter((line) => /15|WebSockets|14-case|00-start/.test(line));

test('a lesson that was added by all the steps is found whole', async () => {
  expect(await found()).toEqual([]);
});

const without = (id: string) => () => writeLesson(CELLS.filter((cell) => cell.id !== id));
const remove = (path: string) => () => rmSync(at(path));

test.each<[string, () => void, RegExp]>([
  ['its title cell', without('title'), /its first cell has to be "title"/],
  ['its goals', () => writeLesson(CELLS, { ...about, goals: [] }), /goals/],
  ['the links to and from it', () => writeLesson(), /not what the metadata say/],
  ['a prediction', without('guess'), /no cell lets the reader predict/],
  ...[
    "predict('frames', 3);",
    'const ways = [{ yours: -1 }];',
    '[null, 2].map((yours) => predict("frames", yours));',
  ].map((text): [string, () => void, RegExp] => [
    `a blank in ${text}`,
    () => writeLesson([...CELLS, code('filled', text)]),
    /cell "filled": a prediction begins blank, expected null, got -?\d$/m,
  ]),
  ['a plot', without('plot'), /no cell draws what was measured/],
  ["the server's side", without('handler'), /no cell shows the server's side/],
  ['the witnesses', without('run-one'), /no cell holds the client's count/],
  ['an assertion', without('run-one'), /no cell asserts/],
  ['its sources', without('sources'), /Sources/],
  ['a line of the syllabus', remove('notebooks/covers/15.json'), /no covers\/15.json/],
  ['a cell for that line', without('run-one'), /no cell covers "15-echo"/],
  ['an exercise', without('exercise-1-check'), /no exercise/],
  [
    'the file of its exercises',
    remove(`notebooks/exercises/${NAME}.ts`),
    /there is no notebooks\/exercises\/15-websockets.ts/,
  ],
  [
    'their test',
    remove(`notebooks/exercises/${NAME}.test.ts`),
    /there is no notebooks\/exercises\/15-websockets.test.ts/,
  ],
  ['the notes', remove(`notebooks/notes/${NAME}.md`), /there is no notebooks\/notes\/15-websockets.md/],
  [
    'the choice of a picture',
    () => writeLesson(CELLS, { ...about, picture: 'run-one' }),
    /has to name a cell that draws, got "run-one"/,
  ],
  ['the picture', remove('.github/images/15.svg'), /npm run pictures -- --notebook 15/],
  [
    'its row in the README',
    () => write('README.md', readFileSync(join(checkout, 'README.md'), 'utf8')),
    /README.md has no row/,
  ],
  [
    'clean outputs',
    () => writeLesson(CELLS.map((cell) => (cell.id === 'plot' ? { ...cell, outputs: [{}] } : cell))),
    /output/,
  ],
])('%s: it is found when it is left out', async (_, undo, reason) => {
  undo();
  expect((await found()).join('\n')).toMatch(reason);
});
