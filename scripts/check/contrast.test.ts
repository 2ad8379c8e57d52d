import { expect, test } from 'vitest';
import { loadCharts } from '../shared/charts.js';
import { contrastFaults } from './contrast.js';

const { bars, COLORS } = loadCharts();
const specOf = (color: string) =>
  bars({ title: 'T', x: 'bytes', parts: { a: { all: 3 } }, colors: { all: color } }).spec;

test.each(Object.values(COLORS))('a chart in %s is seen on light and dark pages', async (color) => {
  expect(await contrastFaults(specOf(color))).toEqual([]);
});

const chart = specOf('#0072B2');
test.each([
  ['a color that is too light', specOf('#56B4E9'), "a rect (#56B4E9) has 2.3:1 on JupyterLab's light theme"],
  ['a color that is too dark', specOf('#222222'), "a rect (#222222) has 1.2:1 on JupyterLab's dark theme"],
  ['black text', { ...chart, config: { axis: { labelColor: '#000' } } }, "(#000) has 1.1:1 on JupyterLab's dark theme"],
  [
    'text that keeps the color of the dark theme',
    { ...chart, config: {} },
    "(#fff) has 1.0:1 on JupyterLab's light theme",
  ],
  [
    'faint text',
    { ...chart, config: { axis: { labelColor: 'currentColor', labelOpacity: 0.4 } } },
    '(currentColor) has 2.5:1 on a light handout',
  ],
])('%s is found', async (_name, spec, fault) => {
  expect(await contrastFaults(spec)).toContainEqual(expect.stringContaining(fault));
});
