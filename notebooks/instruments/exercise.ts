import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { show } from './display.js';
import { CHECKOUT } from './own-server.js';
import { find } from './source.js';
import { escaped } from './table.js';
import { visible } from './visible.js';

/** How many lines a solution may have. It is folded, so it may be longer than a listing of the server's code. */
const SOLUTION_LINES = 40;

/** What an exercise is made of. */
export interface ExerciseParts<Answer> {
  /** The notebook and the exercise: `03-short-polling/1-conditional`. What was solved is remembered under it. */
  id: string;
  /**
   * Returns what to say of a right answer. Throws, with one line that says what was expected and what came,
   * when it is wrong.
   */
  check: (answer: Answer) => string | Promise<string>;
  /** A push in the right direction, not the answer. Code in it stands in backquotes. */
  hint: string;
  /** A right answer: its file, and the region in it (`// #region NAME`). */
  solution: { file: string; region: string };
}

/** How a check came out. */
export interface Verdict {
  came: 'solved' | 'not yet' | 'not attempted';
  /** In one line, for the reader. */
  text: string;
}

/** A task for the reader. */
export interface Exercise<Answer> {
  readonly id: string;
  /**
   * Tries your answer and says how it came out, with a hint folded below until it is right. Remembers a right answer, and
   * forgets it when a later one is wrong. `null`, or an object of nothing else, is "not attempted", and changes nothing.
   */
  check(answer: Answer | null): Promise<void>;
  /** Shows a solution, folded. */
  solution(): Promise<void>;
  /** What {@link check} says; remembers nothing. */
  verdict(answer: Answer | null): Promise<Verdict>;
}

/**
 * Where it is kept what was solved: a file an exercise, so that no two kernels write the same one. A notebook that
 * the runner executes has no reader: nothing is remembered of it, and nothing recalled in it.
 */
const MEMORY = process.env.POLLING_LAB_RUN ? null : join(CHECKOUT, '.polling-lab', 'solved');

/** The edge of a verdict: seen on a light page (3:1 at least, WCAG 2.2, 1.4.11), and on a dark one. The words say it, too. */
const COLORS: Record<Verdict['came'], string> = { solved: '#2A9D55', 'not yet': '#D64545', 'not attempted': '#808080' };

/** Makes an exercise. */
export function exercise<Answer>(
  { id, check, hint, solution }: ExerciseParts<Answer>,
  memory: string | null = MEMORY,
): Exercise<Answer> {
  const verdict = async (answer: Answer | null): Promise<Verdict> => {
    if (isBlank(answer)) {
      const when = await solvedAt(id, memory);
      const before = when ? ` You solved it on ${when.slice(0, 10)}.` : '';
      const text = 'Write your answer into this cell, and run it again.';
      return { came: 'not attempted', text: `○ Not attempted. ${text}${before}` };
    }
    try {
      return { came: 'solved', text: `✓ Solved. ${await check(answer as Answer)}` };
    } catch (error) {
      const [reason] = String((error as Error)?.message ?? error).split('\n');
      return { came: 'not yet', text: `✗ Not yet. ${reason}` };
    }
  };
  return {
    id,
    verdict,
    async check(answer) {
      const { came, text } = await verdict(answer);
      if (came === 'solved') await remember(id, memory);
      if (came === 'not yet') await forget(id, memory);
      const said = `<div style="border-left:4px solid ${COLORS[came]};padding-left:8px">${prose(text)}</div>`;
      const help = came === 'solved' ? '' : folded('Hint', `<p>${prose(hint)}</p>`);
      show({ 'text/html': said + help, 'text/plain': visible(text) });
    },
    async solution() {
      const text = await readFile(join(CHECKOUT, solution.file), 'utf8');
      const code = find(text, solution.region, solution.file, SOLUTION_LINES).lines.join('\n');
      show({
        'text/html': folded('Solution', `<pre><code>${escaped(code)}</code></pre>`),
        'text/plain': `Solution: ${code}`,
      });
    },
  };
}

/** Whether there is no answer: none, or one of several parts of which each is none. */
function isBlank(answer: unknown): boolean {
  if (answer === null || answer === undefined) return true;
  const parts = typeof answer === 'object' ? Object.values(answer) : [];
  return parts.length > 0 && parts.every((part) => part === null);
}

/** When an exercise was solved in this checkout, RFC 3339 in UTC; null when it was not. */
export async function solvedAt(id: string, memory: string | null = MEMORY): Promise<string | null> {
  if (memory === null) return null;
  return readFile(join(memory, `${id}.txt`), 'utf8').catch(() => null);
}

async function remember(id: string, memory: string | null): Promise<void> {
  if (memory === null) return;
  const file = join(memory, `${id}.txt`);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, new Date().toISOString());
}

async function forget(id: string, memory: string | null): Promise<void> {
  if (memory !== null) await rm(join(memory, `${id}.txt`), { force: true });
}

/** Text with code in backquotes, as HTML. */
const prose = (text: string) => escaped(visible(text)).replace(/`([^`]+)`/g, '<code>$1</code>');

const folded = (title: string, html: string) => `<details><summary>${title}</summary>${html}</details>`;
