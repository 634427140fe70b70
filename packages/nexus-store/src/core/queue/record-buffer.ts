import { STORAGE_SCHEMA } from '../model/storage-schema.ts';
import type {
  Change,
  ColumnValue,
  Key,
  KeyPart,
  ScanRange,
  StorageTransaction,
  StoredRecord,
} from '../ports/storage.ts';
import { positionsOfSeq } from './position.ts';
import { withoutPayload, type EntryPlace, type EntryRecord, type RowRecord } from './records.ts';
import { IN_ROW, isInRow, isLetDown } from './shared-payload.ts';
import { Slot, SlotTable, UNREAD } from './slots.ts';

/** Names a record that cannot be read. */
export type OnDamage = (table: string, key: Key) => void;

/**
 * The records of one storage transaction: what was read is remembered, what changes is gathered and goes to
 * the driver in one call, and can be undone back to any point. Payloads that entries have left to their rows
 * are put in and taken out here, so nobody above knows.
 */
export class RecordBuffer {
  readonly #tx: StorageTransaction;
  readonly #isReadOnly: boolean;
  readonly #onDamage: OnDamage;
  readonly slots: SlotTable = new SlotTable();
  readonly #undoSlots: Slot[] = [];
  readonly #undoRecords: (StoredRecord | undefined)[] = [];
  #dirty: Slot[] = [];

  /** @param onDamage told of records that cannot be read, whatever becomes of the transaction */
  constructor(tx: StorageTransaction, isReadOnly: boolean, onDamage: OnDamage) {
    this.#tx = tx;
    this.#isReadOnly = isReadOnly;
    this.#onDamage = onDamage;
  }

  /** How many changes can be undone. */
  get length(): number {
    return this.#undoSlots.length;
  }

  /** The records that were changed, each once. */
  get changed(): ReadonlySet<Slot> {
    return new Set(this.#undoSlots);
  }

  /** Takes back all changes but the first ones, also those that were sent to the driver. */
  undoTo(length: number): void {
    while (this.#undoSlots.length > length) {
      const slot = this.#undoSlots.pop() as Slot;
      const record = this.#undoRecords.pop();
      slot.record = record === UNREAD ? slot.base : record;
      this.#markDirty(slot);
    }
  }

  change(slot: Slot, record: StoredRecord | undefined): void {
    this.#undoSlots.push(slot);
    this.#undoRecords.push(slot.record);
    slot.record = record;
    this.#markDirty(slot);
  }

  async read(table: string, slots: readonly Slot[]): Promise<void> {
    const keys = slots.map((slot) => slot.key);
    const records = await this.#whole(table, await this.#tx.get(table, keys));
    slots.forEach((slot, index) => {
      // Two readers may have asked at once; what was changed since stays changed.
      if (slot.record === UNREAD) slot.learn(records[index]);
    });
  }

  /** The record as storage has it, not remembered. */
  async stored(table: string, key: Key): Promise<StoredRecord | undefined> {
    const [record] = await this.#tx.get(table, [key]);
    return record;
  }

  async entriesAt(positions: readonly number[]): Promise<readonly (EntryRecord | undefined)[]> {
    const slots = positions.map((position) => this.slots.entry(position));
    const missing = slots.filter((slot) => slot.record === UNREAD);
    if (missing.length > 0) await this.read('entries', missing);
    return slots.map((slot) => slot.record as EntryRecord | undefined);
  }

  async scan(table: string, range: ScanRange): Promise<readonly StoredRecord[]> {
    if (!this.#isReadOnly) await this.send(true);
    const records = (await this.#whole(
      table,
      await this.#tx.scan(table, range),
    )) as readonly StoredRecord[];
    if (this.#isReadOnly) return records;
    const columns = STORAGE_SCHEMA.tables[table]?.key ?? [];
    for (const record of records) {
      const key = columns.map((column) => record[column] as KeyPart);
      const slot = this.slots.at(table, key);
      if (slot.record === UNREAD) slot.learn(record);
    }
    return records;
  }

  /** Entries for those who ask where they stand: in a reading transaction it saves the rows. */
  async scanPlaces(range: ScanRange): Promise<readonly EntryPlace[]> {
    const records = this.#isReadOnly
      ? await this.#tx.scan('entries', range)
      : await this.scan('entries', range);
    return records as unknown as readonly EntryPlace[];
  }

  /**
   * Sends what has changed so far to the driver.
   *
   * @param mayRollBack what is overwritten now may have to be brought back
   */
  async send(mayRollBack: boolean): Promise<void> {
    if (this.#dirty.length === 0) return;
    await this.#writeOutPayloads();
    const slots = this.#dirty;
    if (mayRollBack) await this.#learnBases(slots);
    this.#dirty = [];
    const changes: Change[] = [];
    // A driver is faster with one table after another.
    const entries: Change[] = [];
    for (const slot of slots) {
      slot.isDirty = false;
      const { table, record } = slot;
      if (record === UNREAD) continue;
      const ofTable = table === 'entries' ? entries : changes;
      if (record === undefined) ofTable.push({ table, delete: slot.key });
      else if (table !== 'entries') changes.push({ table, put: record });
      else {
        // Until the end the row may still change.
        slot.isInRow = !mayRollBack && this.#isInRow(record);
        entries.push({ table, put: slot.isInRow ? { ...record, payload: IN_ROW } : record });
      }
    }
    for (const change of entries) changes.push(change);
    if (changes.length > 0) await this.#tx.write(changes);
  }

  // ---- payloads that their rows have ---------------------------------------------------------------

  #isInRow(record: StoredRecord): boolean {
    const entry = record as unknown as EntryRecord;
    if (entry.payload === null) return false;
    const row = this.slots.knownRow(entry.partition, entry.collection, entry.entity);
    return row !== undefined && isInRow(entry, row as unknown as RowRecord);
  }

  /** Records as storage has them, with the payloads that their rows have. */
  async #whole(
    table: string,
    records: readonly (StoredRecord | undefined)[],
  ): Promise<readonly (StoredRecord | undefined)[]> {
    if (table !== 'entries' || !records.some(isWithoutPayload)) return records;
    const texts = await this.#rowTexts(
      records.filter(isWithoutPayload) as unknown as readonly EntryRecord[],
    );
    let next = 0;
    return records.map((record) => {
      if (record === undefined || !isWithoutPayload(record)) return record;
      const payload = texts[next++];
      if (typeof payload === 'string') return { ...record, payload };
      // Its row is gone, and its value with it: it is never sent, and holds up nobody else.
      this.#onDamage(table, [record['position'] as number]);
      return withoutPayload(record as unknown as EntryRecord) as unknown as StoredRecord;
    });
  }

