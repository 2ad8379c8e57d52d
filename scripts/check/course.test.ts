import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ICell } from '../shared/notebook-file.js';
import { checkExecuted } from './executed.js';
import { checkNavigation } from './navigation.js';
import { checkSources } from './sources.js';
import { evidence, syllabus, syllabusTable } from './syllabus.js';

const words = (id: string, source: string, metadata: ICell['metadata'] = {}): ICell => ({
  cell_type: 'markdown',
  id,
  metadata,
  source: [source],
});
const code = (id: string, source: string, covers: string[] = []): ICell => ({
  ...words(id, source, covers.length ? { 'polling-lab': { covers } } : {}),
  cell_type: 'code',
});
const title = (text: string) =>
  `# ${text}\n\nA story.\n\n**What you will find out**\n\n- a;\n- b.\n\n**Time**: 5 minutes to read and run. By hand.`;
const sources = '**Sources**\n\n- [A](https://a.example/x#2)';

let root: string;
const write = (name: string, cells: ICell[], about: object) =>
  writeFileSync(
    join(root, 'notebooks', name),
    JSON.stringify({ nbformat: 4, nbformat_minor: 5, cells, metadata: { 'polling-lab': about } }),
  );
const read = (name: string): ICell[] => JSON.parse(readFileSync(join(root, 'notebooks', name), 'utf8')).cells;
const covers = (number: string, facts: object) =>
  writeFileSync(join(root, 'notebooks', 'covers', `${number}.json`), JSON.stringify(facts));

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'polling-lab-course-'));
  mkdirSync(join(root, 'notebooks', 'covers'), { recursive: true });
  const about = { goals: ['a', 'b'], runMinutes: 4.5 };
  write('00-index.ipynb', [words('title', title('Index')), words('map', '')], { ...about, title: 'Index' });
  write('01-one.ipynb', [words('title', title('One')), words('end', sources)], { ...about, title: 'One' });
  write('02-two.ipynb', [words('title', title('Two')), words('end', sources)], { ...about, title: 'Two' });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('navigation', () => {
  test('is missing, is written, and is then as it should be', async () => {
    expect(await checkNavigation(root, false)).toEqual([
      'notebooks/00-index.ipynb: not what the metadata say: map, navigation-end',
      'notebooks/01-one.ipynb: not what the metadata say: navigation, navigation-end',
      'notebooks/02-two.ipynb: not what the metadata say: navigation, navigation-end',
    ]);
    expect(await checkNavigation(root, true)).toEqual([]);
    expect(await checkNavigation(root, false)).toEqual([]);
    expect(read('01-one.ipynb').map(({ id }) => id)).toEqual(['navigation', 'title', 'end', 'navigation-end']);
    expect(read('00-index.ipynb').at(-1)?.source).toEqual(['[One](01-one.ipynb) →']);
    expect(read('01-one.ipynb')[0]?.source).toEqual(['[Contents](00-index.ipynb) · [Two](02-two.ipynb) →']);
    expect(read('02-two.ipynb')[0]?.source).toEqual(['← [One](01-one.ipynb) · [Contents](00-index.ipynb)']);
    const map = [read('00-index.ipynb')[1]?.source].flat().join('');
    expect(map).toContain('| 2 | [Two](02-two.ipynb) | 5 | 0 |\n| | 1 to 2, the main course | 10 | 0 |');
  });

  test('takes title, goals and time from the metadata, and leaves the author the rest', async () => {
    const about = { title: 'Uno', goals: ['x costs $& and $1', 'y'], runMinutes: 29.5 };
    write('01-one.ipynb', [words('title', title('One')), words('end', sources)], about);
    expect(await checkNavigation(root, false)).toContain(
      'notebooks/01-one.ipynb: not what the metadata say: title, navigation, navigation-end',
    );
    await checkNavigation(root, true);
    expect([read('01-one.ipynb')[1]?.source].flat().join('')).toBe(
      '# Uno\n\nA story.\n\n**What you will find out**\n\n- x costs $& and $1;\n- y.\n\n' +
        '**Time**: 30 minutes to read and run. By hand.',
    );
  });

  test('says what only a person can write', async () => {
    write('02-two.ipynb', [words('title', '# Two')], { title: 'Two', goals: ['a'], runMinutes: 4.5 });
    expect(await checkNavigation(root, true)).toEqual([
      'notebooks/02-two.ipynb: its cell "title" has no line that begins with "**What you will find out**"',
      'notebooks/02-two.ipynb: its cell "title" has no line that begins with "**Time**:"',
    ]);
  });

  test('finds goals and time in a cell of their own', async () => {
    const goals = '**What you will find out**\n\n- old.\n\n**Time**: 1 minute.';
    const cells = [words('title', '# Two'), words('seen', 'A plot.'), words('goals', goals), words('end', sources)];
    write('02-two.ipynb', cells, { title: 'Deux', goals: ['a', 'b'], runMinutes: 4.5 });
    expect(await checkNavigation(root, true)).toEqual([]);
    const texts = read('02-two.ipynb').map(({ source }) => [source].flat().join(''));
    expect(texts[1]).toBe('# Deux');
    expect(texts[3]).toBe('**What you will find out**\n\n- a;\n- b.\n\n**Time**: 5 minutes to read and run.');
  });

  test("leaves a lesson's own cells alone, also one that is called as the index's is", async () => {
    const cells = [words('title', title('Two')), words('map', 'Mine.'), words('end', sources)];
    write('02-two.ipynb', cells, { title: 'Two', goals: ['a', 'b'], runMinutes: 4.5 });
    await checkNavigation(root, true);
    expect(read('02-two.ipynb').slice(1, -1)).toEqual(cells);
  });

  test('leads from the end of a notebook to the case files that belong to it, by their headings', async () => {
    const first = words('c-text', '### Case c: the second tab\n\nAn app.', { 'polling-lab': { caseOf: [1, 3] } });
    write('02-two.ipynb', [words('title', title('Two')), first, words('end', sources)], { title: 'Two', goals: ['a'] });
    await checkNavigation(root, true);
    expect([read('01-one.ipynb').at(-1)?.source].flat().join('')).toBe(
      'A failure of a real project, for you to diagnose: [Case c: the second tab](02-two.ipynb#cell-id=c-text)\n\n' +
        '[Contents](00-index.ipynb) · [Two](02-two.ipynb) →',
    );
    expect([read('02-two.ipynb').at(-1)?.source].flat()).toHaveLength(1);
  });

  test('of a notebook that is new or has moved is noticed in its neighbors', async () => {
    await checkNavigation(root, true);
    const about = { title: 'Three', goals: ['a', 'b'], runMinutes: 4.5 };
    write('03-three.ipynb', [words('title', title('Three')), words('end', sources)], about);
    expect(await checkNavigation(root, false)).toEqual([
      'notebooks/00-index.ipynb: not what the metadata say: map',
      'notebooks/02-two.ipynb: not what the metadata say: navigation, navigation-end',
      'notebooks/03-three.ipynb: not what the metadata say: navigation, navigation-end',
    ]);
  });
});

