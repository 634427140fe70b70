// The service worker of the inspector's browser tests.
import { NexusStore } from 'nexus-store';
import { serveBackgroundSync } from 'nexus-store/web/worker';
import { openSwitched } from './switched-backend.page.ts';

interface SyncRequest extends Event {
  readonly data: unknown;
  readonly ports: readonly MessagePort[];
  waitUntil(work: Promise<unknown>): void;
}

const { backend } = openSwitched();
new NexusStore({ backend, collection: 'notes' });
const background = serveBackgroundSync({ open: () => backend });

addEventListener('message', (event) => {
  const request = event as unknown as SyncRequest;
  if (request.data !== 'sync') return;
  const work = background
    .ready()
    .then(() => backend.sync())
    .then(({ stoppedBy }) => request.ports[0]?.postMessage(stoppedBy));
  request.waitUntil(work);
});
