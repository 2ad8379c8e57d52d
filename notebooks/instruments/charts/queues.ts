import { now, type SentRequest } from '../experiment.js';
import type { LedgerRow } from '../ledger.js';
import { number } from '../table.js';
import { COLORS, FAINT, INK, type Technique } from '../technique.js';
import { byTechnique } from './by-technique.js';
import { type Chart, chart, tell } from './chart.js';
import { lanesOf, roomBehind, SLACK, shortOfNext } from './lanes.js';

/** Requests of one client, or what the ledger saw of them. */
export interface Queue {
  /** Whose they are. */
  panel: string;
  rows: (SentRequest | LedgerRow)[];
  /** When the experiment began, in milliseconds since the epoch. Default: with the first of the rows. */
  beganAt?: number;
}

interface Queues {
  /** What was found, as a sentence, computed from the data. */
  title: string;
  subtitle?: string;
}

/** How much of the chart a request takes, in pixels, and how high a panel may get. */
const [LANE, PANEL] = [11, 200];

/**
 * How several clients used the connections that they had, a panel for each: a slot for each request that was open at the
 * same time as others, and under a wall the requests that waited until a slot was free. A request that waited is pale there,
 * and then has a full bar in its slot.
 */
export function queues(panels: Queue[], { title, subtitle }: Queues): Chart {
  const drawn = panels.map(({ panel, rows, beganAt }) => ({ panel, spans: placed(rows.map(span), beganAt) }));
  const lanes = drawn.flatMap(({ panel, spans }, i) => {
    const open = 1 + Math.max(-1, ...spans.map(({ slot }) => slot ?? -1));
    const held = 1 + Math.max(-1, ...spans.map(({ place }) => place ?? -1));
    const names = [
      ...Array.from({ length: open }, (_, slot) => ({ lane: laneOf(i, 'slot', slot), label: String(slot + 1) })),
      ...Array.from({ length: held }, (_, place) => ({ lane: laneOf(i, 'waits', place), label: place ? '' : 'waits' })),
    ];
    // An empty lane keeps the name of a panel off what is above it.
    const heads = ['', panel].map((head, at) => ({ lane: laneOf(i, 'head', at), label: '', head }));
    return [...heads, ...names.map((lane) => ({ ...lane, head: '' }))];
  });
  const rows = drawn.flatMap(({ panel, spans }, i) =>
    spans.map(({ technique, sent, answered, end, slot, place }, at) => ({
      ...{ panel, request: at + 1, technique, sent, answered, end, until: answered ?? end },
      slot: slot === null ? null : laneOf(i, 'slot', slot),
      place: place === null ? null : laneOf(i, 'waits', place),
      never: answered === null ? 'never answered' : '',
      told: answered === null ? 'never' : answered.toFixed(3),
    })),
  );
  const inSlots = rows.map(({ slot, answered, end }) => ({ lane: slot, from: answered ?? end, to: end }));
  const rooms = roomBehind(inSlots, Math.max(0, ...rows.map(({ end }) => end)));
  const data = rows.map((row, i) => ({ ...row, room: rooms[i] as number }));
  const used = (Object.keys(COLORS) as Technique[]).filter((name) => data.some(({ technique }) => technique === name));
  const step = Math.min(LANE, (PANEL * panels.length) / Math.max(1, lanes.length));
  const labels = Object.fromEntries(lanes.map(({ lane, label }) => [lane, label]));
  const y = {
    type: 'ordinal',
    title: null,
    scale: { domain: lanes.map(({ lane }) => lane), paddingInner: 0.3, paddingOuter: 0.1 },
    axis: {
      labelExpr: `${JSON.stringify(labels)}[datum.value]`,
      labelFontSize: Math.min(11, step),
      ticks: false,
      domain: false,
    },
  };
  const x = { type: 'quantitative', title: 'time (s)', scale: { nice: false, padding: 4 } };
  const bar = (lane: 'slot' | 'place', from: string, to: string, mark: object) => ({
    transform: [{ filter: `datum.${lane} !== null` }],
    mark: { type: 'bar', strokeWidth: 1, cornerRadius: 1, ...mark },
    encoding: {
      x: { ...x, field: from },
      x2: { field: to },
      y: { ...y, field: lane },
      ...byTechnique(used),
      tooltip: [
        { field: 'request' },
        { field: 'technique' },
        { field: 'sent', type: 'quantitative', format: '.3f', title: 'sent (s)' },
        { field: 'told', title: 'answered (s)' },
        { field: 'end', type: 'quantitative', format: '.3f', title: 'end (s)' },
      ],
    },
  });
  const never = {
    mark: { type: 'text', align: 'right', dx: -4, fontSize: Math.min(10, step), color: INK.text },
    encoding: { x: { ...x, field: 'end' }, y: { ...y, field: 'place' }, text: { field: 'never' } },
  };
  const heads = {
    data: { values: lanes.filter(({ head }) => head) },
    mark: { type: 'text', align: 'left', dy: -4, fontSize: 13, fontWeight: 'bold' },
    encoding: { x: { value: 0 }, y: { ...y, field: 'lane' }, text: { field: 'head' } },
  };
  // In the middle of the space above the first lane that waits.
  const walls = {
    data: { values: lanes.filter(({ label }) => label === 'waits') },
    mark: { type: 'rule', color: INK.text, strokeWidth: 2, yOffset: -1.5 },
    encoding: {
      x: { value: 0 },
      x2: { value: 'width' },
      y: { ...y, field: 'lane', bandPosition: 0 },
      tooltip: { value: 'below: requests that wait' },
    },
  };
  return chart({
    title,
    subtitle: [subtitle, 'a row has one open request at a time; pale, below the line: one that waits']
      .filter(Boolean)
      .join('; '),
    data,
    numbers: tell(drawn, ({ panel, spans }) => `${panel}: ${tell(spans.map(words), String, 12)}`),
    body: {
      height: step * lanes.length,
      layer: [
        bar('slot', 'answered', 'end', { x2Offset: shortOfNext('answered', 'end') }),
        bar('place', 'sent', 'until', { fillOpacity: FAINT.wait }),
        ...(data.some(({ never }) => never) && step === LANE ? [never] : []),
        ...(data.some(({ place }) => place) ? [walls] : []),
        heads,
      ],
    },
  });
}

