// `npm run examine`: looks at a service of the reader's own or at a recording of one, and says what it saw and how to fix it.
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { commands } from './commands.mjs';
import { answerRules } from './examine/answer/answer-rules.js';
import { type Examination, examineUrl } from './examine/examine-url.js';
import type { Protocol } from './examine/exchange.js';
import { openProxy } from './examine/proxy/examining-proxy.js';
import { examineRecording } from './examine/recording/examine-recording.js';
import { recordingRules } from './examine/recording/recording-rules.js';
import { exitCode, junitReport, textReport } from './examine/report.js';
import { streamRules } from './examine/stream/stream-rules.js';
import { runCommand, tellError } from './shared/command.mjs';
import { readFlags } from './shared/flags.mjs';
import { endWhenOrphaned } from './shared/orphan.js';
import { Problem } from './shared/problem.mjs';
import { makeRoomFor } from './shared/writable.js';

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
  if (flags.proxy !== undefined && names.length > 0) {
    throw new Problem(`Expected either --proxy or a URL or HAR file, got both. npm run examine -- --help says more.`);
  }
  const [subject, ...others] = flags.proxy === undefined ? names : [flags.proxy];
  if (subject === undefined || others.length > 0) {
    throw new Problem(`Expected one URL or HAR file, got ${names.length}. npm run examine -- --help says more.`);
  }
  const unknown = off.find((name) => !rules.some(({ id }) => id === name));
  if (unknown) throw new Problem(`--off expects a rule, got "${unknown}". --rules lists them.`);
  const reports = [json === '-' ? undefined : json, junit].filter((file) => file !== undefined);
  for (const file of reports.map((file) => resolve(callerFolder(), file))) {
    // A device or a pipe, such as /dev/stdout, is written to; a report does not take its place.
    const found = existsSync(file) ? statSync(file) : undefined;
    if (!found?.isCharacterDevice() && !found?.isFIFO())
      makeRoomFor(file, 'reports', 'Name another file: --json FILE, --junit FILE.');
  }
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const isUrl = flags.proxy === undefined && /^[a-z][a-z0-9+.-]*:\/\//i.test(subject);
  const asking = [...flags.header, flags.body, flags.beside, flags.twice, flags.quick, flags.http].some(Boolean);
  if (!isUrl && (asking || flags.method !== commands.examine.flags.method.default)) {
    const asked = '--method, --header, --body, --twice, --beside, --quick and --http';
    throw new Problem(
      `${asked} are for a URL: nothing is asked ${flags.proxy === undefined ? 'where a recording is read' : 'by the proxy itself'}.`,
    );
  }
  if (flags.proxy === undefined && (flags.fault.length > 0 || flags.port !== undefined)) {
    throw new Problem('--fault and --port are for --proxy.');
  }
  const examination: Examination | undefined =
    flags.proxy !== undefined
      ? await standBefore(flags.proxy, flags, signal, say)
      : isUrl
        ? await examineUrl({
            url: subject,
            method: methodOf(flags.method),
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
  // The signal that ended the proxy is no failure: the exit code says whether there was something to examine.
  if (!examination) return tellError(new Problem('No request has passed: there is nothing to examine.'));
  if (json !== '-') process.stdout.write(textReport(examination));
  const jsonText = `${printable(JSON.stringify(examination, null, 2))}\n`;
  if (json === '-') process.stdout.write(jsonText);
  else if (json) await writeFile(resolve(callerFolder(), json), jsonText);
  if (junit) await writeFile(resolve(callerFolder(), junit), junitReport(examination));
  return exitCode(examination);
});

/** Escapes the control characters that JSON allows unescaped: a terminal may obey them. */
function printable(json: string): string {
  const hidden = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
  return json.replace(hidden, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Stands in front of a service until the command is stopped. Returns what can be said of the traffic, if any has passed. */
async function standBefore(
  upstream: string,
  {
    port,
    fault: faults,
    insecure,
    off,
    json,
  }: { port: number | undefined; fault: string[]; insecure: boolean; off: string[]; json: string | undefined },
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<Examination | undefined> {
  const proxy = await openProxy({ upstream, port, faults, insecure });
  (json === '-' ? process.stderr : process.stdout).write(`ready ${proxy.url}\n`);
  say(
    `Use ${proxy.url} in place of ${proxy.upstream}. What passes is shown on ${proxy.pageUrl}, where faults can be switched.`,
  );
  say(`${proxy.faults.isOn ? `Faults: ${proxy.faults}. ` : ''}Ctrl-C ends it, and says what was seen.`);
  if (!signal.aborted) await once(signal, 'abort');
  await proxy.close();
  return proxy.traffic.size > 0 ? proxy.traffic.examine(off, proxy.faults.wereOn) : undefined;
}

/** The folder that a relative path is meant from: npm runs scripts in the checkout, and tells where it was called. */
function callerFolder(): string {
  return process.env.INIT_CWD ?? process.cwd();
}

/** A method, in capitals: a token (RFC 9110, section 9.1). */
function methodOf(text: string): string {
  if (/^[!#$%&'*+.^`|~\w-]+$/.test(text)) return text.toUpperCase();
  throw new Problem(`--method expects the name of a method, such as POST, got "${text}".`);
}

/** `Name: value`, as curl takes it. */
function headerOf(text: string): [string, string] {
  // RFC 9110, sections 5.1 and 5.5: a name is a token, a value has no control characters. Node sends values as Latin-1.
  const [, name, value] = /^([!#$%&'*+.^`|~\w-]+):\s*([\t\x20-\x7e\x80-\xff]*)$/.exec(text) ?? [];
  // What was given is not shown: it may be a password.
  if (name === undefined || value === undefined)
    throw new Problem('--header expects "Name: value", in the characters of Latin-1.');
  return [name.toLowerCase(), value];
}

/** `30s`, `2m` or a number of seconds. */
function secondsOf(text: string): number {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)(s|m)?$/.exec(text) ?? [];
  const seconds = Number(number) * (unit === 'm' ? 60 : 1);
  if (seconds > 0 && seconds <= MAX_S) return seconds;
  throw new Problem(`--for expects a duration up to ${MAX_S / 60} minutes, such as 30s or 2m, got "${text}".`);
}
