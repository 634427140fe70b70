import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { cors } from 'hono/cors';
import type { AddressInfo, Socket } from 'node:net';
import type { Server } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import { PROTOCOL_PATHS, ProblemType } from 'nexus-store/http';
import { problem, problemResponse } from './problems.ts';
import { createReceiver } from './receiver.ts';
import type { Receiver, ReceiverOptions } from './receiver.ts';
import { storeFailure } from './sqlite-receiver-store.ts';

export interface ServeOptions extends Omit<ReceiverOptions, 'database'> {
  /** A file's path, `':memory:'`, or what `createReceiver` takes. */
  readonly database: string | ReceiverOptions['database'];
  /** 0 takes a free one. @defaultValue `8787` */
  readonly port?: number;
  /** Other machines reach the server only if this says so. @defaultValue `'127.0.0.1'` */
  readonly host?: string;
  /** Before the protocol's paths, for example `/sync`. @defaultValue `''` */
  readonly path?: string;
  /** Web origins that may use the server from a browser, `'*'` for all. @defaultValue none */
  readonly allowedOrigins?: readonly string[] | '*';
  /** How long `close` waits for requests under way. @unit milliseconds @defaultValue `10_000` */
  readonly closeTimeoutMs?: number;
}

export interface RunningServer {
  /** What `httpRemote` takes as `url`. */
  readonly url: string;
  readonly port: number;
  readonly receiver: Receiver;
  /** Ends event streams, lets requests under way finish, closes the database. Idempotent. */
  close(): Promise<void>;
}

/** Readable by scripts of other origins, which see few headers otherwise. */
const EXPOSED_HEADERS = ['date', 'retry-after', 'sync-interval', 'www-authenticate'];

/**
 * Serves the protocol and `GET /health` over HTTP. Put a proxy with TLS in front of it.
 *
 * @throws TypeError for an option that is none; nothing was opened
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const path = requirePath(options.path ?? '');
  const { receiver } = opened(options);
  const host = options.host ?? '127.0.0.1';
  const app = createApp(receiver, path, options.allowedOrigins);
  const server = createAdaptorServer({
    fetch: app.fetch,
    // A client that sends its request drop by drop holds a connection no longer than this.
    serverOptions: {
      headersTimeout: 10_000,
      requestTimeout: 60_000,
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 5_000,
    },
  }) as Server;
  // An event stream that nobody reads any more stands still, whatever is written to it.
  server.setTimeout(Math.max(120_000, 4 * (options.heartbeatMs ?? 0)));
  const sockets = openSockets(server);
  try {
    await listening(server, options.port ?? 8787, host);
  } catch (error) {
    await receiver.close();
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  const name = host.includes(':') ? `[${host}]` : host;
  let closed: Promise<void> | undefined;
  return {
    url: `http://${name}:${port}${path}`,
    port,
    receiver,
    close: () => (closed ??= close(server, sockets, receiver, options.closeTimeoutMs ?? 10_000)),
  };
}

/** Anything else would be a pattern to the router, or part of the port in the address. */
function requirePath(path: string): string {
  if (/^(\/[\w.~-]+)*\/*$/.test(path)) return path.replace(/\/+$/, '');
  throw new TypeError(`path must be like "/sync", not ${JSON.stringify(path)}`);
}

/** @throws StoreFailure if the database is not one to serve from; it is closed then, if it was opened here */
function opened(options: ServeOptions): { readonly receiver: Receiver } {
  const { database } = options;
  if (typeof database !== 'string') return { receiver: createReceiver({ ...options, database }) };
  if (database === '') throw new TypeError('database must name a file');
  let connection: DatabaseSync;
  try {
    connection = new DatabaseSync(database);
  } catch (cause) {
    throw storeFailure(cause);
  }
  try {
    return { receiver: createReceiver({ ...options, database: connection }) };
  } catch (error) {
    connection.close();
    throw error;
  }
}

function createApp(
  receiver: Receiver,
  path: string,
  allowedOrigins: ServeOptions['allowedOrigins'],
): Hono {
  const app = new Hono();
  if (allowedOrigins !== undefined) {
    const origin = allowedOrigins === '*' ? '*' : [...allowedOrigins];
    app.use('*', cors({ origin, exposeHeaders: EXPOSED_HEADERS, maxAge: 600 }));
  }
  app.get('/health', (context) => context.json({ status: 'ok' }));
  for (const known of Object.values(PROTOCOL_PATHS)) {
    app.all(`${path}${known}`, (context) => receiver(context.req.raw));
  }
  app.notFound(() => problemResponse(problem(ProblemType.notFound)));
  return app;
}

function listening(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function openSockets(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}

async function close(
  server: Server,
  sockets: ReadonlySet<Socket>,
  receiver: Receiver,
  timeoutMs: number,
): Promise<void> {
  const stopped = new Promise<void>((resolve) => server.close(() => resolve()));
  receiver.endStreams();
  server.closeIdleConnections();
  // Clients open connections ahead of their requests. To Node those are not idle.
  for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  const timer = setTimeout(() => server.closeAllConnections(), timeoutMs);
  await stopped;
  clearTimeout(timer);
  await receiver.close();
}
