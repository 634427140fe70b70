import { assert } from '../../core/model/errors.ts';
import type {
  ColumnType,
  ColumnValue,
  Key,
  KeyPart,
  ScanRange,
  StoredRecord,
  TableSchema,
} from '../../core/ports/storage.ts';
import { nativeKey, spanOf } from './key-range.ts';
import type { Span } from './key-range.ts';

/**
 * The store of all tables without an index: a transaction over nine stores takes Chromium twice as long to
 * begin as one over three. A key there begins with the table's name.
 */
export const SHARED_STORE = '~records';

/** What the driver knows of a table: its columns in order, its key, its indexes, and where it is. */
export class Table {
  readonly name: string;
  readonly storeName: string;
  readonly keyColumns: readonly string[];
  readonly indexes: ReadonlyMap<string, readonly string[]>;
  /** Deletes of neighbouring keys can be one: nothing lies between two neighbouring whole numbers. */
  readonly hasIntegerKey: boolean;
  readonly #columns: readonly (readonly [string, ColumnType])[];
  readonly #prefix: Key;

  /** @param hasOwnStore whether the database has a store for this table alone */
  constructor(name: string, schema: TableSchema, hasOwnStore: boolean) {
    this.name = name;
    this.storeName = hasOwnStore ? name : SHARED_STORE;
    this.#prefix = hasOwnStore ? [] : [name];
    this.keyColumns = schema.key;
    this.indexes = new Map(Object.entries(schema.indexes ?? {}));
    this.#columns = Object.entries(schema.columns);
    const [first = ''] = schema.key;
    this.hasIntegerKey = schema.key.length === 1 && schema.columns[first] === 'integer';
  }

  keyOf(record: StoredRecord): Key {
    return this.keyColumns.map((column) => record[column] as KeyPart);
  }

  /** A key as it is in the store. */
  nativeKey(key: Key): IDBValidKey {
    assert(key.length === this.keyColumns.length, `${this.name}: a key of another length`);
    return nativeKey([...this.#prefix, ...key]);
  }

  /** The same the other way round. */
  keyOfNative(native: IDBValidKey): Key {
    return Array.isArray(native) ? (native.slice(this.#prefix.length) as Key) : [native as KeyPart];
  }

  /** What a scan covers, in the store or in one of its indexes. */
  spanOf(range: ScanRange): Span {
    if (range.index === undefined) {
      const prefix = [...this.#prefix, ...(range.prefix ?? [])];
      return spanOf({ ...range, prefix }, this.#prefix.length + this.keyColumns.length);
    }
    const columns = this.indexes.get(range.index);
    assert(columns, `${this.name} has no index ${range.index}`);
    return spanOf(range, columns.length);
  }

  /**
   * The record as it is stored: as strict as SQLite would be, since IndexedDB would keep anything. Copies
   * nothing; IndexedDB does.
   */
  checked(record: StoredRecord): StoredRecord {
    for (const [column, type] of this.#columns) {
      const value = record[column];
      assert(
        value === null ? !this.keyColumns.includes(column) : isOfType(value, type),
        // The value itself may be somebody's payload and stays out of messages.
        `${this.name}.${column} cannot hold ${value === null ? 'null' : typeof value}`,
      );
    }
    return record;
  }

  /** A record as it was read. What an older version of the table did not have is null. */
  completed(value: unknown): StoredRecord {
    const record = value as Record<string, ColumnValue>;
    for (const [column] of this.#columns) {
      if (record[column] === undefined) record[column] = null;
    }
    return record;
  }
}

function isOfType(value: unknown, type: ColumnType): boolean {
  if (type === 'integer') return Number.isSafeInteger(value);
  return typeof value === 'string' || (type === 'any' && Number.isFinite(value));
}
