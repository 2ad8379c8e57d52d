// @ts-check
const REDRAW_MS = 100;
const REMIND_MS = 15_000;
/** What takes longer than this is told when it begins, too. */
const BEGINS_MS = 1_000;

/**
 * What is written to: process.stdout, say.
 * @typedef {{ isTTY?: boolean, columns?: number, write(text: string): unknown }} Out
 */

export function inSeconds(/** @type {number} */ ms) {
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}

/**
 * Keeps some lines below all that was printed, and redraws them: what is under way, say. Where `out` is no terminal,
 * it prints `reminder` now and then in their place.
 * @param {Out} out
 * @param {() => string[]} lines
 * @param {() => string} reminder '' for none
 */
export function liveLines(out, lines, reminder) {
  let drawn = 0;
  const erase = () => {
    if (drawn > 0) out.write(`\u001b[${drawn}F\u001b[J`);
    drawn = 0;
  };
  const draw = () => {
    erase();
    const width = (out.columns ?? 80) - 1;
    const now = lines().map((line) => line.slice(0, width));
    if (now.length > 0) out.write(`\u001b[2m${now.join('\n')}\u001b[22m\n`);
    drawn = now.length;
  };
  const remind = () => {
    const text = reminder();
    if (text) out.write(`${text}\n`);
  };
  const timer = setInterval(out.isTTY ? draw : remind, out.isTTY ? REDRAW_MS : REMIND_MS);
  timer.unref();
  return {
    /** Prints text above the lines. */
    print(/** @type {string} */ text) {
      erase();
      out.write(`${text}\n`);
      if (out.isTTY) draw();
    },
    stop() {
      clearInterval(timer);
      erase();
    },
  };
}

/**
 * Tells of tasks: which are under way and for how long, and what each took.
 * @param {Out} [out]
 */
export function taskReporter(out = process.stdout) {
  /** @type {Map<string, number>} */
  const running = new Map();
  const lines = () => [...running].map(([name, began]) => `  ${name}  ${inSeconds(performance.now() - began)}`);
  const live = liveLines(out, lines, () => (running.size > 0 ? `… ${[...running.keys()].join(', ')}` : ''));
  return {
    ...live,
    /**
     * Runs a task, and tells of its end. `detail` is told with its name.
     * @template T
     * @param {string} name
     * @param {() => Promise<T>} work
     * @param {{ detail?: string, isGood?: (result: T) => boolean }} [options]
     * @returns {Promise<T>}
     */
    async task(name, work, { detail = '', isGood = () => true } = {}) {
      const began = performance.now();
      running.set(name, began);
      const begins = setTimeout(() => !out.isTTY && live.print(`… ${name}${detail}`), BEGINS_MS);
      let mark = '✗';
      try {
        const result = await work();
        if (isGood(result)) mark = '✓';
        return result;
      } finally {
        clearTimeout(begins);
        running.delete(name);
        live.print(`${mark} ${name}${detail}  ${inSeconds(performance.now() - began)}`);
      }
    },
  };
}
