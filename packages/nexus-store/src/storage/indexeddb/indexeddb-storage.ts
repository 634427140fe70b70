import { FLAG, NAME, oneOf, requireKind, requireOptions } from '../../core/model/arguments.ts';
import type { Kinds } from '../../core/model/arguments.ts';
import { DURATION, durationMs } from '../../core/model/duration.ts';
import type { Duration } from '../../core/model/duration.ts';
import { assert, StorageError } from '../../core/model/errors.ts';
import type { Live } from '../../core/model/live.ts';
import type {
  Storage,
  StorageCapabilities,
  StorageSchema,
  StorageTransaction,
} from '../../core/ports/storage.ts';
import { CommitMarks } from './commit-marks.ts';
import { translated } from './indexeddb-errors.ts';
import { IndexedDbTransaction } from './indexeddb-transaction.ts';
import type { Tables, TransactionContext } from './indexeddb-transaction.ts';
import { openDatabase } from './open-database.ts';
import { Persistence } from './persistence.ts';
import type { StoragePersistence } from './persistence.ts';
import { RecordCache } from './record-cache.ts';
import { SHARED_STORE, Table } from './table.ts';

export type IndexedDbDurability = 'strict' | 'relaxed';

export interface IndexedDbStorageOptions {
  /** The name of the database. Pages and workers of one origin that name the same one share it. */
  readonly name: string;
  /**
   * `strict`: a resolved write was given to the disk, and survives a loss of power. `relaxed`: it was given
   * to the operating system, and survives a crash of the browser. Where a browser knows no such choice,
   * its own default holds.
   *
   * @defaultValue 'strict'
   */
  readonly durability?: IndexedDbDurability;
  /**
   * How long `open` waits for another tab that has an older version of the database open, before it rejects
   * with `storage/busy`, from the moment the browser says that it is in the way. Tabs of this library let go
   * at once; a page that hangs does not.
   *
   * @defaultValue '10s'
   */
  readonly blockedTimeout?: Duration;
  /**
   * Whether to ask the browser, once and after the first write, not to delete this site's data when the disk
   * fills up. Firefox shows the question to the user; others decide by themselves. The answer is
   * `persistence`.
   *
   * @defaultValue `true`
   */
  readonly persist?: boolean;
}

/** A storage in IndexedDB. */
export interface IndexedDbStorage extends Storage {
  /** What pages and workers of this origin call the database. */
  readonly name: string;
  /** Whether the browser may delete the data by itself; known some moments after `open`. */
  readonly persistence: Live<StoragePersistence>;
}

const OPTIONS: Kinds<IndexedDbStorageOptions> = {
  name: NAME,
  durability: oneOf('strict', 'relaxed'),
  blockedTimeout: DURATION,
  persist: FLAG,
};

/** A connection can be lost again while a transaction waits for it; more often than this is no accident. */
const MOST_CONNECTS = 3;

/**
 * A storage in IndexedDB, which all pages and workers of one origin may share.
 *
 * @throws UsageError `usage/invalid-argument` at the call; `open` rejects with `storage/unavailable` where
 *   the browser has no IndexedDB or withholds it, and with `storage/busy`, `storage/corrupt`,
 *   `storage/quota-exceeded` or `storage/version-too-new`
 */
export function indexedDbStorage(options: IndexedDbStorageOptions): IndexedDbStorage {
  return new IndexedDbHandle(options);
}

function tableStores(tables: Tables): readonly string[] {
  return [...tables.values()].map((table) => table.storeName);
}

