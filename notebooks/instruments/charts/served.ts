import { number } from '../table.js';
import { INK } from '../technique.js';
import { type Chart, chart, rounded, tell } from './chart.js';
import { laneAxis } from './lanes.js';

/** A request, and the server that answered it. Times are milliseconds since the epoch. */
export interface Served {
  /** A line of the chart: the client, or its technique. */
  lane: string;
  /** The server's name. */
  server: string;
  from: number;
  /** When the answer was over; null while it is open. */
  to: number | null;
  /** Null if the connection broke before there was an answer. */
  status: number | null;
}

interface Options {
  /** What was found, as a sentence, computed from the data. */
  title: string;
  subtitle?: string;
  /** Events that came on a lane. */
  heard?: { lane: string; at: number }[];
  /** Moments worth a line: a server was killed. */
  moments?: { at: number; what: string }[];
}

/** The colors of servers, none of them a technique's; each has a contrast of 3:1 at least on a white page and on a dark one. */
const SERVERS = ['#7b61d1', '#c2416b', '#6f8a1e', '#8a6a4f'];

/** The colors of some servers by their names. */
export function colorsOf(names: string[]): Record<string, string> {
  return Object.fromEntries(names.map((name, i) => [name, SERVERS[i % SERVERS.length] as string]));
}

/** A cross, for a refusal: a shape of Vega's that has an area. */
const CROSS = 'M-1,-0.6L-0.6,-1L0,-0.4L0.6,-1L1,-0.6L0.4,0L1,0.6L0.6,1L0,0.4L-0.6,1L-1,0.6L-0.4,0Z';
/** With fewer requests than this, each bears its server's name. */
const LABELLED = 70;
/** A request that begins within this share of the chart's time span from a moment is near it: its server's name would cover the moment's line. */
const NEAR = 0.01;
/** Offset of a server's name from the start of its request, in pixels. Near a moment, the name is to the right of the moment's line. */
const NAME_DX = { atMoment: 4, else: -2 };

/** Requests over time in the colors of the servers that answered them, with events as dots and refusals as crosses. */
export function served(requests: Served[], { title, subtitle, heard = [], moments = [] }: Options): Chart {
  const times = [...requests.flatMap(({ from, to }) => [from, to ?? from]), ...heard.map(({ at }) => at)];
  const [zero, last] = times.length > 0 ? [Math.min(...times), Math.max(...times)] : [0, 0];
  const seconds = (ms: number) => Math.round(ms - zero) / 1_000;
  const lanes = [...new Set(requests.map(({ lane }) => lane))];
  const servers = [...new Set(requests.map(({ server }) => server))].sort();
  const colors = servers.map((name) => colorsOf(servers)[name]);
  const data = requests.map(({ lane, server, from, to, status }) => ({
    ...{ lane, server, from: seconds(from), to: seconds(to ?? last) },
    status: status === null ? 'cut' : String(status),
    nameDx: moments.some(({ at }) => Math.abs(at - from) < NEAR * (last - zero)) ? NAME_DX.atMoment : NAME_DX.else,
  }));
  // Only the offsets in use: a layer without data makes Vega warn.
  const offsets = Object.values(NAME_DX).filter((dx) => data.some(({ nameDx }) => nameDx === dx));
  const refused = data.filter(({ status }) => Number(status) >= 400);
  const scale = { nice: false, padding: 8 };
  const x = (field: string) => ({ field, type: 'quantitative', title: 'time (s)', scale });
  const y = laneAxis('lane', lanes);
  const byServer = { field: 'server', type: 'nominal', scale: { domain: servers, range: colors } };
  const named = { text: { field: 'server' } };
  const lines = { values: moments.map(({ at, what }) => ({ at: seconds(at), what })) };
  return chart({
    title,
    subtitle,
    data,
    numbers: [
      tell(lanes, (lane) => {
        const mine = data.filter((one) => one.lane === lane);
        const of = servers.map((server) => `${server} ${mine.filter((one) => one.server === server).length}`);
        const told = heard.filter((one) => one.lane === lane).length;
        const bad = mine.filter(({ status }) => Number(status) >= 400).length;
        return `${lane}: requests by server: ${of.join(', ')}${told ? `; events: ${told}` : ''}${bad ? `; refused: ${bad}` : ''}`;
      }),
      ...moments.map(({ at, what }) => `${what} at ${number(seconds(at))} s`),
    ].join('; '),
    body: {
      height: 48 * Math.max(1, lanes.length),
      layer: [
        {
          mark: { type: 'bar', height: 18, cornerRadius: 1, strokeWidth: 2 },
          encoding: {
            ...{ x: x('from'), x2: { field: 'to' }, y, color: byServer, stroke: byServer },
            fillOpacity: { value: 0.55 },
            tooltip: [
              { field: 'lane' },
              { field: 'server' },
              { field: 'from', type: 'quantitative', format: '.3f', title: 'from (s)' },
              { field: 'to', type: 'quantitative', format: '.3f', title: 'to (s)' },
              { field: 'status' },
            ],
          },
        },
        ...(data.length < LABELLED
          ? offsets.map((dx) => ({
              transform: [{ filter: { field: 'nameDx', equal: dx } }],
              mark: { type: 'text', align: 'left', dy: -17, dx, fontSize: 11, color: INK.text },
              encoding: { x: x('from'), y, ...named },
            }))
          : []),
        ...(refused.length > 0
          ? [
              {
                data: { values: refused },
                mark: { type: 'point', shape: CROSS, size: 110, filled: true, color: INK.text, opacity: 1 },
                encoding: { x: x('from'), y, tooltip: [{ field: 'status' }, { field: 'server' }] },
              },
            ]
          : []),
        ...(heard.length > 0
          ? [
              {
                data: { values: heard.map(({ lane, at }) => ({ lane, at: seconds(at) })) },
                mark: { type: 'point', shape: 'circle', size: 26, filled: true, color: INK.text, opacity: 1 },
                encoding: { x: x('at'), y, tooltip: [{ field: 'lane' }, rounded('at', 'event (s)')] },
              },
            ]
          : []),
        ...(moments.length > 0
          ? [
              {
                data: lines,
                mark: { type: 'rule', color: INK.text, strokeDash: [5, 3] },
                encoding: { x: x('at'), tooltip: [{ field: 'what' }, rounded('at', 'time (s)')] },
              },
              {
                data: lines,
                mark: { type: 'text', align: 'left', baseline: 'bottom', dx: 4, y: -2, fontSize: 11, color: INK.text },
                encoding: { x: x('at'), text: { field: 'what' } },
              },
            ]
          : []),
      ],
    },
  });
}
