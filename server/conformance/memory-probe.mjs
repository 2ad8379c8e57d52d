// Loaded into a server under test (`node --expose-gc --import`): asked over the IPC channel, it says what is in use,
// of memory after a full collection, which no number read from outside can tell.
process.on('message', (what) => {
  if (typeof what !== 'string') return;
  if (what === 'memory') {
    globalThis.gc();
    globalThis.gc();
  }
  const resources = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  const { user, system } = process.cpuUsage();
  process.send({ ...process.memoryUsage(), cpuMs: (user + system) / 1000, resources });
});
process.channel.unref();
