// What indexeddb-chromium.browser.test.ts does in pages: a store over IndexedDB, and what disturbs it.
import { createBackend, NexusStore } from '../../index.ts';
import type { StoreBackend } from '../../index.ts';
import { isNexusError } from '../../core/model/errors.ts';
import type { StorageSchema } from '../../core/ports/storage.ts';
import { indexedDbStorage } from './index.ts';

export interface Note {
  readonly id: string;
  readonly text: string;
}

export interface Opened {
  readonly backend: StoreBackend;
  readonly notes: NexusStore<Note>;
}

let opened: Opened | undefined;

/** Opens the app's database, once in each page; what it came to, as a code. */
export async function openNotes(name: string): Promise<string> {
  const storage = indexedDbStorage({ name, blockedTimeout: '300ms' });
  const backend = createBackend({ storage, autoSync: false });
  return await codeOf(async () => {
    await backend.open();
    opened = { backend, notes: new NexusStore<Note>({ backend, collection: 'notes' }) };
  });
}

/** The code a save rejects with, `resolved` if it does not. */
export async function save(id: string, sizeBytes: number): Promise<string> {
  const { notes } = current();
  return await codeOf(async () => await notes.save({ id, text: noise(sizeBytes) }));
}

/** Saves at once; the codes in order. */
export async function saveTogether(ids: readonly string[], sizeBytes: number): Promise<string[]> {
  return await Promise.all(ids.map(async (id) => await save(id, sizeBytes)));
}

/**
 * What is there of an app's data and of its queue: they must tell the same. The count of what is pending
 * is told some time after the commit; a wrong one never comes.
 */
export async function contents(): Promise<{ rows: string[]; queued: string[] }> {
  const { notes } = current();
  const rows = await notes.getAll();
  const changes = await notes.pendingChanges();
  for await (const count of notes.pendingChangesCount) if (count === changes.length) break;
  return {
    rows: rows.map(({ id }) => id).sort(),
    queued: changes.map(({ entityId }) => String(entityId)).sort(),
  };
}

export async function close(): Promise<void> {
  await current().backend.close();
}

/** A connection that does not let go when another one wants to upgrade, as a page that hangs. */
export async function hang(name: string, version: number): Promise<void> {
  hanging = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(name, version);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

let hanging: IDBDatabase | undefined;

export async function letGo(): Promise<void> {
  hanging?.close();
}

// ---- the driver alone ------------------------------------------------------------------------------

const SCHEMA: StorageSchema = {
  version: 1,
  tables: { texts: { columns: { name: 'text', value: 'text' }, key: ['name'] } },
};

let opening: ReturnType<typeof indexedDbStorage> | undefined;

/** The code of opening the driver with a schema of this version. */
export async function openDriver(name: string, version: number): Promise<string> {
  opening = indexedDbStorage({ name, blockedTimeout: '300ms' });
  return await codeOf(async () => await driver().open({ ...SCHEMA, version }));
}

/** The same, while the page is held up for longer than it would wait. */
export async function openDriverHeldUp(name: string): Promise<string> {
  const opened = openDriver(name, 1);
  for (const end = performance.now() + 800; performance.now() < end;);
  return await opened;
}

export async function putText(name: string, value: string): Promise<string> {
  return await codeOf(async () => {
    await driver().transact('write', async (tx) => {
      await tx.write([{ table: 'texts', put: { name, value } }]);
    });
  });
}

export async function texts(): Promise<string[]> {
  const records = await driver().transact('read', async (tx) => {
    return await tx.scan('texts', { limit: 1_000_000 });
  });
  return records.map((record) => String(record['name']));
}

export async function foreignCommits(): Promise<number> {
  return await driver().foreignCommits();
}

export async function persistence(): Promise<string> {
  for await (const answer of driver().persistence) if (answer !== 'unknown') return answer;
  throw new Error('there was no answer');
}

/** Twenty increments with a read before each write, where an update could get lost. */
export async function count(times: number): Promise<void> {
  const increments = Array.from({ length: times }, async () => {
    await driver().transact('write', async (tx) => {
      const [record] = await tx.get('texts', [['counter']]);
      const value = String(Number(record?.['value'] ?? 0) + 1);
      await tx.write([{ table: 'texts', put: { name: 'counter', value } }]);
    });
  });
  await Promise.all(increments);
}

export async function counted(): Promise<unknown> {
  const [record] = await driver().transact('read', async (tx) => tx.get('texts', [['counter']]));
  return record?.['value'];
}

/** The durability that transactions of the driver have, as the browser says. */
export async function durabilityOf(
  name: string,
  durability: 'strict' | 'relaxed',
): Promise<string> {
  const seen: string[] = [];
  const prototype = IDBTransaction.prototype as unknown as {
    commit: (this: IDBTransaction) => void;
  };
  const { commit } = prototype;
  prototype.commit = function () {
    if (this.mode === 'readwrite') seen.push(this.durability);
    commit.call(this);
  };
  const storage = indexedDbStorage({ name, durability });
  await storage.open(SCHEMA);
  await storage.transact('write', async (tx) => {
    await tx.write([{ table: 'texts', put: { name: 'a', value: 'b' } }]);
  });
  await storage.close();
  prototype.commit = commit;
  return seen.join();
}

// ---- pieces ----------------------------------------------------------------------------------------

function current(): Opened {
  if (opened === undefined) throw new Error('nothing was opened');
  return opened;
}

function driver(): ReturnType<typeof indexedDbStorage> {
  if (opening === undefined) throw new Error('nothing was opened');
  return opening;
}

async function codeOf(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
    return 'resolved';
  } catch (error) {
    return isNexusError(error) ? error.code : String(error);
  }
}

/** A text that does not get smaller by compression. */
function noise(sizeBytes: number): string {
  let text = '';
  while (text.length < sizeBytes) text += Math.random().toString(36).slice(2);
  return text.slice(0, sizeBytes);
}
