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

/**
 * The axis of lanes: their names at the left, in this order. It has no line, because the lanes themselves are visible.
 *
 * @param parts what a chart adds: a `title`, and more properties of the `scale` or the `axis`
 */
export const laneAxis = (
  field: string,
  lanes: string[],
  { title = null, scale, axis }: { title?: string | null; scale?: object; axis?: object } = {},
) => ({
  ...{ field, type: 'nominal', sort: lanes, title },
  scale: { domain: lanes, ...scale },
  axis: { ticks: false, domain: false, ...axis },
});

/** A bar ends this many pixels before the next bar of its lane. Each has an edge of {@link EDGE} pixels around it. */
const GAP = 3;
/** A bar's edge, in pixels: wide enough that a request of a millisecond is visible. */
export const EDGE = 1.5;

/**
 * The free time between each span and the next one of its lane, as a share of the whole time; 1 after the last.
 *
 * @param whole the whole time, in the unit of the spans
 */
export function roomBehind(spans: { lane: unknown; from: number; to: number }[], whole: number): number[] {
  const nextFrom = new Map<unknown, number>();
  const latestFirst = spans.map((span, i) => ({ ...span, i })).sort((a, b) => b.from - a.from || b.i - a.i);
  const rooms: number[] = [];
  for (const { lane, from, to, i } of latestFirst) {
    const next = nextFrom.get(lane);
    rooms[i] = next === undefined ? 1 : (next - to) / whole;
    nextFrom.set(lane, from);
  }
  return rooms;
}

/**
 * Where a bar ends, as the `x2Offset` of its mark: at its time, but before the next bar of its lane, so that two requests
 * without a pause between them are seen as two. A bar is at least a pixel wide.
 *
 * @param from the fields of the bar's times. The row also has its {@link roomBehind} as `room`.
 */
export const shortOfNext = (from: string, to: string) => ({
  expr: `max(1 - (scale('x', datum.${to}) - scale('x', datum.${from})), min(0, datum.room * width - ${GAP}))`,
});
