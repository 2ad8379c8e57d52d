import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { StoreError } from '../../core/log/store.js';

const LENGTH = 80;

/**
 * The position of the last event that was committed, in a file of its own. SQLite takes a damaged journal for one that
 * ends before the damage, and drops the commits after it silently. This file shows that commits are missing. It is
 * written after a commit and before any client is told of it, so that it is never ahead of an intact database; only
 * a power cut can leave it so, and then the machine has started again since.
 */
export class Evidence {
  /** The position that the file names; 0 where it names none. */
  readonly seq: number = 0;
  /** Whether the machine has, or may have, started again since the file was written. */
  readonly restarted: boolean = true;
  private readonly fd: number;
  private readonly boot = bootId();

  /** @param path - where the file is; it is made where there is none. */
  constructor(path: string) {
    this.fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o644);
    const text = readFileSync(this.fd, 'utf8');
    const [, told, seq, boot, crc] = /^(log head (\d+) (\S+)) ([0-9a-f]{8}) *\n$/.exec(text) ?? [];
    if (text !== '' && !text.startsWith('log head ')) {
      closeSync(this.fd);
      throw new StoreError(`${path} is a file of another program. Choose another folder with --data.`);
    }
    if (told === undefined || checksum(told) !== crc) return;
    this.seq = Number(seq);
    this.restarted = this.boot === UNKNOWN || boot !== this.boot;
  }

  /** Names the newest event that is committed. */
  write(seq: number): void {
    const told = `log head ${seq} ${this.boot}`;
    const line = `${`${told} ${checksum(told)}`.padEnd(LENGTH - 1)}\n`;
    try {
      writeSync(this.fd, line, 0);
    } catch {
      // The commit stands. Until the next one is named, damage to this one would not be noticed.
    }
  }

  close(): void {
    closeSync(this.fd);
  }
}

const checksum = (text: string): string => crc32(text).toString(16).padStart(8, '0');

const UNKNOWN = 'unknown';

/** Names the run of this machine, from one start to the next. Only Linux tells it. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return UNKNOWN;
  }
}
