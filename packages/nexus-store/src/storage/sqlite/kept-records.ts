import type { Key, KeyPart, StoredRecord } from '../../core/ports/storage.ts';

/** There are a few for each collection and user; a table with more than this is not small. */
const MOST_RECORDS = 1_000;

/**
 * The records of a small table as the transaction under way sees them, so that what every transaction
 * reads is not asked of SQLite each time. The connection says when they no longer hold.
 */
export class KeptRecords {
  readonly #keyColumn: string;
  /** By the only part of their key; null: there is none. */
  readonly #records = new Map<KeyPart, StoredRecord | null>();

  constructor(keyColumn: string) {
    this.#keyColumn = keyColumn;
  }

  /** A copy, the caller's own; null: there is no record; undefined: not known. */
  get(key: Key): StoredRecord | null | undefined {
    const record = this.#records.get(key[0] as KeyPart);
    return record ? { ...record } : record;
  }

  /** What was read. */
  learn(key: Key, record: StoredRecord | undefined): void {
    this.#set(key[0] as KeyPart, record === undefined ? null : { ...record });
  }

  put(record: StoredRecord): void {
    this.#set(record[this.#keyColumn] as KeyPart, { ...record });
  }

  delete(key: Key): void {
    this.#set(key[0] as KeyPart, null);
  }

  forget(): void {
    this.#records.clear();
  }

  #set(part: KeyPart, record: StoredRecord | null): void {
    if (this.#records.size >= MOST_RECORDS && !this.#records.has(part)) this.#records.clear();
    this.#records.set(part, record);
  }
}
