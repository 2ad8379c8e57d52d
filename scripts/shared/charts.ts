/** A chart of the course's, not yet drawn. */
export interface Chart {
  title: string;
  spec: Record<string, unknown>;
}

/**
 * What scripts use of the course's charts, typed by hand: what cells import has a compiler configuration of its own
 * (CommonJS), which the one for scripts cannot read.
 */
interface Charts {
  bars(parts: {
    title: string;
    subtitle?: string;
    x: string;
    parts: Record<string, Record<string, number>>;
    colours: Record<string, string>;
  }): Chart;
  chart(parts: {
    title: string;
    subtitle?: string;
    data: Record<string, string | number | null>[];
    numbers: string;
    body: Record<string, unknown>;
  }): Chart;
  toSvg(chart: Chart): Promise<string>;
  COLOURS: Record<string, string>;
  INK: Record<string, string>;
}

export async function loadCharts(): Promise<Charts> {
  const files = ['charts/bars.ts', 'charts/chart.ts', 'draw.ts', 'technique.ts'];
  const modules = files.map((file) => import(new URL(`../../notebooks/instruments/${file}`, import.meta.url).href));
  return Object.assign({}, ...(await Promise.all(modules)));
}