const laneOf = (panel: number, what: 'head' | 'slot' | 'waits', which: number) => `${panel} ${what} ${which}`;

function words({ technique, sent, answered, end }: Placed, i: number) {
  const when = answered === null ? `never answered, left at ${number(end)} s` : `answered at ${number(answered)} s`;
  return `request ${i + 1} (${technique}) sent at ${number(sent)} s, ${when}`;
}

interface Span {
  technique: Technique;
  sent: number;
  answered: number | null;
  end: number;
}

/** Times in seconds; a slot from its answer on, and a place in the queue if it waited for a slot. */
interface Placed extends Span {
  slot: number | null;
  place: number | null;
}

/** Gives each request the first slot that is free when it is answered, and what waits for a slot the first free place. */
function placed(spans: Span[], beganAt?: number): Placed[] {
  const zero = beganAt ?? Math.min(...spans.map(({ sent }) => sent));
  const seconds = (ms: number) => (ms - zero) / 1_000;
  const requests: Placed[] = spans.map(({ technique, sent, answered, end }) => ({
    ...{ technique, sent: seconds(sent), answered: answered === null ? null : seconds(answered), end: seconds(end) },
    ...{ slot: null, place: null },
  }));
  const slack = SLACK * Math.max(0, ...requests.map(({ end }) => end));
  const opened = requests.filter(({ answered }) => answered !== null);
  const slots = lanesOf(opened.map(({ answered, end }) => ({ from: answered as number, to: end })));
  for (const [i, request] of opened.entries()) request.slot = slots[i] as number;
  // It waited for a slot if another request had to end before it was answered.
  const waited = requests.filter(
    ({ sent, answered }) => answered === null || requests.some(({ end }) => sent + slack < end && end <= answered),
  );
  const places = lanesOf(waited.map(({ sent, answered, end }) => ({ from: sent, to: answered ?? end })));
  for (const [i, request] of waited.entries()) request.place = places[i] as number;
  return requests;
}

function span(row: SentRequest | LedgerRow): Span {
  const ms = (time: string | number | null) => (typeof time === 'string' ? Date.parse(time) : time);
  const sent = 'sentAt' in row ? row.sentAt : Date.parse(row.arrivedAt);
  return { technique: row.technique, sent, answered: ms(row.answeredAt), end: ms(row.endedAt) ?? now() };
}
