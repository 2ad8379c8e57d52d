import { Unframed } from './record.js';

/** Collects a line that may come in pieces. A line longer than the bound is an error, so that it takes no memory without end. */
export class Line {
  private kept = '';

  constructor(private readonly maxBytes: number) {}

  /**
   * Takes bytes up to and including the next line feed. `text` is the line without its line end; undefined while it is not
   * whole. `taken` says how many bytes were used. Error: {@link Unframed}.
   */
  take(bytes: Buffer, from: number): { text: string | undefined; taken: number } {
    const feed = bytes.indexOf(0x0a, from);
    const end = feed < 0 ? bytes.length : feed + 1;
    if (this.kept.length + end - from > this.maxBytes) throw new Unframed(`a line of more than ${this.maxBytes} bytes`);
    this.kept += bytes.toString('latin1', from, end);
    if (feed < 0) return { text: undefined, taken: end - from };
    const text = this.kept.replace(/\r?\n$/, '');
    this.kept = '';
    return { text, taken: end - from };
  }
}
