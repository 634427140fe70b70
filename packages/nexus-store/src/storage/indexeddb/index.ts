/**
 * Storage in IndexedDB, for pages and workers of a browser.
 *
 * @module
 */
export type {
  IndexedDbDurability,
  IndexedDbStorage,
  IndexedDbStorageOptions,
} from './indexeddb-storage.ts';
export { indexedDbStorage } from './indexeddb-storage.ts';
export type { StoragePersistence } from './persistence.ts';
