import { relative } from 'node:path';
import { commands } from './commands.mjs';
import { project } from './project.js';
import { projectOf, runNotebooks } from './runner/main.js';
import { runCommand } from './shared/command.mjs';
import { checkout } from './shared/paths.mjs';
import { quoted } from './shared/run.js';

await runCommand((signal) => {
  const base = whereCalled();
  const isOutside = relative(checkout, base).startsWith('..');
  const typed = isOutside
    ? `npm --prefix ${quoted(relative(base, checkout))} run notebooks --`
    : 'npm run notebooks --';
  return runNotebooks(projectOf(project, checkout), { command: commands.notebooks, base, typed }, signal);
});

/** The folder that paths are relative to. npm runs a script in the package's folder, and tells in INIT_CWD where its user was. */
function whereCalled(): string {
  const { npm_lifecycle_event: script, INIT_CWD: caller } = process.env;
  return script === 'notebooks' && caller ? caller : process.cwd();
}
