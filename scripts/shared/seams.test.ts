import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

// The kernel and the runner could serve any project. What this one is to them is handed in: by kernel-settings.json and by
// project.ts. Their programs and tests, which run for this project, may name it.
const scripts = resolve(import.meta.dirname, '..');
const OF_THE_COURSE = /polling.?lab|\bcourse\b|\bledger\b|\/traffic\b/i;

interface Part {
  /** What it may import from the rest of the project. */
  imports: string[];
  /** Files that are run for this project. */
  programs: string[];
}
const parts: Record<string, Part> = {
  kernel: { imports: [], programs: ['bench.ts', 'papermill/polling_lab_papermill.py'] },
  'kernel/cli': { imports: ['kernel/', 'shared/'], programs: [] },
  runner: {
    imports: [
      ...['shared/', 'kernel/choose-compiler.ts', 'kernel/options.ts', 'kernel/cli/registration.mjs'],
      ...['setup/environment.mjs', 'setup/lock.mjs'],
    ],
    programs: ['bench.ts', 'compare.ts'],
  },
};
/** Of a part's folder: tests, what a test runs, what is made, and the other part. */
const NOT_LOOKED_AT = /\.test\.ts$|^(tests|verdicts|build|cli)\/|__pycache__|^package\.json$/;
/** The scope under which the packages are published. */
const PUBLISHER = /@polling-lab\/(?=kernel|runner)/g;

describe.each(Object.entries(parts))('the %s', (part, { imports, programs }) => {
  const sources = readdirSync(join(scripts, part), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|cjs|py|json)$/.test(name) && !NOT_LOOKED_AT.test(name))
    .filter((name) => !programs.includes(name))
    .map((name) => ({ name, text: readFileSync(join(scripts, part, name), 'utf8') }));

  it('has files that are looked at', () => {
    expect(sources.length).toBeGreaterThan(1);
  });

  it.each(sources)('$name does not speak of the course', ({ text }) => {
    expect(
      text
        .replace(PUBLISHER, '')
        .split('\n')
        .filter((line) => OF_THE_COURSE.test(line)),
    ).toEqual([]);
  });

  it.each(sources)('$name imports nothing of the project', ({ name, text }) => {
    const outside = [...text.matchAll(/(?:from|require\()\s*'(\.[^']+)'/g)]
      .map(([, path]) => relative(scripts, resolve(scripts, part, name, '..', path!)).replace(/\.js$/, '.ts'))
      .filter((path) => !path.startsWith(`${part}/`) && !imports.some((allowed) => path.startsWith(allowed)));
    expect(outside).toEqual([]);
  });
});
