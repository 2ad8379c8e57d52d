import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from '../shared/paths.mjs';
import { visible } from '../shared/visible.mjs';
import type { Examination } from './examine-url.js';
import { count } from './finding.js';

/** The file of a notebook, by its number. */
const notebookFile = (number: string) =>
  readdirSync(join(checkout, 'notebooks')).find((name) => name.startsWith(`${number}-`) && name.endsWith('.ipynb')) ??
  number;

/** The exit code: 1 if something serious was found. */
export const exitCode = ({ findings }: Examination) =>
  findings.some(({ severity }) => severity === 'serious') ? 1 : 0;

/** An examination for a person, worst first. */
export function textReport({ summary, findings, requests }: Examination): string {
  const blocks = findings.map(({ rule, severity, saw, why, fix, source, notebook }) =>
    [
      `${severity.toUpperCase()}: ${visible(saw)}`,
      `  Why it matters: ${why}`,
      `  Fix: ${fix}`,
      `  Source: ${source.name} <${source.url}>`,
      `  Explained in notebooks/${notebookFile(notebook)}; --off ${rule} switches this off.`,
    ].join('\n'),
  );
  const sent = requests > 0 ? ` ${count(requests, 'request')} sent.` : '';
  return `${[`${visible(summary, { most: 1_000 })}${sent}`, ...blocks, findings.length === 0 ? 'Nothing to report.' : ''].filter(Boolean).join('\n\n')}\n`;
}

/** Text in an attribute of XML 1.0, or between tags. */
const xml = (text: string) => visible(text, { most: 2_000 }).replace(/[&<>"']/g, (char) => `&#${char.codePointAt(0)};`);

/** An examination as JUnit XML: a test case for each rule, failed if it found something serious. */
export function junitReport({ subject, kind, rules, findings }: Examination): string {
  const cases = rules.map((rule) => {
    const finding = findings.find((each) => each.rule === rule);
    const name = `<testcase classname="${xml(`examine ${kind}`)}" name="${xml(rule)}"`;
    if (!finding) return `${name}/>`;
    const { severity, saw, why, fix } = finding;
    const text = xml(`${saw} ${why} ${fix}`);
    return severity === 'serious'
      ? `${name}><failure message="${xml(saw)}">${text}</failure></testcase>`
      : `${name}><system-out>${severity}: ${text}</system-out></testcase>`;
  });
  const failures = findings.filter(({ severity }) => severity === 'serious').length;
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites><testsuite name="${xml(subject)}" tests="${rules.length}" failures="${failures}">
${cases.join('\n')}
</testsuite></testsuites>
`;
}
