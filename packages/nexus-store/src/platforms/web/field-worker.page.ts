// The service worker of the browser tests: ours and Workbox's queue in one.
import { Queue } from 'workbox-background-sync';
import { notesOf, openBackend, writeSteps } from './field-backend.page.ts';
import { serveBackgroundSync } from './worker/index.ts';

interface WriteRequest {
  readonly type: 'write';
  readonly prefix: string;
  readonly entities: number;
  readonly steps: number;
}

interface MessageWithPorts extends Event {
  readonly data: WriteRequest | { readonly type: 'queue'; readonly url: string } | undefined;
  readonly ports: readonly MessagePort[];
  waitUntil(work: Promise<unknown>): void;
}

const backend = openBackend();
const background = serveBackgroundSync({ open: () => backend });
const others = new Queue('posts');

addEventListener('install', () => {
  void (globalThis as unknown as { skipWaiting(): Promise<void> }).skipWaiting();
});
addEventListener('activate', (event) => {
  const { clients } = globalThis as unknown as { clients: { claim(): Promise<void> } };
  (event as MessageWithPorts).waitUntil(clients.claim());
});

addEventListener('message', (event) => {
  const message = event as unknown as MessageWithPorts;
  const { data, ports } = message;
  if (data?.type === 'write') {
    const { prefix, entities, steps } = data;
    const work = background
      .ready()
      .then(() => writeSteps(notesOf(backend), prefix, entities, steps))
      .then(() => ports[0]?.postMessage('done'));
    message.waitUntil(work);
  }
  if (data?.type === 'queue') {
    const request = new Request(data.url, { method: 'POST', body: 'of workbox' });
    message.waitUntil(others.pushRequest({ request }).then(() => ports[0]?.postMessage('done')));
  }
});
