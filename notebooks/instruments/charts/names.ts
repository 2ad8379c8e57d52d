/** A mark in a chart, in pixels from the plot's upper left corner. */
interface Spot {
  x: number;
  y: number;
}

interface Named extends Spot {
  label: string;
}

/** Where the name of a point can stand, the best first, as Vega's text mark puts it. */
const SIDES = [
  { align: 'left', dx: 10, dy: 0 },
  { align: 'center', dx: 0, dy: -15 },
  { align: 'right', dx: -10, dy: 0 },
  { align: 'center', dx: 0, dy: 15 },
] as const;
type Side = (typeof SIDES)[number];

/** Half of what a point takes, and of a line of text, in pixels. */
const DOT = 7;
const LINE = 8;
/** Of a letter of 12 pixels, on average. */
const LETTER = 6.5;

/**
 * Chooses a side for the name of each point, so that it hides no other point, no other name and no part of a curve.
 * Where there is no such side, it is the one that hides the least.
 */
export function placeNames(points: Named[], curve: Spot[], width: number, height: number): Side[] {
  const taken = points.map((point) => around(point, DOT, DOT));
  const drawn = curve.map((spot) => around(spot, 1, 1));
  return points.map((point) => {
    const half = (LETTER * point.label.length) / 2;
    const boxes = SIDES.map((side) => {
      const center = { left: half, center: 0, right: -half }[side.align];
      const box = around({ x: point.x + side.dx + center, y: point.y + side.dy }, half, LINE);
      const outside = box.left < 0 || box.right > width || box.top < 0 || box.bottom > height;
      const over = (others: Box[]) => others.filter((other) => meet(box, other)).length;
      // A piece of the curve is the least that one misses.
      return { side, box, hidden: outside ? Number.POSITIVE_INFINITY : over(taken) * (drawn.length + 1) + over(drawn) };
    });
    const { side, box } = boxes.reduce((best, next) => (next.hidden < best.hidden ? next : best));
    taken.push(box);
    return side;
  });
}

const around = ({ x, y }: Spot, halfWidth: number, halfHeight: number) => ({
  left: x - halfWidth,
  right: x + halfWidth,
  top: y - halfHeight,
  bottom: y + halfHeight,
});
type Box = ReturnType<typeof around>;

const meet = (a: Box, b: Box) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
