import assert from 'node:assert/strict';
import { EventSource } from 'eventsource';
import fetch from 'node-fetch';
import { server } from '../instruments/connect.js';
import { exercise } from '../instruments/exercise.js';
import { over, readEvents, type StreamEvent, submit } from '../lessons/server-sent-events.js';

const FILE = 'notebooks/exercises/05-server-sent-events.ts';

type Settle = (source: EventSource) => Promise<unknown>;

/** How long a promise may take to settle, in milliseconds: the jobs of the check take a fraction of a second. */
const PATIENCE_MS = 5_000;

/** 1. A promise of a job's end, on top of an EventSource that is not left open. */
export const settled = exercise<Settle>({
  id: '05-server-sent-events/1-settled',
  async check(settle) {
    const task = (more: object) => ({ kind: 'simulated', durationMs: 60, steps: 3, ...more });
    const tasks = [task({}), task({ failAtStep: 2 }), null];
    const [good, bad, gone] = (await Promise.all(tasks.map((task) => outcome(settle, task)))) as [Out, Out, Out];
    for (const [name, { came }] of Object.entries({
      'that succeeds': good,
      'that fails': bad,
      'that does not exist': gone,
    }))
      assert.notEqual(came, 'nothing', `For a job ${name}, the promise did not settle in ${PATIENCE_MS / 1_000} s.`);
    assert.equal(good.came, 'a value', 'The job succeeded, and the promise was rejected.');
    const right = JSON.stringify(good.result);
    const got = JSON.stringify(good.value);
    assert.equal(got, right, `Expected the job's result, ${right}, got ${got}.`);
    assert.equal(bad.came, 'an error', 'The job failed, and the promise was not rejected.');
    assert.ok(bad.value instanceof Error, `Expected an Error when the job failed, got ${JSON.stringify(bad.value)}.`);
    assert.equal(gone.came, 'an error', 'The source was closed for good (404), and the promise was not rejected.');
    for (const { state } of [good, bad, gone])
      assert.equal(state, EventSource.CLOSED, 'A source was left open: close it whatever happens.');
    return 'It settles, and it leaves no stream behind.';
  },
  hint: 'Listen for succeeded, failed and cancelled by their names, and for error, where you look at readyState: while it is CONNECTING, the source is coming back by itself. The data is JSON.',
  solution: { file: FILE, region: 'settled' },
});

// #region settled
export const mySettle: Settle = (source) =>
  new Promise<string>((resolve, reject) => {
    const end = (act: () => void) => {
      source.close();
      act();
    };
    source.addEventListener('succeeded', ({ data }) => end(() => resolve(data)));
    for (const name of ['failed', 'cancelled'])
      source.addEventListener(name, ({ data }) => end(() => reject(new Error(`${name}: ${data}`))));
    source.addEventListener('error', () => {
      if (source.readyState === source.CLOSED) reject(new Error('The stream was closed for good.'));
    });
  }).then((data) => JSON.parse(data).result); // outside the listener: what it throws rejects the promise
// #endregion

type Out = Awaited<ReturnType<typeof outcome>>;

/** What becomes of the promise for one job; for a job that does not exist, where there is no task. */
async function outcome(settle: Settle, task: object | null) {
  const { url } = server();
  const job = task && (await submit(fetch, `${url}/jobs`, task));
  const source = new EventSource(`${url}${job ? job.links.events : '/jobs/none/events'}`, { fetch: over(fetch) });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'nothing'>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, 'nothing');
  });
  const settling = Promise.resolve(settle(source)).then(
    (value) => ({ came: 'a value', value }),
    (value: unknown) => ({ came: 'an error', value }),
  );
  try {
    const first = await Promise.race([settling, late]);
    const ended = first === 'nothing' ? { came: 'nothing', value: undefined } : first;
    const result = job && (await (await fetch(`${url}${job.links.result}?wait=5`)).json());
    return { ...ended, result, state: source.readyState };
  } finally {
    clearTimeout(timer);
    source.close();
  }
}

/** A message of a chat. */
interface Message {
  id: string;
  event: string;
  text: string;
}
/** Turns a message into the text of one event. */
export type Frame = (message: Message) => string;

const TEXTS = {
  'of one line': 'hello',
  'of two lines': 'first\nsecond',
  'with CR and LF between its lines': 'first\r\nsecond',
  'with CR between its lines': 'first\rsecond',
  'that ends with a line break': 'first\n',
  'that begins with a space': ' hello',
  'that is empty': '',
  'that looks like an event': 'hi\n\nevent: administrator\ndata: The chat is closed.',
};

/** 2. A server whose text breaks out of its event. */
export const repaired = exercise<Frame>({
  id: '05-server-sent-events/2-repaired',
  async check(frame) {
    for (const [what, text] of Object.entries(TEXTS)) {
      const read = await readBack(frame, text);
      const got = JSON.stringify(read.map(({ event, data }) => `${event}: ${data}`));
      assert.equal(
        read.length,
        2,
        `After a text ${what} and a second message, a reader had ${read.length} events: ${got}.`,
      );
      const expected = text.replace(/\r\n?/g, '\n');
      assert.deepEqual(
        read[0],
        { id: '1', event: 'chat', data: expected },
        `For a text ${what}, ${JSON.stringify(text)}, a reader had ${JSON.stringify(read[0])}.`,
      );
    }
    return 'Every text comes back, and no text can be mistaken for an event.';
  },
  hint: 'Which three line ends does the format know? Each line of the text needs a `data:` of its own; the reader joins them with newlines.',
  solution: { file: FILE, region: 'repaired' },
});

// #region repaired
export const myFrame: Frame = ({ id, event, text }) => {
  const lines = text.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return `id: ${id}\nevent: ${event}\n${lines.join('')}\n`;
};
// #endregion

/** What a reader gets of a text, and of another message after it. */
async function readBack(frame: Frame, text: string): Promise<StreamEvent[]> {
  const messages = [text, 'the next'].map((text, i) => frame({ id: `${i + 1}`, event: 'chat', text }));
  const read: StreamEvent[] = [];
  for await (const event of readEvents([Buffer.from(messages.join(''))])) read.push(event);
  return read;
}
