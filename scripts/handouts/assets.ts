import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkout, pathsOf } from '../shared/paths.mjs';

const { nodeModules } = pathsOf(checkout);

/** What draws the live charts, computes their expressions without compiling them, and shows the numbers at which one points. */
const CHARTS = [
  'vega/build/vega.min.js',
  'vega-lite/build/vega-lite.min.js',
  'vega-interpreter/build/vega-interpreter.min.js',
  'vega-tooltip/build/vega-tooltip.min.js',
];

/** Of each typeface the styles that the pages use. Of a variable font, Chromium's PDFs would have pictures of its letters. */
const FONTS = [
  { family: 'Source Serif 4', styles: ['400-normal', '400-italic', '600-normal'] },
  { family: 'Source Sans 3', styles: ['400-normal', '400-italic', '600-normal'] },
  { family: 'Source Code Pro', styles: ['400-normal', '400-italic', '600-normal'] },
];

/**
 * Writes what the pages of an edition share, once: too large for every page, and none of it is needed to read one.
 * The fonts stand in a style sheet, since Firefox loads no font file for a page that is opened from the disk.
 */
export async function writeAssets(folder: string): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const charts = join(folder, 'charts.js');
  const scripts = await Promise.all(CHARTS.map((file) => readFile(join(nodeModules, file), 'utf8')));
  await writeFile(charts, scripts.map((script) => script.replace(/^\/\/# sourceMappingURL=.*$/m, '')).join('\n'));

  const fonts = join(folder, 'fonts.css');
  await writeFile(fonts, (await Promise.all(FONTS.map(fontFaces))).flat().join('\n'));
  return [charts, fonts];
}

async function fontFaces({ family, styles }: (typeof FONTS)[number]): Promise<string[]> {
  const name = family.toLowerCase().replaceAll(' ', '-');
  const own = join(nodeModules, '@fontsource', name);
  const license = await readFile(join(own, 'LICENSE'), 'utf8');
  const faces = styles.map(async (style) => {
    const [weight, slope] = style.split('-');
    const font = await readFile(join(own, 'files', `${name}-latin-${style}.woff2`), 'base64');
    const source = `url(data:font/woff2;base64,${font}) format('woff2')`;
    return `@font-face { font-family: '${family}'; font-style: ${slope}; font-weight: ${weight}; src: ${source} }`;
  });
  return [`/* ${family}. ${license}*/`, ...(await Promise.all(faces))];
}
