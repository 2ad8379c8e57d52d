import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { show } from './display.js';
import { CHECKOUT } from './own-server.js';
import { find } from './source.js';
import { escaped } from './table.js';

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
  /** Tries your answer, says how it came out, and remembers it if it is right. `null` is "not attempted". */
  check(answer: Answer | null): Promise<void>;
  /** Shows a hint, folded: open it when you are stuck. */
  hint(): void;
  /** Shows a solution, folded. */
  solution(): Promise<void>;
  /** What {@link check} prints; remembers nothing. */
  verdict(answer: Answer | null): Promise<Verdict>;
}

/**
 * Where it is kept what was solved: a file an exercise, so that no two kernels write the same one. A notebook that
 * the runner executes has no reader: nothing is remembered of it, and nothing recalled in it.
 */
const MEMORY = process.env.POLLING_LAB_RUN ? null : join(CHECKOUT, '.polling-lab', 'solved');

/** Makes an exercise. */
export function exercise<Answer>(
  { id, check, hint, solution }: ExerciseParts<Answer>,
  memory: string | null = MEMORY,
): Exercise<Answer> {
  const verdict = async (answer: Answer | null): Promise<Verdict> => {
    if (answer === null || answer === undefined) {
      const when = await solvedAt(id, memory);
      const before = when ? ` You solved it on ${when.slice(0, 10)}.` : '';
      const text = 'Write your answer in the cell above, run it, and then this one again.';
      return { came: 'not attempted', text: `○ Not attempted. ${text}${before}` };
    }
    try {
      return { came: 'solved', text: `✓ Solved. ${await check(answer)}` };
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
      console.log(text);
    },
    hint() {
      fold('Hint', `<p>${escaped(hint).replace(/`([^`]+)`/g, '<code>$1</code>')}</p>`, hint);
    },
    async solution() {
      const text = await readFile(join(CHECKOUT, solution.file), 'utf8');
      const code = find(text, solution.region, solution.file, SOLUTION_LINES).lines.join('\n');
      fold('Solution', `<pre><code>${escaped(code)}</code></pre>`, code);
    },
  };
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

function fold(title: string, html: string, text: string): void {
  show({
    'text/html': `<details><summary>${title}</summary>${html}</details>`,
    'text/plain': `${title}: ${text}`,
  });
}
