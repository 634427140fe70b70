import type { EntityId } from '../model/entry.ts';
import { assert, StoreError } from '../model/errors.ts';
import type { SyncEvent } from '../model/events.ts';
import type { PriorityRank } from '../model/priority.ts';
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
import { recountQueue } from './recount-queue.ts';
import { QueueState, type Counters, type StateMark } from './queue-state.ts';
import { positionsOf } from './leases.ts';
import {
  withoutPayload,
  type EntryPlace,
  type EntryRecord,
  type LeaseRecord,
  type RowRecord,
} from './records.ts';
import { IN_ROW, isInRow, isLetDown } from './shared-payload.ts';
import { Slot, SlotTable, UNREAD } from './slots.ts';

export type { Counters } from './queue-state.ts';

/** A point to come back to when one of several bodies in a transaction fails. */
export interface Savepoint {
  readonly undoLength: number;
  readonly noticeLength: number;
  readonly state: StateMark | undefined;
}

/** A row changed in a transaction, for those who watch it. */
export interface ChangedRow {
  readonly partition: number;
  readonly collection: string;
  readonly id: EntityId;
}

/** A row before and after a transaction; undefined: there was or is none. */
export interface RowChange {
  readonly before: RowRecord | undefined;
  readonly after: RowRecord | undefined;
}

/** Names a record that cannot be read. */
export type OnDamage = (table: string, key: Key) => void;

/** Leases are read all at once: leaving one out would let two runners send its entries. */
const ALL_LEASES = 1_000_000;

/**
 * One storage transaction as the queue works on it: reads are remembered, writes are gathered and go
 * to the driver in one call. Several bodies can share it; each can be undone alone.
 */
export class UnitOfWork {
  readonly #tx: StorageTransaction;
  readonly #isReadOnly: boolean;
  readonly #slots = new SlotTable();
  readonly #undoSlots: Slot[] = [];
  readonly #undoRecords: (StoredRecord | undefined)[] = [];
  readonly #touchedRows: Slot[] = [];
  #dirty: Slot[] = [];
  #state: QueueState | undefined;
  readonly #lastState: QueueState | undefined;
  readonly #onDamage: OnDamage | undefined;
  #leases: Promise<Map<number, LeaseRecord>> | undefined;
  #leased: Set<number> | undefined;
  /** Told to listeners once the transaction is committed. */
  readonly notices: SyncEvent[] = [];
  /** Somebody worked for a user who is not signed in any more, and was refused. */
  metClosed = false;

  /**
   * @param lastState of the last transaction, to go on with if it still holds
   * @param onDamage told of records that cannot be read, whatever becomes of the transaction
   */
  constructor(
    tx: StorageTransaction,
    mode: 'read' | 'write' = 'write',
    lastState?: QueueState,
    onDamage?: OnDamage,
  ) {
    this.#tx = tx;
    this.#isReadOnly = mode === 'read';
    this.#lastState = lastState;
    this.#onDamage = onDamage;
  }

  /** A record cannot be read: it is set aside, and the rest goes on. */
  noteDamage(table: string, key: Key): void {
    this.#onDamage?.(table, key);
  }

  // ---- state -------------------------------------------------------------------------------------

