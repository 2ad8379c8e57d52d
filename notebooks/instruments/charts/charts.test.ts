import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { toSvg } from '../draw.js';
import type { SentRequest } from '../experiment.js';
import type { LedgerRow } from '../ledger.js';
import { CHECKOUT } from '../own-server.js';
import { COLORS, TECHNIQUES } from '../technique.js';
import { arrivals } from './arrivals.js';
import { bars } from './bars.js';
import { type Chart, tell } from './chart.js';
import { compared } from './compared.js';
import { cumulative } from './cumulative.js';
import { growth } from './growth.js';
import { closeness, guessed, ratioOf } from './guessed.js';
import { ladder } from './ladder.js';
import { progress } from './progress.js';
import { queues } from './queues.js';
import { lastOf, type Racer, race } from './race.js';
import { served } from './served.js';
import { sideBySide } from './side-by-side.js';
import { states } from './states.js';
import { streams } from './streams.js';
import { tradeoff } from './tradeoff.js';
import { versions } from './versions.js';
import { waterfall } from './waterfall.js';

const start = Date.parse('2026-01-01T00:00:00Z');
const sent = (i: number): SentRequest => ({
  technique: i === 0 ? 'submit' : 'short-poll',
  method: i === 0 ? 'POST' : 'GET',
  path: '/jobs',
  sentAt: start + 500 * i,
  answeredAt: start + 500 * i + 2,
  endedAt: start + 500 * i + 3,
  status: i === 0 ? 202 : 200,
  error: null,
});
const rows = Array.from({ length: 9 }, (_, i) => sent(i));
const job = { createdAt: '2026-01-01T00:00:00Z', finishedAt: '2026-01-01T00:00:03.2Z' };
const dots = (client: number) =>
  Array.from({ length: 7 }, (_, i) => ({ panel: i % 2 ? 'b' : 'a', client, atMs: 100 * i }));

const racers = (knewAt: (number | null)[]): Racer[] =>
  [
    { name: 'short polling', technique: 'short-poll', rows: rows.slice(1), news: [start + 503], knewAt: start + 4_003 },
    { name: 'long polling', technique: 'long-poll', rows: [], news: [], knewAt: null },
  ].map((racer, i) => ({ ...racer, knewAt: knewAt[i] ?? null }) as Racer);

function dragged(formula: string): Chart {
  return compared({
    title: 'T',
    x: 'x (ms)',
    y: 'y',
    technique: 'short-poll',
    predict: (x, { a = 1_000 }) => Math.ceil(a / x),
    measured: [100, 200, 400].map((x) => ({ x, y: 1_000 / x })),
    drag: { formula, says: "y + ' at ' + x", sliders: { a: { label: 'a (ms)', from: 500, to: 5_000, value: 1_000 } } },
  });
}

/** The nth guess of ten. */
const guess = (n: number, predicted: number) => {
  return { notebook: '03-short-polling', what: 'polls', predicted, measured: 10, at: `2026-01-01T00:0${n}:00Z` };
};
/** The same requests as the server's ledger has them: each arrives after a millisecond, and is answered after another. */
const seen = (row: SentRequest): LedgerRow => ({
  ...{ method: row.method, route: '/jobs', experiment: null, technique: row.technique, status: row.status },
  arrivedAt: new Date(row.sentAt + 1).toISOString(),
  answeredAt: row.answeredAt === null ? null : new Date(row.answeredAt - 0.5).toISOString(),
  endedAt: row.endedAt === null ? null : new Date(row.endedAt).toISOString(),
  ...{ bytesIn: 0, bytesOut: 0, events: 0, connection: 1, protocol: 'HTTP/1.1' },
});

