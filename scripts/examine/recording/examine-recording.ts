import { basename } from 'node:path';
import { visible } from '../../shared/visible.mjs';
import type { Examination } from '../examine-url.js';
import { count, duration, judge } from '../finding.js';
import { readHar } from './read-har.js';
import { recordingRules } from './recording-rules.js';
import { timeline } from './timeline.js';

/**
 * Looks at a recording of a browser's developer tools. Sends nothing.
 * Error: a Problem if the file is no recording.
 */
export async function examineRecording(file: string, off: readonly string[] = []): Promise<Examination> {
  const recording = await readHar(file);
  const { creator, requests, durationMs, unreadable, leftOut } = recording;
  const hosts = new Set(requests.map(({ origin }) => origin)).size;
  const unread = unreadable > 0 ? ` ${count(unreadable, 'request')} could not be read.` : '';
  const left = leftOut > 0 ? ` ${leftOut} more were left out.` : '';
  return {
    ...{ subject: visible(basename(file)), kind: 'recording', requests: 0 },
    summary: `A recording by ${creator}: ${count(requests.length, 'request')} to ${count(hosts, 'host')} in ${duration(durationMs)}.${unread}${left}`,
    rules: recordingRules.map(({ id }) => id).filter((id) => !off.includes(id)),
    findings: judge(recordingRules, recording, off),
    timeline: timeline(recording),
  };
}
