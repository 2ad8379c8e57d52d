// Takes what the cells started down with the kernel, however the kernel ends, also by SIGKILL.
//
// A small shell waits on a pipe whose other end only the kernel holds; the system closes it when the
// kernel is gone. What a cell started is known by a variable of its environment, which it inherits
// even where it made a process group of its own (as zx does), or by the kernel's process group. What
// got out of both (another environment in another group) is out of reach.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { settings } from './settings.js';

const SCRIPT = `
group=$1 mark=$2
while read -r _; do :; done
started() {
  if [ -d /proc/self ]; then
    grep -lszxF "$mark" /proc/[0-9]*/environ | cut -d/ -f3
  else
    ps -Aww -E -o pid=,command= | grep -F " $mark" | grep -v grep | awk '{ print $1 }'
  fi
  [ -z "$group" ] || ! kill -s 0 -- "-$group" 2>/dev/null || echo "-$group"
}
for signal in TERM KILL; do
  kill -s "$signal" -- $(started) 2>/dev/null
  tries=20
  while [ -n "$(started)" ] && [ "$tries" -gt 0 ]; do sleep 0.1; tries=$((tries - 1)); done
done
`;

/** Starts the guardian, and marks what this process starts from now on. */
export function startGuardian(): void {
  const { markVariable } = settings;
  const mark = `${markVariable}=${randomUUID()}`;
  const { [markVariable]: _, ...env } = process.env; // of a kernel further up, whose guardian is not ours to end
  const guardian = spawn('/bin/sh', ['-c', SCRIPT, 'guardian', ownGroup(), mark], {
    detached: true, // not in the group that it ends
    stdio: ['pipe', 'ignore', 'ignore'],
    env,
  });
  guardian.on('error', (error) => console.error('The kernel has no guardian:', error.message));
  guardian.unref();
  (guardian.stdin as unknown as { unref(): void }).unref();
  process.env[markVariable] = mark.slice(markVariable.length + 1);
}

/** This process's group if it leads it, as it does when Jupyter started it; else others are in it too. */
function ownGroup(): string {
  const own = String(process.pid);
  try {
    // "(5) pgrp": https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    const stat = readFileSync('/proc/self/stat', 'utf8');
    const [, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return group === own ? own : '';
  } catch {
    return ''; // macOS: what inherited the environment is found all the same
  }
}
