import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkOutputs } from './outputs.js';

test('finds what an execution left, and strips that alone', async () => {
  const root = mkdtempSync(join(tmpdir(), 'polling-lab-check-'));
  try {
    mkdirSync(join(root, 'notebooks'));
    const file = join(root, 'notebooks', '01-x.ipynb');
    const code = { cell_type: 'code', id: 'a', source: ['1'], metadata: { tags: ['parameters'] } };
    const clean = {
      ...{ nbformat: 4, metadata: {} },
      cells: [
        { cell_type: 'markdown', metadata: {}, source: [] },
        { ...code, outputs: [], execution_count: null },
      ],
    };
    const run = {
      ...code,
      metadata: { ...code.metadata, execution: { iopub: 1 } },
      outputs: [{ output_type: 'stream' }],
      execution_count: 4,
    };
    writeFileSync(file, JSON.stringify({ ...clean, cells: [clean.cells[0], run] }));
    expect(await checkOutputs(root, false)).toEqual([
      'notebooks/01-x.ipynb: cell 2 has outputs, an execution count, metadata "execution"',
    ]);
    expect(await checkOutputs(root, true)).toEqual([]);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(clean);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
