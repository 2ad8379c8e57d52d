/** A part of a simulated world: it yields for how many milliseconds it waits, and goes on when they have passed. */
export type Process = Generator<number, void, void>;

/** No process. */
const NONE = -1;

/** Processes that wait, by their indices: each goes on no earlier than the one before it. */
interface Lane {
  first: number;
  last: number;
}

/** The time of a simulation. It doesn't pass: it jumps to the moment at which the next process goes on. */
export class Clock {
  /** In milliseconds, from 0. */
  now = 0;

  /**
   * Runs processes to their ends. Those that go on at the same moment do so in an order that is the same each time.
   *
   * A process waits at the end of the first lane whose last one goes on no later. The next to go on is at the head of a
   * lane. Clients with the same rules need few lanes, so that a step takes the same time for a million as for a hundred.
   *
   * @param beginAt when each process begins, in milliseconds
   * @returns when each of them ended, in milliseconds
   * @throws RangeError if a process waits for anything but a number of 0 or more
   */
  run(processes: Process[], beginAt: (index: number) => number): Float64Array {
    const goesOnAt = new Float64Array(processes.length);
    const behind = new Int32Array(processes.length); // the process behind each one in its lane
    const lanes: Lane[] = [];
    const wait = (process: number, ms: number) => {
      if (!(typeof ms === 'number' && ms >= 0)) throw new RangeError(`Expected a wait of 0 ms or more, got ${ms}.`);
      const at = this.now + ms;
      let index = 0;
      while (index < lanes.length && lanes[index]!.first !== NONE && goesOnAt[lanes[index]!.last]! > at) index += 1;
      if (index === lanes.length) lanes.push({ first: NONE, last: NONE });
      const lane = lanes[index]!;
      if (lane.first === NONE) lane.first = process;
      else behind[lane.last] = process;
      lane.last = process;
      behind[process] = NONE;
      goesOnAt[process] = at;
    };
    for (const index of processes.keys()) wait(index, beginAt(index));
    for (;;) {
      let next: Lane | undefined;
      for (const lane of lanes) {
        if (lane.first !== NONE && (!next || goesOnAt[lane.first]! < goesOnAt[next.first]!)) next = lane;
      }
      if (!next) return goesOnAt;
      const process = next.first;
      next.first = behind[process]!;
      this.now = goesOnAt[process]!;
      const { done, value } = processes[process]!.next();
      if (!done) wait(process, value);
    }
  }
}
