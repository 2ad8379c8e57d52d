import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { INVISIBLE } from '../../../scripts/shared/visible.mjs';
import { TECHNIQUES } from '../../techniques.js';

/** A file of this folder. */
export const readPage = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');
/** What the pages have in common: their colors, fonts and controls. */
const head = readPage('head.html');

/** What a page of another site gets of these pages: no window, no frame, no script, and no address that they came from. */
export const ISOLATED = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
};

/** The live page speaks to its own server only, and cannot make markup of text (Trusted Types). */
export const MONITOR_POLICY = {
  'connect-src': ["'self'"],
  'require-trusted-types-for': ["'script'"],
  'trusted-types': ["'none'"],
};

/** A page, and the headers that it is sent with: `ancestors` are the sources of pages that may frame it. */
export interface RenderedPage {
  readonly html: string;
  headers(ancestors: readonly string[]): Record<string, string>;
}

/**
 * Renders a page of this folder, under a content security policy: it runs its own scripts and styles, known by their
 * hashes, and nothing else. `data` is for the page's script, beside what all pages have.
 */
export function renderPage(name: string, policy: Record<string, string[]>, data: object = {}): RenderedPage {
  const shared = JSON.stringify({ invisible: INVISIBLE.source, techniques: TECHNIQUES, ...data });
  const colors = Object.entries(TECHNIQUES).map(([technique, { color, ...more }]) => {
    const edge = 'outline' in more ? `light-dark(${more.outline}, ${color})` : color;
    return `--${technique}: ${color}; --${technique}-edge: ${edge};`;
  });
  const html = readPage(name)
    .replace('<!-- head -->', () => head)
    .replace('/* techniques */', colors.join(' '))
    .replace(/(?<= id="shared">)null/, () => shared.replaceAll('<', '\\u003c'));
  const directives = {
    'default-src': ["'none'"],
    'script-src': hashes(html, /<script type="module">(.*?)<\/script>/gs),
    'style-src': hashes(html, /<style>(.*?)<\/style>/gs),
    'img-src': ['data:'],
    'base-uri': ["'none'"],
    'form-action': ["'none'"],
    ...policy,
  };
  return {
    html,
    headers(ancestors) {
      const all = Object.entries({ ...directives, 'frame-ancestors': ancestors });
      const value = all.map(([directive, sources]) => [directive, ...sources].join(' ')).join('; ');
      return { ...ISOLATED, 'Content-Security-Policy': value };
    },
  };
}

/** What the policy knows inline scripts and styles by (CSP 3, section 2.3.1). */
function hashes(html: string, element: RegExp): string[] {
  return [...html.matchAll(element)].map(([, text = '']) => {
    return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  });
}