/** Each chart with the number of its data, and the role that its marks have in the SVG. */
const charts: [name: string, chart: Chart, rows: number, mark: string][] = [
  ['a waterfall', waterfall(rows, { title: 'T', job }), 9, 'bar'],
  ['a waterfall of nothing', waterfall([], { title: 'T' }), 0, 'bar'],
  ['a race', race(racers([]), { title: 'T', durationMs: 3_000, beganAt: start, endedAt: null }), 8, 'bar'],
  ['arrivals of one client', arrivals(dots(1), { title: 'T', technique: 'short-poll', endsMs: 300 }), 7, 'circle'],
  [
    'arrivals of many clients',
    arrivals([...dots(1), ...dots(2)], { title: 'T', technique: 'short-poll' }),
    14,
    'circle',
  ],
  [
    'arrivals of a storm',
    arrivals(
      Array.from({ length: 30 }, (_, i) => ({ panel: 'a', client: 1, atMs: 5 * i })),
      { title: 'T', technique: 'short-poll' },
    ),
    30,
    'circle',
  ],
  [
    'a comparison',
    compared({
      title: 'T',
      x: 'x (ms)',
      y: 'y',
      technique: 'short-poll',
      predict: (x) => 1_000 / x,
      measured: [100, 200, 400].map((x) => ({ x, y: 1_000 / x })),
      logX: true,
    }),
    3,
    'point',
  ],
  ['a comparison whose numbers can be dragged', dragged('ceil(a / x)'), 3, 'point'],
  [
    'a trade-off',
    tradeoff({
      title: 'T',
      x: 'x',
      y: 'y',
      technique: 'short-poll',
      predict: (x) => 9 / x,
      points: [1, 2, 3].map((x) => ({ label: `p${x}`, family: x < 3 ? 'a' : 'b', x, y: 9 / x })),
    }),
    3,
    'point',
  ],
  [
    'requests in the colors of their servers',
    served(
      [
        { lane: 'polls', server: 'a', from: start, to: start + 2, status: 200 },
        { lane: 'polls', server: 'b', from: start + 300, to: start + 302, status: 404 },
        { lane: 'stream', server: 'a', from: start, to: start + 400, status: 200 },
        { lane: 'stream', server: 'c', from: start + 450, to: null, status: null },
      ],
      {
        title: 'T',
        heard: [1, 2, 3].map((i) => ({ lane: 'stream', at: start + 100 * i })),
        moments: [{ at: start + 400, what: 'a is killed' }],
      },
    ),
    4,
    'bar',
  ],
  [
    'event streams',
    streams(
      [
        {
          lane: 'a',
          connections: [
            { from: start, to: start + 400 },
            { from: start + 600, to: null },
          ],
          arrived: [1, 2, 3].map((i) => ({ at: start + 300 * i, what: 'event' as const })),
        },
        { lane: 'b', connections: [], arrived: [{ at: start + 50, what: 'comment' }] },
        { lane: 'c', connections: [{ from: start, to: start + 1 }], arrived: [{ at: start + 70, what: 'gap' }] },
      ],
      { title: 'T', moments: [{ at: start + 450, what: 'killed' }] },
    ),
    5,
    'point',
  ],
  [
    'event streams, as bars',
    streams(
      [
        {
          lane: 'a',
          connections: [
            { from: 0, to: 1 },
            { from: 2, to: 3 },
          ],
          arrived: [],
        },
      ],
      { title: 'T' },
    ),
    2,
    'bar',
  ],
  [
    'event streams without a connection',
    streams([{ lane: 'a', connections: [], arrived: [{ at: start, what: 'event' }] }], { title: 'T' }),
    1,
    'point',
  ],
  [
    'a trade-off of one family',
    tradeoff({ title: 'T', x: 'x', y: 'y', points: [1, 2].map((x) => ({ label: `p${x}`, family: 'a', x, y: x })) }),
    2,
    'point',
  ],
  ['a prediction against its measurement', guessed([guess(0, 12)], { title: 'T' }), 1, 'point'],
  [
    'predictions against their measurements',
    guessed(
      [0, 5, 20, 10, 9, 11].map((n, i) => guess(i, n)),
      { title: 'T' },
    ),
    6,
    'point',
  ],
  [
    'versions',
    versions(
      [
        { lane: 'a', technique: 'long-poll', versions: [2, 5] },
        { lane: 'b', technique: 'consume', versions: [1, 2, 3, 4, 5] },
      ],
      { title: 'T', of: 5 },
    ),
    10,
    'bar',
  ],
  [
    'the states of jobs',
    states([['queued', 'started', 'progress', 'progress', 'succeeded'], ['queued', 'cancelled'], []], { title: 'T' }),
    5,
    'rule mark',
  ],
  ['a ladder', ladder(rows.slice(0, 3), rows.slice(0, 3).map(seen), { title: 'T', job }), 2 + 6, 'rule mark'],
  ['a progress bar', progress({ title: 'T', done: 0.4 }), 1, 'bar'],
  [
    'queues',
    queues(
      [
        { panel: 'a', rows },
        { panel: 'b', rows: [...rows.slice(1, 4), { ...sent(8), answeredAt: null }], beganAt: start },
      ],
      { title: 'T' },
    ),
    9 + 4,
    'bar',
  ],
  [
    'bars in parts',
    bars({
      title: 'T',
      x: 'bytes',
      colors: { in: '#56B4E9', out: '#0072B2' },
      parts: { 200: { in: 100, out: 300 }, 304: { in: 120, out: 100 } },
    }),
    4,
    'bar',
  ],
  [
    'how many so far, in a run and its twin',
    cumulative(
      [
        { technique: 'short-poll', measured: [-20, 5, 9], twin: [-18, 4] },
        { technique: 'long-poll', measured: [3], twin: [] },
      ],
      { title: 'T', x: 'time (s)', y: 'so far' },
    ),
    4,
    'line mark',
  ],
  [
    'how a value grows with a crowd',
    growth({
      title: 'T',
      x: 'clients',
      y: 'late by (s)',
      measured: [{ technique: 'short-poll', x: 100, y: 0.2 }],
      twin: [100, 1_000].map((x) => ({ technique: 'short-poll' as const, x, y: x / 1_000 })),
    }),
    1,
    'point',
  ],
  [
    'several prices side by side',
    sideBySide({
      title: 'T',
      rows: [
        { label: 'a', technique: 'short-poll', values: { requests: 9, 'CPU (ms)': 0.25, bytes: 0 } },
        { label: 'b', technique: 'long-poll', values: { requests: 1, 'CPU (ms)': 0.5, bytes: 700 } },
      ],
    }),
    6,
    'bar',
  ],
];

