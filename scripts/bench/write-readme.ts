import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadCharts } from '../shared/charts.js';
import { checkout } from '../shared/paths.mjs';
import { Problem } from '../shared/problem.mjs';
import { type Line, type Measured, median, table } from './rounds.js';

const picture = join(checkout, '.github', 'images', 'bench.svg');
const readme = join(checkout, 'README.md');

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

/** Puts the table and the picture into the README. */
export async function writeReadme(
  lines: Line[],
  svg: string,
  { machine, date, rounds }: { machine: string; date: string; rounds: number },
): Promise<void> {
  const measured = rounds === 1 ? 'One round' : `Medians of ${rounds} rounds`;
  const note = `${measured} on ${date.slice(0, 10)}: ${machine}, server and client a core each. ✗: the aim is missed.`;
  await mkdir(join(checkout, '.github', 'images'), { recursive: true });
  await writeFile(picture, svg);
  await put('bench', `${table(lines)}\n\n${note}`);
}

/** Puts the profile there. */
export async function writeProfile(told: string, { machine, date }: { machine: string; date: string }): Promise<void> {
  await put('profile', `${told}\n\nOne run each on ${date.slice(0, 10)}: ${machine}.`);
}

async function put(mark: string, content: string): Promise<void> {
  const text = await readFile(readme, 'utf8');
  const between = new RegExp(`(<!-- ${mark} -->\\n)[\\s\\S]*?(<!-- /${mark} -->)`);
  if (!between.test(text)) throw new Problem(`${readme} has no place marked <!-- ${mark} -->.`);
  await writeFile(
    readme,
    text.replace(between, (_, from, to) => `${from}${content}\n${to}`),
  );
}
