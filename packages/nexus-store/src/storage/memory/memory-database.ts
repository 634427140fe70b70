import { assert, StorageError } from '../../core/model/errors.ts';
import type { Key, StorageSchema, StoredRecord } from '../../core/ports/storage.ts';
import { MemoryTable } from './memory-table.ts';

interface Waiter {
  readonly owner: object;
  readonly start: () => void;
}

/**
 * The records that several `memoryStorage` handles share. It stands for the file of a real database:
 * it outlives its handles, so closing and opening again, and several contexts, can be tested.
 */
export class MemoryDatabase {
  #version = 0;
  #commits = 0;
  #tables: ReadonlyMap<string, MemoryTable> = new Map();
  /** Whose transaction is under way. One at a time: that is the whole of the isolation. */
  #owner: object | undefined;
  #waiters: Waiter[] = [];

  get version(): number {
    return this.#version;
  }

  /** How many write transactions were committed, by whomever. */
  get commits(): number {
    return this.#commits;
  }

  /** Makes what the schema lacks. The caller has the turn and has checked the version. */
  upgrade(schema: StorageSchema): void {
    if (this.#version === schema.version) return;
    const tables = new Map<string, MemoryTable>();
    for (const [name, table] of Object.entries(schema.tables)) {
      const fresh = new MemoryTable(name, table);
      const older = this.#tables.get(name);
      if (older !== undefined) fresh.fillFrom(older);
      tables.set(name, fresh);
    }
    this.#tables = tables;
    this.#version = schema.version;
  }

  table(name: string): MemoryTable {
    const table = this.#tables.get(name);
    assert(table, `there is no table ${name}`);
    return table;
  }

  /** Resolves when it is the owner's turn, first come, first served. */
  takeTurn(owner: object): Promise<void> {
    if (this.#owner === undefined) {
      this.#owner = owner;
      return Promise.resolve();
    }
    return new Promise((start) => this.#waiters.push({ owner, start }));
  }

  endTurn(): void {
    const next = this.#waiters.shift();
    this.#owner = next?.owner;
    next?.start();
  }

  /** Takes the owner out of the queue, as when its process died; its promises stay unsettled. */
  forget(owner: object): void {
    this.#waiters = this.#waiters.filter((waiter) => waiter.owner !== owner);
    if (this.#owner === owner) this.endTurn();
  }

  countCommit(): void {
    this.#commits += 1;
  }
}

/** What a transaction changed, so that it can be taken back. */
export class UndoLog {
  readonly #steps: { table: MemoryTable; key: Key; previous: StoredRecord | undefined }[] = [];

  get isEmpty(): boolean {
    return this.#steps.length === 0;
  }

  put(table: MemoryTable, record: StoredRecord): void {
    const previous = table.put(record);
    this.#steps.push({ table, key: table.keyOf(record), previous });
  }

  delete(table: MemoryTable, key: Key): void {
    const previous = table.delete(key);
    if (previous !== undefined) this.#steps.push({ table, key, previous });
  }

  /** Makes the changes final. */
  clear(): void {
    this.#steps.length = 0;
  }

  undo(): void {
    for (const { table, key, previous } of this.#steps.reverse()) {
      if (previous === undefined) table.delete(key);
      else table.put(previous);
    }
    this.#steps.length = 0;
  }
}

/** Refuses a database that a newer version of the code has changed. */
export function assertVersionKnown(found: number, known: number): void {
  if (found <= known) return;
  throw new StorageError(
    'storage/version-too-new',
    `the database has schema version ${found}, and this code knows versions up to ${known}; ` +
      'update the app to open it. Nothing was changed.',
  );
}