it.each([
  [[12], 'Your first prediction: 1.2× off'],
  [[10], 'Your first prediction: exact'],
  [[12, 40], 'Your 2 predictions: 4× off, in the median'],
  [[1, 20, 5, 10, 10, 11], 'Your first 3 predictions: 2× off; your last 3: exact'],
])('tells of the predictions %j whether they got closer', (numbers, title) => {
  const guesses = numbers.map((n, i) => guess(i, n));
  expect(closeness(guesses.reverse())).toBe(title);
});

it.each([
  [5, 10, 0.5],
  [0, 0, 1],
  [0, 10, 0.01],
  [10, 0, 100],
  [-10, 10, 0.01],
  [1e9, 1, 100],
])('draws a prediction of %d where %d was measured at %d', (predicted, measured, ratio) => {
  expect(ratioOf({ predicted, measured })).toBe(ratio);
});

it('computes each bar by its own formula, where its numbers can be dragged', async () => {
  const bill = (formula: string) =>
    sideBySide({
      title: 'T',
      rows: [
        { label: 'a', technique: 'short-poll', values: { polls: 50, bytes: 100 } },
        { label: 'b', technique: 'long-poll', values: { polls: 4, bytes: 5 } },
      ],
      drag: {
        sliders: { n: { label: 'clients', from: 1, to: 1_000, step: 1, value: 100 } },
        formulas: { a: { polls: 'n / 2', bytes: formula }, b: { polls: 'n / 25', bytes: '5' } },
        predict: ({ n = 0 }) => ({ a: { polls: n / 2, bytes: n }, b: { polls: n / 25, bytes: 5 } }),
      },
    });
  const svg = await toSvg(bill('n'));
  for (const text of ['50', '100', '4', '5']) expect(svg).toContain(`>${text}<`);
  expect(() => bill('n + 1')).toThrow(/is not what the cell predicts/);
});

it.each([
  [false, ['1.00', '1.00']],
  [true, ['0.50', '1.00']],
])('gives each panel a scale of its own, or all of them the same: %s', async (sameScale, shares) => {
  const values = { predicted: 3, measured: 6 };
  const { spec } = sideBySide({ title: 'T', sameScale, rows: [{ label: 'a', technique: 'short-poll', values }] });
  const [{ compile }, { parse, View }] = [require('vega-lite'), require('vega')];
  const view = await new View(parse(compile(spec).spec), { renderer: 'none' }).runAsync();
  const bars: { from: number; to: number }[] = view.data('data_0');
  const lengths = bars.map(({ from, to }) => to - from);
  expect(lengths.map((length) => (length / Math.max(...lengths)).toFixed(2))).toEqual(shares);
});

it.each([
  [6, 1_000, 3],
  [6, 600, 2],
  [6, 390, 1],
  [4, 1_000, 2],
  [1, 1_000, 1],
  [3, 1_000, 2, 'CPU of the engine, in microseconds per event'],
  [3, 500, 1, 'CPU of the engine, in microseconds per event'],
])('puts %d prices into a width of %d pixels in %d columns', async (count, width, columns, name = 'price') => {
  const values = Object.fromEntries(Array.from({ length: count }, (_, i) => [`${name} ${i}`, i]));
  const { spec } = sideBySide({ title: 'T', rows: [{ label: 'a', technique: 'short-poll', values }] });
  const [{ compile }, { parse, View }] = [require('vega-lite'), require('vega')];
  const view = await new View(parse(compile(spec).spec), { renderer: 'none' }).runAsync();
  await view.signal('room', width).runAsync();
  expect(view.signal('columns')).toBe(columns);
  expect(view.signal('height') / Math.ceil(count / columns)).toBe(48); // a name and a bar for each row of panels
  view.finalize();
});

