// `npm run examine`: looks at a service of the reader's own or at a recording of one, and says what it saw and how to fix it.
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { commands } from './commands.mjs';
import { answerRules } from './examine/answer/answer-rules.js';
import { type Examination, examineUrl } from './examine/examine-url.js';
import type { Protocol } from './examine/exchange.js';
import { examineRecording } from './examine/recording/examine-recording.js';
import { recordingRules } from './examine/recording/recording-rules.js';
import { exitCode, junitReport, textReport } from './examine/report.js';
import { streamRules } from './examine/stream/stream-rules.js';
import { runCommand } from './shared/command.mjs';
import { readFlags } from './shared/flags.mjs';
import { endWhenOrphaned } from './shared/orphan.js';
import { Problem } from './shared/problem.mjs';

/** The longest that an endpoint is watched, in seconds. */
const MAX_S = 600;

await runCommand(async (signal) => {
  endWhenOrphaned(signal);
  const flags = readFlags(commands.examine);
  const { names, off, json, junit } = flags;
  const rules = [...streamRules, ...answerRules, ...recordingRules];
  if (flags.rules) {
    for (const { id, severity, fix } of rules) process.stdout.write(`${id} (${severity} at worst): ${fix}\n`);
    return;
  }
  const [subject, ...others] = names;
  if (subject === undefined || others.length > 0) {
    throw new Problem(`Expected one URL or HAR file, got ${names.length}. npm run examine -- --help says more.`);
  }
  const unknown = off.find((name) => !rules.some(({ id }) => id === name));
  if (unknown) throw new Problem(`--off expects a rule, got "${unknown}". --rules lists them.`);
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const examination: Examination = /^[a-z][a-z0-9+.-]*:\/\//i.test(subject)
    ? await examineUrl({
        url: subject,
        method: flags.method.toUpperCase(),
        headers: Object.fromEntries(flags.header.map(headerOf)),
        forMs: secondsOf(flags.for) * 1_000,
        ...{
          body: flags.body,
          twice: flags.twice,
          beside: flags.beside,
          protocol: flags.http === undefined ? undefined : (`HTTP/${flags.http}` as Protocol),
          insecure: flags.insecure,
          quick: flags.quick,
          off,
          signal,
          say,
        },
      })
    : await examineRecording(resolve(callerFolder(), subject), off);
  if (json !== '-') process.stdout.write(textReport(examination));
  const jsonText = `${printable(JSON.stringify(examination, null, 2))}\n`;
  if (json === '-') process.stdout.write(jsonText);
  else if (json) await writeFile(resolve(callerFolder(), json), jsonText);
  if (junit) await writeFile(resolve(callerFolder(), junit), junitReport(examination));
  return exitCode(examination);
});

/** JSON without the control characters that JSON allows: a terminal may obey them. */
function printable(json: string): string {
  const hidden = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
  return json.replace(hidden, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The folder that a relative path is meant from: npm runs scripts in the checkout, and tells where it was called. */
function callerFolder(): string {
  return process.env.INIT_CWD ?? process.cwd();
}

/** `Name: value`, as curl takes it. */
function headerOf(text: string): [string, string] {
  const [, name, value] = /^([!#$%&'*+.^`|~\w-]+):\s*([^\r\n]*)$/.exec(text) ?? [];
  // What was given is not shown: it may be a password.
  if (name === undefined || value === undefined) throw new Problem('--header expects "Name: value".');
  return [name.toLowerCase(), value];
}

/** `30s`, `2m` or a number of seconds. */
function secondsOf(text: string): number {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)(s|m)?$/.exec(text) ?? [];
  const seconds = Number(number) * (unit === 'm' ? 60 : 1);
  if (seconds > 0 && seconds <= MAX_S) return seconds;
  throw new Problem(`--for expects a duration up to ${MAX_S / 60} minutes, such as 30s or 2m, got "${text}".`);
}
