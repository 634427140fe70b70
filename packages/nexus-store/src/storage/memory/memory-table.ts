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
import { compareKeys } from './key-order.ts';
import { SortedList } from './sorted-list.ts';

interface Item {
  readonly key: Key;
  record: StoredRecord;
}

interface SparseIndex {
  readonly columns: readonly string[];
  /** Keyed by the index's columns and then the primary key, so that equal keys keep a stable order. */
  readonly items: SortedList<Item>;
}

/** The records of one table in the order of its primary key, and its sparse indexes. */
export class MemoryTable {
  readonly #name: string;
  readonly #columns: readonly (readonly [string, ColumnType])[];
  readonly #keyColumns: readonly string[];
  readonly #records: SortedList<Item> = newItems();
  /** The same by name, so that finding one record costs no more among a million. */
  readonly #byName = new Map<KeyPart, Item>();
  readonly #indexes = new Map<string, SparseIndex>();

  constructor(name: string, schema: TableSchema) {
    this.#name = name;
    this.#columns = Object.entries(schema.columns);
    this.#keyColumns = schema.key;
    for (const [index, columns] of Object.entries(schema.indexes ?? {})) {
      this.#indexes.set(index, { columns, items: newItems() });
    }
  }

  get(key: Key): StoredRecord | undefined {
    assert(key.length === this.#keyColumns.length, `${this.#name}: a key of another length`);
    const item = this.#byName.get(nameOf(key));
    return item === undefined ? undefined : { ...item.record };
  }

  scan(range: ScanRange): StoredRecord[] {
    const items = range.index === undefined ? this.#records : this.#index(range.index).items;
    const { isBefore, isWithin } = borders(range);
    const found = items.slice(isBefore, isWithin, range.limit, range.reverse ?? false);
    return found.map((item) => ({ ...item.record }));
  }

  /** Inserts or replaces, and returns what was replaced. */
  put(record: StoredRecord): StoredRecord | undefined {
    const copy = this.#checkedCopy(record);
    const replaced = this.#place(copy);
    if (replaced !== undefined) this.#unlink(replaced);
    for (const index of this.#indexes.values()) {
      const item = this.#indexItem(index, copy);
      if (item !== undefined) index.items.set(item);
    }
    return replaced;
  }

  #place(record: StoredRecord): StoredRecord | undefined {
    const key = this.keyOf(record);
    const name = nameOf(key);
    const found = this.#byName.get(name);
    if (found === undefined) {
      const item = { key, record };
      this.#byName.set(name, item);
      this.#records.set(item);
      return undefined;
    }
    const replaced = found.record;
    found.record = record;
    return replaced;
  }

  /** Returns what was deleted. */
  delete(key: Key): StoredRecord | undefined {
    assert(key.length === this.#keyColumns.length, `${this.#name}: a key of another length`);
    const name = nameOf(key);
    const item = this.#byName.get(name);
    if (item === undefined) return undefined;
    this.#byName.delete(name);
    this.#records.delete(item);
    this.#unlink(item.record);
    return item.record;
  }

  keyOf(record: StoredRecord): Key {
    return this.#keyColumns.map((column) => record[column] as KeyPart);
  }

  /** Takes over the records of an older version of this table. Columns it did not have are null. */
  fillFrom(older: MemoryTable): void {
    const empty = Object.fromEntries(this.#columns.map(([column]) => [column, null]));
    for (const { record } of older.#records) this.put({ ...empty, ...record });
  }

  #index(name: string): SparseIndex {
    const index = this.#indexes.get(name);
    assert(index, `${this.#name} has no index ${name}`);
    return index;
  }

  #unlink(record: StoredRecord): void {
    for (const index of this.#indexes.values()) {
      const item = this.#indexItem(index, record);
      if (item !== undefined) index.items.delete(item);
    }
  }

  #indexItem(index: SparseIndex, record: StoredRecord): Item | undefined {
    const key: KeyPart[] = [];
    for (const column of index.columns) {
      const part = record[column] as ColumnValue;
      if (part === null) return undefined;
      key.push(part);
    }
    key.push(...this.keyOf(record));
    return { key, record };
  }

  /** Strict where SQLite would be, so that a mistake in a record shows in the fastest tests. */
  #checkedCopy(record: StoredRecord): StoredRecord {
    const copy: Record<string, ColumnValue> = {};
    for (const [column, type] of this.#columns) {
      const value = record[column];
      assert(
        value === null ? !this.#keyColumns.includes(column) : isOfType(value, type),
        // The value itself may be somebody's payload and stays out of messages.
        `${this.#name}.${column} cannot hold ${value === null ? 'null' : typeof value}`,
      );
      copy[column] = value as ColumnValue;
    }
    return copy;
  }
}

/** A key as one value, another one for every other key. */
function nameOf(key: Key): KeyPart {
  const [first] = key;
  if (key.length === 1 && first !== undefined) return first;
  let name = '';
  // Lengths come first, so that no text can be mistaken for another key.
  for (const part of key) name += typeof part === 'number' ? `#${part}` : `$${part.length}:${part}`;
  return name;
}

function newItems(): SortedList<Item> {
  return new SortedList<Item>((left, right) => compareKeys(left.key, right.key));
}

function isOfType(value: unknown, type: ColumnType): boolean {
  if (type === 'integer') return Number.isSafeInteger(value);
  return typeof value === 'string' || (type === 'any' && Number.isFinite(value));
}

/** The two ends of a range, each as a predicate that holds for a leading part of all items. */
function borders(range: ScanRange): {
  isBefore: (item: Item) => boolean;
  isWithin: (item: Item) => boolean;
} {
  const { prefix = [], from = [], to = [], fromOpen = false, toOpen = false } = range;
  const lowest = [...prefix, ...from];
  const highest = [...prefix, ...to];
  // A bound that was not given must not leave out the keys that equal the prefix.
  const isFromOpen = fromOpen && from.length > 0;
  const isToOpen = toOpen && to.length > 0;
  return {
    isBefore: ({ key }) => compareKeys(key, lowest) < (isFromOpen ? 1 : 0),
    isWithin: ({ key }) => compareKeys(key, highest) < (isToOpen ? 0 : 1),
  };
}
