import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadCharts } from '../shared/charts.js';
import { writeWhole } from '../shared/files.mjs';
import { checkout } from '../shared/paths.mjs';
import { Problem } from '../shared/problem.mjs';
import { committedFile, committedOf } from './gate.js';
import { median } from './median.js';
import type { Line, Measured } from './rounds.js';
import { billTable, ownTable, peerTable } from './tables.js';

const picture = join(checkout, '.github', 'images', 'bench.svg');
const server = join(checkout, 'server', 'README.md');
export const readme = join(import.meta.dirname, 'README.md');

/** The rows that the server's README shows: a workload, and a row's words. */
const SHOWN = [
  ['short-poll', 'CPU per request'],
  ['long-poll', 'memory per waiter'],
  ['stream', 'CPU per delivery'],
];

/** Draws what a wait of ten seconds costs by each technique, with the course's own chart. */
export async function draw(measured: Measured, clients: number): Promise<string> {
  const ms = (figure: string) => median(measured.ours!.map((figures) => figures[figure] as number)) / 1000;
  const [short, long, sse] = [ms('short'), ms('long'), ms('sse')];
  const { bars, toSvg, COLORS } = loadCharts();
  const percent = (part: number) => `${Math.round((100 * part) / short)} %`;
  const chart = bars({
    title: `A long poll costs the server ${percent(long)} of short polling, an event stream ${percent(sse)}`,
    subtitle: `${(clients / 10).toLocaleString('en')} clients wait 10 s for a job; short polls once a second`,
    x: "the server's processor time for each client (ms)",
    parts: {
      'short polling': { 'short-poll': short },
      'long polling': { 'long-poll': long },
      'server-sent events': { 'event-stream': sse },
    },
    colors: pick(COLORS, ['short-poll', 'long-poll', 'event-stream']),
  });
  return toSvg(chart);
}

const pick = (all: Record<string, string>, names: string[]) =>
  Object.fromEntries(names.map((name) => [name, all[name] as string]));

/** Writes the tables and the picture into the READMEs, and the ratios where `--gate` finds them. */
export async function writeTables(
  lines: Line[],
  all: Record<string, Measured>,
  svg: string,
  { machine, date, rounds, clients }: { machine: string; date: string; rounds: number; clients: number },
): Promise<void> {
  const measured = rounds === 1 ? 'One round' : `Medians of ${rounds} rounds`;
  const how = `${measured} on ${date.slice(0, 10)}: ${machine}, server and client a core each.`;
  const note = `${how} ✗: the aim is missed.`;
  await mkdir(join(checkout, '.github', 'images'), { recursive: true });
  await writeFile(picture, svg);
  await put(readme, 'beside', `${peerTable(lines)}\n\n${note}`);
  await put(readme, 'own', ownTable(lines));
  await put(readme, 'bill', `${billTable(all.bill!)}\n\n${how}`);
  const shown = lines.filter(({ workload, what }) => SHOWN.some(([w, t]) => w === workload && t === what));
  await put(server, 'bench', `${peerTable(shown)}\n\n${note}`);
  writeWhole(committedFile, `${JSON.stringify(committedOf(lines, { machine, date, clients }), null, 2)}\n`);
}

/** Puts the profile of processor time there, and that of memory. */
export async function writeProfile(
  told: string,
  held: string,
  { machine, date }: { machine: string; date: string },
): Promise<void> {
  const note = `One run each on ${date.slice(0, 10)}: ${machine}.`;
  await put(readme, 'profile', `${told}\n\n${note}`);
  await put(readme, 'heap', `${held}\n\n${note}`);
}

/** Writes what stands between two marks of a page. */
export async function put(page: string, mark: string, content: string): Promise<void> {
  const text = await readFile(page, 'utf8');
  const between = new RegExp(`(<!-- ${mark} -->\\n)[\\s\\S]*?(<!-- /${mark} -->)`);
  if (!between.test(text)) throw new Problem(`${page} has no place marked <!-- ${mark} -->.`);
  await writeFile(
    page,
    text.replace(between, (_, from, to) => `${from}${content}\n${to}`),
  );
}
