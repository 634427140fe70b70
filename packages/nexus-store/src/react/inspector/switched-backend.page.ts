// What page and service worker of the inspector's browser tests have in common.
import { createBackend, type StoreBackend } from 'nexus-store';
import { httpRemote } from 'nexus-store/http';
import { indexedDbStorage } from 'nexus-store/indexeddb';
import { inspectable, type InspectableRemote } from 'nexus-store/inspectable';

export interface Switched {
  readonly backend: StoreBackend;
  readonly remote: InspectableRemote;
}

export function openSwitched(): Switched {
  const url = new URL('/sync', location.href).href;
  const remote = inspectable(httpRemote({ url, events: false, pull: false }), {
    sharedAs: 'field',
  });
  const storage = indexedDbStorage({ name: 'field', persist: false });
  return { backend: createBackend({ storage, remote, autoSync: false }), remote };
}
