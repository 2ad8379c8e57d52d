// @ts-check
// What the runner's command takes, and what it says of itself. Read before anything is installed.

const MAX_WHOLE = Number.MAX_SAFE_INTEGER;

/**
 * The command, as a project offers it.
 * @param {string} call how it is started
 * @param {string} about the beginning of its help
 * @param {string} key the member of a notebook's metadata that speaks to the runner
 */
export const runnerCommand = (call, about, key) =>
  /** @type {const} @satisfies {import('../shared/flag-types.js').Command} */ ({
    call,
    about,
    names: 'notebook, folder or glob ...',
    flags: {
      parameter: {
        short: 'p',
        value: 'NAME=VALUE',
        multiple: true,
        about: 'set what the cell tagged "parameters" declares (may be repeated)',
      },
      'cell-timeout': {
        value: 'S',
        positive: true,
        default: '60',
        about: `seconds for one cell (60; a cell's metadata "${key}": {"timeout": S} wins)`,
      },
      'notebook-timeout': { value: 'S', positive: true, default: '600', about: 'seconds for one notebook (600)' },
      jobs: {
        value: 'N',
        whole: [1, MAX_WHOLE],
        about: 'notebooks at once (four times the cores, up to 16, as far as memory goes)',
      },
      repeat: { value: 'N', whole: [1, MAX_WHOLE], default: '1', about: 'every notebook N times' },
      stress: { about: 'keep every core busy meanwhile' },
      shard: { value: 'I/N', about: 'only the I-th of N shares' },
      bail: { about: 'start no further notebook after a failure' },
      kernel: {
        value: 'NAME',
        oneOf: ['tslab', 'jslab'],
        about: 'tslab (TypeScript) or jslab (JavaScript), whatever the notebooks name',
      },
      'only-tslab': {
        about:
          'skip notebooks in other languages, even ones that you name. (Those that a folder or a glob finds are always skipped. The summary lists them.)',
      },
      'allow-leaks': { about: 'report ports, processes and requests left open, but do not fail for them' },
      'no-server': { about: 'start none of the servers that the project has for its notebooks' },
      check: { about: 'instead of running the notebooks, type-check their cells' },
      stock: { about: 'with --check: tell also what a stock tslab compiles wrongly' },
      out: { value: 'FOLDER', about: 'executed copies, with outputs, also of failed notebooks (build/notebooks)' },
      junit: { value: 'FILE', about: 'a JUnit XML report' },
      json: { value: 'FILE', about: 'a JSON report' },
      list: { about: 'say which notebooks would run' },
    },
    notes: `Tags: skip-execution (not run), raises-exception (must raise; which error, the cell's metadata may say:
"${key}": {"raises": {"name": "TypeError", "message": "a regular expression"}}).

Exit code: 0 if every cell that should run ran and ended well, 1 if a notebook failed, 2 if it could not be tried.`,
  });
