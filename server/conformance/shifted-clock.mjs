// Loaded into a server under test (`node --import`): told over the IPC channel, it sets the wall clock forward or back, as
// NTP or a resumed machine does. Timers and `performance.now()` go on as they were: they measure on a monotonic clock.
const RealDate = Date;
let shiftMs = 0;
globalThis.Date = class extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [RealDate.now() + shiftMs] : args));
  }
  static now() {
    return RealDate.now() + shiftMs;
  }
};
process.on('message', (told) => {
  if (typeof told !== 'object') return;
  shiftMs += told.shiftMs;
  process.send('shifted');
});
process.channel.unref();
