import net from 'node:net';

/** What one TCP connection carried. */
export interface TappedConnection {
  /** Bytes from the client to the server. */
  in: number;
  /** Bytes from the server to the client. */
  out: number;
  /** Resolves when both sides are closed. */
  closed: Promise<void>;
}

/** A TCP proxy on loopback that counts bytes and knows nothing of HTTP. */
export interface Tap {
  url: string;
  /** In the order in which they were opened. */
  connections: TappedConnection[];
  /** Where new connections go, or what is asked for each of them; undefined refuses them, as a server that is down does. */
  target: string | (() => string) | undefined;
  /** Cuts all connections that are there. */
  breakAll(): void;
  close(): Promise<void>;
}

export async function openTap(target: string | undefined): Promise<Tap> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (client) => {
    if (tap.target === undefined) {
      client.on('error', () => {});
      client.destroy();
      return;
    }
    const { hostname, port } = new URL(typeof tap.target === 'string' ? tap.target : tap.target());
    const upstream = net.connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    const count: TappedConnection = {
      in: 0,
      out: 0,
      closed: Promise.all([closing(client), closing(upstream)]).then(() => {}),
    };
    tap.connections.push(count);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.once('close', () => sockets.delete(socket));
    }
    client.on('data', (bytes) => {
      count.in += bytes.length;
    });
    upstream.on('data', (bytes) => {
      count.out += bytes.length;
    });
    client.pipe(upstream);
    upstream.pipe(client);
    // A client that resets has gone; what it had sent before still reaches the server, then the end does.
    client.on('error', () => upstream.end());
    upstream.on('error', () => client.destroy());
    // A client that is gone reads no more, so neither does the tap: the server must learn of it.
    client.once('close', () => upstream.destroySoon());
    upstream.once('close', () => client.destroySoon());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const tap: Tap = {
    url: `http://127.0.0.1:${port}`,
    connections: [],
    target,
    breakAll: () => {
      for (const socket of sockets) socket.destroy();
    },
    close: async () => {
      tap.breakAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return tap;
}

function closing(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}
