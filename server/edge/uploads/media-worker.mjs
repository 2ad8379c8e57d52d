// @ts-check
// Reads the headers of videos with MediaInfo, in a thread that media.ts starts and ends.
// This file is JavaScript, so that the thread starts without a loader of TypeScript.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { mediaInfoFactory } from 'mediainfo.js';

/** @typedef {{ '@type': string } & Partial<Record<'Format' | 'Width' | 'Height' | 'Duration', string | number>>} Track */

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
const { maxMemoryBytes } = /** @type {{ maxMemoryBytes: number }} */ (workerData);

// The limits of a thread hold for JavaScript's memory only. MediaInfo has a memory of its own, which grows by this
// function alone.
let isTooLarge = false;
let memoryBytes = 0;
const { grow } = WebAssembly.Memory.prototype;
WebAssembly.Memory.prototype.grow = function (/** @type {number} */ pages) {
  const bytes = this.buffer.byteLength + pages * 65_536;
  isTooLarge = bytes > maxMemoryBytes;
  if (isTooLarge) throw new RangeError('The memory cannot grow.');
  memoryBytes = bytes;
  return grow.call(this, pages);
};

const mediaInfo = await mediaInfoFactory({ format: 'object' });

/** @param {string} path */
async function read(path) {
  const file = openSync(path, 'r');
  try {
    const { media } = await mediaInfo.analyzeData(fstatSync(file).size, (length, position) => {
      const buffer = new Uint8Array(length);
      return buffer.subarray(0, readSync(file, buffer, 0, length, position));
    });
    const tracks = /** @type {Track[]} */ (media?.track ?? []);
    return { general: trackOf(tracks, 'General'), video: trackOf(tracks, 'Video'), memoryBytes };
  } finally {
    closeSync(file);
  }
}

/**
 * What the first track of that type says of itself. A name may come from the file, with any length.
 * @param {Track[]} tracks
 * @param {string} type
 */
function trackOf(tracks, type) {
  const track = tracks.find((track) => track['@type'] === type);
  if (!track) return null;
  const { Format: format, Width: width = null, Height: height = null, Duration: duration = null } = track;
  return { format: format === undefined ? null : String(format).slice(0, 100), width, height, duration };
}

port.on('message', (path) => {
  read(path).then(
    (found) => port.postMessage(found),
    (error) => {
      if (isTooLarge) port.postMessage('too large');
      else throw error;
    },
  );
});
