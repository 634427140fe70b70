const STORE = 'values';
const KEY = 'value';

/**
 * A text that all tabs and workers of an origin share, and that outlives them: in a database of its own,
 * with a message to whoever is there when it changes. Where there is no IndexedDB nothing is shared.
 */
export class SharedValue {
  readonly #name: string;
  readonly #channel: BroadcastChannel | undefined;
  #writing: Promise<void> = Promise.resolve();

  /** @param onChange another context may have changed it: read it anew */
  constructor(name: string, onChange: () => void) {
    this.#name = `nexus-store:inspector:${name}`;
    // Elsewhere a channel would keep the process alive.
    if (!hasIndexedDb() || typeof BroadcastChannel === 'undefined') return;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = () => onChange();
  }

  /** Undefined if it was never set, or cannot be read. What was set here before counts. */
  async read(): Promise<string | undefined> {
    const writing = this.#writing;
    await writing;
    const value = await this.#in<unknown>('readonly', (store) => store.get(KEY)).catch(
      () => undefined,
    );
    // What was set meanwhile is newer than what was found.
    if (writing !== this.#writing) return this.read();
    return typeof value === 'string' ? value : undefined;
  }

  /** Resolves also if it could not be kept: then it holds in this context only. */
  set(value: string): Promise<void> {
    this.#writing = this.#writing
      .then(() => this.#in('readwrite', (store) => store.put(value, KEY)))
      .then(() => this.#channel?.postMessage('changed'))
      .catch(() => {});
    return this.#writing;
  }

  close(): void {
    void this.#writing.then(() => this.#channel?.close());
  }

  /** Opened for each use: nothing of it is in the way of whoever clears the site's data. */
  async #in<T>(
    mode: IDBTransactionMode,
    use: (store: IDBObjectStore) => IDBRequest<T>,
  ): Promise<T | undefined> {
    if (!hasIndexedDb()) return undefined;
    const opening = indexedDB.open(this.#name, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    const database = await done(opening);
    try {
      return await done(use(database.transaction(STORE, mode).objectStore(STORE)));
    } finally {
      database.close();
    }
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB failed'));
  });
}

function hasIndexedDb(): boolean {
  try {
    return typeof indexedDB === 'object' && indexedDB !== null;
  } catch {
    return false; // a frame without an origin of its own may not even look
  }
}
