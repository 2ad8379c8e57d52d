import { afterAll, describe, expect, it, vi } from 'vitest';
import { choice, chose, diagnosed, diagnosis, strangeTrace } from './00-start-here.js';
import { withServer } from './with-server.js';

describe('1, diagnosed', () => {
  it('takes the solution that it shows', async () => {
    expect((await diagnosed.verdict(diagnosis)).came).toBe('solved');
  });
  it.each([
    ['another cause', { ...diagnosis, cause: 'slow job' }, /Not this cause. A job may take as long/],
    ['another remedy', { ...diagnosis, remedy: 'ask for a longer wait' }, /Not this remedy. The server never heard/],
    ['a cause that is none', { ...diagnosis, cause: 'DNS' }, /Expected an x at the cause, got one at "DNS"/],
    ['half an answer', { ...diagnosis, remedy: null }, /Expected an x at the remedy, got none/],
  ])('sees %s', async (_name, answer, reason) => {
    expect((await diagnosed.verdict(answer)).text).toMatch(reason);
  });
});

describe('the strange trace', () => {
  withServer();
  afterAll(() => vi.unstubAllGlobals());

  it('is of requests that are answered immediately, "not yet"', async () => {
    const shown = vi.fn();
    vi.stubGlobal(Symbol.for('polling-lab.display') as unknown as string, shown);
    await strangeTrace();
    const text = shown.mock.lastCall?.[0]['text/plain'] as string;
    expect(text).toMatch(/^The first 6 of \d\d+ requests in \d+ ms/);
    expect(text.match(/Prefer: wait=20\s+202\s+absent$/gm)).toHaveLength(6);
  });
});

describe('2, chose', () => {
  it('takes the solution that it shows', async () => {
    expect((await chose.verdict(choice)).came).toBe('solved');
  });
  it.each(Object.keys(choice))('sees another way for %s, and says why it is not right', async (need) => {
    const other = need === 'a' ? 'consume' : 'request and response';
    const { text } = await chose.verdict({ ...choice, [need]: other });
    expect(text).toMatch(new RegExp(`Think again about "${need}": .{20}`));
  });
  it('sees a need that is left out', async () => {
    const { b, ...rest } = choice;
    expect((await chose.verdict(rest)).text).toMatch(/"b" is in no box yet/);
  });
});
