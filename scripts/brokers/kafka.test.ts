import { expect, test } from 'vitest';
import { clusterId } from './kafka.js';

test("no cluster's id begins as a flag does, whatever its first byte is", () => {
  for (let first = 0; first < 256; first++) {
    expect(clusterId(Buffer.from([first, ...Array(15).fill(0xff)]))).toMatch(/^[A-Za-z0-9][\w-]{21}$/);
  }
});
