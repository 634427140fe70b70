import { assert } from '../../core/model/errors.ts';
import type {
  Change,
  Key,
  ScanRange,
  StorageTransaction,
  StoredRecord,
} from '../../core/ports/storage.ts';
import { CachedReads } from './cached-reads.ts';
import type { CommitMarks } from './commit-marks.ts';
import { deleteRecords, deletesOf } from './delete-runs.ts';
import { awaitedElsewhere, misused } from './indexeddb-errors.ts';
import { readMany } from './read-many.ts';
import type { RangeHopes } from './read-many.ts';
import { readRange } from './read-range.ts';
import type { RecordCache } from './record-cache.ts';
import type { Table } from './table.ts';

export type Tables = ReadonlyMap<string, Table>;

/** What a transaction is given besides itself. */
export interface TransactionContext {
  readonly table: (name: string) => Table | undefined;
  readonly hopes: RangeHopes;
  readonly cache: RecordCache;
  readonly marks: CommitMarks;
  readonly translated: (error: unknown) => unknown;
}

/**
 * The steps of one transaction over IndexedDB's own. Writes are sent without waiting for each: a failure
 * of any of them aborts the whole, which is where it shows.
 */
export class IndexedDbTransaction implements StorageTransaction {
  readonly #native: IDBTransaction;
  readonly #mode: 'read' | 'write';
  readonly #context: TransactionContext;
  readonly #ended: Promise<void>;
  readonly #reads: CachedReads;
  #state: 'active' | 'failed' | 'ended' = 'active';
  #failure: unknown;
  /** IndexedDB has committed: nothing can be added any more, or taken back. */
  #isCommitted = false;
  #hasChanges = false;
  /** Deletes that are being looked into before they are sent; never rejects. */
  #deleting: Promise<void> | undefined;

  constructor(native: IDBTransaction, mode: 'read' | 'write', context: TransactionContext) {
    this.#native = native;
    this.#mode = mode;
    this.#context = context;
    this.#reads = new CachedReads(context.cache, () => context.marks.foreignIn(native));
    this.#ended = new Promise((resolve, reject) => {
      native.oncomplete = () => {
        this.#isCommitted = true;
        this.#reads.end(true);
        resolve();
      };
      native.onabort = () => {
        this.#reads.end(false);
        reject(native.error ?? new DOMException('the transaction was aborted', 'AbortError'));
      };
    });
    // Whoever ends the transaction asks; until then nobody listens.
    this.#ended.catch(() => undefined);
  }

  /** Runs the body and commits, or takes everything back and rethrows. */
  async run<R>(body: (tx: StorageTransaction) => Promise<R>): Promise<R> {
    try {
      const result = await body(this);
      while (this.#deleting !== undefined) await this.#deleting;
      if (this.#state === 'failed') throw this.#failure;
      this.#state = 'ended';
      if (this.#mode === 'write') await this.#commit();
      else this.#release();
      return result;
    } catch (error) {
      await this.#rollback();
      throw error;
    }
  }

  get(table: string, keys: readonly Key[]): Promise<readonly (StoredRecord | undefined)[]> {
    return this.#step(() => {
      const store = this.#store(table);
      const from = this.#table(table);
      return this.#reads.get(from, keys, (some) =>
        readMany(store, from, some, this.#context.hopes),
      );
    });
  }

  scan(table: string, range: ScanRange): Promise<readonly StoredRecord[]> {
    return this.#step(() => {
      const store = this.#store(table);
      const from = this.#table(table);
      return this.#reads.scan(from, () => readRange(store, from, range));
    });
  }

  write(changes: readonly Change[]): Promise<void> {
    return this.#step(async () => {
      assert(this.#mode === 'write', 'a read transaction does not write');
      for (const change of changes) {
        if (!('put' in change)) continue;
        const table = this.#table(change.table);
        const record = table.checked(change.put);
        this.#store(change.table).put(record, table.nativeKey(table.keyOf(record)));
      }
      this.#reads.noteWrites(changes, (name) => this.#table(name));
      if (changes.length > 0) this.#hasChanges = true;
      const deletes = deletesOf(changes);
      if (deletes.size > 0) await this.#delete(deletes);
    });
  }

  async #delete(deletes: ReadonlyMap<string, readonly Key[]>): Promise<void> {
    const sent = Promise.all(
      [...deletes].map(([name, keys]) => deleteRecords(this.#store(name), this.#table(name), keys)),
    );
    const end = (): void => {
      this.#deleting = undefined;
    };
    this.#deleting = sent.then(end, end);
    await sent;
  }

  async #commit(): Promise<void> {
    if (this.#isCommitted && this.#hasChanges) throw awaitedElsewhere();
    if (this.#isCommitted) return;
    try {
      if (this.#hasChanges) {
        this.#context.marks.mark(this.#native);
        this.#reads.beginCommit();
      }
      // Without this IndexedDB asks us once more whether there is anything to come.
      this.#native.commit();
    } catch (error) {
      // It may have been aborted for a reason of its own, such as a full disk.
      throw this.#native.error ?? error;
    }
    await this.#ended;
  }

  /** A read has all it wanted; those who wait to write need not wait for IndexedDB to notice. */
  #release(): void {
    try {
      this.#native.commit();
    } catch {
      // It is over already.
    }
  }

  async #rollback(): Promise<void> {
    this.#state = 'ended';
    try {
      this.#native.abort();
    } catch {
      // It is over already. What was committed without us stays, and only a body that broke the law of
      // the port can bring that about.
    }
    await this.#ended.catch(() => undefined);
  }

  async #step<R>(work: () => Promise<R>): Promise<R> {
    if (this.#state === 'failed') throw this.#failure;
    assert(this.#state === 'active', 'a transaction was used after its end');
    try {
      // Steps take effect in the order of their calls.
      while (this.#deleting !== undefined) await this.#deleting;
      if (this.#isCommitted) throw awaitedElsewhere();
      return await work();
    } catch (error) {
      this.#state = 'failed';
      // Where an earlier request failed, this one only hears that the transaction was aborted.
      this.#failure = this.#context.translated(this.#native.error ?? misused(error));
      throw this.#failure;
    }
  }

  #store(name: string): IDBObjectStore {
    return this.#native.objectStore(this.#table(name).storeName);
  }

  #table(name: string): Table {
    const table = this.#context.table(name);
    assert(table, `there is no table ${name}`);
    return table;
  }
}
