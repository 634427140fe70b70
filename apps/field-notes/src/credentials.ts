// Who this device may speak for. Pages and the service worker read the same database, because the worker
// sends while no page is open. nexus-store keeps no secrets: it asks for them at send time.

/** What is kept of somebody who is signed in. */
export interface Credentials {
  readonly principal: string;
  readonly name: string;
  readonly token: string;
}

const DATABASE = 'field-notes-credentials';
const STORE = 'credentials';

export async function saveCredentials(credentials: Credentials): Promise<void> {
  await inStore('readwrite', (store) => store.put(credentials));
}

/** Undefined for somebody who is not signed in on this device. */
export async function credentialsOf(principal: string): Promise<Credentials | undefined> {
  return (await inStore('readonly', (store) => store.get(principal))) as Credentials | undefined;
}

/** From now on nothing can be sent from here except what this one wrote; null: by nobody. */
export async function forgetCredentials(except: string | null): Promise<void> {
  await inStore('readwrite', (store) => {
    if (except === null) return store.clear();
    store.delete(IDBKeyRange.upperBound(except, true));
    return store.delete(IDBKeyRange.lowerBound(except, true));
  });
}

/**
 * Changes credentials together with who is signed in, one tab at a time: or one would forget what another
 * has just saved for somebody who is about to be signed in.
 */
export async function aloneWithCredentials<R>(change: () => Promise<R>): Promise<R> {
  // Not there on an address without encryption.
  const { locks } = navigator as { readonly locks?: LockManager };
  return locks === undefined ? change() : await locks.request('field-notes.session', change);
}

async function inStore<R>(
  mode: IDBTransactionMode,
  ask: (store: IDBObjectStore) => IDBRequest<R>,
): Promise<R> {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () =>
    void opening.result.createObjectStore(STORE, { keyPath: 'principal' });
  const database = await settled(opening);
  try {
    const transaction = database.transaction(STORE, mode);
    const asked = ask(transaction.objectStore(STORE));
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error('aborted'));
    });
    return asked.result;
  } finally {
    database.close();
  }
}

function settled<R>(request: IDBRequest<R>): Promise<R> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB failed'));
  });
}
