// @ts-check
// Every command of `npm run`, what it takes and what it says of itself. Read before anything is installed, so that a
// flag that does not exist is told at once.

import { flagOf, help as serverHelp, table as settings } from '../server/settings-table.mjs';
import { runnerCommand } from './runner/command.mjs';

/** @typedef {import('./shared/flag-types.js').Command} Command */

/** Seeds are whole numbers below this. */
export const SEEDS = 2 ** 31;

/** What `npm test` runs, one after the other. */
export const testSteps = /** @type {const} */ ({
  check: 'lint, format, types, the course as a whole',
  vitest: 'units, HTTP, kernel, browser',
  notebooks: 'every notebook executed, and fit to be shown',
});

/** What `npm run soak` runs, in this order. */
export const soakParts = /** @type {const} */ ({
  cursors: 'two thousand histories of readers that join, lag, drop and resume',
  kills: 'three hundred kill -9 of a server at work',
  fuzz: 'a hundred thousand requests made at random',
  schemathesis: 'ten minutes of requests made from the OpenAPI description',
  crowd: '9,000 streams and as many long polls at once',
  endings: 'three thousand clients that leave in every way, over every protocol',
  bounds: 'a server filled to all its bounds at once, and 60,000 large results',
  endurance: 'half an hour of everything at once, and the memory of it',
  cluster:
    'a hundred faults of three servers on one engine; the interface at each of them, and at another one at every request; sabotage',
  kernel: "every verdict of the runner, fifty ends of a kernel, and stock tslab's defects",
  jupyterlab: 'every notebook in JupyterLab and a browser, as a person goes about it, and every end of npm start',
  elsewhere: 'every notebook under plain Jupyter, papermill and a stock tslab; a JupyterHub of two users',
  examine: 'npm run examine on thirteen servers of others, well and badly configured',
  runner: 'sixty kills of a running runner, its npm and its Python',
  handouts: 'the handouts of the whole course, every page of them looked at',
  repeats: 'every notebook twenty times, with all cores busy',
  sabotage: 'the server made wrong in one place at a time: the right notebook goes red',
});

/** What `npm run bench` measures of the server. `{all}` and `{tenth}` stand for how many clients there are. */
export const workloadNames = /** @type {const} */ ({
  'short-poll': 'short polls on 50 keep-alive connections',
  'long-poll': '{all} long polls on one job, then it ends',
  'long-poll-each': '{all} long polls, each on a job of its own',
  stream: '{all} streams on one job, events one at a time',
  burst: 'the same, 20 events in a burst',
  waiting: '{tenth} clients wait 10 s for a job',
  resume: '{tenth} streams that drop and resume while events flow',
  bill: 'this server without its ledger, store, limits, turns or headers, one by one and all, beside the floor',
});
/** What the bill leaves out of this server, and --beside may name. */
export const partsOfBill = /** @type {const} */ ([
  'no-ledger',
  'no-store',
  'no-limits',
  'no-turns',
  'two-headers',
  'none-of-these',
]);
/** What it measures besides, each beside what it replaces. */
export const otherBenches = /** @type {const} */ ({
  start: 'npm start, against bare jupyter lab',
  kernel: 'the start of a kernel, against stock tslab',
  course: 'all notebooks executed, against the longest of them',
  cluster: 'servers on one engine, against one on SQLite',
});

/** What a workload does, with so many clients. */
export function withClients(/** @type {string} */ about, /** @type {number} */ clients) {
  const [all, tenth] = [clients, clients / 10].map((count) => count.toLocaleString('en'));
  return about.replace('{all}', String(all)).replace('{tenth}', String(tenth));
}

const benchParts = Object.fromEntries(
  Object.entries({ ...workloadNames, server: 'all of these', ...otherBenches }).map(([name, about]) => [
    name,
    withClients(about, 10_000),
  ]),
);

/** @param {Record<string, string>} parts */
const only = (parts) => {
  const about = 'one of these alone (may be repeated)';
  return /** @type {const} */ ({ value: 'NAME', multiple: true, oneOf: Object.keys(parts), about });
};