describe('sources', () => {
  const withText = (text: string) => {
    write('01-one.ipynb', [words('text', text), words('end', sources)], { title: 'One' });
    return checkSources(root);
  };

  test.each([
    ['a document of the list, at another place', '[A](https://a.example/x#9)', null],
    ['another notebook', '[two](02-two.ipynb)', null],
    ['a place in another notebook', '[two](02-two.ipynb#end)', null],
    ['a package', '[p](https://github.com/a/b)', null],
    ['a document that the list has not', '[B](https://b.example/)', 'the text points to https://b.example/'],
    ['a notebook that there is not', '[nine](09-nine.ipynb)', 'leads nowhere: 09-nine.ipynb'],
    ['no address', '[A](https://a)', 'leads nowhere: https://a'],
    ['an address that is not secured', '[A](http://a.example/x)', 'leads nowhere: http://a.example/x'],
    ['an address with a space', '[A](https://a.example/ x)', 'leads nowhere: ](https://a.example/ x)'],
  ])('of a text that points to %s', async (_name, text, problem) => {
    const problems = await withText(text);
    if (problem === null) expect(problems).toEqual([]);
    else expect(problems).toEqual([expect.stringContaining(problem)]);
  });

  test('are told by every lesson', async () => {
    write('02-two.ipynb', [words('text', 'No word of it.')], {});
    expect(await checkSources(root)).toEqual([
      'notebooks/02-two.ipynb: 0 cells have a list of **Sources**: expected one',
    ]);
  });
});

describe('the syllabus', () => {
  test('is a table of facts and the cells that stand for them', async () => {
    write('01-one.ipynb', [code('c', 'assert.ok(1)', ['01-a']), words('m', '[A](https://a.example/)')], {});
    covers('01', { '01-a': 'A holds.' });
    covers('02', {});
    const { rows, problems } = await syllabus(root);
    expect(problems).toEqual([]);
    expect(rows).toEqual([{ fact: 'A holds.', notebook: '01-one.ipynb', cell: 'c', how: 'asserts' }]);
    expect(syllabusTable(rows)).toContain('A holds.\n    asserts  01-one.ipynb, cell "c"\n');
  });

  test('fails for a fact without a cell, a cell without a fact, and a cell that stands for nothing', async () => {
    write('01-one.ipynb', [code('c', 'predict("x", 1).compare(1)', ['01-a', '01-z'])], {});
    covers('01', { '01-a': 'A holds.', '01-b': 'B holds.', '02-c': 'Not its own.' });
    expect((await syllabus(root)).problems).toEqual([
      'notebooks/covers/01.json: "02-c" is not its own',
      'notebooks/01-one.ipynb: cell "c" neither asserts "01-a" nor links to its source',
      'no cell covers "01-b": B holds.',
      'no cell covers "02-c": Not its own.',
      'notebooks/01-one.ipynb: cell "c" covers "01-z", which no line of the syllabus is',
      'notebooks/02-two.ipynb: no covers/02.json',
    ]);
  });

  test.each([
    ['assert.equal(a, b);', 'asserts'],
    ['assert(a);', 'asserts'],
    ['const { requests } = await witnesses(run);', 'asserts'],
    ["import assert from 'node:assert';", null],
    ['// assert.equal(a, b);', null],
    ['guess.compare(assert);', null],
  ] as const)('%s: %s', (source, how) => {
    expect(evidence(code('c', source))).toBe(how);
  });
});

