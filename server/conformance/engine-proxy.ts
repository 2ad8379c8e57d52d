import net from 'node:net';

/** A TCP proxy between servers and their engine that injects faults. */
export interface EngineProxy {
  /** For `--engine`. */
  url: string;
  faults: {
    /** Whether it holds back what the reads that wait bring. */
    holds: boolean;
    /** Whether it loses the answer to the next commit, and the connection with it. The engine has made the commit. */
    losesAnswer: boolean;
    /** How many answers were lost. */
    lost: number;
  };
  /** What is held back. */
  held: (() => void)[];
  /** Sends on what was held back, and holds nothing back from now on. */
  release(): void;
  close(): void;
}

/** Opens a proxy before the engine on a port of 127.0.0.1. It outlives the engine, and finds it again on its port. */
export async function openEngineProxy(enginePort: number): Promise<EngineProxy> {
  const held: (() => void)[] = [];
  const faults = { holds: false, losesAnswer: false, lost: 0 };
  const sockets = new Set<net.Socket>();
  const server = net.createServer((client) => {
    const upstream = net.connect(enginePort, '127.0.0.1');
    let reads = false;
    client.on('data', (bytes) => {
      if (bytes.includes('xread') && !bytes.includes('evalsha')) reads = true;
      if (faults.losesAnswer && bytes.includes('evalsha') && bytes.includes('"event"')) {
        faults.losesAnswer = false;
        upstream.removeAllListeners('data');
        upstream.once('data', () => {
          faults.lost++;
          client.destroy();
        });
      }
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      if (reads && faults.holds) held.push(() => client.write(bytes));
      else client.write(bytes);
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one);
      one
        .on('error', () => {})
        .on('close', () => {
          sockets.delete(one);
          other.destroy();
        });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const release = () => {
    faults.holds = false;
    for (const send of held.splice(0)) send();
  };
  const close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { url: `redis://127.0.0.1:${port}`, faults, held, release, close };
}
