import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

// The runner could serve any project, and what this one is to it is handed in: scripts/project.ts. Its programs and its
// tests, which run for this project, may import that file.
const scripts = resolve(import.meta.dirname, '..');
const runner = join(scripts, 'runner');
const PROGRAMS = ['bench.ts', 'check-cells.ts', 'compare.ts'];
/** What the runner uses of the rest, beside packages. */
const ALLOWED = ['shared/', 'kernel/options.ts'];
const OF_THE_COURSE = /polling.?lab|\bcourse\b|\bledger\b|\/traffic\b/i;

const sources = readdirSync(runner, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(ts|py)$/.test(name) && !/\.test\.ts$|^verdicts\//.test(name))
  .filter((name) => !PROGRAMS.includes(basename(name)))
  .map((name) => ({ name, text: readFileSync(join(runner, name), 'utf8') }));

describe('the runner', () => {
  it('has the files that are looked at', () => {
    expect(sources.map(({ name }) => name)).toEqual(expect.arrayContaining(['run.ts', 'execute.py', 'report/text.ts']));
  });

  it.each(sources)('$name does not speak of the course', ({ text }) => {
    expect(text.split('\n').filter((line) => OF_THE_COURSE.test(line))).toEqual([]);
  });

  it.each(sources)('$name imports nothing of the project', ({ name, text }) => {
    const outside = [...text.matchAll(/from '(\.[^']+)'/g)]
      .map(([, path]) => relative(scripts, resolve(runner, name, '..', path!)).replace(/\.js$/, '.ts'))
      .filter((path) => !path.startsWith('runner/') && !ALLOWED.some((allowed) => path.startsWith(allowed)));
    expect(outside).toEqual([]);
  });
});
