import { requireOptions } from '../../core/model/arguments.ts';
import type { Kinds } from '../../core/model/arguments.ts';
import { assert, StorageError } from '../../core/model/errors.ts';
import type {
  Change,
  Key,
  ScanRange,
  Storage,
  StorageCapabilities,
  StorageSchema,
  StorageTransaction,
  StoredRecord,
} from '../../core/ports/storage.ts';
import { assertVersionKnown, MemoryDatabase, UndoLog } from './memory-database.ts';

export interface MemoryStorageOptions {
  /**
   * What this handle opens; several handles may share it. Its records live as long as this object, so
   * that a handle on a database that was passed in is `durable` and `sharedAcrossContexts` in the
   * sense of the port: what was committed is there for the next handle. A restart of the process
   * loses it all the same.
   *
   * @defaultValue a database of its own, which is lost with the handle
   */
  readonly database?: MemoryDatabase;
}

const OPTIONS: Kinds<MemoryStorageOptions> = {
  database: {
    said: 'what memoryDatabase() made',
    fits: (value) => value instanceof MemoryDatabase,
  },
};

/** A storage in memory, for tests, previews and items that need not survive the process. */
export interface MemoryStorage extends Storage {
  /**
   * Ends this handle as a kill of its process would: a transaction under way is undone, and every
   * unsettled promise of the handle stays unsettled. Other handles go on.
   */
  kill(): void;
}

/** A database in memory that outlives the handles opened on it. */
export function memoryDatabase(): MemoryDatabase {
  return new MemoryDatabase();
}

/**
 * A storage in memory with the law of every driver: real transactions, texts in UTF-8 order.
 * The costs stay flat up to about a million records.
 */
export function memoryStorage(options: MemoryStorageOptions = {}): MemoryStorage {
  requireOptions('memoryStorage', options, OPTIONS);
  return new MemoryHandle(options.database);
}

class MemoryHandle implements MemoryStorage {
  readonly capabilities: StorageCapabilities;
  readonly #database: MemoryDatabase;
  #state: 'new' | 'open' | 'closed' | 'killed' = 'new';
  #version = 0;
  #ownCommits = 0;
  #running: MemoryTransaction | undefined;
  #closing: Promise<void> | undefined;

  constructor(database: MemoryDatabase | undefined) {
    this.#database = database ?? new MemoryDatabase();
    const shared = database !== undefined;
    this.capabilities = { durable: shared, sharedAcrossContexts: shared, encrypted: false };
  }

  async open(schema: StorageSchema): Promise<void> {
    assert(this.#state !== 'open', 'a storage is opened once');
    this.#assertNotClosed();
    await this.#inTurn(async () => {
      assertVersionKnown(this.#database.version, schema.version);
      this.#database.upgrade(schema);
      this.#version = schema.version;
      this.#state = 'open';
    });
  }

  async transact<R>(
    mode: 'read' | 'write',
    body: (tx: StorageTransaction) => Promise<R>,
  ): Promise<R> {
    this.#assertOpen();
    return await this.#inTurn(async () => {
      assertVersionKnown(this.#database.version, this.#version);
      const transaction = new MemoryTransaction(this.#database, mode);
      this.#running = transaction;
      try {
        const result = await body(transaction);
        if (transaction.commit()) this.#ownCommits += 1;
        return result;
      } finally {
        transaction.rollback();
        this.#running = undefined;
      }
    });
  }

  async foreignCommits(): Promise<number> {
    this.#assertOpen();
    return this.#database.commits - this.#ownCommits;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  kill(): void {
    if (this.#state === 'killed') return;
    this.#state = 'killed';
    this.#running?.kill();
    this.#database.forget(this);
  }

  async #close(): Promise<void> {
    if (this.#state === 'killed') return;
    this.#state = 'closed';
    // Turns are served in order, so the turn taken now comes after every call made before.
    await this.#inTurn(async () => {});
  }

  async #inTurn<R>(body: () => Promise<R>): Promise<R> {
    await this.#database.takeTurn(this);
    try {
      return await body();
    } finally {
      // A killed handle has lost its turn already, and nobody hears of what it does now.
      if (this.#isKilled()) await never();
      this.#database.endTurn();
    }
  }

  #isKilled(): boolean {
    return this.#state === 'killed';
  }

  #assertOpen(): void {
    this.#assertNotClosed();
    if (this.#state === 'new')
      throw new StorageError('storage/closed', 'the storage is not open yet');
  }

  #assertNotClosed(): void {
    if (this.#state === 'new' || this.#state === 'open') return;
    throw new StorageError('storage/closed', 'the storage is closed');
  }
}

class MemoryTransaction implements StorageTransaction {
  readonly #database: MemoryDatabase;
  readonly #mode: 'read' | 'write';
  readonly #log = new UndoLog();
  #state: 'active' | 'failed' | 'ended' | 'killed' = 'active';
  #failure: unknown;

  constructor(database: MemoryDatabase, mode: 'read' | 'write') {
    this.#database = database;
    this.#mode = mode;
  }

  get(table: string, keys: readonly Key[]): Promise<readonly (StoredRecord | undefined)[]> {
    return this.#step(() => {
      const records = this.#database.table(table);
      return keys.map((key) => records.get(key));
    });
  }

  scan(table: string, range: ScanRange): Promise<readonly StoredRecord[]> {
    return this.#step(() => this.#database.table(table).scan(range));
  }

  write(changes: readonly Change[]): Promise<void> {
    return this.#step(() => {
      assert(this.#mode === 'write', 'a read transaction does not write');
      for (const change of changes) {
        const table = this.#database.table(change.table);
        if ('put' in change) this.#log.put(table, change.put);
        else this.#log.delete(table, change.delete);
      }
    });
  }

  /** True if there was anything to commit. Rethrows the failure of a step, even one the body caught. */
  commit(): boolean {
    if (this.#state === 'failed') throw this.#failure;
    this.#state = 'ended';
    if (this.#log.isEmpty) return false;
    this.#log.clear();
    this.#database.countCommit();
    return true;
  }

  /** Does nothing after a commit. */
  rollback(): void {
    if (this.#state !== 'killed') this.#state = 'ended';
    this.#log.undo();
  }

  kill(): void {
    this.#state = 'killed';
    this.#log.undo();
  }

  async #step<R>(work: () => R): Promise<R> {
    if (this.#state === 'killed') return await never();
    if (this.#state === 'failed') throw this.#failure;
    assert(this.#state === 'active', 'a transaction was used after its end');
    try {
      return work();
    } catch (error) {
      this.#state = 'failed';
      this.#failure = error;
      throw error;
    }
  }
}

/** What a killed process waits for. */
function never(): Promise<never> {
  return new Promise(() => {});
}