it.each([300, 311, 341, 390, 481, 640, 700])('fits a title and a legend into %d pixels', async (width) => {
  const [{ compile }, { parse, View }] = [require('vega-lite'), require('vega')];
  const title = 'To hear of the end, the stream moved 3.4 times the bytes of long polling, and short polling 17 times';
  const techniques = ['submit', 'short-poll', 'long-poll', 'event-stream', 'consume'] as const;
  const [first] = rows;
  const { spec } = waterfall(
    techniques.map((technique) => ({ ...first!, technique })),
    { title, subtitle: title },
  );
  const view = await new View(parse(compile(spec).spec), { renderer: 'none' }).runAsync();
  const svg: string = await view
    .signal('room', width)
    .runAsync()
    .then(() => view.toSVG());
  view.finalize();
  // Measured in Chromium: letters of a bold title take 8.2 pixels each, those of a subtitle 6.3.
  for (const [role, letter] of [
    ['title-text', 8.2],
    ['title-subtitle', 6.3],
  ] as const) {
    const [, text] = new RegExp(`role-${role}"[^]*?<text[^>]*>([^]*?)</text>`).exec(svg)!;
    const lines = [...text!.matchAll(/<tspan[^>]*>([^<]*)/g)].map(([, line]) => line!);
    expect(lines.join(' ')).toBe(title);
    for (const line of lines) expect(letter * line.length).toBeLessThanOrEqual(width - 16);
  }
  // Where each entry of the legend begins: one below the other where two would not fit beside the names of lanes.
  const legend = svg.slice(svg.indexOf('role-legend-entry'));
  const entries = legend.matchAll(/translate\(([\d.]+),[\d.]+\)"><path class="background"[^>]* opacity="1"/g);
  const starts = new Set([...entries].map(([, x]) => x));
  expect(starts.size).toBe(width <= 340 ? 1 : width <= 480 ? 2 : 5);
});

const marks = (svg: string, role: string) =>
  [...svg.matchAll(new RegExp(`role="graphics-symbol" aria-roledescription="${role}"`, 'g'))].length;

/** The data that the marks are drawn from, sorted, after the chart has been resized to each of these widths in turn. */
async function dataAt(chart: Chart, ...widths: number[]): Promise<string[]> {
  const [{ compile }, { parse, View }] = [require('vega-lite'), require('vega')];
  const compiled: { data: { name: string }[] } = compile(chart.spec).spec;
  const view = await new View(parse(compiled), { renderer: 'none' }).runAsync();
  for (const width of widths) await view.signal('room', width).signal('width', width).runAsync();
  const rows: object[] = compiled.data.flatMap(({ name }) => view.data(name));
  view.finalize();
  return rows.map((row) => JSON.stringify(row)).sort();
}

describe.each(charts)('%s', (_name, chart, rows, mark) => {
  it('is the same again after it was as narrow as a phone', async () => {
    expect(await dataAt(chart, 1_000, 400, 1_001)).toEqual(await dataAt(chart, 1_000, 1_001));
  });

  it('draws as many marks as there are rows', async () => {
    expect(marks(await toSvg(chart), mark)).toBe(rows);
  });

  it('draws without a warning', async () => {
    const warned = vi.spyOn(console, 'warn').mockImplementation(() => {});
    await toSvg(chart);
    expect(warned.mock.calls).toEqual([]);
    if (rows === 0) return warned.mockRestore(); // without any data, no axis has an extent
    const [{ compile }, { parse, View, Warn }] = [require('vega-lite'), require('vega')];
    const view = new View(parse(compile(chart.spec).spec), { renderer: 'none' });
    view.logLevel(Warn); // as in JupyterLab: below it, Vega does not say that a layer has no data
    for (const width of [1_000, 400, 1_001]) await view.signal('room', width).signal('width', width).runAsync();
    view.finalize();
    expect(warned.mock.calls).toEqual([]);
    warned.mockRestore();
  });

  it('gives every mark a tooltip with rounded numbers', async () => {
    const drawn = await pointable(chart);
    expect(drawn.filter(({ tooltip }) => !tooltip).map(({ datum }) => datum)).toEqual([]);
    const said = drawn.map(({ tooltip }) => (typeof tooltip === 'string' ? tooltip : JSON.stringify(tooltip)));
    expect(said.filter((text) => /\.\d{5}|\d{4}(?!-)\d*\.|NaN|undefined|null/.test(text!))).toEqual([]);
  });

  it('has a title, and a name for every axis of numbers', async () => {
    const labels = [...(await toSvg(chart)).matchAll(/aria-label="([^"]*)"/g)].map(([, label]) => label as string);
    expect(labels).toContain("Title text 'T'");
    const axes = labels.filter((label) => /^[XY]-axis .*for a (linear|log) scale/.test(label));
    expect(axes.filter((label) => !/^[XY]-axis titled '.+' for/.test(label))).toEqual([]);
  });

  it('is told in words by the SVG itself', async () => {
    expect(chart.text).toMatch(/^T/);
    const svg = await toSvg(chart);
    expect(svg).toContain('aria-label="');
    expect(JSON.stringify(chart.spec)).not.toMatch(/null,"y"|NaN|Infinity/);
  });
});

it('draws what can be dragged at its first values, and says how far it can be dragged', async () => {
  const chart = dragged('ceil(a / x)');
  const svg = await toSvg(chart);
  expect(svg).toContain('>5 at 200<');
  expect(chart.text).toContain('x (ms) from 100 to 400, a (ms) from 500 to 5,000');
  // The picture says it, and not the chart, which has the sliders below it.
  expect(svg).toContain('sliders: x (ms) from 100');
  expect(JSON.stringify(chart.spec.title)).not.toContain('sliders');
  const bound = (chart.spec.params as { name: string; bind?: { input: string } }[]).flatMap(({ name, bind }) =>
    bind ? [[name, bind.input]] : [],
  );
  expect(bound).toEqual([
    ['x', 'range'],
    ['a', 'range'],
  ]);
});

it('puts the dragged point where several sliders say, and a wall where another one says', async () => {
  const chart = compared({
    title: 'T',
    x: 'x',
    y: 'y',
    technique: 'event-stream',
    predict: (x, { limit = 6 }) => Math.min(x, limit),
    measured: [
      { x: 8, y: 6, series: 'first' },
      { x: 8, y: 8, series: 'second' },
    ],
    over: [1, 300],
    overY: [1, 256],
    drag: {
      formula: 'min(x, limit)',
      says: "x + ' asked, ' + y + ' open'",
      at: 'each * tabs',
      sliders: {
        each: { label: 'each', from: 1, to: 30, step: 1, value: 4 },
        tabs: { label: 'tabs', from: 1, to: 10, step: 1, value: 2 },
        limit: { label: 'limit', from: 1, to: 256, step: 1, value: 6 },
      },
      wall: { at: 'limit', says: 'the others wait' },
    },
    logX: true,
    logY: true,
  });
  const svg = await toSvg(chart);
  for (const text of ['8 asked, 6 open', 'the others wait', 'first', 'second']) expect(svg).toContain(`>${text}<`);
  expect(svg).not.toContain('NaN');
});

it('draws no formula that differs from the function that the cell predicts with', () => {
  expect(() => dragged('a / x')).toThrow(/"a \/ x" is not what the cell predicts: expected \d+, got [\d.]+ for x = /);
});

/** What the marks of a chart say when one points at them. */
const tooltips = async (chart: Chart) =>
  (await pointable(chart)).flatMap(({ tooltip }) => tooltip ?? []) as Record<string, unknown>[];

/** The marks that one can point at: all but texts, axes and legends. */
async function pointable({ spec }: Chart): Promise<Scene[]> {
  const [{ compile }, { parse, View }] = [require('vega-lite'), require('vega')];
  const view = await new View(parse(compile(spec).spec), { renderer: 'none' }).runAsync();
  const of = ({ role, marktype, items = [] }: Scene): Scene[] => {
    if (role === 'mark' && marktype !== 'group') return marktype === 'text' ? [] : items;
    return role && !['frame', 'mark', 'scope'].includes(role) ? [] : items.flatMap(of);
  };
  const drawn = of(view.scenegraph().root);
  view.finalize();
  return drawn;
}
interface Scene {
  role?: string;
  marktype?: string;
  items?: Scene[];
  datum?: unknown;
  tooltip?: unknown;
}

it('counts a storm in columns, with a round axis for each run, and keeps a slow client in a line', async () => {
  const every = (ms: number, count: number, panel: string) =>
    Array.from({ length: count }, (_, i) => ({ panel, client: 1, atMs: ms * i }));
  const drawn = async (requests: Parameters<typeof arrivals>[0]) => {
    const chart = arrivals(requests, { title: 'T', technique: 'other' });
    return [chart.text, await toSvg(chart)] as const;
  };
  const [text, svg] = await drawn([...every(2, 100, 'storm'), ...every(100, 3, 'slow')]);
  expect(text).toContain('storm: 100 requests, up to 50 within 100 ms; slow: 3 requests, up to 1 within 100 ms');
  expect([...svg.matchAll(/>(storm|slow): up to (\d+)</g)].map(([, , most]) => most)).toEqual(['50', '1']);
  expect(svg.match(/>20</g)).toHaveLength(2);
  expect(svg).not.toContain('>client<');
  const [, single] = await drawn(every(20, 10, 'slow'));
  expect(single).not.toContain('up to');
});

it('rounds what a tooltip says, and has the status of a request in it', async () => {
  const thirds = [1, 2, 3].map((i) => 1_000 / 3 + 1_000 * i);
  const uneven = rows.map((row) => ({ ...row, sentAt: row.sentAt + 1 / 3, endedAt: row.endedAt! + 2 / 3 }));
  const drawn = [
    waterfall(uneven, { title: 'T', job }),
    queues([{ panel: 'a', rows: uneven }], { title: 'T' }),
    arrivals(
      thirds.map((atMs, i) => ({ panel: 'a', client: i + 1, atMs })),
      { title: 'T', technique: 'other' },
    ),
    compared({
      title: 'T',
      x: 'x',
      y: 'y',
      technique: 'other',
      predict: (x) => x / 7,
      measured: thirds.map((x) => ({ x, y: x / 7 })),
    }),
    tradeoff({ title: 'T', x: 'x', y: 'y', points: thirds.map((x) => ({ label: 'p', family: 'a', x, y: x / 7 })) }),
    bars({ title: 'T', x: 'bytes', colors: { in: '#767676' }, parts: { a: { in: 100 / 3 } } }),
    sideBySide({ title: 'T', rows: [{ label: 'a', technique: 'other', values: { bytes: 100 / 3 } }] }),
  ];
  for (const chart of drawn) {
    const said = await tooltips(chart);
    expect(said.length).toBeGreaterThan(0);
    expect(JSON.stringify(said)).not.toMatch(/\.\d{4}/);
  }
  expect(await tooltips(drawn[0]!)).toContainEqual(expect.objectContaining({ status: 202, technique: 'submit' }));
});

it('gives each client a lane, and says in it what there is room for', async () => {
  const ofClient = (text: string) => [...text.matchAll(/>(client(?: \d)?|first|second)</g)].map(([, name]) => name);
  expect(ofClient(await toSvg(waterfall(rows, { title: 'T' })))).toEqual(['client']);
  const together = [sent(1), { ...sent(1), endedAt: sent(4).endedAt }, sent(2)];
  expect(ofClient(await toSvg(waterfall(together, { title: 'T' })))).toEqual(['client 1', 'client 2']);
  const named = await toSvg(waterfall({ first: rows.slice(0, 2), second: rows.slice(2) }, { title: 'T' }));
  expect(ofClient(named)).toEqual(['first', 'second']);
});

it('begins the time of each client with its own first request, where clients ran one after the other', () => {
  const ran = { first: rows.slice(0, 2), second: rows.slice(5, 7) };
  const { spec } = waterfall(ran, { title: 'T', fromOwnStart: true });
  const starts = (spec.data as { values: { client: string; start: number }[] }).values;
  expect(starts.map(({ client, start }) => [client, start])).toEqual([
    ['first', 0],
    ['second', 0],
    ['first', 0.5],
    ['second', 0.5],
  ]);
  expect(() => waterfall(ran, { title: 'T', fromOwnStart: true, job })).toThrow(/expected a job or "fromOwnStart"/);
});

it('draws requests that follow each other without a pause as bars with a gap between them', async () => {
  const request = (from: number, to: number) => ({
    ...sent(1),
    sentAt: start + from,
    answeredAt: start + from + 1,
    endedAt: start + to,
  });
  const endToEnd = [request(0, 500), request(500, 1_000), request(1_000, 1_001), request(3_000, 4_000)];
  for (const chart of [waterfall(endToEnd, { title: 'T' }), queues([{ panel: 'a', rows: endToEnd }], { title: 'T' })]) {
    const bars = [...(await toSvg(chart)).matchAll(/aria-roledescription="bar"[^>]*? d="([^"]*)"/g)].map(([, path]) => {
      const xs = [...path!.matchAll(/[ML](-?[\d.]+)/g)].map(([, x]) => Number(x));
      return { left: Math.min(...xs), right: Math.max(...xs) };
    });
    expect(bars).toHaveLength(endToEnd.length);
    for (const [i, bar] of bars.slice(0, 2).entries()) expect(bars[i + 1]!.left - bar.right).toBeGreaterThan(2);
    for (const { left, right } of bars) expect(right).toBeGreaterThanOrEqual(left);
    expect(bars.at(-1)!.right).toBeGreaterThan(600); // the last one ends at its time
  }
});

