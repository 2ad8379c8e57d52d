import { FAINT, INK } from '../technique.js';

/** A row of a chart's data. */
export type Datum = Record<string, string | number | null>;

/** A chart, not yet drawn. */
export interface Chart {
  /** What was found, as a sentence, computed from the data. */
  title: string;
  /** The chart's numbers in one line, for those who do not see it and for terminals. */
  text: string;
  /** The whole Vega-Lite specification. */
  spec: Record<string, unknown>;
  /** The subtitle on paper, if it differs from the chart's. */
  paperSubtitle?: string;
}

interface Parts {
  title: string;
  /** What was held fixed: the duration of a job, an interval, how many clients. */
  subtitle?: string | undefined;
  /** What is added to the subtitle on paper, where no slider can be dragged. */
  onPaper?: string | undefined;
  data: Datum[];
  /** The data in words and numbers; {@link tell} makes it. */
  numbers: string;
  /** The Vega-Lite of it: mark and encoding, or layers. They fill the width that there is. */
  body: Record<string, unknown>;
  /** For text that stands to the right of the plot, in pixels. Default: none. */
  margin?: number;
}

/** Tells the data in one line. A long run is cut off after so many. */
export function tell<D>(data: D[], say: (datum: D) => string, most = 24): string {
  const more = data.length > most ? [`and ${data.length - most} more`] : [];
  return [...data.slice(0, most).map(say), ...more].join('; ');
}

/** A number in a tooltip: what is measured has more digits than anyone can read. */
export const rounded = (field: string, title = field) => ({ field, type: 'quantitative', title, format: ',.5~r' });

/** Makes a chart in the course's one visual language. */
export function chart({ title, subtitle, onPaper, data, numbers, body, margin = 0 }: Parts): Chart {
  const paperSubtitle = [subtitle, onPaper].filter(Boolean).join('; ');
  const text = `${title}${paperSubtitle ? ` (${paperSubtitle})` : ''}: ${numbers}.`;
  const spec = {
    $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
    description: text,
    title: { text: fitted(title, LINE.title), ...(subtitle && { subtitle: fitted(subtitle, LINE.subtitle) }) },
    data: { values: data },
    ...body,
    ...fluid(body.params as object[] | undefined),
    padding: { left: 8, top: 8, bottom: 8, right: 8 + margin },
    config,
    usermeta: {
      title, // unbroken, for a list of figures
      embedOptions: {
        // Elements of the page, so that they take their text color from it; a canvas would keep that of its first moment.
        renderer: 'svg',
        actions: { export: true, source: false, compiled: false, editor: false },
      },
    },
  };
  return { title, text, spec, ...(onPaper && { paperSubtitle }) };
}

/** The width of a chart where nothing gives it one, the least, and that of the plot in it on paper, in pixels. */
export const WIDTH = { default: 700, least: 300, plot: 620 };

/**
 * As wide as what it stands in, whose size Vega knows in a page only. Vega-Lite's own `"width": "container"` would be
 * nothing in a page that does not give its charts a width, such as a notebook's in another editor.
 */
function fluid(params: object[] = []) {
  const width = `max(${WIDTH.least}, containerSize()[0] || ${WIDTH.default})`;
  const signal = { init: width, on: [{ events: 'window:resize', update: width }] };
  return {
    width: WIDTH.default,
    autosize: { type: 'fit-x', contains: 'padding' },
    // Vega sets `width` to what is left for the plot.
    params: [{ name: 'width', ...signal }, { name: 'room', ...signal }, ...params],
  };
}

/**
 * The same chart for paper, also one that a reader has specified without {@link chart}: its plot has a width. Without a page, Vega only guesses how long texts are: it cannot fit them, and
 * would shorten names for which there is room.
 */
export function still({ spec, paperSubtitle }: Chart): Record<string, unknown> {
  const { params: own = [] } = spec as { params?: { name: string }[] };
  const room = own.some(({ name }) => name === 'room') ? [] : [{ name: 'room', value: WIDTH.default }];
  const params = [...room, ...own.filter(({ name }) => name !== 'width')];
  const whole = (part: object) => ({ ...part, labelLimit: 0 });
  const paper = { ...config, axis: whole(config.axis), legend: whole(config.legend) };
  const subtitle = paperSubtitle && { subtitle: fitted(paperSubtitle, LINE.subtitle) };
  const title = { ...(typeof spec.title === 'string' ? { text: spec.title } : (spec.title as object)), ...subtitle };
  return { ...spec, title, params, width: WIDTH.plot, autosize: 'pad', config: paper };
}

/** A Vega expression: whether the chart is as narrow as a phone. */
export const NARROW = 'room <= 480';

/** A Vega expression: whether the chart is as narrow as in JupyterLab at a zoom of 200 %, beside a panel. */
export const NARROWEST = 'room <= 340';

/** How many letters fit into a line of {@link WIDTH}`.default` pixels. */
const LINE = { title: 78, subtitle: 92 };

/** Titles are sentences: they are broken before they are cut off. */
const wrap = (text: string, letters: number): string[] =>
  text.match(new RegExp(`.{1,${letters}}(?=\\s|$)|\\S+`, 'g'))?.map((line) => line.trim()) ?? [text];

/** Breaks a text into as few lines as {@link wrap} does, but about equally long: no word stands alone in the last one. */
function balanced(text: string, letters: number): string[] {
  const lines = wrap(text, letters);
  for (let fewer = letters - 1; fewer > 0; fewer--) {
    const shorter = wrap(text, fewer);
    if (shorter.length > lines.length) return wrap(text, fewer + 1);
  }
  return lines;
}

/** A title that breaks where the chart's width at that moment says: at all of the letters that fit into a line, or at a share of them. */
function fitted(text: string, letters: number) {
  const [whole, medium, narrow, narrowest] = [1, 2 / 3, 1 / 2, 2 / 5].map((share) =>
    JSON.stringify(balanced(text, Math.floor(letters * share))),
  );
  return {
    expr: `room >= ${WIDTH.default} ? ${whole} : !(${NARROW}) ? ${medium} : !(${NARROWEST}) ? ${narrow} : ${narrowest}`,
  };
}

const font = 'system-ui, "Segoe UI", Helvetica, Arial, sans-serif';
/**
 * Every color that a dark theme of vega-embed would set is set here: JupyterLab takes that theme where its own is dark, and
 * keeps it in charts that are on the page when the reader changes to a light one.
 */
const config = {
  background: 'transparent',
  font,
  title: {
    anchor: 'start',
    fontSize: 15,
    subtitleFontSize: 12,
    offset: 10,
    color: INK.text,
    subtitleColor: INK.text,
  },
  axis: {
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    labelColor: INK.text,
    titleColor: INK.text,
    gridColor: INK.text,
    gridOpacity: FAINT.grid,
    domainColor: INK.text,
    domainOpacity: FAINT.rule,
    tickColor: INK.text,
    tickOpacity: FAINT.rule,
    labelPadding: 5,
    labelLimit: { expr: 'room / 2' },
  },
  legend: {
    labelFontSize: 12,
    labelColor: INK.text,
    title: null,
    orient: 'top',
    offset: 4,
    labelLimit: { expr: 'room' },
    columns: { expr: `${NARROWEST} ? 1 : ${NARROW} ? 2 : 0` }, // 0: all in one row, which a phone would cut off
  },
  axisX: { tickCount: 8, labelFlush: false, labelOverlap: true, labelSeparation: 6 },
  view: { stroke: null },
  text: { color: INK.text },
  rule: { color: INK.text },
  style: { 'guide-label': { fill: INK.text }, 'guide-title': { fill: INK.text } },
};
