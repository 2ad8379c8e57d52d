import { open } from 'node:fs/promises';
import { type GeneralTrack, type MediaInfo, mediaInfoFactory, type VideoTrack } from 'mediainfo.js';

/** The file holds no video. The message says what it holds, and what to do. */
export class NoVideo extends Error {}

/** What the file says of itself; null where it says nothing. */
export interface Media {
  container: string | null;
  codec: string | null;
  width: number | null;
  height: number | null;
  durationMs: number | null;
}

let loading: Promise<MediaInfo<'object'>> | undefined;

/** Reads a video's headers with MediaInfo. Error: {@link NoVideo}. */
export async function readMedia(path: string): Promise<Media> {
  loading ??= mediaInfoFactory({ format: 'object' });
  const mediaInfo = await loading;
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const chunk = async (length: number, position: number) => {
      const { buffer, bytesRead } = await file.read(new Uint8Array(length), 0, length, position);
      return buffer.subarray(0, bytesRead);
    };
    const tracks = (await mediaInfo.analyzeData(size, chunk)).media?.track ?? [];
    const general = tracks.find((track): track is GeneralTrack => track['@type'] === 'General');
    const video = tracks.find((track): track is VideoTrack => track['@type'] === 'Video');
    if (!video) {
      const found = general?.Format ? `${general.Format} without one` : 'no media format that is known';
      throw new NoVideo(`Expected a video track, found ${found}. Upload a video, such as MP4 or WebM.`);
    }
    const seconds = video.Duration ?? general?.Duration;
    return {
      container: general?.Format ?? null,
      codec: video.Format ?? null,
      width: video.Width ?? null,
      height: video.Height ?? null,
      durationMs: seconds === undefined ? null : Math.round(Number(seconds) * 1000),
    };
  } finally {
    await file.close();
  }
}