it('shortens no name on paper, where only a guess of its length is known', async () => {
  const [lane, part] = [
    'a client that asks again and again, with the same key',
    'events that it hears for the first time',
  ];
  const chart = bars({
    title: 'T',
    x: 'events',
    colors: { [part!]: '#767676', again: '#56B4E9' },
    parts: { [lane!]: { again: 1 } },
  });
  const svg = await toSvg(chart);
  for (const name of [lane, part]) expect(svg).toContain(`>${name}<`);
});

it('takes a request that overlaps the last by a moment for the next of the same client', async () => {
  const late = [sent(1), { ...sent(2), sentAt: sent(1).endedAt! - 1 }, sent(8)];
  const svg = await toSvg(waterfall(late, { title: 'T' }));
  expect(svg).toContain('>client<');
  expect(svg).not.toContain('>client 2<');
});

it('fills the lane of a job as high as it had come, and tells of it in words', async () => {
  const steps = [1, 2, 3].map((i) => ({ at: new Date(start + 1_000 * i).toISOString(), progress: i / 4 }));
  const running = waterfall(rows.slice(0, 6), {
    title: 'T',
    job: { createdAt: job.createdAt, finishedAt: null, steps },
  });
  const svg = await toSvg(running);
  const heights = [...svg.matchAll(/aria-label="job at (\d+) % [^>]*d="M[^v]*v([\d.]+)/g)].map((step) =>
    step.slice(1).map(Number),
  );
  expect(heights.map(([progress]) => progress)).toEqual([25, 50, 75]);
  const [first] = heights[0]!.slice(1) as [number];
  for (const [i, [, height]] of heights.entries()) expect(height).toBeCloseTo((i + 1) * first, 3);
  expect(svg).toContain('>75 %<'); // beside a job that goes on
  expect(running.text).toContain('the job came to 25 % at 1 s; 50 % at 2 s; 75 % at 3 s');
  const over = waterfall(rows, { title: 'T', job: { ...job, steps } });
  expect(await toSvg(over)).not.toContain('>75 %<');
});

