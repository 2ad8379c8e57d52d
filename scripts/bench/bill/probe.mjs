// Loaded into a server (`node --expose-gc --import`): asked over the IPC channel, it says what V8's heap holds, or what V8 ran.
import { Session } from 'node:inspector/promises';
import { getHeapSnapshot } from 'node:v8';

/** How often V8 looks at what runs, in microseconds. */
const SAMPLE_US = 200;

const session = new Session();
const ask = {
  /** After a collection, without compiled code: for each name of a constructor or of a kind of V8's own, how many objects and bytes. */
  async heap() {
    globalThis.gc();
    globalThis.gc();
    let text = '';
    for await (const chunk of getHeapSnapshot()) text += chunk;
    const { snapshot, nodes, strings } = JSON.parse(text);
    const { node_fields: fields, node_types: types } = snapshot.meta;
    const [type, name, size] = ['type', 'name', 'self_size'].map((field) => fields.indexOf(field));
    const held = {};
    for (let at = 0; at < nodes.length; at += fields.length) {
      const kind = types[0][nodes[at + type]];
      if (['synthetic', 'native', 'code'].includes(kind) || nodes[at + size] === 0) continue;
      const key = kind === 'object' || kind === 'hidden' ? strings[nodes[at + name]] : kind;
      held[key] ??= [0, 0];
      held[key][0] += 1;
      held[key][1] += nodes[at + size];
    }
    return held;
  },
  /** Microseconds, by the clock of the profile. */
  async now() {
    return Number(process.hrtime.bigint() / 1000n);
  },
  /** Starts a profile (Chrome DevTools Protocol, domain Profiler). */
  async startProfile() {
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_US });
    await session.post('Profiler.start');
    return true;
  },
  async stopProfile() {
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    return profile;
  },
};

process.on('message', async (what) => {
  if (Object.hasOwn(ask, what)) process.send({ [what]: await ask[what]() });
});
