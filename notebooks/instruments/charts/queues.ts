import { now, type SentRequest } from '../experiment.js';
import type { LedgerRow } from '../ledger.js';
import { number } from '../table.js';
import { COLORS, FAINT, INK, type Technique } from '../technique.js';
import { byTechnique } from './by-technique.js';
import { type Chart, chart, tell } from './chart.js';

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

/** How much of a panel a request takes, in pixels, and how high a panel may get. */
const [LANE, PANEL] = [10, 190];

/**
 * The waterfall of several clients that did the same, a panel for each: a bar is pale while its request waits for an answer,
 * and full from then on.
 */
export function queues(panels: Queue[], { title, subtitle }: Queues): Chart {
  const data = panels.flatMap(({ panel, rows, beganAt }) => {
    const spans = rows.map(span);
    const zero = beganAt ?? Math.min(...spans.map(({ sent }) => sent));
    const seconds = (ms: number) => (ms - zero) / 1_000;
    return spans.map(({ technique, sent, answered, end }, i) => ({
      panel,
      request: i + 1,
      technique,
      sent: seconds(sent),
      answered: answered === null ? null : seconds(answered),
      until: seconds(answered ?? end),
      end: seconds(end),
      never: answered === null ? 'never answered' : '',
    }));
  });
  const names = panels.map(({ panel }) => panel);
  const used = (Object.keys(COLORS) as Technique[]).filter((name) => data.some(({ technique }) => technique === name));
  const most = Math.max(1, ...panels.map(({ rows }) => rows.length));
  const y = {
    field: 'request',
    type: 'ordinal',
    title: 'request',
    scale: { paddingInner: 0.35 },
    axis: { labelOverlap: true, ticks: false, domain: false },
  };
  const bar = (from: string, to: string, fillOpacity: number, told: boolean) => ({
    mark: { type: 'bar', fillOpacity, strokeWidth: 1, cornerRadius: 1, aria: told },
    encoding: {
      x: { field: from, type: 'quantitative', title: 'time (s)', scale: { nice: false, padding: 4 } },
      x2: { field: to },
      y,
      ...byTechnique(used),
      tooltip: [
        { field: 'request' },
        { field: 'technique' },
        { field: 'sent', type: 'quantitative', format: '.3f', title: 'sent (s)' },
        { field: 'answered', type: 'quantitative', format: '.3f', title: 'answered (s)' },
        { field: 'end', type: 'quantitative', format: '.3f', title: 'end (s)' },
      ],
    },
  });
  const answered = { transform: [{ filter: 'datum.answered !== null' }], ...bar('answered', 'end', 1, false) };
  const never = {
    mark: { type: 'text', align: 'right', dx: -4, fontSize: Math.min(10, PANEL / most), color: INK.text },
    encoding: { x: { field: 'end', type: 'quantitative' }, y, text: { field: 'never' } },
  };
  const layer = [bar('sent', 'until', FAINT.wait, true), answered, ...(LANE * most <= PANEL ? [never] : [])];
  return chart({
    title,
    subtitle: [subtitle, 'pale: waits; full: is answered'].filter(Boolean).join('; '),
    data,
    numbers: tell(names, (panel) => {
      const of = data.filter((row) => row.panel === panel);
      return `${panel}: ${tell(of, words, 12)}`;
    }),
    body: {
      facet: { row: { field: 'panel', type: 'nominal', sort: names, header: { labelAngle: 0 } } },
      spec: { width: 620, height: Math.min(PANEL, LANE * most), layer },
    },
  });
}

function words({
  request,
  technique,
  sent,
  answered,
  end,
}: Record<'sent' | 'end' | 'request', number> & { technique: string; answered: number | null }) {
  const when = answered === null ? `never answered, left at ${number(end)} s` : `answered at ${number(answered)} s`;
  return `request ${request} (${technique}) sent at ${number(sent)} s, ${when}`;
}

interface Span {
  technique: Technique;
  sent: number;
  answered: number | null;
  end: number;
}

function span(row: SentRequest | LedgerRow): Span {
  const ms = (time: string | number | null) => (typeof time === 'string' ? Date.parse(time) : time);
  const sent = 'sentAt' in row ? row.sentAt : Date.parse(row.arrivedAt);
  return { technique: row.technique, sent, answered: ms(row.answeredAt), end: ms(row.endedAt) ?? now() };
}