it('writes beside a request of another protocol what it was, and no status of HTTP', async () => {
  const command = (i: number, method: string, status: number | null) =>
    ({ ...seen(sent(i)), ...{ protocol: 'RESP', method, route: method, status } }) as LedgerRow;
  const rows = { a: [command(1, 'BLPOP', 200), command(3, 'PING', 500)], b: [command(5, 'XREAD', null)] };
  const chart = waterfall(rows, { title: 'T' });
  const svg = await toSvg(chart);
  for (const label of ['BLPOP', 'PING: error', 'cut']) expect(svg).toContain(`>${label}<`);
  expect(svg).not.toMatch(/>[25]00</);
  expect(await tooltips(chart)).toContainEqual(expect.objectContaining({ method: 'BLPOP', status: 'answered' }));
});

it('draws how a job goes on after its request was cut', async () => {
  const cut = { ...sent(0), answeredAt: null, endedAt: start + 1_000, status: null };
  const chart = waterfall([cut], { title: 'T', job });
  expect(await toSvg(chart)).toContain('>goes on<');
  expect(chart.text).toContain('its request was cut at 1 s, and it went on');
  const answered = waterfall([{ ...cut, status: 200, endedAt: start + 3_300 }], { title: 'T', job });
  expect(await toSvg(answered)).not.toContain('>goes on<');
});

