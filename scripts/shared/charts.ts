import { createRequire } from 'node:module';
import { register } from 'tsx/cjs/api';

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
    colors: Record<string, string>;
  }): Chart;
  chart(parts: {
    title: string;
    subtitle?: string;
    data: Record<string, string | number | null>[];
    numbers: string;
    body: Record<string, unknown>;
  }): Chart;
  toSvg(chart: Chart): Promise<string>;
  COLORS: Record<string, string>;
}

export function loadCharts(): Charts {
  const load = createRequire(import.meta.url);
  const unregister = register();
  try {
    const files = ['charts/bars.ts', 'charts/chart.ts', 'draw.ts', 'technique.ts'];
    return Object.assign({}, ...files.map((file) => load(`../../notebooks/instruments/${file}`)));
  } finally {
    unregister();
  }
}
