import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Paths, pathsOf } from '../shared/paths.mjs';
import { forgetOpenNotebooks } from './lab.js';

let root: string;
let paths: Paths;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'polling-lab-workspaces-'));
  paths = pathsOf(root);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

it('takes open notebooks off the saved workspaces, and leaves all else as the reader has it', () => {
  const folder = join(paths.jupyter, 'workspaces');
  mkdirSync(folder, { recursive: true });
  const layout = { left: { current: 'filebrowser' }, right: { current: 'polling-lab-traffic' } };
  const kept = {
    'layout-restorer:data': layout,
    'editor:notebooks/lessons/short-polling.ts': { data: { path: 'notebooks/lessons/short-polling.ts' } },
    'docmanager:recents': { opened: [{ path: 'notebooks/03-short-polling.ipynb' }] },
  };
  const open = {
    'notebook:notebooks/03-short-polling.ipynb': {
      data: { path: 'notebooks/03-short-polling.ipynb', factory: 'Notebook' },
    },
    'console:console-1': { data: { path: 'console-1' } },
  };
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  const metadata = { id: 'default' };
  write('default-37a8.jupyterlab-workspace', JSON.stringify({ data: { ...kept, ...open }, metadata }));
  write('broken.jupyterlab-workspace', '{"data":');
  forgetOpenNotebooks(paths);
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  expect(JSON.parse(read('default-37a8.jupyterlab-workspace'))).toEqual({ data: kept, metadata });
  expect(read('broken.jupyterlab-workspace')).toBe('{"data":');
});

it('has nothing to do before JupyterLab ran for the first time', () => {
  expect(() => forgetOpenNotebooks(paths)).not.toThrow();
});
