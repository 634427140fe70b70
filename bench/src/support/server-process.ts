/**
 * A server with latency, in a process of its own so that its work does not count as the client's. It
 * answers protocol v1 with "applied" for every operation and stores nothing. The first part of the
 * path says how long a round trip takes; half of it lies before the operations are received.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const CONTENT_TYPE = 'application/vnd.nexus-store.v1+json';

interface Operation {
  readonly id: string;
  readonly collection: string;
  readonly entityId: string;
}

/** When entities of the collection `urgent` were received, epoch milliseconds with fractions. */
const arrivals: Record<string, number> = {};

const server = createServer((request, response) => {
  void answer(request, response).catch((error: unknown) => {
    response.destroy(error instanceof Error ? error : new Error(String(error)));
  });
});
server.keepAliveTimeout = 120_000;
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit());

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === '/arrivals') return send(response, arrivals);
  const halfMs = Number(/^\/(\d+)\//.exec(request.url ?? '')?.[1] ?? 0) / 2;
  const text = await bodyOf(request);
  await wait(halfMs);
  const { operations } = JSON.parse(text) as { operations: readonly Operation[] };
  const now = performance.timeOrigin + performance.now();
  for (const { collection, entityId } of operations) {
    if (collection === 'urgent') arrivals[entityId] ??= now;
  }
  const results = operations.map(({ id }) => ({ id, status: 'applied', version: '1' }));
  await wait(halfMs);
  send(response, { protocol: 1, results });
}

function wait(ms: number): Promise<void> | undefined {
  return ms === 0 ? undefined : new Promise((resolve) => setTimeout(resolve, ms));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function send(response: ServerResponse, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(200, {
    'content-type': CONTENT_TYPE,
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}
