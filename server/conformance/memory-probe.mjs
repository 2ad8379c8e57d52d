// Loaded into a server under test (`node --expose-gc --import`): asked over the IPC channel, it says what memory is
// in use after a full collection, which no number read from outside can tell.
process.on('message', () => {
  globalThis.gc();
  globalThis.gc();
  process.send(process.memoryUsage());
});
process.channel.unref();
