// Loaded into a server (`node --expose-gc --import`): asked over the IPC channel, it says what V8's heap holds after a
// collection, without compiled code: for each name of a constructor or of a kind of V8's own, how many objects and bytes.
import { getHeapSnapshot } from 'node:v8';

process.on('message', async (what) => {
  if (what !== 'heap') return;
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
  process.send({ held });
});
