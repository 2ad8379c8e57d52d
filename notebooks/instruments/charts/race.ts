import { now, type SentRequest } from '../experiment.js';
import type { Step } from '../job-progress.js';
import { number } from '../table.js';
import { FAINT, INK, type Technique } from '../technique.js';
import { byTechnique } from './by-technique.js';
import { type Chart, chart, NARROW, rounded, tell } from './chart.js';
import { cameTo, jobBar, stairsOf } from './job-bar.js';
import { laneAxis } from './lanes.js';

/** A client in a race, as far as it has come. Times are milliseconds since the epoch. */
export interface Racer {
  /** What the client is called: its lane. */
  name: string;
  technique: Technique;
  rows: SentRequest[];
  /** When each piece of news about the job came. */
  news: number[];
  /** When it learned that the job was done; null until then. */
  knewAt: number | null;
}

interface Race {
  /** What was found, as a sentence, computed from the data. */
  title: string;
  /** How long the job was said to take, in milliseconds. */
  durationMs: number;
  beganAt: number;
  /** When the job ended; null while the race goes on. */
  endedAt: number | null;
  /** How far the job had come at which time, if that is known. */
  steps?: Step[];
}

const JOB = 'the job';

/** How high a bar is, in pixels. */
const BAR = 16;

/**
 * Clients that wait for the same job, a lane each: a bar for every request, a dot for every piece of news, and how late
 * each learned that the job was done. The axes stay as they are while it grows.
 */
export function race(racers: Racer[], { title, durationMs, beganAt, endedAt, steps }: Race): Chart {
  const seconds = (ms: number) => Math.round(ms - beganAt) / 1_000;
  const whole = durationMs / 1_000;
  const until = seconds(endedAt ?? now());
  const stairs = stairsOf(steps, seconds);
  const data = racers.flatMap(({ name, technique, rows }) =>
    rows.map((row) => ({
      ...{ lane: name, technique, from: seconds(row.sentAt) },
      to: seconds(row.endedAt ?? now()),
    })),
  );
  const dots = racers.flatMap(({ name, news }) => news.map((at) => ({ lane: name, at: seconds(at) })));
  const results = racers.map((racer) => ({ ...racer, requests: racer.rows.length, late: lateness(racer, endedAt) }));
  const beside = Math.max(whole, until, ...data.map(({ to }) => to)) + 0.04 * whole;
  const words = [
    {
      lane: JOB,
      at: beside,
      text: endedAt === null ? `at work for ${until.toFixed(1)} s` : `done after ${until.toFixed(1)} s`,
    },
    ...results.map((result) => ({ lane: result.name, at: beside, text: told(result) })),
  ];
  const y = laneAxis('lane', [JOB, ...racers.map(({ name }) => name)]);
  const ticks = Array.from({ length: Math.floor(whole) + 1 }, (_, second) => second);
  const wide = Math.max(1.5 * whole, beside + 0.4 * whole); // with room for the words beside the bars
  const x = (field: string) => ({
    ...{ field, type: 'quantitative', title: 'time (s)' },
    scale: { domain: [0, { expr: `${NARROW} ? ${Math.max(1.1 * whole, beside)} : ${wide}` }], nice: false },
    axis: { values: ticks },
  });
  const lanes = {
    mark: { type: 'bar', height: BAR, cornerRadius: 2, strokeWidth: 1.5, fillOpacity: 0.35 },
    encoding: {
      x: x('from'),
      x2: { field: 'to' },
      y,
      ...byTechnique(
        racers.map(({ technique }) => technique),
        { legend: null },
      ),
      tooltip: [
        { field: 'lane', title: 'client' },
        { field: 'technique' },
        rounded('from', 'from (s)'),
        rounded('to', 'to (s)'),
      ],
    },
  };
  return chart({
    title,
    subtitle: 'clients that wait for the same job; a bar is a request, a dot an answer or event',
    data,
    numbers: [tell(results, (result) => `${result.name}: ${told(result)}`), ...cameTo(JOB, stairs)].join('; '),
    body: {
      height: 36 * (racers.length + 1),
      layer: [
        ...jobBar({ lane: JOB, field: 'lane', from: 0, to: until, steps: stairs, x, y, height: BAR }),
        {
          data: { values: [{ at: endedAt === null ? whole : until }] },
          mark: { type: 'rule', color: INK.text, opacity: FAINT.rule, strokeDash: [4, 4] },
          encoding: { x: x('at'), tooltip: { value: `the job ${endedAt === null ? 'should be' : 'was'} done` } },
        },
        lanes,
        {
          data: { values: dots },
          mark: { type: 'point', filled: true, size: 34, opacity: 1, color: INK.text },
          encoding: {
            x: x('at'),
            y,
            tooltip: [{ field: 'lane', title: 'client' }, rounded('at', 'heard about the job at (s)')],
          },
        },
        {
          // Beside the bars; on a phone, which has no room there, under them.
          data: { values: words },
          transform: [{ calculate: `${NARROW} ? 0 : datum.at`, as: 'from' }],
          mark: {
            ...{ type: 'text', align: 'left' },
            fontSize: { expr: `${NARROW} ? 10 : 13` },
            dy: { expr: `${NARROW} ? 14 : 0` },
          },
          encoding: { x: x('from'), y, text: { field: 'text' } },
        },
      ],
    },
  });
}

/** How long after the job's end a client learned of it, in milliseconds; null while either is unknown. Clocks are read to 1 ms. */
const lateness = ({ knewAt }: Racer, endedAt: number | null) =>
  knewAt === null || endedAt === null ? null : Math.max(0, knewAt - endedAt);

interface Result {
  name: string;
  requests: number;
  late: number | null;
}

const told = ({ requests, late }: Result) =>
  `${requests} request${requests === 1 ? '' : 's'}${late === null ? '' : `, ${number(Math.round(late))} ms late`}`;

/** Says which client was the last to learn that the job was done at `endedAt`. */
export function lastOf(racers: Racer[], endedAt: number): string {
  const results = racers.map((racer) => ({ ...racer, requests: racer.rows.length, late: lateness(racer, endedAt) }));
  const last = results.reduce((latest, result) => ((result.late ?? 0) > (latest.late ?? 0) ? result : latest));
  return `The last to learn of the end is ${last.name}: ${told(last)}`;
}
