import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { MimeBundle } from './display.js';
import { exercise, solvedAt } from './exercise.js';

const shown = vi.hoisted((): MimeBundle[] => []);
vi.mock('./display.js', () => ({ show: (bundle: MimeBundle) => shown.push(bundle) }));

const said = () => shown.at(-1)?.['text/plain'];

let memory: string;
beforeAll(async () => {
  memory = await mkdtemp(join(tmpdir(), 'polling-lab-test-'));
});
afterAll(() => rm(memory, { recursive: true }));

const make = (id: string, where: string | null = memory) =>
  exercise<number>(
    {
      id,
      check: (answer) => {
        assert.equal(answer, 42, `Expected 42, got ${answer}.\nand more that is not for a reader`);
        return 'Well done.';
      },
      hint: 'Six times `seven`, and < 43.',
      solution: { file: 'notebooks/exercises/03-short-polling.ts', region: 'fleet' },
    },
    where,
  );

const HINT = '<details><summary>Hint</summary><p>Six times <code>seven</code>, and &lt; 43.</p></details>';

it('shows its hint in a fold of the same output, code in it as code, until the answer is right', async () => {
  for (const answer of [null, 41, 42]) await make('a/0').check(answer);
  const [blank, wrong, right] = shown.splice(0).map((bundle) => String(bundle['text/html']));
  expect(blank).toMatch(/>○ Not attempted\. .*<\/div><details>/);
  expect(wrong).toMatch(/>✗ Not yet\. Expected 42, got 41\.<\/div><details>/);
  for (const html of [blank, wrong]) expect(html).toContain(HINT);
  expect(right).toMatch(/>✓ Solved\. Well done\.<\/div>$/);
});

it('tries nothing until there is an answer', async () => {
  expect(await make('a/1').verdict(null)).toMatchObject({ came: 'not attempted' });
  expect(await solvedAt('a/1', memory)).toBeNull();
});

it('says in one line why an answer is wrong, and remembers nothing', async () => {
  expect(await make('a/2').verdict(41)).toEqual({
    came: 'not yet',
    text: '✗ Not yet. Expected 42, got 41.',
  });
  expect(await solvedAt('a/2', memory)).toBeNull();
});

it('remembers what was solved, across sessions', async () => {
  await make('a/3').check(42);
  expect(said()).toBe('✓ Solved. Well done.');
  const { came, text } = await make('a/3').verdict(null);
  expect(came).toBe('not attempted');
  expect(text).toContain(`You solved it on ${new Date().toISOString().slice(0, 4)}`);
});

it('forgets what was solved when a later answer is wrong, and only then', async () => {
  await make('a/6').check(42);
  await make('a/6').check(null);
  expect(await solvedAt('a/6', memory)).not.toBeNull();
  await make('a/6').check(41);
  expect(await solvedAt('a/6', memory)).toBeNull();
  await make('a/6').check(41); // and there is nothing to forget
});

it('remembers nothing, and recalls nothing, where nobody reads', async () => {
  await make('a/5', null).check(42);
  expect(said()).toBe('✓ Solved. Well done.');
  expect(await solvedAt('a/5', memory)).toBeNull();
  expect(await solvedAt('a/3', null)).toBeNull();
});

it('takes an answer that throws something odd as not yet', async () => {
  const odd = exercise<() => void>(
    {
      id: 'a/4',
      check: (answer) => String(answer()),
      hint: '',
      solution: { file: '', region: '' },
    },
    memory,
  );
  const verdict = await odd.verdict(() => {
    throw 'a string';
  });
  expect(verdict.text).toBe('✗ Not yet. a string');
});

it('takes an answer of several parts as not attempted until one of them is there', async () => {
  const both = exercise<Record<'a' | 'b', string | null>>(
    {
      id: 'a/7',
      check: ({ a, b }) => `${a} and ${b}`,
      hint: '',
      solution: { file: '', region: '' },
    },
    memory,
  );
  expect((await both.verdict({ a: null, b: null })).came).toBe('not attempted');
  expect((await both.verdict({ a: 'x', b: null })).text).toBe('✓ Solved. x and null');
});