  /** Reads the counters; call before anything that changes them. */
  async loadState(): Promise<void> {
    if (this.#state !== undefined) return;
    const [record] = await this.#tx.get('meta', [['queue']]);
    const text = record?.['value'] as string | undefined;
    try {
      this.#state = this.#lastState?.continuedFrom(text) ?? new QueueState(text);
    } catch {
      this.noteDamage('meta', ['queue']);
      this.#state = await recountQueue(this);
    }
  }

  get state(): QueueState {
    assert(this.#state !== undefined, 'loadState comes first');
    return this.#state;
  }

  counters(partition: number): Counters {
    return this.state.counters(partition);
  }

  setCounters(partition: number, counters: Counters): void {
    this.state.setCounters(partition, counters);
  }

  takeSeq(): number {
    return this.state.takeSeq();
  }

  takeFence(): number {
    return this.state.takeFence();
  }

  /** An entry came (+1) or went (-1), of this priority and size. */
  countEntry(
    partition: number,
    rank: PriorityRank,
    bytes: number,
    sign: 1 | -1,
    collection?: string,
  ): void {
    this.state.countEntry(partition, rank, bytes, sign);
    if (collection !== undefined) this.state.countCollection(partition, collection, sign);
  }

  /** False for a partition that is being erased. */
  isOpen(partition: number): boolean {
    if (this.#state?.isClosed(partition) !== true) return true;
    this.metClosed = true;
    return false;
  }

  /**
   * For those who send or store something of a user: nothing may come to a partition that is being erased.
   * Another context may not have heard yet that its user signed out.
   *
   * @throws StoreError `store/signed-out`
   */
  requireOpen(partition: number): void {
    if (this.isOpen(partition)) return;
    throw new StoreError(
      'store/signed-out',
      'the user has signed out, with everything that was not sent discarded',
    );
  }

  // ---- rows --------------------------------------------------------------------------------------

  /** Reads many rows at once, so that what follows finds them at hand. */
  async preloadRows(keys: readonly ChangedRow[]): Promise<void> {
    const missing: Slot[] = [];
    for (const { partition, collection, id } of keys) {
      const slot = this.#slots.row(partition, collection, id);
      if (slot.record !== UNREAD || slot.isAsked) continue;
      slot.isAsked = true;
      missing.push(slot);
    }
    if (missing.length > 0) await this.#read('rows', missing);
  }

  async row(partition: number, collection: string, id: EntityId): Promise<RowRecord | undefined> {
    const slot = this.#slots.row(partition, collection, id);
    if (slot.record === UNREAD) await this.#read('rows', [slot]);
    return slot.record as RowRecord | undefined;
  }

  /** The row if it was read already; false if it must be read with `row`. */
  rowAtHand(partition: number, collection: string, id: EntityId): RowRecord | undefined | false {
    const { record } = this.#slots.row(partition, collection, id);
    return record === UNREAD ? false : (record as RowRecord | undefined);
  }

  putRow(row: RowRecord): void {
    this.requireOpen(row.partition);
    this.#changeRow(this.#slots.row(row.partition, row.collection, row.id), row);
  }

  deleteRow(row: RowRecord): void {
    this.#changeRow(this.#slots.row(row.partition, row.collection, row.id), undefined);
  }

  /** The rows that this transaction changed. */
  get changedRows(): readonly ChangedRow[] {
    return this.#changedRowSlots().map((slot) => {
      const [partition, collection, id] = slot.key as readonly [number, string, EntityId];
      return { partition, collection, id };
    });
  }

  /** The same with what they were and are. */
  rowChanges(): readonly RowChange[] {
    return this.#changedRowSlots().map((slot) => ({
      before: slot.base as RowRecord | undefined,
      after: slot.record as RowRecord | undefined,
    }));
  }

  #changedRowSlots(): Slot[] {
    return this.#touchedRows.filter((slot) => slot.record !== slot.base);
  }

  #changeRow(slot: Slot, row: RowRecord | undefined): void {
    assert(slot.base !== UNREAD, 'a row is read before it is changed');
    if (!slot.isTouched) {
      slot.isTouched = true;
      this.#touchedRows.push(slot);
    }
    this.#change(slot, row as unknown as StoredRecord | undefined);
  }

  // ---- entries -----------------------------------------------------------------------------------

  async entriesAt(positions: readonly number[]): Promise<readonly (EntryRecord | undefined)[]> {
    const slots = positions.map((position) => this.#slots.entry(position));
    const missing = slots.filter((slot) => slot.record === UNREAD);
    if (missing.length > 0) await this.#read('entries', missing);
    return slots.map((slot) => slot.record as EntryRecord | undefined);
  }

  async entryAt(position: number): Promise<EntryRecord | undefined> {
    const slot = this.#slots.entry(position);
    if (slot.record === UNREAD) await this.#read('entries', [slot]);
    return slot.record as EntryRecord | undefined;
  }

  /** The entry that stands at one of these positions. */
  async entryAtAny(positions: readonly number[]): Promise<EntryRecord | undefined> {
    for (const position of positions) {
      const { record } = this.#slots.entry(position);
      if (record !== UNREAD && record !== undefined) return record as unknown as EntryRecord;
    }
    return (await this.entriesAt(positions)).find((entry) => entry !== undefined);
  }

  putEntry(entry: EntryRecord): void {
    this.requireOpen(entry.partition);
    const slot = this.#slots.entry(entry.position);
    // An entry stands in one place: where it comes to was empty.
    if (slot.record === UNREAD) slot.learn(undefined);
    this.#change(slot, entry as unknown as StoredRecord);
  }

  deleteEntry(entry: EntryRecord): void {
    this.#change(this.#slots.entry(entry.position), undefined);
  }

  /** Gives an entry another position: another key, so the old record goes. */
  moveEntry(entry: EntryRecord, position: number): EntryRecord {
    if (entry.position === position) return entry;
    this.deleteEntry(entry);
    const moved = { ...entry, position };
    this.putEntry(moved);
    return moved;
  }

  async scanEntries(range: ScanRange): Promise<readonly EntryRecord[]> {
    return (await this.scan('entries', range)) as unknown as readonly EntryRecord[];
  }

  /** The same for those who ask where entries stand: in a reading transaction it saves the rows. */
  async scanPlaces(range: ScanRange): Promise<readonly EntryPlace[]> {
    if (!this.#isReadOnly) return this.scanEntries(range);
    return (await this.#tx.scan('entries', range)) as unknown as readonly EntryPlace[];
  }

  // ---- leases ------------------------------------------------------------------------------------

  /** All claims that are out, of every partition, by fence. */
  leases(): Promise<ReadonlyMap<number, LeaseRecord>> {
    this.#leases ??= this.#readLeases();
    return this.#leases;
  }

  async #readLeases(): Promise<Map<number, LeaseRecord>> {
    const records = await this.scan('leases', { limit: ALL_LEASES });
    return new Map(
      records.map((record) => [record['fence'] as number, record as unknown as LeaseRecord]),
    );
  }

  /** The positions of all claimed entries. */
  async leasedPositions(): Promise<ReadonlySet<number>> {
    if (this.#leased === undefined) {
      const leased = new Set<number>();
      for (const lease of (await this.leases()).values()) {
        for (const position of positionsOf(lease)) leased.add(position);
      }
      this.#leased = leased;
    }
    return this.#leased;
  }

  async putLease(lease: LeaseRecord): Promise<void> {
    ((await this.leases()) as Map<number, LeaseRecord>).set(lease.fence, lease);
    this.#leased = undefined;
    this.put('leases', [lease.fence], lease as unknown as StoredRecord);
  }

  async deleteLease(fence: number): Promise<void> {
    ((await this.leases()) as Map<number, LeaseRecord>).delete(fence);
    this.#leased = undefined;
    this.delete('leases', [fence]);
  }

  // ---- any table ---------------------------------------------------------------------------------

  async get(table: string, key: Key): Promise<StoredRecord | undefined> {
    const slot = this.#slots.at(table, key);
    if (slot.record === UNREAD) await this.#read(table, [slot]);
    return slot.record;
  }

  put(table: string, key: Key, record: StoredRecord): void {
    const slot = this.#slots.at(table, key);
    if (table === 'rows') this.#changeRow(slot, record as unknown as RowRecord);
    else this.#change(slot, record);
  }

  delete(table: string, key: Key): void {
    const slot = this.#slots.at(table, key);
    if (table === 'rows') this.#changeRow(slot, undefined);
    else this.#change(slot, undefined);
  }

  /** Sends what has changed so far, so that several scans can then be asked for side by side. */
  async sendChanges(): Promise<void> {
    if (!this.#isReadOnly) await this.#send(true);
  }

  async scan(table: string, range: ScanRange): Promise<readonly StoredRecord[]> {
    if (!this.#isReadOnly) await this.#send(true);
    const records = (await this.#whole(
      table,
      await this.#tx.scan(table, range),
    )) as readonly StoredRecord[];
    if (this.#isReadOnly) return records;
    const columns = STORAGE_SCHEMA.tables[table]?.key ?? [];
    for (const record of records) {
      const key = columns.map((column) => record[column] as KeyPart);
      const slot = this.#slots.at(table, key);
      if (slot.record === UNREAD) slot.learn(record);
    }
    return records;
  }

  notify(notice: SyncEvent): void {
    this.notices.push(notice);
  }

  // ---- the transaction ---------------------------------------------------------------------------

  savepoint(): Savepoint {
    return {
      undoLength: this.#undoSlots.length,
      noticeLength: this.notices.length,
      state: this.#state?.mark(),
    };
  }

  /** Undoes everything since the savepoint, also what was sent to the driver since. */
  rollbackTo(savepoint: Savepoint): void {
    while (this.#undoSlots.length > savepoint.undoLength) {
      const slot = this.#undoSlots.pop() as Slot;
      const record = this.#undoRecords.pop();
      slot.record = record === UNREAD ? slot.base : record;
      this.#markDirty(slot);
    }
    this.notices.length = savepoint.noticeLength;
    if (savepoint.state !== undefined) this.#state?.rollbackTo(savepoint.state);
    this.#leases = undefined;
    this.#leased = undefined;
  }

  /** Whether the transaction has changed anything; known after `flush`. */
  get hasChanges(): boolean {
    return this.#undoSlots.length > 0;
  }

  /** Sends all that changed to the driver, at the end. */
  async flush(): Promise<void> {
    if (this.#state?.isChanged === true) {
      this.put('meta', ['queue'], { name: 'queue', value: this.#state.toText() });
    }
    await this.#send(false);
  }

  /** @param mayRollBack what is overwritten now may have to be brought back */
  async #send(mayRollBack: boolean): Promise<void> {
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
    const row = this.#slots.knownRow(entry.partition, entry.collection, entry.entity);
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
      this.noteDamage(table, [record['position'] as number]);
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
    for (const { position } of entries) this.#slots.entry(position).isInRow = true;
    const slots = entries.map(({ partition, collection, entity }) =>
      this.#slots.row(partition, collection, entity),
    );
    const missing = slots.filter((slot) => slot.record === UNREAD);
    if (missing.length > 0) await this.#read('rows', missing);
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
      const slot = this.#slots.knownEntry(position);
      if (slot === undefined || slot.record === UNREAD) continue;
      if (slot.record !== undefined) return slot;
      wasKnown ||= slot.base !== undefined && slot.base !== UNREAD;
    }
    if (wasKnown) return undefined;
    const found = await this.entriesAt(positions);
    const at = found.findIndex((entry) => entry !== undefined);
    return at < 0 ? undefined : this.#slots.entry(positions[at] as number);
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

  async #read(table: string, slots: readonly Slot[]): Promise<void> {
    const keys = slots.map((slot) => slot.key);
    const records = await this.#whole(table, await this.#tx.get(table, keys));
    slots.forEach((slot, index) => {
      // Two readers may have asked at once; what was changed since stays changed.
      if (slot.record === UNREAD) slot.learn(records[index]);
    });
  }

  #change(slot: Slot, record: StoredRecord | undefined): void {
    this.#undoSlots.push(slot);
    this.#undoRecords.push(slot.record);
    slot.record = record;
    this.#markDirty(slot);
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
