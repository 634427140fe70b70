import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { OutgoingEntry, Remote, RemoteContext } from '../../core/ports/remote.ts';
import { httpRemote, type HttpRemoteOptions } from '../http/index.ts';

export type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

/** Real servers that answer as told, and remotes to them. */
export interface HttpPeers {
  /** Returns its URL. */
  readonly serverWith: (handler: Handler) => Promise<string>;
  readonly remoteAt: (url: string, options?: Partial<HttpRemoteOptions>) => Remote;
  readonly remoteTo: (handler: Handler, options?: Partial<HttpRemoteOptions>) => Promise<Remote>;
  /** Nobody answers any more, and nobody listens. Done by itself after each test. */
  readonly stopServers: () => Promise<void>;
}

export function httpPeers(afterEach: (end: () => Promise<void>) => void): HttpPeers {
  const servers: Server[] = [];
  const remotes: Remote[] = [];
  const serverWith: HttpPeers['serverWith'] = async (handler) => {
    const server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      request.on('end', () => handler(request, response, body));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const remoteAt: HttpPeers['remoteAt'] = (url, options = {}) => {
    const remote = httpRemote({ url, ...options });
    remotes.push(remote);
    return remote;
  };
  const stopServers: HttpPeers['stopServers'] = async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  };
  afterEach(async () => {
    for (const remote of remotes.splice(0)) await remote.close();
    await stopServers();
  });
  return {
    serverWith,
    remoteAt,
    remoteTo: async (handler, options) => remoteAt(await serverWith(handler), options),
    stopServers,
  };
}

export const NOW: number = Date.UTC(2026, 10, 22, 12, 0, 0);

export function context(signal: AbortSignal = new AbortController().signal): RemoteContext {
  return { signal, maySend: () => true, now: NOW, principal: 'ada' };
}

export function entry(id: string, fields: Partial<OutgoingEntry> = {}): OutgoingEntry {
  return {
    id,
    idempotencyKey: `key-${id}`,
    collection: 'notes',
    entityId: id,
    operation: 'update',
    command: null,
    isPatch: false,
    baseVersion: null,
    payloadJson: `{"secret":"payload of ${id}"}`,
    payload: null,
    schemaVersion: 1,
    group: null,
    attempts: 0,
    ...fields,
  };
}

/** The ids of the operations of a push. */
export function idsOf(body: string): readonly string[] {
  return (JSON.parse(body) as { operations: { id: string }[] }).operations.map(({ id }) => id);
}
