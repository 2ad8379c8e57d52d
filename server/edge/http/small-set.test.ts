import { expect, test } from 'vitest';
import { SmallSet } from './small-set.js';

test('a small set has the members, the size and the order of a set, in whatever order they come and go', () => {
  const members = Array.from({ length: 4 }, (_, name) => ({ name }));
  // Every seventh sequence of six steps, each of which adds a member or takes it away.
  for (let sequence = 0; sequence < 8 ** 6; sequence += 7) {
    const [set, small] = [new Set<object>(), new SmallSet<object>()];
    for (let step = 0; step < 6; step++) {
      const code = Math.floor(sequence / 8 ** step) % 8;
      const member = members[code >> 1]!;
      if (code & 1 || set.has(member)) {
        set.delete(member);
        small.delete(member);
      } else {
        set.add(member);
        small.add(member);
      }
    }
    if (set.size !== small.size || [...set].some((member, n) => member !== [...small][n]))
      expect([sequence, ...small]).toEqual([sequence, ...set]);
  }
});
