/**
 * Storage in an SQLite file, through Node's own SQLite, better-sqlite3, or any client that fits.
 *
 * @module
 */
export type {
  BetterSqlite3,
  BetterSqlite3Database,
  BetterSqlite3Statement,
} from './better-sqlite3-client.ts';
export { betterSqlite3Client } from './better-sqlite3-client.ts';
export { nodeSqliteClient } from './node-sqlite-client.ts';
export type { WaitingRuntime } from './patience.ts';
export type {
  Awaitable,
  SqliteClient,
  SqliteConnection,
  SqliteRow,
  SqliteStatement,
} from './sqlite-client.ts';
export type { Durability } from './sqlite-session.ts';
export type { SqliteStorageOptions } from './sqlite-storage.ts';
export { sqliteStorage } from './sqlite-storage.ts';
