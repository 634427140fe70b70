import { StorageError } from '../../core/model/errors.ts';
import type { StorageSchema, TableSchema } from '../../core/ports/storage.ts';
import { SHARED_STORE } from './table.ts';

/**
 * Makes what the schema lacks, in the transaction of an upgrade. Records stay as they are: columns they do
 * not have read as null. A table that gets its first index moves to a store of its own.
 */
export function upgradeDatabase(
  database: IDBDatabase,
  upgrade: IDBTransaction,
  oldVersion: number,
  schema: StorageSchema,
): void {
  const stores = database.objectStoreNames;
  if (oldVersion > 0 && !stores.contains(SHARED_STORE)) throw foreign(database.name);
  if (!stores.contains(SHARED_STORE)) database.createObjectStore(SHARED_STORE);
  const shared = upgrade.objectStore(SHARED_STORE);
  for (const [name, table] of Object.entries(schema.tables)) {
    if (stores.contains(name)) {
      changeIndexes(upgrade.objectStore(name), table);
    } else if (hasIndexes(table)) {
      const own = database.createObjectStore(name);
      changeIndexes(own, table);
      moveRecords(shared, own, name);
    }
  }
}

/** Refuses a database of the same name and version that somebody else made. */
export function assertOurs(database: IDBDatabase, schema: StorageSchema): void {
  const own = Object.entries(schema.tables).filter(([, table]) => hasIndexes(table));
  const needed = [SHARED_STORE, ...own.map(([name]) => name)];
  const isOurs = needed.every((name) => database.objectStoreNames.contains(name));
  if (!isOurs) throw foreign(database.name);
}

function hasIndexes({ indexes = {} }: TableSchema): boolean {
  return Object.keys(indexes).length > 0;
}

/** A record without a valid key for an index, and null is none, is not in it: the sparseness wanted. */
function changeIndexes(store: IDBObjectStore, { indexes = {} }: TableSchema): void {
  for (const name of [...store.indexNames]) {
    const columns = Object.hasOwn(indexes, name) ? indexes[name] : undefined;
    if (!isSame(store.index(name).keyPath, columns)) store.deleteIndex(name);
  }
  for (const [name, columns] of Object.entries(indexes)) {
    if (!store.indexNames.contains(name)) store.createIndex(name, keyPath(columns));
  }
}

/** The upgrade does not end before its requests, so nobody has to wait for them here. */
function moveRecords(shared: IDBObjectStore, own: IDBObjectStore, table: string): void {
  const request = shared.openCursor(IDBKeyRange.bound([table], [table, []]));
  request.onsuccess = () => {
    const cursor = request.result;
    if (cursor === null) return;
    const [, ...key] = cursor.key as IDBValidKey[];
    own.put(cursor.value, key.length === 1 ? key[0] : key);
    cursor.delete();
    cursor.continue();
  };
}

function keyPath(columns: readonly string[]): string | string[] {
  return columns.length === 1 ? (columns[0] as string) : [...columns];
}

function isSame(path: string | string[], columns: readonly string[] | undefined): boolean {
  return columns !== undefined && JSON.stringify(path) === JSON.stringify(keyPath(columns));
}

function foreign(name: string): StorageError {
  return new StorageError(
    'storage/corrupt',
    `the database ${name} was not made by nexus-store, or parts of it are gone. Nothing was changed`,
  );
}
