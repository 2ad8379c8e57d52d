import { rmSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { destinations } from '../print-pdf.js';

/** What must stand on one page: from the first of it to the last of it. */
interface Kept {
  what: string;
  from: string;
  to: string;
}

/**
 * Prints a page as the handouts do, and tells what the page breaks tear: listings, tables, lists, paragraphs and comparisons with
 * a prediction, and what is left behind alone (a heading, a label, the sentence before a listing).
 *
 * A PDF tells on which page the target of a link stands. So links are put at the end of the page, where they move
 * nothing, to the first and the last of all that must stay together. In the book a chapter has no contents of its own,
 * and so breaks elsewhere: it is printed both ways.
 */
export async function torn(browser: Browser, html: string): Promise<string[]> {
  const pdf = `${html}.torn.pdf`;
  const context = await browser.newContext({ javaScriptEnabled: false });
  try {
    const page = await context.newPage();
    await page.goto(pathToFileURL(html).href);
    const kept = await page.evaluate(markKept);
    await page.evaluate(() => Promise.all([document.fonts.ready, ...[...document.images].map((one) => one.decode())]));
    const problems: string[] = [];
    for (const printed of ['a PDF of its own', 'the book']) {
      if (printed === 'the book') await page.evaluate(() => document.querySelector('.contents')!.remove());
      await page.pdf({ path: pdf, preferCSSPageSize: true, printBackground: true });
      const pages = await destinations(pdf, new AbortController().signal);
      for (const { what, from, to } of kept) {
        const [first, last] = [pages[from], pages[to]];
        if (first === undefined || last === undefined) problems.push(`${what} is not in ${printed}`);
        else if (first !== last) problems.push(`from page ${first} to ${last} of ${printed}: ${what}`);
      }
    }
    return problems;
  } finally {
    await context.close();
    rmSync(pdf, { force: true });
  }
}

/** Gives ids to what must stay together, and links to them. Runs in the page. */
function markKept(): Kept[] {
  /** A listing of more lines may be broken, and a table of more rows. */
  const WHOLE = { lines: 12, rows: 4 };
  let count = 0;
  const mark = (element: Element) => {
    element.id ||= `kept-${++count}`;
    return element.id;
  };
  const lastWord = (element: Element) => {
    const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()); // to the last
    const text = texts.currentNode as Text;
    const word = document.createElement('span');
    text.parentNode!.append(word);
    word.append(text.splitText(text.data.trimEnd().lastIndexOf(' ') + 1));
    return mark(word);
  };
  const said = (element: Element) => `"${(element.textContent ?? '').trim().slice(0, 50)}"`;
  const kept: Kept[] = [];
  // Folded code is not printed.
  for (const folded of document.querySelectorAll('.folded')) folded.remove();
  for (const pre of document.querySelectorAll('pre')) {
    const lines = [...pre.querySelectorAll('.line')];
    if (lines.length === 0 || lines.length > WHOLE.lines) continue;
    kept.push({ what: `a listing, ${said(pre)}`, from: mark(lines[0]!), to: mark(lines.at(-1)!) });
  }
  for (const table of document.querySelectorAll('table')) {
    const cells = [...table.querySelectorAll('th, td')];
    if (table.querySelectorAll('tbody tr').length > WHOLE.rows) continue;
    kept.push({ what: `a table, ${said(table)}`, from: mark(cells[0]!), to: mark(cells.at(-1)!) });
  }
  for (const comparison of document.querySelectorAll('.table > div:has(> svg):has(> div)')) {
    const why = comparison.querySelector(':scope > div')!;
    kept.push({ what: `a comparison, ${said(comparison)}`, from: mark(comparison), to: lastWord(why) });
  }
  for (const heading of document.querySelectorAll('.chapter :is(h1, h2, h3), .chapter .prose p:last-child')) {
    const isProse = heading.matches('p');
    const holder = heading.closest('.prose') ?? heading;
    const following = holder.nextElementSibling;
    const next = isProse
      ? following?.querySelector(following.matches('.exercise') ? 'p' : '.line, textarea')
      : (heading.nextElementSibling ?? following);
    if (!next || (isProse && !following!.matches('.cell, .exercise'))) continue;
    kept.push({
      what: `left behind: ${said(heading)}`,
      from: isProse ? lastWord(heading) : mark(heading),
      to: mark(next),
    });
  }
  for (const paragraph of document.querySelectorAll('.chapter .prose p, .hinted p')) {
    kept.push({ what: `a paragraph, ${said(paragraph)}`, from: mark(paragraph), to: lastWord(paragraph) });
  }
  for (const list of document.querySelectorAll('.prose > :is(ul, ol)')) {
    kept.push({ what: `a list, ${said(list)}`, from: mark(list), to: lastWord(list) });
  }
  for (const label of document.querySelectorAll('.exercise .label, .check summary, .hinted .label')) {
    const named = label.parentElement!.querySelector('.line, p:not(.label)')!;
    kept.push({ what: `left behind: ${said(label)} of ${said(named)}`, from: mark(label), to: mark(named) });
  }
  for (const figure of document.querySelectorAll('.chart')) {
    kept.push({ what: `a figure, ${said(figure)}`, from: mark(figure), to: mark(figure.querySelector('figcaption')!) });
  }
  const links = document.createElement('div');
  links.style.breakBefore = 'page';
  for (const { from, to } of kept) {
    for (const id of [from, to]) {
      const link = document.createElement('a');
      link.href = `#${encodeURIComponent(id)}`;
      link.textContent = '. ';
      links.append(link);
    }
  }
  document.body.append(links);
  return kept;
}