it('keeps room for words to the right of a job only where there are any', () => {
  const rightOf = ({ spec }: Chart) => (spec.padding as { right: number }).right;
  const stream = { ...sent(1), technique: 'event-stream' as const, endedAt: Date.parse(job.finishedAt) };
  const without = rightOf(waterfall([stream], { title: 'T' }));
  expect(rightOf(waterfall([stream], { title: 'T', job }))).toBe(without);
  const late = waterfall(rows, { title: 'T', job });
  expect(late.text).toContain('a poll told of it');
  expect(rightOf(late)).toBeGreaterThan(without);
  const cut = { ...sent(0), answeredAt: null, endedAt: start + 1_000, status: null };
  expect(rightOf(waterfall([cut], { title: 'T', job }))).toBeGreaterThan(without);
});

it('puts what waits for a connection behind a wall, and then into the first slot that is free', async () => {
  const request = (from: number, answeredAt: number, to: number) => ({
    ...{ ...sent(1), sentAt: start + from, answeredAt: start + answeredAt, endedAt: start + to },
  });
  const chart = queues([{ panel: 'two', rows: [request(0, 1, 500), request(0, 1, 800), request(0, 501, 900)] }], {
    title: 'T',
  });
  const { values } = chart.spec.data as { values: { slot: string; place: string | null }[] };
  expect(values.map(({ slot }) => slot)).toEqual(['0 slot 0', '0 slot 1', '0 slot 0']);
  expect(values.map(({ place }) => place)).toEqual([null, null, '0 waits 0']);
  expect(await toSvg(chart)).toContain('>waits<');
});

