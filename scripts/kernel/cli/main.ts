#!/usr/bin/env node
// `npx @polling-lab/kernel install | uninstall | doctor`.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { runCommand } from '../../shared/command.mjs';
import { readFlags } from '../../shared/flags.mjs';
import { Problem } from '../../shared/problem.mjs';
import { findings } from './doctor.js';
import {
  NAMES_OF_TSLAB,
  OWN_NAMES,
  type Place,
  placeInPrefix,
  placeOfUser,
  register,
  unregister,
} from './registration.mjs';

const COMMAND = {
  call: 'npx @polling-lab/kernel',
  about: `install    registers the kernels for TypeScript and JavaScript in a Jupyter that you have
uninstall  takes that back: what was kept aside is there again
doctor     lists where the kernels are registered, and tries one: it starts, runs a cell, and ends`,
  names: 'install, uninstall or doctor',
  flags: {
    user: { about: "in this user's folder, which every Jupyter of theirs looks into (the default)" },
    'sys-prefix': { about: "in the environment of the Python that is active: `python3`'s sys.prefix" },
    prefix: { value: 'DIR', about: 'in the Python environment in this folder' },
    'as-tslab': {
      about:
        "under the names tslab and jslab, so that notebooks made with tslab run without a change. A stock tslab's kernels are kept aside. Without it, the kernels stand beside them",
    },
  },
  notes: `The kernels start this Node and this package: after either has moved, install again. papermill passes parameters
(papermill -p) where they are installed with --sys-prefix or --prefix.

Exit code: 0 if what was asked for was done, 1 if the kernel does not work or there was nothing to take back, 2 if it
could not be tried.`,
} as const;

/** The folder of the kernel: in the package, this file is joined into one that stands there. */
const folder = [import.meta.dirname, join(import.meta.dirname, '..')].find((one) =>
  existsSync(join(one, 'launch.cjs')),
)!;

await runCommand(async (signal) => {
  const { names, prefix, ...flags } = readFlags(COMMAND);
  const [action, ...others] = names;
  if (!action || others.length > 0 || !['install', 'uninstall', 'doctor'].includes(action))
    throw new Problem(
      `Expected install, uninstall or doctor, got ${names.length === 0 ? 'nothing' : `"${names.join(' ')}"`}. --help says more.`,
    );
  const places = [flags.user, flags['sys-prefix'], prefix !== undefined].filter(Boolean).length;
  if (places > 1) throw new Problem('Expected one of --user, --sys-prefix and --prefix, got several.');
  const say = (line: string) => process.stdout.write(`${line}\n`);
  if (action === 'doctor') {
    let works = true;
    for await (const { ok, found } of findings(folder, [placeOfUser(), ...activePlace()], signal)) {
      say(`${ok ? '✓' : '✗'} ${found}`);
      works &&= ok;
    }
    return works ? 0 : 1;
  }

  const place = prefix !== undefined ? inPrefix(resolve(prefix)) : flags['sys-prefix'] ? sysPrefix() : placeOfUser();
  if (action === 'uninstall') {
    const { removed, restored, kept } = unregister(place);
    for (const file of removed) say(`Removed: ${file}`);
    for (const file of restored) say(`As it was before: ${file}`);
    for (const file of kept) say(`Kept from before: ${file}`);
    return 0;
  }
  const kernelNames = flags['as-tslab'] ? NAMES_OF_TSLAB : OWN_NAMES;
  const { registered, kept } = register({ folder, names: kernelNames }, place);
  for (const file of registered) say(`Registered: ${file}`);
  for (const file of kept) say(`Kept what was there: ${file}`);
  return 0;
});

function inPrefix(prefix: string): Place {
  if (existsSync(join(prefix, 'bin', 'python'))) return placeInPrefix(prefix);
  throw new Problem(`--prefix expects the folder of a Python environment, with bin/python in it, got "${prefix}".`);
}

function sysPrefix(): Place {
  const [place] = activePlace();
  if (place) return place;
  throw new Problem(
    '--sys-prefix expects a python3 on the PATH that runs, got none. Activate an environment, or use --user or --prefix DIR.',
  );
}

/** The environment of the Python that is active, if there is one. */
function activePlace(): Place[] {
  const { stdout, status } = spawnSync('python3', ['-c', 'import sys; print(sys.prefix)'], { encoding: 'utf8' });
  return status === 0 ? [placeInPrefix(stdout.trim())] : [];
}
