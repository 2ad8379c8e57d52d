/**
 * A set that has one member at most, nearly always: the exchanges of a connection of HTTP/1.1. JavaScript's own set takes
 * 170 bytes for that, and the time to hash. Iterates in the order in which the members were added.
 */
export class SmallSet<T extends object> {
  private first: T | null = null;
  /** Those that were added after the first one. */
  private others: Set<T> | null = null;

  get size(): number {
    return (this.first ? 1 : 0) + (this.others?.size ?? 0);
  }

  /** Adds what is not in it yet. */
  add(member: T): void {
    if (this.size === 0) this.first = member;
    else {
      this.others ??= new Set();
      this.others.add(member);
    }
  }

  delete(member: T): void {
    if (this.first === member) this.first = null;
    else this.others?.delete(member);
  }

  *[Symbol.iterator](): Iterator<T> {
    if (this.first) yield this.first;
    if (this.others) yield* this.others;
  }
}
