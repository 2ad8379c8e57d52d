import { idle } from '../accounting.js';
import { inTurns, Stream } from '../load-client.js';
import type { Server } from '../measured-servers.js';
import { type Figures, spent, used, type Weigh } from './figures.js';

/** Readers of one job's stream, and how many events they have received, all together. */
export class Audience {
  received = 0;
  streams: Stream[] = [];
  onEvent = () => {};
  private wanted = 0;
  private reached = () => {};

  constructor(
    readonly server: Server,
    readonly job: string,
  ) {}

  /** Readers of a new job. */
  static async of(server: Server, readers: number): Promise<Audience> {
    const audience = new Audience(server, await server.submit());
    await audience.join(readers);
    return audience;
  }

  async join(count: number): Promise<void> {
    this.streams = await inTurns(count, async () => {
      const stream = await this.connected();
      await this.ask(stream);
      return stream;
    });
  }

  /** Opens connections, on which `begin` asks for the stream. */
  async connect(count: number): Promise<void> {
    this.streams = await inTurns(count, () => this.connected());
  }

  async begin(): Promise<void> {
    await inTurns(this.streams.length, (n) => this.ask(this.streams[n]!));
  }

  private connected(): Promise<Stream> {
    return Stream.connect(this.server.port, () => {
      this.received += 1;
      this.onEvent();
      if (this.received === this.wanted) this.reached();
    });
  }

  private ask(stream: Stream): Promise<void> {
    return stream.begin(this.server.paths.stream(this.job));
  }

  /** Tells so many more events in one piece; resolves when everyone has received all of them. */
  async told(from: number, count: number, of: number): Promise<void> {
    const all = new Promise<void>((resolve) => {
      this.reached = resolve;
    });
    this.wanted = this.received + count * this.streams.length;
    const requests = Array.from({ length: count }, (_, n) => this.server.progress(this.job, (from + n + 1) / of));
    await this.server.tell(...requests);
    await all;
  }

  /** Closes the streams, and ends the job: this server takes only so many that are unfinished. */
  async leave(): Promise<void> {
    for (const stream of this.streams) stream.close();
    await this.server.tell(this.server.finish(this.job));
    await idle(this.server.pids);
  }
}

/** Opens streams of a new job and closes them: what it costs to open one stream, and to hold one. */
export async function openings(server: Server, readers: number, weigh: Weigh = 'no memory'): Promise<Figures> {
  const audience = new Audience(server, await server.submit());
  const figures = await opened(audience, readers, weigh);
  await audience.leave();
  return figures;
}

/** So many readers join: what it costs to open a stream, and to hold one. */
export async function opened(audience: Audience, readers: number, weigh: Weigh = 'no memory'): Promise<Figures> {
  const { server } = audience;
  const before = await used(server, weigh);
  const opening = await spent(server, 'to open a stream', readers, () => audience.join(readers));
  return { opening, kib: ((await used(server, weigh)) - before) / readers };
}

/** An audience is told so many events, so many of them in a burst, and leaves. */
export async function deliveries(audience: Audience, events: number, burst: number): Promise<Figures> {
  const { server, streams } = audience;
  const readers = streams.length;
  await idle(server.pids); // by now, the readers have received the events that were sent before they joined
  const warmUp = Math.max(burst, Math.ceil(events / 10 / burst) * burst);
  const all = warmUp + events;
  for (let at = 0; at < warmUp; at += burst) await audience.told(at, burst, all);
  const lateness: number[] = [];
  let began = 0;
  audience.onEvent = () => lateness.push(performance.now() - began);
  const us = await spent(server, 'a delivery', readers * events, async () => {
    for (let at = warmUp; at < all; at += burst) {
      began = performance.now();
      await audience.told(at, burst, all);
    }
  });
  await audience.leave();
  return { us, p99: quantile(lateness, 0.99) };
}

const quantile = (values: number[], share: number) =>
  values.sort((a, b) => a - b)[Math.floor(values.length * share)] ?? 0;