/** A port. */
const PORT = /** @type {const} */ ({ value: 'PORT', whole: [0, 65_535] });

/** The server's settings. @type {Command['flags']} */
const serverFlags = Object.fromEntries(
  Object.entries(settings).map(([name, setting]) => {
    const about = String(setting.at(-1));
    if (setting.length === 4) return [flagOf(name), { value: 'N', whole: [setting[1], setting[2]], about }];
    return [flagOf(name), typeof setting[0] === 'boolean' ? { about } : { value: 'TEXT', about }];
  }),
);

export const commands = /** @type {const} @satisfies {Record<string, Command>} */ ({
  start: {
    call: 'npm start',
    about: `Installs what is missing, starts the course's server in the background, and opens JupyterLab on the
course. Ctrl-C stops both. While it runs, "npm start" again opens the same JupyterLab.`,
    flags: {
      notebook: { value: 'N', about: 'the notebook to open, by its number (the first)' },
      port: { ...PORT, about: "the server's port (4321, or the next free one)" },
      'lab-port': { ...PORT, about: "JupyterLab's port (8888, or the next free one)" },
      'no-open': { about: 'open no browser' },
    },
  },
  test: {
    call: 'npm test',
    about: 'Installs what is missing, then runs every check that a change must pass:',
    parts: testSteps,
    flags: { only: only(testSteps) },
    notes: `Exit code: 0 if every test passed; 1 if one failed or, where CI is set, was skipped; 2 if the tests could
not be tried.`,
  },
  soak: {
    call: 'npm run soak',
    about:
      'The long checks, one after the other: what "npm test" runs a sample of, and more of it. Some hours on two cores.',
    parts: soakParts,
    flags: {
      only: only(soakParts),
      seed: { value: 'N', whole: [0, SEEDS - 1], about: 'what is random comes from it (a new one, printed)' },
    },
    notes: `Exit code: 0 if every check passed; 1 if one failed or, where CI is set, was skipped; 2 if they could not
be tried.`,
  },
  check: {
    call: 'npm run check',
    about: `Lint and format (Biome), types (the notebooks' cells too, by the compiler that runs them), and the course:
notebooks without outputs, whose links, goals and map are what their metadata say, whose sources are told,
and which have a cell for every line of the syllabus. A notebook may take 30 minutes to read and run, the first
one 15, the main course 180; the time is computed from words, visible lines of code and "runMinutes" of the
metadata. If the last run took over two minutes longer than "runMinutes", the check prints a note and does not fail.`,
    flags: {
      fix: { about: 'format, fix what can be fixed safely, strip outputs, write times, links, goals and map anew' },
      syllabus: { about: 'only the table: each line of the syllabus, the cells that stand for it, and how' },
      executed: { about: 'only what "npm run notebooks" left in build/notebooks: charts, warnings, length' },
    },
    notes: 'Exit code: 0 if every check passed, 1 if one failed.',
    onlyNpm: true,
  },
  bench: {
    call: 'npm run bench',
    about: `Measures what waiting costs this server: processor time for each operation and memory for each waiting client,
as Linux accounts for them. In the same run, in turns, the floor (bare node:http, scripts/bench/floor.ts), Fastify and
Hono (installed for the bench alone, the first time) and, where nginx with nchan is installed, nchan.
scripts/bench/README.md has what was measured last.`,
    parts: benchParts,
    flags: {
      only: only(benchParts),
      rounds: {
        value: 'N',
        whole: [1, 100],
        default: '3',
        about: 'how often each is measured (3); the medians are told',
      },
      clients: {
        value: 'N',
        whole: [100, 19_000],
        default: '10000',
        about: 'how many clients the 10,000 above are (10000), and the 1,000 a tenth of them',
      },
      beside: {
        value: 'NAME',
        multiple: true,
        oneOf: ['floor', 'fastify', 'hono', 'nchan', ...partsOfBill],
        about:
          'measure only this server, the floor and NAME (may be repeated); "no-…", "two-headers", "none-of-these": this server without those parts',
      },
      profile: { about: 'instead, where the processor time of each operation goes, and what a client holds in memory' },
      gate: {
        about:
          'instead, two rounds of this server and the floor: fails if a ratio is 15 % worse than the committed one',
      },
      write: {
        about: 'put the tables, a picture and the profile into the READMEs, and the ratios where --gate reads',
      },
    },
    notes: `Writes build/bench/bench.json. BENCH_NODE has flags of Node's for the servers.
Exit code: 0 if all was measured, whether or not the aims were met. --gate: 1 if a ratio is worse.`,
    onlyNpm: true,
  },
  server: {
    call: 'npm run server',
    about: 'The server alone, in the foreground.',
    flags: serverFlags,
    help: serverHelp(),
    onlyNpm: true,
  },
  cluster: {
    call: 'npm run cluster',
    about: `Several servers on one engine, in the foreground: clients go from one to another and miss nothing. Starts a
Valkey or Redis of its own (the valkey-server or redis-server on the PATH, else the one that set-up fetches), and
starts again what dies. Ctrl-C stops all of it, and removes what it kept.`,
    flags: {
      servers: { value: 'N', whole: [1, 26], default: '3', about: 'how many servers (3)' },
      engine: {
        value: 'URL',
        about: 'an engine that runs already: redis://HOST:PORT/DB (ENGINE, which hides a password)',
      },
      port: { ...PORT, about: 'the port of the first server; the others have those that follow (any free ones)' },
    },
    notes: 'Exit code: 2 if there is no engine, 1 if a server does not start.',
  },
  examine: {
    call: 'npm run examine',
    about: `Looks at an endpoint of your own from outside, an event stream or an answer to be polled, and says what it saw,
worst first: why it matters, how to fix it, and which notebook explains it. It says beforehand what it will send. It
sends GET requests only, at most a dozen; another method only if you name one, and then once (twice with --twice).

Or looks at a recording: a HAR file from the developer tools of a browser. It then says what was polled, how often, and
how often without news; how long streams lasted; which requests waited for a connection. It sends nothing then, and
shows no cookie, token or body.

Or stands in front of a service in development, with --proxy: what passes is shown on a live page, faults can be
switched on, and Ctrl-C says what was seen. It listens on this machine only.`,
    names: 'URL or file.har',
    flags: {
      header: { short: 'H', value: 'TEXT', multiple: true, about: '"Name: value", sent with each request' },
      method: {
        value: 'NAME',
        default: 'GET',
        about: 'sent once if it is not GET; the job at its Location is then polled',
      },
      body: { value: 'TEXT', about: 'the body of that request' },
      twice: { about: 'send it a second time, with the same Idempotency-Key: is it one job?' },
      for: {
        value: 'DURATION',
        default: '20s',
        about: 'how long it is watched (20s); 90s shows time-outs of a minute',
      },
      beside: { value: 'URL', about: 'the same stream without the proxy: shows by how much the proxy delays events' },
      http: {
        value: 'VERSION',
        oneOf: ['1.1', '2'],
        about: 'HTTP/1.1 or HTTP/2 (default: as browsers do; http: URLs get HTTP/2 only this way)',
      },
      quick: { about: 'stop as soon as the cuts were tried: silences and time-outs are not seen' },
      insecure: { about: 'accept any certificate' },
      proxy: { value: 'URL', about: 'stand in front of this service, such as http://localhost:3000' },
      port: { ...PORT, about: 'where the proxy listens (any free port)' },
      fault: {
        value: 'FAULT',
        multiple: true,
        about:
          'a fault of the proxy: buffer=BYTES, cut=SECONDS, delay=MS, idle=SECONDS or drop-prefer (may be repeated)',
      },
      off: { value: 'RULE', multiple: true, about: 'switch a rule off (may be repeated)' },
      rules: { about: 'list the rules' },
      json: { value: 'FILE', about: 'a JSON report; "-" prints it in place of the text' },
      junit: { value: 'FILE', about: 'a JUnit XML report' },
    },
    notes: 'Exit code: 0 if nothing serious was found, 1 if something was, 2 if it could not be tried.',
    onlyNpm: true,
  },
  kafka: {
    call: 'npm run kafka',
    about: `A real Kafka broker on this machine, in the foreground: one node, on loopback. Needs Java 17 and Maven, which
fetches it once (about 40 MB) into this folder. Ctrl-C stops it, and removes what it keeps.`,
    flags: {
      port: { ...PORT, about: `the broker's port (9092, or any free one if that is taken)` },
      'only-fetch': { about: 'fetches what notebook 10 runs (Kafka, and a queue like SQS), and starts nothing' },
    },
    notes: `KAFKA=HOST:PORT tells a notebook to use a broker that runs already.
Exit code: 2 if Java or Maven is missing, 1 if the broker does not start, or ends.`,
  },
  notebooks: runnerCommand(
    'npm run notebooks',
    `Executes tslab notebooks as CI does: each with a fresh kernel, in its own folder, with a server of its own
(POLLING_LAB_URL). Without arguments, the course. Notebooks of other repositories run as well, with the
node_modules they have, and the compiler options of their tsconfig.json.`,
    'polling-lab',
  ),
  handouts: {
    call: 'npm run handouts',
    about: `Executes the course and builds its handouts, in a student and an instructor edition: pages that need no
network, PDFs, notebooks to work in and to look at, and a zip of it all.`,
    flags: {
      only: { value: 'N', multiple: true, about: 'a chapter alone, by its number (may be repeated)' },
      edition: {
        value: 'NAME',
        multiple: true,
        oneOf: ['student', 'instructor'],
        about: 'student or instructor (both)',
      },
      out: {
        value: 'FOLDER',
        about: 'where to (build/handouts); old handouts are replaced when the new ones are complete',
      },
      'no-pdf': { about: 'no PDFs' },
    },
    notes: `PDFs are printed by a Chromium, Chrome or Edge of this machine: the one that CHROME_PATH names, else the first
there is. Exit code: 0 if all was built; 1 if a notebook failed, and nothing was built; 2 if it could not be tried,
or all but the PDFs was built because there is no browser.`,
  },
  pictures: {
    call: 'npm run pictures',
    about: `Makes .github/images: runs the notebooks in JupyterLab, in a browser of this machine, and takes a plot of each,
an animation of the first one's race, and pictures of one notebook and of the server's page beside it. In a copy of this
checkout, which is removed.`,
    flags: { notebook: { value: 'N', about: 'only this one, by its number' } },
  },
  doctor: {
    call: 'npm run doctor',
    about: 'Says what this machine has, what is missing, and the one command that fixes it. Installs nothing.',
    flags: {},
    notes: 'Exit code: 0 if the course can run, 1 if something is missing.',
  },
  setup: {
    call: 'npm run setup',
    about: `Installs what is missing: the npm packages of the lock file, a Python environment with JupyterLab in
.polling-lab/venv, the TypeScript kernel and JupyterLab's settings in it. Every other command does this
by itself; nothing outside this folder is written but npm's and pip's caches.`,
    flags: {
      into: {
        value: 'PREFIX',
        about: `instead of an environment of its own: the kernels tslab (TypeScript) and jslab (JavaScript) into a Jupyter that you have, by the folder of its Python environment (JupyterHub, Binder; sys.prefix in Python). Kernels of these names that are there, such as stock tslab's, are kept aside.`,
      },
      'out-of': {
        value: 'PREFIX',
        about: 'takes that back: what was kept aside is there again',
      },
    },
    notes: 'PYTHON names the Python to make the environment with (3.10 or newer).',
  },
  clean: {
    call: 'npm run clean',
    about: `Removes what was installed and what was made: node_modules, .polling-lab (the Python environment,
JupyterLab's settings, the server's jobs, what you solved and predicted) and build. Your notebooks stay as
they are. The next "npm start" installs again.`,
    flags: { data: { about: "only the server's jobs and its ledger" } },
  },
});
