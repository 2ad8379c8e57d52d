// `npm run server`: the server alone, in the foreground and in this process, so that signals reach it.
import { whenOrphaned } from './shared/orphan.js';
import { checkout, pathsOf } from './shared/paths.mjs';

process.chdir(checkout);
// First, so that a --state of the caller's wins. The state file is how notebooks find this server.
process.argv.splice(2, 0, '--state', pathsOf(checkout).state);
whenOrphaned(() => process.kill(process.pid, 'SIGTERM'));
await import('../server/main.js');
