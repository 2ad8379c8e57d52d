#!/usr/bin/env node
// `npx @polling-lab/runner`: the runner for any project.
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runCommand } from '../shared/command.mjs';
import { readFlags } from '../shared/flags.mjs';
import { Problem } from '../shared/problem.mjs';
import { runnerCommand } from './command.mjs';
import { projectOf, runNotebooks } from './main.js';
import type { Settings } from './project.js';

const ABOUT = `Executes notebooks in TypeScript or JavaScript, each with a fresh kernel, in its own folder, with the node_modules and
the tsconfig.json that are found from there. An exit code of 0 means that every cell ran and ended well.`;
/** The settings that there are. */
const KNOWN = new Set([
  ...['root', 'notebooks', 'out', 'metadataKey', 'env', 'startServer', 'durationsFile', 'markVariable', 'environment'],
]);
const CALL = 'npx @polling-lab/runner';
const CONFIG = 'notebooks.config.mjs';

const commandFor = (metadataKey: string) => {
  const command = runnerCommand(CALL, ABOUT, metadataKey);
  const config = { value: 'FILE', about: `the project's settings (${CONFIG}, if there is one)` } as const;
  return { ...command, flags: { ...command.flags, config } };
};

await runCommand(async (signal) => {
  const base = process.cwd();
  const { config } = readFlags(commandFor('tslab'));
  const settings = await readSettings(config ? resolve(base, config) : resolve(base, CONFIG), config !== undefined);
  const project = projectOf(settings, base);
  return runNotebooks(project, { command: commandFor(project.metadataKey), base, typed: CALL }, signal);
});

/** The settings that a module exports by default. Its folder is the project's, unless it names another. */
async function readSettings(file: string, mustBe: boolean): Promise<Settings> {
  if (!existsSync(file)) {
    if (mustBe) throw new Problem(`--config expects a JavaScript module, and there is no ${file}.`);
    return {};
  }
  const { default: settings } = await import(pathToFileURL(file).href);
  if (typeof settings !== 'object' || settings === null)
    throw new Problem(
      `Expected ${file} to export an object of settings by default (export default { … }), got ${settings === null ? 'null' : typeof settings}.`,
    );
  const unknown = Object.keys(settings).find((name) => !KNOWN.has(name));
  if (unknown)
    throw new Problem(`${file}: there is no setting "${unknown}". The settings are ${[...KNOWN].join(', ')}.`);
  return { ...settings, root: resolve(dirname(file), settings.root ?? '.') };
}
