/** A part of a simulated world: it yields for how many milliseconds it waits, and goes on when they have passed. */
export type Process = Generator<number, void, void>;

/** The time of a simulation. It doesn't pass: it jumps to the moment at which the next process goes on. */
export class Clock {
  /** In milliseconds, from 0. */
  now = 0;

  /**
   * Runs processes to their ends. Of two that go on at the same moment the first in the list comes first, so that the same
   * processes have the same run each time.
   *
   * @param beginAt when each process begins, in milliseconds: none earlier than the one before it
   * @returns when each of them ended, in milliseconds
   * @throws RangeError if a process begins before the one before it, or yields anything but a number of 0 or more
   */
  run(processes: Process[], beginAt: (index: number) => number): Float64Array {
    const goesOnAt = Float64Array.from(processes.keys(), beginAt);
    const tooEarly = goesOnAt.findIndex((at, i) => !(at >= (goesOnAt[i - 1] ?? 0)));
    if (tooEarly >= 0)
      throw new RangeError(
        `Expected processes to begin in order, got process ${tooEarly} at ${goesOnAt[tooEarly]} ms.`,
      );
    const heap = Int32Array.from(processes.keys()); // the indices of the processes; the next is at 0. In order, it is a heap already.
    const isBefore = (a: number, b: number) => goesOnAt[a]! < goesOnAt[b]! || (goesOnAt[a] === goesOnAt[b] && a < b);
    /** Moves a process from the top of a heap down to its place. https://en.wikipedia.org/wiki/Binary_heap */
    const place = (process: number, size: number) => {
      let at = 0;
      for (let child = 1; child < size; child = 2 * at + 1) {
        if (child + 1 < size && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
        if (isBefore(process, heap[child]!)) break;
        heap[at] = heap[child]!;
        at = child;
      }
      heap[at] = process;
    };
    for (let size = heap.length; size > 0; ) {
      const first = heap[0]!;
      this.now = goesOnAt[first]!;
      const { done, value: ms } = processes[first]!.next();
      if (done) place(heap[--size]!, size);
      else if (typeof ms === 'number' && ms >= 0) {
        goesOnAt[first] = this.now + ms;
        place(first, size);
      } else throw new RangeError(`Expected a process to wait for 0 ms or more, got ${ms}.`);
    }
    return goesOnAt;
  }
}
