/**
 * Storage in memory: for tests, previews and data that need not survive the process.
 *
 * @module
 */
export type { MemoryDatabase } from './memory-database.ts';
export type { MemoryStorage, MemoryStorageOptions } from './memory-storage.ts';
export { memoryDatabase, memoryStorage } from './memory-storage.ts';
