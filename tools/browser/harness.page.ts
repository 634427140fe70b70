// What harness.browser.test.ts runs in a page: tests, storage on disk, and a backend over HTTP.
import { collectTests } from 'browser-harness/page';
import { createBackend, NexusStore } from 'nexus-store';
import { httpRemote } from 'nexus-store/http';
import { memoryStorage } from 'nexus-store/memory';

export const { names, run } = collectTests(({ describe, test, expect }) => {
  describe('a page', () => {
    test('has the platform that Node has not', async () => {
      expect(typeof indexedDB).toEqual('object');
      expect(isSecureContext).toBe(true);
    });

    test('compares by value', async () => {
      expect({ a: [1, { b: new Date(0) }], c: undefined }).toEqual({ a: [1, { b: new Date(0) }] });
      expect({ a: 1, b: 2 }).toMatchObject({ b: 2 });
    });

    test('says where a comparison fails', async () => {
      let message = '';
      try {
        expect({ a: [1, 2] }).toEqual({ a: [1, 3] });
      } catch (error) {
        message = String(error);
      }

      expect(message.includes('a.1')).toBe(true);
    });
  });
});

/** Saves one note and sends it, again and again until the server has answered. */
export async function saveAndSync(syncUrl: string): Promise<void> {
  const backend = createBackend({ storage: memoryStorage(), remote: httpRemote({ url: syncUrl }) });
  const notes = new NexusStore<{ id: string; text: string }>({ backend, collection: 'notes' });
  await notes.save({ id: 'n1', text: 'from a page' });
  let remaining = 1;
  while (remaining > 0) remaining = (await backend.sync()).remaining;
  await backend.close();
}

/** A write that is on disk when this resolves. */
export async function remember(text: string): Promise<void> {
  const database = await openDatabase();
  await new Promise((resolve, reject) => {
    const tx = database.transaction('texts', 'readwrite', { durability: 'strict' });
    tx.objectStore('texts').put(text, 'only');
    tx.oncomplete = resolve;
    tx.onabort = () => reject(tx.error);
  });
  database.close();
}

export async function remembered(): Promise<unknown> {
  const database = await openDatabase();
  return await new Promise((resolve, reject) => {
    const request = database.transaction('texts').objectStore('texts').get('only');
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function openDatabase(): Promise<IDBDatabase> {
  return await new Promise((resolve, reject) => {
    const request = indexedDB.open('harness', 1);
    request.onupgradeneeded = () => request.result.createObjectStore('texts');
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
