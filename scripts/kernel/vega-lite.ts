// Finds mistakes in a Vega-Lite plot that a reader wrote. Vega-Lite's own message is "Cannot read properties of undefined" for an unknown
// mark, and it draws an empty plot if no row has the field.

/** The part of https://vega.github.io/vega-lite/docs/spec.html that is looked at. */
interface Spec {
  mark?: unknown;
  encoding?: Record<string, unknown>;
  data?: { values?: unknown; format?: unknown } | null;
  transform?: unknown[];
  layer?: Spec[];
  concat?: Spec[];
  hconcat?: Spec[];
  vconcat?: Spec[];
}
interface Channel {
  field?: unknown;
  type?: unknown;
  aggregate?: unknown;
  bin?: unknown;
  timeUnit?: unknown;
}
type Row = Record<string, unknown>;

const MARKS =
  'arc area bar boxplot circle errorband errorbar geoshape image line point rect rule square text tick trail'.split(
    ' ',
  );
const TYPES = ['quantitative', 'temporal', 'ordinal', 'nominal', 'geojson'];

/**
 * Looks for a mark or a type that Vega-Lite does not have, for fields that no row has, and for quantitative fields without numbers. Fields are
 * looked up where the rows stand in the plot itself and no transform has changed them.
 *
 * @throws TypeError that says what was expected, what was found, and what to do
 */
export function checkPlot(spec: unknown, inherited?: Row[]): void {
  if (typeof spec !== 'object' || spec === null) return;
  const { mark, encoding = {}, data, transform, layer, concat, hconcat, vconcat } = spec as Spec;
  const name = typeof mark === 'object' && mark !== null ? (mark as { type?: unknown }).type : mark;
  if (mark !== undefined && !MARKS.includes(name as string)) {
    fail(`a mark that Vega-Lite has (${MARKS.join(', ')})`, name, 'Write one of these as the mark.');
  }
  const rows = transform ? undefined : data === undefined ? inherited : rowsOf(data);
  const areOthers = layer?.some((part) => part.data !== undefined || part.transform); // rows that this encoding is for, too
  for (const [channel, definitions] of Object.entries(encoding)) {
    for (const one of [definitions].flat()) checkChannel(channel, one as Channel | null, areOthers ? undefined : rows);
  }
  for (const part of [layer, concat, hconcat, vconcat].flat()) checkPlot(part, rows);
}

/** The rows that stand in the plot itself; undefined if they come from elsewhere, or are none that have fields. */
function rowsOf(data: Spec['data']): Row[] | undefined {
  const { values, format } = data ?? {};
  const areRows = Array.isArray(values) && values.length > 0 && values.every((row) => typeof row === 'object' && row);
  return areRows && !format ? values : undefined;
}

function checkChannel(channel: string, definition: Channel | null, rows: Row[] | undefined): void {
  if (typeof definition !== 'object' || definition === null) return;
  const { field, type, aggregate, bin, timeUnit } = definition;
  if (type !== undefined && !TYPES.includes(type as string)) {
    fail(`a type for ${channel} (${TYPES.join(', ')})`, type, 'Write one of these as the type.');
  }
  // A dot or a bracket leads into a value: https://vega.github.io/vega-lite/docs/field.html
  if (!rows || typeof field !== 'string' || /[.[\\]/.test(field)) return;
  if (!rows.some((row) => field in row)) {
    const fields = [...new Set(rows.flatMap(Object.keys))].map((name) => JSON.stringify(name));
    fail(`a field of the data for ${channel} (${fields.join(', ')})`, field, 'Write one of these as the field.');
  }
  if (type !== 'quantitative' || aggregate || bin || timeUnit) return;
  const values = rows.map((row) => row[field]).filter((value) => value !== null && value !== undefined);
  const isNumber = (value: unknown) => typeof value !== 'object' && !Number.isNaN(Number(value));
  if (values.length > 0 && !values.some(isNumber)) {
    const remedy = 'Give it numbers, or the type "nominal".';
    fail(`numbers for ${channel}, whose type is quantitative, in the field "${field}"`, values[0], remedy);
  }
}

function fail(expected: string, got: unknown, remedy: string): never {
  throw new TypeError(`Vega-Lite: expected ${expected}, got ${JSON.stringify(got)}. ${remedy}`);
}
