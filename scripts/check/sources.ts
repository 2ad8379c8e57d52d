import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readCourse } from '../shared/course.js';
import { type ICell, isMarkdown, textOf } from '../shared/notebook-file.js';

/**
 * Holds every lesson to telling its sources: a list under **Sources**, in it each document that the text points to,
 * and every link well-formed. Whether they answer is not asked: a check needs no network. One line a problem.
 */
export async function checkSources(root: string): Promise<string[]> {
  const course = await readCourse(root);
  const leads = (target: string) => isSource(target) || isHere(target, root);
  return course.flatMap(({ name, content: { cells } }, at) => {
    const words = cells.filter(isMarkdown);
    const broken = words.flatMap((cell) => badLinks(cell, leads));
    const lesson = at > 0;
    return [...broken, ...(lesson ? untold(words) : [])].map((what) => `notebooks/${name}: ${what}`);
  });
}

const HEADING = /^\*\*Sources\*\*$/m;
const LINK = /\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)\)/g;
const linksIn = (text: string) => [...text.matchAll(LINK)].map(([, target]) => target as string);

function badLinks(cell: ICell, leads: (target: string) => boolean): string[] {
  const text = textOf(cell.source);
  const broken = text.match(/\]\([^)\n]*\s[^)\n]*\)|\]\(\)/g) ?? [];
  const wrong = linksIn(text).filter((target) => !leads(target));
  return [...broken, ...wrong].map((link) => `cell "${cell.id}" has a link that leads nowhere: ${link}`);
}

/** Over HTTPS, and to a place that could exist. */
function isSource(target: string): boolean {
  return URL.canParse(target) && /^https:\/\/[\w-]+(\.[\w-]+)+\//.test(target);
}

/** Another notebook, or a file of the checkout, from the notebooks' folder: such a link works wherever the course is read. */
function isHere(target: string, root: string): boolean {
  const [path = ''] = target.split('#');
  return !URL.canParse(target) && existsSync(join(root, 'notebooks', path));
}

/** A package that is used is named with its address, and is no source. */
const isPackage = (url: string) => /^https:\/\/(github\.com|www\.npmjs\.com)\//.test(url);

/** What the text points to, and the list does not. */
function untold(words: ICell[]): string[] {
  const parts = words.map((cell) => textOf(cell.source).split(HEADING));
  const lists = parts.filter((part) => part.length > 1).map((part) => part.slice(1).join());
  if (lists.length !== 1) return [`${lists.length} cells have a list of **Sources**: expected one`];
  const document = (url: string) => url.replace(/#.*/, '');
  const told = new Set(linksIn(lists[0] as string).map(document));
  if (told.size === 0) return ['its list of **Sources** has no link'];
  const cited = new Set(parts.flatMap(([text]) => linksIn(text as string)).map(document));
  return [...cited]
    .filter((url) => isSource(url) && !isPackage(url) && !told.has(url))
    .map((url) => `the text points to ${url}, and its list of **Sources** does not`);
}
