// Other libraries in a page, each with its own way of "stored here, to be sent later". Plain JavaScript beside
// their packages, which are there only after `npm run bench -- --peers` has installed them.
import { createCollection } from '@tanstack/db';
import { IndexedDBAdapter, startOfflineExecutor } from '@tanstack/offline-transactions';
import Dexie from 'dexie';
import PouchDB from 'pouchdb-browser';
import { createRxDatabase } from 'rxdb/plugins/core';
import { getRxStorageDexie } from 'rxdb/plugins/storage-dexie';
import { Queue } from 'workbox-background-sync';
import { makeReports, speed } from '../../src/browser/measured.ts';

let databases = 0;
const newName = (peer) => `${peer}-${(databases += 1)}-${Date.now()}`;

/** Each opens a new database and says how to save a report, and how to get rid of it. */
const PEERS = { dexie, rxdb, pouchdb, tanstack, workbox };

/**
 * Saves made in one turn, until the last one is stored.
 *
 * @param {keyof typeof PEERS} peer
 * @param {number} count
 */
export async function peerConcurrentSaves(peer, count) {
  const { save, remove } = await PEERS[peer]();
  const reports = makeReports(count);
  const startedAt = performance.now();
  await Promise.all(reports.map(save));
  const elapsedMs = performance.now() - startedAt;
  await remove();
  return speed(count, elapsedMs);
}

/**
 * One awaited save after another.
 *
 * @param {keyof typeof PEERS} peer
 * @param {number} count
 */
export async function peerSequentialSaves(peer, count) {
  const { save, remove } = await PEERS[peer]();
  const reports = makeReports(count);
  const startedAt = performance.now();
  for (const report of reports) await save(report);
  const elapsedMs = performance.now() - startedAt;
  await remove();
  return speed(count, elapsedMs);
}

/** The document and a row of a queue in one transaction, as one would do it with Dexie alone. */
async function dexie() {
  const database = new Dexie(newName('dexie'));
  database.version(1).stores({ documents: 'id', queue: '++seq' });
  await database.open();
  const save = (report) =>
    database.transaction('rw', database.documents, database.queue, async () => {
      await Promise.all([
        database.documents.put(report),
        database.queue.add({ entity: report.id, payload: JSON.stringify(report), attempts: 0 }),
      ]);
    });
  return { save, remove: () => database.delete() };
}

const text = { type: 'string' };
const RXDB_SCHEMA = {
  version: 0,
  primaryKey: 'id',
  type: 'object',
  properties: {
    id: { type: 'string', maxLength: 100 },
    at: text,
    site: text,
    inspector: text,
    finding: text,
    isOpen: { type: 'boolean' },
    severity: { type: 'number' },
    position: { type: 'object' },
    tags: { type: 'array', items: text },
    remarks: text,
  },
};

/** Over its Dexie storage, the free one for browsers. It tracks revisions and writes no queue row. */
async function rxdb() {
  const database = await createRxDatabase({ name: newName('rxdb'), storage: getRxStorageDexie() });
  const { reports } = await database.addCollections({ reports: { schema: RXDB_SCHEMA } });
  return { save: (report) => reports.insert(report), remove: () => database.remove() };
}

/** It tracks revisions and writes no queue row. */
async function pouchdb() {
  const database = new PouchDB(newName('pouchdb'));
  await database.info();
  const save = ({ id, ...rest }) => database.put({ _id: id, ...rest });
  return { save, remove: () => database.destroy() };
}

/**
 * `commit` resolves only when the server has answered, so a save ends here when the outbox has stored it. The
 * document itself is kept in memory.
 */
async function tanstack() {
  const name = newName('tanstack');
  const outbox = new IndexedDBAdapter(name, 'transactions');
  const waiting = [];
  const storage = {
    get: (key) => outbox.get(key),
    set: async (key, value) => {
      await outbox.set(key, value);
      if (key.startsWith('tx:')) waiting.shift()?.();
    },
    delete: (key) => outbox.delete(key),
    keys: () => outbox.keys(),
    clear: () => outbox.clear(),
  };
  const collection = createCollection({
    id: name,
    getKey: (report) => report.id,
    sync: { sync: ({ markReady }) => markReady() },
    startSync: true,
  });
  const executor = startOfflineExecutor({
    collections: { reports: collection },
    // The server is not there: everything stays in the outbox.
    mutationFns: { send: () => new Promise(() => undefined) },
    storage,
  });
  await executor.waitForInit();
  if (!executor.isOfflineEnabled) throw new Error('TanStack does not store anything here');
  const save = (report) =>
    new Promise((resolve, reject) => {
      waiting.push(resolve);
      const transaction = executor.createOfflineTransaction({
        mutationFnName: 'send',
        autoCommit: false,
      });
      transaction.mutate(() => collection.insert(report));
      transaction.commit().catch(reject);
    });
  const remove = async () => {
    executor.dispose();
    indexedDB.deleteDatabase(name);
  };
  return { save, remove };
}

/** Its queue in a page, without a service worker: the serialised request, and no document. */
async function workbox() {
  globalThis.registration ??= {};
  const queue = new Queue(newName('workbox'), {
    forceSyncFallback: true,
    onSync: async () => undefined,
  });
  const save = (report) => {
    const request = new Request('/sync', { method: 'POST', body: JSON.stringify(report) });
    return queue.pushRequest({ request });
  };
  const remove = async () => {
    while ((await queue.size()) > 0) await queue.shiftRequest();
  };
  return { save, remove };
}
