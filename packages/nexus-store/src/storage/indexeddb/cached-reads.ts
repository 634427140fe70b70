import type { Change, Key, StoredRecord } from '../../core/ports/storage.ts';
import type { RecordCache } from './record-cache.ts';
import { cacheName } from './record-cache.ts';
import type { Table } from './table.ts';

/** What reads more than this at once is a query, not work on the queue: it would push everything else out. */
const MOST_READ_AT_ONCE = 1_024;
/** What writes more than this at once is a pull of a large collection or the like. A burst of saves is not. */
const MOST_WRITTEN_AT_ONCE = 10_000;

type Results = readonly (StoredRecord | undefined)[];

/** The cache as one transaction may use it. */
export class CachedReads {
  readonly #cache: RecordCache;
  readonly #readForeign: () => Promise<number>;
  /** What this transaction has changed, as it will be once it is committed. */
  readonly #written = new Map<string, StoredRecord | undefined>();
  /** It has changed more than is worth telling apart. */
  #isBulk = false;
  #validated: Promise<void> | undefined;
  #isCommitting = false;

  /** @param readForeign reads the marks of the other contexts in this transaction */
  constructor(cache: RecordCache, readForeign: () => Promise<number>) {
    this.#cache = cache;
    this.#readForeign = readForeign;
  }

  /**
   * The records of these keys, read with `read` as far as they are not in the cache. What is in the cache at
   * the call may be out of date, because earlier transactions are still under way; it is looked up once
   * the first request of this one is answered, which is after all of them.
   */
  async get(
    table: Table,
    keys: readonly Key[],
    read: (keys: readonly Key[]) => Promise<Results>,
  ): Promise<Results> {
    if (this.#isBulk || keys.length > MOST_READ_AT_ONCE) return await read(keys);
    const names = keys.map((key) => cacheName(table.name, key));
    const validated = this.#validate();
    const isKnown = names.map((name) => !this.#written.has(name) && this.#cache.has(name));
    const unknown = places(isKnown, false);
    const reading = unknown.length === 0 ? [] : read(unknown.map((i) => keys[i] as Key));
    const [found] = await Promise.all([reading, validated]);
    const results: (StoredRecord | undefined)[] = keys.map(() => undefined);
    unknown.forEach((i, nth) => (results[i] = this.#learnt(names[i] as string, found[nth])));

    const gone: number[] = [];
    for (const i of places(isKnown, true)) {
      const name = names[i] as string;
      if (this.#cache.isSettled && this.#cache.has(name)) results[i] = this.#cache.get(name);
      else gone.push(i);
    }
    if (gone.length > 0) {
      const late = await read(gone.map((i) => keys[i] as Key));
      gone.forEach((i, nth) => (results[i] = this.#learnt(names[i] as string, late[nth])));
    }
    return results;
  }

  /** Keeps what a scan has found. */
  async scan(
    table: Table,
    read: () => Promise<readonly StoredRecord[]>,
  ): Promise<readonly StoredRecord[]> {
    const [records] = await Promise.all([read(), this.#validate()]);
    if (records.length <= MOST_READ_AT_ONCE && !this.#isBulk) {
      for (const record of records) {
        this.#learnt(cacheName(table.name, table.keyOf(record)), record);
      }
    }
    return records;
  }

  noteWrites(changes: readonly Change[], tableOf: (name: string) => Table): void {
    if (this.#written.size + changes.length > MOST_WRITTEN_AT_ONCE) this.#isBulk = true;
    if (this.#isBulk) return;
    for (const change of changes) {
      const table = tableOf(change.table);
      if ('put' in change) {
        this.#written.set(cacheName(table.name, table.keyOf(change.put)), { ...change.put });
      } else {
        this.#written.set(cacheName(table.name, change.delete), undefined);
      }
    }
  }

  /** From here on what was written may be there already. */
  beginCommit(): void {
    if (this.#isCommitting) return;
    this.#isCommitting = true;
    this.#cache.beginCommit();
  }

  /** The transaction has ended; if it is committed, what it wrote is what is there. */
  end(isCommitted: boolean): void {
    if (this.#isCommitting) this.#cache.endCommit();
    if (!isCommitted) return;
    if (this.#isBulk) return this.#cache.clear();
    for (const [name, record] of this.#written) this.#cache.set(name, record);
  }

  /**
   * While a transaction runs nobody commits, so what it reads is what is there. What it has written itself is
   * not, until it is committed.
   */
  #learnt(name: string, record: StoredRecord | undefined): StoredRecord | undefined {
    if (!this.#written.has(name)) this.#cache.set(name, record);
    return record;
  }

  #validate(): Promise<void> {
    this.#validated ??= this.#readForeign().then((foreign) => this.#cache.validate(foreign));
    return this.#validated;
  }
}

function places(flags: readonly boolean[], wanted: boolean): readonly number[] {
  return flags.flatMap((flag, i) => (flag === wanted ? [i] : []));
}
