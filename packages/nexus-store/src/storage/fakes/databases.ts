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
}

const folder = mkdtempSync(join(tmpdir(), 'nexus-databases-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

/** SQLite and memory answer within the turns of the loop that `settle` waits for; IndexedDB does not. */
export const databases: readonly TestDatabase[] = [
  {
    name: 'memory',
    create: () => {
      const database = memoryDatabase();
      return () => memoryStorage({ database });
    },
  },
  {
    name: 'SQLite',
    create: () => {
      const path = join(folder, `${++files}.db`);
      return () => sqliteStorage({ path, durability: 'relaxed' });
    },
  },
  {
    name: 'IndexedDB',
    create: () => {
      const name = `test-${++files}`;
      return () => indexedDbStorage({ name });
    },
  },
];
