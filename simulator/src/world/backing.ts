import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Runtime, Storage } from 'nexus-store';
import { memoryDatabase, memoryStorage, type MemoryDatabase } from 'nexus-store/memory';
import { nodeSqliteClient, sqliteStorage, type SqliteClient } from 'nexus-store/sqlite';

/** A handle that can end as with its process: what it was doing is undone, and nobody hears of it. */
export type Handle = Storage & { kill(): void };

/** Where the records really are: one driver, with a handle for each context. */
export interface Backing {
  handle(runtime: Runtime): Handle;
  /** From now on handles are on another, empty database. */
  replace(): void;
  dispose(): void;
}

export function backingOf(kind: 'memory' | 'sqlite'): Backing {
  return kind === 'sqlite' ? new SqliteBacking() : new MemoryBacking();
}

class MemoryBacking implements Backing {
  #database: MemoryDatabase = memoryDatabase();

  handle(): Handle {
    return memoryStorage({ database: this.#database });
  }

  replace(): void {
    this.#database = memoryDatabase();
  }

  dispose(): void {}
}

export const FOLDER_PREFIX = 'nexus-store-sim-';

/** Memory that looks like a folder, where there is such a thing: nothing here is to outlive the run. */
const SHARED_MEMORY = '/dev/shm';

class SqliteBacking implements Backing {
  readonly #folder: string;
  #number = 1;

  constructor() {
    const parent = existsSync(SHARED_MEMORY) ? SHARED_MEMORY : tmpdir();
    this.#folder = mkdtempSync(join(parent, FOLDER_PREFIX));
  }

  handle(runtime: Runtime): Handle {
    const path = join(this.#folder, `${this.#number}.db`);
    const { client, closeAll } = closable(nodeSqliteClient());
    const storage = sqliteStorage({ path, client, runtime, durability: 'relaxed' });
    return {
      capabilities: storage.capabilities,
      open: (schema) => storage.open(schema),
      transact: (mode, body) => storage.transact(mode, body),
      foreignCommits: () => storage.foreignCommits(),
      close: () => storage.close(),
      kill: closeAll,
    };
  }

  replace(): void {
    this.#number += 1;
  }

  dispose(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A client whose connections can be closed from outside, as the end of a process closes them. */
function closable(client: SqliteClient): { client: SqliteClient; closeAll: () => void } {
  const open = new Set<{ close(): unknown }>();
  return {
    client: {
      encrypted: client.encrypted,
      open: async (path, options) => {
        const connection = await client.open(path, options);
        open.add(connection);
        return {
          exec: (sql) => connection.exec(sql),
          prepare: (sql) => connection.prepare(sql),
          close: () => {
            if (open.delete(connection)) return connection.close();
          },
        };
      },
    },
    closeAll: () => {
      for (const connection of open) connection.close();
      open.clear();
    },
  };
}
