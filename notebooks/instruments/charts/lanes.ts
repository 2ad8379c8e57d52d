/**
 * Two requests of one connection or client may seem to overlap, by this share of the whole time: a server may see the next
 * request before it has booked the end of the last.
 */
export const SLACK = 0.02;

/**
 * Puts each span of time into the first lane that is free for the whole of it, in the order in which they begin.
 *
 * @returns the lane of each, from 0, in the order in which they were given
 */
export function lanesOf(spans: { from: number; to: number }[]): number[] {
  const times = spans.flatMap(({ from, to }) => [from, to]);
  const slack = SLACK * (Math.max(...times) - Math.min(...times));
  const busyUntil: number[] = [];
  const lanes: number[] = [];
  const inOrder = spans.map((span, i) => ({ ...span, i })).sort((a, b) => a.from - b.from);
  for (const { from, to, i } of inOrder) {
    const free = busyUntil.findIndex((until) => until <= from + slack);
    const lane = free === -1 ? busyUntil.length : free;
    busyUntil[lane] = to;
    lanes[i] = lane;
  }
  return lanes;
}
