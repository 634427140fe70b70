import type { EntityId } from '../model/entry.ts';
import type { Key, StoredRecord } from '../ports/storage.ts';

/** Stands for a record that nobody has looked at yet. */
export const UNREAD: StoredRecord = Object.freeze({});

/** One record as a transaction sees it. */
export class Slot {
  readonly table: string;
  readonly key: Key;
  /** undefined: there is none. `UNREAD`: not known. */
  record: StoredRecord | undefined = UNREAD;
  /** What it was before the transaction. */
  base: StoredRecord | undefined = UNREAD;
  isDirty = false;
  isTouched = false;
  isAsked = false;
  /** Storage has this entry without its payload: see `shared-payload.ts`. */
  isInRow = false;

  constructor(table: string, key: Key) {
    this.table = table;
    this.key = key;
  }

  /** What storage holds, read before the transaction changed it. */
  learn(record: StoredRecord | undefined): void {
    this.base = record;
    this.record = record;
  }
}

/** The slots of a transaction by table and key. */
export class SlotTable {
  readonly #entries = new Map<number, Slot>();
  readonly #rows = new Map<string, Map<EntityId, Slot>>();
  readonly #others = new Map<string, Slot>();
  // Most transactions touch one collection: its map is found without making a name.
  #lastPartition = -1;
  #lastCollection = '';
  #lastRows: Map<EntityId, Slot> = new Map();

  entry(position: number): Slot {
    let slot = this.#entries.get(position);
    if (slot === undefined) {
      slot = new Slot('entries', [position]);
      this.#entries.set(position, slot);
    }
    return slot;
  }

  /** The slot of an entry, if anyone has asked for it. */
  knownEntry(position: number): Slot | undefined {
    return this.#entries.get(position);
  }

  row(partition: number, collection: string, id: EntityId): Slot {
    const rows = this.#rowsOf(partition, collection);
    let slot = rows.get(id);
    if (slot === undefined) {
      slot = new Slot('rows', [partition, collection, id]);
      rows.set(id, slot);
    }
    return slot;
  }

  /** The row of an entry, if it was read. */
  knownRow(partition: number, collection: string, id: EntityId): StoredRecord | undefined {
    const record = this.#rowsOf(partition, collection).get(id)?.record;
    return record === UNREAD ? undefined : record;
  }

  at(table: string, key: Key): Slot {
    if (table === 'entries') return this.entry(key[0] as number);
    if (table === 'rows') return this.row(key[0] as number, key[1] as string, key[2] as EntityId);
    const name = nameOf(table, key);
    let slot = this.#others.get(name);
    if (slot === undefined) {
      slot = new Slot(table, key);
      this.#others.set(name, slot);
    }
    return slot;
  }

  #rowsOf(partition: number, collection: string): Map<EntityId, Slot> {
    if (partition === this.#lastPartition && collection === this.#lastCollection) {
      return this.#lastRows;
    }
    const name = `${partition}/${collection}`;
    let rows = this.#rows.get(name);
    if (rows === undefined) {
      rows = new Map();
      this.#rows.set(name, rows);
    }
    this.#lastPartition = partition;
    this.#lastCollection = collection;
    this.#lastRows = rows;
    return rows;
  }
}

/** Lengths come first, so that no text can be mistaken for another key. */
function nameOf(table: string, key: Key): string {
  let name = table;
  for (const part of key) {
    name += typeof part === 'number' ? `#${part}` : `$${part.length}:${part}`;
  }
  return name;
}