class IndexedDbHandle implements IndexedDbStorage {
  readonly capabilities: StorageCapabilities = {
    durable: true,
    sharedAcrossContexts: true,
    encrypted: false,
  };
  readonly name: string;
  readonly #durability: IndexedDbDurability;
  readonly #patienceMs: number;
  readonly #persistence: Persistence;
  readonly #marks = new CommitMarks();
  readonly #cache = new RecordCache();
  readonly #context: TransactionContext;
  readonly #underWay = new Set<Promise<unknown>>();
  #state: 'new' | 'open' | 'closed' = 'new';
  #schema: StorageSchema | undefined;
  #tables: Tables = new Map();
  #stores: readonly string[] = [];
  #database: IDBDatabase | undefined;
  #connecting: Promise<IDBDatabase> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: IndexedDbStorageOptions) {
    requireOptions('indexedDbStorage', options, OPTIONS);
    requireKind('indexedDbStorage: name', options.name, NAME);
    this.name = options.name;
    this.#durability = options.durability ?? 'strict';
    this.#patienceMs = durationMs(options.blockedTimeout ?? '10s', 'blockedTimeout');
    this.#persistence = new Persistence(options.persist ?? true);
    this.#context = {
      table: (name) => this.#tables.get(name),
      hopes: new Map(),
      cache: this.#cache,
      marks: this.#marks,
      translated: (error) => this.#translated(error),
    };
  }

  get persistence(): Live<StoragePersistence> {
    return this.#persistence.live;
  }

  async open(schema: StorageSchema): Promise<void> {
    assert(this.#state !== 'open', 'a storage is opened once');
    this.#assertNotClosed();
    await this.#tracked(async () => {
      this.#schema = schema;
      await this.#connection();
      if (this.#state === 'new') this.#state = 'open';
    });
    void this.#persistence.look();
  }

  async transact<R>(
    mode: 'read' | 'write',
    body: (tx: StorageTransaction) => Promise<R>,
  ): Promise<R> {
    this.#assertOpen();
    const result = await this.#tracked(async () => {
      const native = this.#beginNow(mode) ?? (await this.#beginLater(mode));
      return await new IndexedDbTransaction(native, mode, this.#context).run(body);
    });
    if (mode === 'write') this.#afterWrite();
    return result;
  }

  async foreignCommits(): Promise<number> {
    this.#assertOpen();
    return await this.#tracked(async () => {
      for (let tries = 1; ; tries += 1) {
        const database = await this.#connection();
        try {
          return await this.#marks.foreign(database);
        } catch (error) {
          if (!this.#hasLost(database, error) || tries === MOST_CONNECTS) throw error;
        }
      }
    });
  }

  /** What is done now and then beside the work; nothing depends on it. */
  #afterWrite(): void {
    void this.#persistence.ask();
    try {
      if (this.#database !== undefined) this.#marks.fold(this.#database);
    } catch {
      // The connection was lost; the next look finds as many marks.
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#state = 'closed';
    await Promise.allSettled(this.#underWay);
    this.#database?.close();
    this.#database = undefined;
  }

  /** Does it so that `close` waits for it, and the caller hears of failures by code. */
  async #tracked<R>(work: () => Promise<R>): Promise<R> {
    const running = work();
    this.#underWay.add(running);
    try {
      return await running;
    } catch (error) {
      throw this.#translated(error);
    } finally {
      this.#underWay.delete(running);
    }
  }

  /** A transaction at once, if there is a connection. */
  #beginNow(mode: 'read' | 'write'): IDBTransaction | undefined {
    const database = this.#database;
    if (database === undefined) return undefined;
    try {
      return this.#begin(database, mode);
    } catch (error) {
      if (this.#hasLost(database, error)) return undefined;
      throw error;
    }
  }

  async #beginLater(mode: 'read' | 'write'): Promise<IDBTransaction> {
    for (let tries = 1; ; tries += 1) {
      const database = await this.#connection();
      try {
        return this.#begin(database, mode);
      } catch (error) {
        if (!this.#hasLost(database, error) || tries === MOST_CONNECTS) throw error;
      }
    }
  }

  #begin(database: IDBDatabase, mode: 'read' | 'write'): IDBTransaction {
    const stores = this.#stores as string[];
    if (mode === 'read') return database.transaction(stores);
    return database.transaction(stores, 'readwrite', { durability: this.#durability });
  }

  async #connection(): Promise<IDBDatabase> {
    if (this.#database !== undefined) return this.#database;
    this.#connecting ??= this.#connect();
    try {
      return await this.#connecting;
    } finally {
      this.#connecting = undefined;
    }
  }

  async #connect(): Promise<IDBDatabase> {
    const schema = this.#schema;
    assert(schema, 'a schema was given to open');
    const opened: { database?: IDBDatabase } = {};
    const database = await openDatabase({
      name: this.name,
      schema,
      patienceMs: this.#patienceMs,
      onLost: () => this.#lose(opened.database),
    });
    opened.database = database;
    const stores = database.objectStoreNames;
    this.#tables = new Map(
      Object.entries(schema.tables).map(([name, table]) => [
        name,
        new Table(name, table, stores.contains(name)),
      ]),
    );
    this.#stores = [...new Set([SHARED_STORE, ...tableStores(this.#tables)])];
    this.#cache.clear();
    this.#database = database;
    return database;
  }

  /** Lets go of a connection; what it is doing comes to its end, and the next call makes a new one. */
  #lose(database: IDBDatabase | undefined): void {
    database?.close();
    if (this.#database === database) this.#database = undefined;
  }

  /** Whether the failure means that the connection was lost before we were told. */
  #hasLost(database: IDBDatabase, error: unknown): boolean {
    if (!(error instanceof DOMException) || error.name !== 'InvalidStateError') return false;
    this.#lose(database);
    return true;
  }

  #translated(error: unknown): unknown {
    return translated(error, this.name);
  }

  #assertOpen(): void {
    this.#assertNotClosed();
    if (this.#state === 'new')
      throw new StorageError('storage/closed', 'the storage is not open yet');
  }

  #assertNotClosed(): void {
    if (this.#state === 'closed') throw new StorageError('storage/closed', 'the storage is closed');
  }
}
