// Loaded before the server (`node --import without.mjs?ledger`): the server then runs with modules that do nothing in the
// place of its own, so that what it costs with them and without them can be compared. No code of the server knows of it.
import { register } from 'node:module';

/** For each part: modules of the server, and what is loaded in their place. */
const PARTS = {
  ledger: { 'edge/ledger.ts': 'no-ledger.ts', 'edge/http/bytes.ts': 'no-bytes.ts' },
  store: { 'edge/store/sqlite-store.ts': 'memory-store.ts' },
  limits: { 'edge/http/lifetime.ts': 'no-limits.ts', 'edge/http/guard.ts': 'no-guard.ts' },
  turns: { 'core/log/delivery.ts': 'no-turns.ts' },
  headers: { 'edge/http/shared-heads.ts': 'two-headers.ts' },
};

const part = PARTS[new URL(import.meta.url).search.slice(1)];
const data = Object.entries(part).map(([module, other]) => [
  new URL(`../../../server/${module}`, import.meta.url).href,
  new URL(other, import.meta.url).href,
]);
register('./exchange-modules.mjs', import.meta.url, { data });
