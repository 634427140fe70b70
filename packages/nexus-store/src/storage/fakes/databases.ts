import 'fake-indexeddb/auto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { Storage } from '../../core/ports/storage.ts';
import { indexedDbStorage } from '../indexeddb/index.ts';
import { memoryDatabase, memoryStorage } from '../memory/index.ts';
import { sqliteStorage } from '../sqlite/index.ts';

/** A kind of database that a test is run over. */
export interface TestDatabase {
  readonly name: 'memory' | 'SQLite' | 'IndexedDB';
  /** A new database, and the way to open it again and again. */
  readonly create: () => () => Storage;
  /** So many turns of the event loop does it take at most until what was begun has come to rest. */
  readonly settleTurns: number;
}

const folder = mkdtempSync(join(tmpdir(), 'nexus-databases-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

export const databases: readonly TestDatabase[] = [
  {
    name: 'memory',
    settleTurns: 1,
    create: () => {
      const database = memoryDatabase();
      return () => memoryStorage({ database });
    },
  },
  {
    name: 'SQLite',
    // It leaves the loop a turn every few milliseconds, so on a busy machine after almost every write.
    settleTurns: 3_000,
    create: () => {
      const path = join(folder, `${++files}.db`);
      return () => sqliteStorage({ path, durability: 'relaxed' });
    },
  },
  {
    name: 'IndexedDB',
    settleTurns: 3_000,
    create: () => {
      const name = `test-${++files}`;
      return () => indexedDbStorage({ name });
    },
  },
];
