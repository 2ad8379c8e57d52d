import { expect, it } from 'vitest';
import { htmlTable, number, textTable } from './table.js';

const rows = [
  { pace: 'every 100 ms', polls: 17, late: 27.25 },
  { pace: '<as told>', polls: 1203, late: null },
];

it('sets names, text and numbers in columns', () => {
  expect(textTable(rows, 'Paces').split('\n')).toEqual([
    'Paces',
    'pace          polls  late',
    'every 100 ms  17     27.3',
    '<as told>     1,203  –',
  ]);
});

it('keeps text from being read as HTML, and sets numbers to the right', () => {
  const html = htmlTable(rows);
  expect(html).toContain('&lt;as told&gt;');
  expect(html).toContain('<td style="text-align:right">1,203</td>');
  expect(html.match(/<tr>/g)).toHaveLength(1 + rows.length);
});

it('has no header above a column without a name', () => {
  const html = htmlTable([{ '': 'Kafka', cursor: 'the next record' }]);
  expect(html).toContain('<tr><td></td><th scope="col" style="text-align:left">cursor</th></tr>');
});

it('shows an empty table as one', () => {
  expect(textTable([])).toBe('');
  expect(htmlTable([])).toContain('<table>');
});

it.each([
  [0, '0'],
  [8, '8'],
  [12_345, '12,345'],
  [0.5278, '0.528'],
  [31.64, '31.6'],
  [1234.5, '1,235'],
])('writes %d as %s', (value, text) => {
  expect(number(value)).toBe(text);
});
