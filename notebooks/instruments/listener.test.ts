import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Listener } from './listener.js';

let listener: Listener<{ said: string }>;
beforeEach(async () => {
  listener = await Listener.open();
});
afterEach(() => listener.close());

const tell = (body: string, url = listener.url) => fetch(url, { method: 'POST', body });

it('hears one after the other, and answers when it has seen enough', async () => {
  const answers = Promise.all(
    [tell('{"said":"one"}'), tell('{"said":"two"}')].map(async (each) => (await each).json()),
  );
  const heard = [await listener.next(10_000), await listener.next(10_000)];
  expect(heard.map((told) => told?.message.said).sort()).toEqual(['one', 'two']);
  for (const told of heard) told?.answer({ next: told.message.said });
  expect(await answers).toEqual([{ next: 'one' }, { next: 'two' }]);
});

it('lets the page of another origin read the answer', async () => {
  const answer = tell('{"said":"here"}');
  (await listener.next(10_000))?.answer({});
  expect((await answer).headers.get('access-control-allow-origin')).toBe('*');
});

it('proves that it knows the secret which its pages are given, and shows it to nobody', async () => {
  const [, port, secret = ''] = /^#report=(\d+)&secret=([0-9a-f]{64})$/.exec(listener.fragment) ?? [];
  expect(new URL(listener.url).port).toBe(port);
  const ask = async (nonce: string) => (await fetch(`http://127.0.0.1:${port}/?nonce=${nonce}`)).text();
  const proofs = [await ask('1'), await ask('2')];
  expect(proofs).toEqual(['1', '2'].map((nonce) => createHmac('sha256', secret).update(nonce).digest('hex')));
  expect(await ask('')).toBe('');
  expect(await ask('x'.repeat(100))).toBe('');
});

it('does not wait forever', async () => {
  expect(await listener.next(10)).toBeNull();
});

it('hears nobody who does not know where, says no JSON, or says too much', async () => {
  const { origin } = new URL(listener.url);
  expect((await tell('{}', `${origin}/`)).status).toBe(404);
  expect((await fetch(listener.url)).status).toBe(404);
  expect((await tell('here')).status).toBe(400);
  expect((await tell('x'.repeat(2_000_000)).catch(() => ({ status: 413 }))).status).toBe(413);
  expect(await listener.next(10)).toBeNull();
});
