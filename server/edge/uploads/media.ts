import { once } from 'node:events';
import { setTimeout as after } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

/** How long a video's headers may take to be read, in milliseconds. */
const MAX_MS = 10_000;
/** How much memory MediaInfo may take for it, in bytes. It begins with 16 MiB. */
const MAX_MEMORY_BYTES = 256 * 1024 ** 2;
/** A thread whose MediaInfo took more than this does not stay for the next video; in bytes. */
const MAX_KEPT_BYTES = 64 * 1024 ** 2;
/** How much memory the thread's JavaScript may take, in MiB. */
const MAX_HEAP_MB = 64;

const FILE = new URL('media-worker.mjs', import.meta.url);

/** The file is no video that can be read. The message says what was expected, what was found, and what to do. */
export class UnreadableVideo extends Error {}

/** What the file says of itself; null where it says nothing. */
export interface Media {
  container: string | null;
  codec: string | null;
  width: number | null;
  height: number | null;
  durationMs: number | null;
}

/** What `media-worker.mjs` tells of a track: `duration` in seconds. */
type Track = { format: string | null; width: number | null; height: number | null; duration: number | null } | null;
interface Found {
  general: Track;
  video: Track;
  /** What MediaInfo's memory has grown to; 0 when it has not grown. */
  memoryBytes: number;
}

/**
 * Reads the headers of videos with MediaInfo, one after the other, in a thread of its own: hostile headers may take
 * long, and the other clients do not wait for them. The thread stays for the next video, unless this one took too much.
 */
export class MediaReader {
  private worker: Worker | undefined;

  /** Starts the thread unless there is one, so that it is ready when `read` is called. */
  start(): Worker {
    if (this.worker) return this.worker;
    const worker = new Worker(FILE, {
      execArgv: [],
      workerData: { maxMemoryBytes: MAX_MEMORY_BYTES },
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    });
    worker.unref();
    worker.on('error', () => {}); // `read` tells of it
    worker.once('exit', () => {
      if (this.worker === worker) this.worker = undefined;
    });
    this.worker = worker;
    return worker;
  }

  /** Error: {@link UnreadableVideo}; and any other one when it was stopped, or the file cannot be read. */
  async read(path: string): Promise<Media> {
    const worker = this.start();
    const over = new AbortController();
    const { signal } = over;
    worker.postMessage(path);
    try {
      const found = await Promise.race<Found | 'too slow' | 'too large'>([
        once(worker, 'message', { signal }).then(([message]) => message),
        once(worker, 'exit', { signal }).then(() => Promise.reject(new Error('its reading was stopped'))),
        after(MAX_MS, 'too slow' as const, { signal }),
      ]).catch((error) => {
        if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') return 'too large' as const;
        throw error;
      });
      // Memory that has grown does not shrink: it is given back with the thread.
      if (typeof found === 'string' || found.memoryBytes > MAX_KEPT_BYTES) void this.stop();
      return mediaOf(found);
    } finally {
      over.abort();
    }
  }

  /** Ends the thread, and the reading. */
  async stop(): Promise<void> {
    const { worker } = this;
    this.worker = undefined;
    await worker?.terminate();
  }
}

function mediaOf(found: Found | 'too slow' | 'too large'): Media {
  if (typeof found === 'string') {
    const most = `${MAX_MS / 1000} s and ${MAX_MEMORY_BYTES / 1024 ** 2} MiB of memory`;
    const got = found === 'too slow' ? 'takes longer' : 'takes more memory';
    throw new UnreadableVideo(
      `Expected a video whose headers can be read in ${most}, got one that ${got}. Upload one with fewer tracks, say.`,
    );
  }
  const { general, video } = found;
  if (!video) {
    const other = general?.format ? `${general.format} without one` : 'no known media format';
    throw new UnreadableVideo(`Expected a video track, found ${other}. Upload a video, such as MP4 or WebM.`);
  }
  const seconds = video.duration ?? general?.duration;
  return {
    container: general?.format ?? null,
    codec: video.format,
    width: video.width,
    height: video.height,
    durationMs: seconds == null ? null : Math.round(Number(seconds) * 1000),
  };
}