  /** The values of the entries' rows as storage has them: what this transaction made of them is later. */
  async #rowTexts(entries: readonly EntryRecord[]): Promise<readonly (ColumnValue | undefined)[]> {
    if (this.#isReadOnly) {
      const keys = entries.map(({ partition, collection, entity }) => [
        partition,
        collection,
        entity,
      ]);
      const rows = await this.#tx.get('rows', keys);
      return entries.map(({ seq }, index) => textFor(seq, rows[index]));
    }
    for (const { position } of entries) this.slots.entry(position).isInRow = true;
    const slots = entries.map(({ partition, collection, entity }) =>
      this.slots.row(partition, collection, entity),
    );
    const missing = slots.filter((slot) => slot.record === UNREAD);
    if (missing.length > 0) await this.read('rows', missing);
    return entries.map(({ seq }, index) => textFor(seq, slots[index]?.base));
  }

  /** Entries whose rows change get their payloads back, before the rows are stored. */
  async #writeOutPayloads(): Promise<void> {
    // Entries join those that are dirty meanwhile; rows do not.
    for (const slot of [...this.#dirty]) {
      const before = slot.table === 'rows' ? (slot.base as RowRecord | undefined) : undefined;
      if (before === undefined || slot.record === UNREAD) continue;
      if (!isLetDown(before, slot.record as RowRecord | undefined)) continue;
      const entry = await this.#slotOfSeq(before.partition, before.head as number);
      if (entry?.isInRow === true) this.#markDirty(entry);
    }
  }

  /** Where the entry of a seq stands now; undefined if it is gone. */
  async #slotOfSeq(partition: number, seq: number): Promise<Slot | undefined> {
    const positions = positionsOfSeq(partition, seq);
    let wasKnown = false;
    for (const position of positions) {
      const slot = this.slots.knownEntry(position);
      if (slot === undefined || slot.record === UNREAD) continue;
      if (slot.record !== undefined) return slot;
      wasKnown ||= slot.base !== undefined && slot.base !== UNREAD;
    }
    if (wasKnown) return undefined;
    const found = await this.entriesAt(positions);
    const at = found.findIndex((entry) => entry !== undefined);
    return at < 0 ? undefined : this.slots.entry(positions[at] as number);
  }

  async #learnBases(slots: readonly Slot[]): Promise<void> {
    const unknown = slots.filter((slot) => slot.base === UNREAD && slot.record !== UNREAD);
    for (const table of new Set(unknown.map((slot) => slot.table))) {
      const ofTable = unknown.filter((slot) => slot.table === table);
      const keys = ofTable.map((slot) => slot.key);
      const records = await this.#whole(table, await this.#tx.get(table, keys));
      ofTable.forEach((slot, index) => {
        slot.base = records[index];
      });
    }
  }

  #markDirty(slot: Slot): void {
    if (slot.isDirty) return;
    slot.isDirty = true;
    this.#dirty.push(slot);
  }
}

/** The value of a row, for the entry that left its payload to it. A row that came later has another's. */
function textFor(seq: number, row: StoredRecord | undefined): ColumnValue | undefined {
  return row?.['head'] === seq ? row['value'] : undefined;
}

function isWithoutPayload(record: StoredRecord | undefined): boolean {
  return record?.['payload'] === IN_ROW;
}
