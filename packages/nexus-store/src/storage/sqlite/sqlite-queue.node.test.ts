import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { testQueue } from '../../testing/index.ts';
import { betterSqlite3Client, nodeSqliteClient, sqliteStorage } from './index.ts';

const clients = {
  'node:sqlite': nodeSqliteClient(),
  'better-sqlite3': betterSqlite3Client(Database),
};

for (const [name, client] of Object.entries(clients)) {
  testQueue(
    name,
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'nexus-queue-'));
      return {
        create: () => sqliteStorage({ path: join(folder, 'queue.db'), client }),
        dispose: async () => await rm(folder, { recursive: true }),
      };
    },
    { describe, test, expect },
  );
}
