// Vitest's set-up of each test file. A worker whose Vitest was killed would go on forever: this ends it.
process.once('disconnect', () => {
  process.emit('exit', 1); // stops what the tests have started, as at any other exit
  process.kill(process.pid, 'SIGKILL'); // Vitest has replaced `process.exit` in its workers
});
