import type { Key, StoredRecord } from '../../core/ports/storage.ts';

/** About how much text the cache holds; names and numbers come on top. */
const MOST_CHARACTERS = 2 ** 22;
const MOST_RECORDS = 10_000;
/** Records longer than this are read anew each time: a few of them would leave no room for others. */
const LONGEST_RECORD = 2 ** 14;

interface Cached {
  /** Undefined: there is none, which is asked for as often as what there is. */
  readonly record: StoredRecord | undefined;
  readonly size: number;
}

/**
 * Records as the last commit left them, so that what is read again and again (counters, the rows and
 * entries under way) costs no request. It holds for one state of the other contexts' marks, which each
 * transaction reads as its first request; see docs/internals/indexeddb.md, "The cache".
 */
export class RecordCache {
  readonly #records = new Map<string, Cached>();
  #characters = 0;
  #foreign: number | undefined;
  /** Commits that were asked for and not heard of yet. */
  #unsettled = 0;

  /** Whether it says what is on disk: not while a commit is under way. */
  get isSettled(): boolean {
    return this.#unsettled === 0;
  }

  beginCommit(): void {
    this.#unsettled += 1;
  }

  endCommit(): void {
    this.#unsettled -= 1;
  }

  /** Says what the marks of the others are, in a transaction: what was kept under other marks is dropped. */
  validate(foreign: number): void {
    if (this.#foreign === foreign) return;
    this.clear();
    this.#foreign = foreign;
  }

  clear(): void {
    this.#records.clear();
    this.#characters = 0;
    this.#foreign = undefined;
  }

  /** Whether it is known what is there, or that nothing is. */
  has(name: string): boolean {
    return this.#records.has(name);
  }

  /** A copy, the caller's own; undefined where there is no record. */
  get(name: string): StoredRecord | undefined {
    const record = this.#records.get(name)?.record;
    return record === undefined ? undefined : { ...record };
  }

  set(name: string, record: StoredRecord | undefined): void {
    this.#delete(name);
    const size = record === undefined ? 0 : sizeOf(record);
    if (size > LONGEST_RECORD || this.#foreign === undefined) return;
    this.#records.set(name, { record: record === undefined ? undefined : { ...record }, size });
    this.#characters += size;
    for (const oldest of this.#records.keys()) {
      if (this.#characters <= MOST_CHARACTERS && this.#records.size <= MOST_RECORDS) return;
      this.#delete(oldest);
    }
  }

  #delete(name: string): void {
    this.#characters -= this.#records.get(name)?.size ?? 0;
    this.#records.delete(name);
  }
}

/** What a record is kept under. */
export function cacheName(table: string, key: Key): string {
  return key.length === 1 && typeof key[0] === 'number'
    ? `${table} ${key[0]}`
    : `${table} ${JSON.stringify(key)}`;
}

function sizeOf(record: StoredRecord): number {
  let size = 0;
  for (const value of Object.values(record)) if (typeof value === 'string') size += value.length;
  return size;
}