it("puts a server's name beside the line of a moment, not on it", async () => {
  const request = (lane: string, from: number) => ({
    lane,
    server: 'b',
    from: start + from,
    to: start + 900,
    status: 200,
  });
  const chart = served([request('early', 0), request('then', 401)], {
    title: 'T',
    moments: [{ at: start + 400, what: 'a is killed' }],
  });
  const svg = await toSvg(chart);
  const leftOf = (shape: RegExp) => [...svg.matchAll(shape)].map(([, left]) => Number(left));
  const [line] = leftOf(/aria-roledescription="rule mark" transform="translate\(([\d.]+),/g);
  const [then, early] = leftOf(/server: b"[^>]* text-anchor="start" transform="translate\(([\d.]+),[^>]*>b</g);
  expect(early).toBeLessThan(line!);
  expect(then).toBeGreaterThan(line! + 2);
});

it('counts how many jobs went each way, by their own events', async () => {
  const went = [['queued', 'started', 'progress', 'progress', 'succeeded'], ['queued', 'cancelled'], ['queued']];
  const chart = states(went, { title: 'T' });
  const ways = (chart.spec.data as { values: { from: string; to: string; times: number }[] }).values;
  expect(Object.fromEntries(ways.map(({ from, to, times }) => [`${from} ${to}`, times]))).toEqual({
    'queued running': 1,
    'running running': 2,
    'running succeeded': 1,
    'running failed': 0,
    'queued cancelled': 1,
    'running cancelled': 0,
  });
});

it('draws an arrow each way between a client and the server, and none for an answer that did not come', async () => {
  const asked = [rows[0]!, { ...rows[1]!, answeredAt: null, status: null }];
  const { text } = ladder(asked, asked.map(seen), { title: 'T' });
  expect(text.match(/client to server/g)).toHaveLength(2);
  expect(text.match(/server to client/g)).toHaveLength(1);
  expect(text).toContain('client to server at 0.5 s, there at 0.501 s: GET /jobs');
});

it('gives a technique its color', async () => {
  const svg = await toSvg(waterfall(rows, { title: 'T', job }));
  expect(svg).toContain(COLORS['short-poll']);
  expect(svg).toContain(COLORS.submit);
});

it('says in one legend which color is which technique, unless it has nothing to say', async () => {
  const svg = await toSvg(waterfall(rows, { title: 'T', job }));
  const legends = [...svg.matchAll(/aria-label="(Symbol legend[^"]*)"/g)].map(([, label]) => label);
  expect(legends).toEqual([expect.stringMatching(/submit, short-poll$/)]);
  const others = rows.map((row) => ({ ...row, technique: 'other' as const }));
  expect(await toSvg(waterfall(others, { title: 'T' }))).not.toContain('legend');
});

it('names the unit on each axis', async () => {
  expect(await toSvg(waterfall(rows, { title: 'T' }))).toContain('time (s)');
});

it('puts no name over another, over a point, or out of the plot', async () => {
  // As the notebooks have measured them: two of a kind beside each other, and a corner.
  const measured: [string, number, number][] = [
    ['every 100 ms', 12.4, 34],
    ['every 200 ms', 7.3, 118],
    ['every 400 ms', 4.5, 241],
    ['every 800 ms', 3, 467],
    ['back-off, 400 ms at most', 5.5, 192],
    ['back-off', 3.4, 480],
    ['as told', 2.6, 479],
  ];
  const points = measured.map(([label, x, y]) => ({ label, family: 'a', x, y }));
  const predict = (x: number) => (x < 2.8 ? Number.NaN : 607 / (x - 1.5));
  const svg = await toSvg(tradeoff({ title: 'T', x: 'x', y: 'y', points, predict }));
  const drawn = [
    ...svg.matchAll(/aria-roledescription="(text mark|point)"([^>]*)translate\(([\d.]+),([\d.]+)\)[^>]*>([^<]*)/g),
  ];
  const boxes = drawn.map(([, role, attributes, x, y, text]) => {
    const width = role === 'point' ? 12 : 6 * text!.length;
    const share = /text-anchor="start"/.test(attributes!) ? 0 : /text-anchor="end"/.test(attributes!) ? 1 : 0.5;
    return { text, left: Number(x) - share * width, top: Number(y) - 6, width };
  });
  expect(boxes).toHaveLength(2 * points.length + 1); // and the arrow
  for (const [i, a] of boxes.entries()) {
    expect(a.left).toBeGreaterThan(0);
    expect(a.left + a.width).toBeLessThan(620);
    for (const b of boxes.slice(i + 1)) {
      const apart = a.left > b.left + b.width || b.left > a.left + a.width || Math.abs(a.top - b.top) > 10;
      expect(apart, `"${a.text}" and "${b.text}"`).toBe(true);
    }
  }
});

it('draws what a reader has specified, and says so where Vega-Lite does not know it', async () => {
  const data = { values: [{ a: 'x', b: 3 }] };
  const a = { field: 'a', type: 'nominal' };
  const own = (spec: object): Chart => ({ title: 'Mine', text: 'Mine', spec: { data, title: 'Mine', ...spec } });
  const svg = await toSvg(own({ mark: 'bar', encoding: { x: a, y: { field: 'b', type: 'quantitative' }, color: a } }));
  expect(marks(svg, 'bar')).toBe(1);
  expect(svg).toContain('>Mine<');
  await expect(toSvg(own({ mark: 'barr', encoding: { x: a } }))).rejects.toThrow(
    /^draw: expected a specification of Vega-Lite, got one that .* Check the names of its marks/,
  );
});

it('breaks a long title, and loses no word of it', () => {
  const title = 'Of twenty-five clients in step, twenty-five asked within a moment; with jitter, only seven did';
  const { spec } = waterfall(rows, { title });
  const { expr } = (spec.title as { text: { expr: string } }).text;
  const broken = [...expr.matchAll(/\[.*?\]/g)].map(([lines]) => JSON.parse(lines) as string[]);
  expect(broken.map((lines) => lines.join(' '))).toEqual([title, title, title, title]);
  for (const lines of broken) {
    const lengths = lines.map(({ length }) => length);
    expect(Math.max(...lengths) - Math.min(...lengths), 'no word alone in a line').toBeLessThan(20);
  }
  const [wide, medium, narrow, narrowest] = broken.map(({ length }) => length) as [number, number, number, number];
  expect(wide).toBeGreaterThan(1);
  expect(medium).toBeGreaterThanOrEqual(wide);
  expect(narrow).toBeGreaterThan(medium);
  expect(narrowest).toBeGreaterThan(narrow);
});

it('tells who learned last of the end of a race, and how late', () => {
  const endedAt = start + 3_700;
  const ran = racers([start + 4_003, start + 3_800]);
  expect(lastOf(ran, endedAt)).toBe('The last to learn of the end is short polling: 8 requests, 303 ms late');
  const { text } = race(ran, { title: 'T', durationMs: 3_700, beganAt: start, endedAt });
  expect(text).toContain('long polling: 0 requests, 100 ms late');
});

it('tells a long run by its beginning', () => {
  expect(tell([1, 2, 3, 4], String, 2)).toBe('1; 2; and 2 more');
});

it("takes its colors from Okabe and Ito's palette, and a gray, and each of them once", () => {
  const palette = ['#E69F00', '#56B4E9', '#009E73', '#F0E442', '#0072B2', '#D55E00', '#CC79A7', '#767676'];
  const used = Object.values(COLORS);
  expect(used.filter((color) => !palette.includes(color))).toEqual([]);
  expect(new Set(used).size).toBe(used.length);
});

it('writes the color of a technique in one place', () => {
  const charts = readdirSync(__dirname).filter((name) => !name.endsWith('.test.ts'));
  const pages = ['head.html', 'monitor.html', 'connections.html'].map((name) =>
    join(CHECKOUT, 'server', 'edge', 'pages', name),
  );
  const techniques = new RegExp(Object.values(COLORS).join('|'), 'i');
  const files = [...charts.map((name) => join(__dirname, name)), ...pages];
  expect(files.filter((path) => techniques.test(readFileSync(path, 'utf8')))).toEqual([]);
});

it('knows the techniques of server/techniques.json, and no others', () => {
  expect([...TECHNIQUES].sort()).toEqual(Object.keys(COLORS).sort());
});