describe('what executed notebooks show', () => {
  const svg = (title: string, axis: string, marks: number) =>
    `<svg width="9" height="90"><g aria-label="Title text '${title}'"/><g aria-label="X-axis titled '${axis}' for a linear scale with values from 0"/>${'<path role="graphics-symbol" aria-roledescription="bar"/>'.repeat(marks)}</svg>`;
  const chart = (svgText: string, color = '#0072B2') => ({
    output_type: 'display_data',
    data: {
      'application/vnd.vegalite.v5+json': {
        data: { values: [{}, {}] },
        mark: 'bar',
        encoding: { color: { scale: { domain: ['short-poll'], range: [color] } } },
      },
      'image/svg+xml': svgText,
      'text/plain': 'T: 1; 2.',
    },
    metadata: { 'image/svg+xml': { alt: 'T: 1; 2.' } },
  });
  const look = (...outputs: object[]) => {
    const out = join(root, 'build', 'notebooks');
    mkdirSync(out, { recursive: true });
    const cells = [{ id: 'c', cell_type: 'code', outputs }];
    for (const name of ['00-index.ipynb', '01-one.ipynb']) {
      writeFileSync(
        join(out, name),
        JSON.stringify({ nbformat: 4, metadata: {}, cells: name.startsWith('01') ? cells : [] }),
      );
    }
    rmSync(join(root, 'notebooks', '02-two.ipynb'), { force: true });
    return checkExecuted(root);
  };
  const good = chart(svg('T', 'time (s)', 2));
  const without = (type: string) => {
    const data = Object.fromEntries(Object.entries(good.data).filter(([name]) => name !== type));
    return { ...good, data };
  };

  test('a chart as it should be, and what is counted needs no unit', async () => {
    expect(await look(good)).toEqual([]);
    expect(await look(chart(svg('T', 'requests a job', 2)))).toEqual([]);
  });

  test.each([
    ['no words', without('text/plain'), 'an output without words'],
    ['no picture', without('image/svg+xml'), 'a chart as'],
    ['no title', chart(svg('', 'time (s)', 2).replace('Title', '')), 'a chart without a title'],
    ['no alt text', { ...good, metadata: {} }, 'a chart without alt text'],
    ['no unit', chart(svg('T', 'time', 2)), 'an axis without a unit'],
    ['a mark too few', chart(svg('T', 'time (s)', 1)), 'a chart of 2 rows without a mark for each'],
    [
      'a shortened name',
      chart(svg('T', 'time (s)', 2).replace('<g', '<text>for the first t…</text><g')),
      'shortens a name',
    ],
    ['a color of its own', chart(svg('T', 'time (s)', 2), '#ff0000'), 'short-poll in #ff0000'],
    ['a warning', { output_type: 'stream', name: 'stderr', text: 'Oh.' }, 'a warning: Oh.'],
    [
      'a warning of Node',
      { output_type: 'stream', name: 'stdout', text: '(node:7) ExperimentalWarning: x' },
      'a warning',
    ],
    [
      'what the last line came to',
      { output_type: 'execute_result', data: { 'text/plain': 'null' } },
      'a value left over: null',
    ],
    ['more than a screen', { output_type: 'stream', name: 'stdout', text: 'x\n'.repeat(60) }, 'more than a screen'],
  ])('%s', async (_name, output, problem) => {
    expect(await look(output)).toEqual([expect.stringMatching(new RegExp(`^01-one.ipynb: cell "c": .*${problem}`))]);
  });

  test('a path of this machine', async () => {
    const text = `${join(root, 'bin', 'valkey-server')}, which this notebook has started`;
    expect(await look({ output_type: 'stream', name: 'stdout', text })).toEqual([
      `01-one.ipynb: cell "c": a path of this machine: ${text}`,
    ]);
  });

  test('a notebook that was not executed has not been looked at', async () => {
    await look();
    rmSync(join(root, 'build', 'notebooks', '01-one.ipynb'));
    expect(await checkExecuted(root)).toEqual(['01-one.ipynb: no executed copy; "npm run notebooks" makes it']);
  });
});
