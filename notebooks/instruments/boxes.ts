/** A line of a list with boxes: what stands in the box, and what the line says. */
interface Line {
  mark: string;
  name: string;
}

/**
 * Reads a list with boxes, as on paper: gives the lines that are ticked, or null when none is, which is "not attempted".
 *
 * @throws TypeError at a line that does not begin with a box.
 * @example
 * const myChoice = ticked`
 *   [x] log in
 *   [ ] transcode
 * `; // ['log in']
 */
export function ticked(list: TemplateStringsArray): string[] | null {
  const chosen = marked(list, 'x', '[x] log in').map(({ name }) => name);
  return chosen.length > 0 ? chosen : null;
}

/**
 * Reads a list with boxes of which one is to be ticked: gives that line, or null when none is.
 *
 * @throws TypeError at a line that does not begin with a box, and when several are ticked.
 * @example
 * const cause = tickedOne`
 *   [ ] slow job
 *   [x] wait too short
 * `; // 'wait too short'
 */
export function tickedOne(list: TemplateStringsArray): string | null {
  const [first, second] = ticked(list) ?? [];
  if (second) throw new TypeError(`Expected one x, got several: at "${first}" and at "${second}".`);
  return first ?? null;
}

/**
 * Reads a list with boxes that letters are written into: gives each letter with its line, or null when there is none.
 *
 * @throws TypeError at a line that does not begin with a box, at a box with more than a letter, and at a letter that stands in two.
 * @example
 * const myCauses = lettered`
 *   [b] a proxy that buffers
 *   [ ] write() is ignored
 *   [a] no heartbeats
 * `; // { b: 'a proxy that buffers', a: 'no heartbeats' }
 */
export function lettered(list: TemplateStringsArray): Record<string, string> | null {
  const lines: Record<string, string> = {};
  for (const { mark, name } of marked(list, 'a-z', '[a] no heartbeats')) {
    const letter = mark.toLowerCase();
    if (lines[letter]) throw new TypeError(`"${letter}" stands in two boxes: at "${lines[letter]}" and at "${name}".`);
    lines[letter] = name;
  }
  return Object.keys(lines).length > 0 ? lines : null;
}

/** The lines whose box has one of these letters in it. */
function marked({ raw: [list = ''] }: TemplateStringsArray, letters: string, example: string): Line[] {
  const line = new RegExp(`^\\[\\s*([${letters}]?)\\s*\\]\\s*(\\S.*)$`, 'i');
  const lines: Line[] = [];
  for (const text of list.split('\n').map((one) => one.trim())) {
    const [, mark, name] = line.exec(text) ?? [];
    if (text && !name) throw new TypeError(`Expected a box and a name, such as "${example}", got "${text}".`);
    if (mark) lines.push({ mark, name: name as string });
  }
  return lines;
}
