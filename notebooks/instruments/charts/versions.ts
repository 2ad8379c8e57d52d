import { COLORS, INK, OUTLINES, type Technique } from '../technique.js';
import { type Chart, chart, tell } from './chart.js';
import { laneAxis } from './lanes.js';

interface Versions {
  /** What was found, as a sentence, computed from the data. */
  title: string;
  subtitle?: string;
  /** How many versions the job had: 1 to this one. */
  of: number;
  /** What the axis counts. Default: version of the job. */
  x?: string;
}

/** A cell for each version of a job and each client: full if the client heard of it, and a dashed gap if it never did. */
export function versions(
  heard: { lane: string; technique: Technique; versions: number[] }[],
  { title, subtitle, of, x = 'version of the job' }: Versions,
): Chart {
  const lanes = heard.map(({ lane }) => lane);
  const data = heard.flatMap(({ lane, technique, versions }) =>
    Array.from({ length: of }, (_, i) => {
      const [version, isHeard] = [i + 1, versions.includes(i + 1)];
      const [color, outline] = isHeard ? [COLORS[technique], OUTLINES[technique]] : [INK.text, INK.text];
      return {
        lane,
        version,
        from: version - 0.42,
        to: version + 0.42,
        client: isHeard ? 'heard' : 'lost',
        color,
        outline,
      };
    }),
  );
  const cells = (client: 'heard' | 'lost') => ({
    transform: [{ filter: `datum.client === '${client}'` }],
    mark: {
      type: 'bar',
      height: 22,
      fillOpacity: client === 'heard' ? 1 : 0,
      ...(client === 'lost' && { strokeDash: [2, 2] }),
    },
    encoding: {
      x: {
        ...{ field: 'from', type: 'quantitative', title: x },
        scale: { domain: [0.5, of + 0.5], nice: false },
        axis: { tickMinStep: 1, format: 'd', grid: false },
      },
      x2: { field: 'to' },
      y: laneAxis('lane', lanes),
      color: { field: 'color', scale: null },
      stroke: { field: 'outline', scale: null },
      tooltip: [{ field: 'version' }, { field: 'client' }],
    },
  });
  return chart({
    title,
    subtitle: [subtitle, 'full: the client heard of it; dashed: it never did'].filter(Boolean).join('; '),
    data,
    numbers: tell(
      heard,
      ({ lane, versions }) => `${lane} heard of ${versions.length} of ${of}: ${tell(versions, String)}`,
    ),
    body: { height: 40 * lanes.length, layer: [cells('heard'), cells('lost')] },
  });
}
