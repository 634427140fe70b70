import type { EntityId } from '../model/entry.ts';
import { assert, StoreError } from '../model/errors.ts';
import type { SyncEvent } from '../model/events.ts';
import type { PriorityRank } from '../model/priority.ts';
import type { Key, ScanRange, StorageTransaction, StoredRecord } from '../ports/storage.ts';
import { positionsOf } from './leases.ts';
import { isReady } from './position.ts';
import { QueueState, type Counters, type StateMark } from './queue-state.ts';
import { RecordBuffer, type OnDamage } from './record-buffer.ts';
import type { EntryPlace, EntryRecord, LeaseRecord, RowRecord } from './records.ts';
import { recountQueue } from './recount-queue.ts';
import { UNREAD, type Slot } from './slots.ts';
import { touchedLanes } from './touched-lanes.ts';

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

/** Leases are read all at once: leaving one out would let two runners send its entries. */
const ALL_LEASES = 1_000_000;

/**
 * One storage transaction as the queue works on it: reads are remembered, writes are gathered and go
 * to the driver in one call. Several bodies can share it; each can be undone alone.
 */
export class UnitOfWork {
  readonly #records: RecordBuffer;
  readonly #touchedRows: Slot[] = [];
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
    this.#onDamage = onDamage;
    this.#lastState = lastState;
    this.#records = new RecordBuffer(tx, mode === 'read', (table, key) =>
      this.noteDamage(table, key),
    );
  }

  /** A record cannot be read: it is set aside, and the rest goes on. */
  noteDamage(table: string, key: Key): void {
    this.#onDamage?.(table, key);
  }

  // ---- state -------------------------------------------------------------------------------------

  /** Reads the counters; call before anything that changes them. */
  async loadState(): Promise<void> {
    if (this.#state !== undefined) return;
    const record = await this.#records.stored('meta', ['queue']);
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
      const slot = this.#records.slots.row(partition, collection, id);
      if (slot.record !== UNREAD || slot.isAsked) continue;
      slot.isAsked = true;
      missing.push(slot);
    }
    if (missing.length > 0) await this.#records.read('rows', missing);
  }

  async row(partition: number, collection: string, id: EntityId): Promise<RowRecord | undefined> {
    const slot = this.#records.slots.row(partition, collection, id);
    if (slot.record === UNREAD) await this.#records.read('rows', [slot]);
    return slot.record as RowRecord | undefined;
  }

  /** The row if it was read already; false if it must be read with `row`. */
  rowAtHand(partition: number, collection: string, id: EntityId): RowRecord | undefined | false {
    const { record } = this.#records.slots.row(partition, collection, id);
    return record === UNREAD ? false : (record as RowRecord | undefined);
  }

  putRow(row: RowRecord): void {
    this.requireOpen(row.partition);
    this.#changeRow(this.#records.slots.row(row.partition, row.collection, row.id), row);
  }

  deleteRow(row: RowRecord): void {
    this.#changeRow(this.#records.slots.row(row.partition, row.collection, row.id), undefined);
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
    this.#records.change(slot, row as unknown as StoredRecord | undefined);
  }

  // ---- entries -----------------------------------------------------------------------------------

  entriesAt(positions: readonly number[]): Promise<readonly (EntryRecord | undefined)[]> {
    return this.#records.entriesAt(positions);
  }

  async entryAt(position: number): Promise<EntryRecord | undefined> {
    const slot = this.#records.slots.entry(position);
    if (slot.record === UNREAD) await this.#records.read('entries', [slot]);
    return slot.record as EntryRecord | undefined;
  }

  /** The entry that stands at one of these positions. */
  async entryAtAny(positions: readonly number[]): Promise<EntryRecord | undefined> {
    for (const position of positions) {
      const { record } = this.#records.slots.entry(position);
      if (record !== UNREAD && record !== undefined) return record as unknown as EntryRecord;
    }
    return (await this.entriesAt(positions)).find((entry) => entry !== undefined);
  }

  putEntry(entry: EntryRecord): void {
    this.requireOpen(entry.partition);
    if (entry.state === null && !isReady(entry.position))
      this.#state?.notePark(entry.partition, entry.seq);
    const slot = this.#records.slots.entry(entry.position);
    // An entry stands in one place: where it comes to was empty.
    if (slot.record === UNREAD) slot.learn(undefined);
    this.#records.change(slot, entry as unknown as StoredRecord);
  }

  deleteEntry(entry: EntryRecord): void {
    this.#records.change(this.#records.slots.entry(entry.position), undefined);
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
  scanPlaces(range: ScanRange): Promise<readonly EntryPlace[]> {
    return this.#records.scanPlaces(range);
  }

  /** The entities whose entries this transaction changed or claimed; undefined if it cannot be told. */
  get touchedLanes(): readonly ChangedRow[] | undefined {
    return touchedLanes(this.#records.changed, this.#records.slots);
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
    const slot = this.#records.slots.at(table, key);
    if (slot.record === UNREAD) await this.#records.read(table, [slot]);
    return slot.record;
  }

  /** The same for several of one table, asked for together. */
  async getAll(
    table: string,
    keys: readonly Key[],
  ): Promise<readonly (StoredRecord | undefined)[]> {
    const slots = keys.map((key) => this.#records.slots.at(table, key));
    const missing = slots.filter((slot) => slot.record === UNREAD);
    if (missing.length > 0) await this.#records.read(table, missing);
    return slots.map((slot) => slot.record);
  }

  put(table: string, key: Key, record: StoredRecord): void {
    const slot = this.#records.slots.at(table, key);
    if (table === 'rows') this.#changeRow(slot, record as unknown as RowRecord);
    else this.#records.change(slot, record);
  }

  delete(table: string, key: Key): void {
    const slot = this.#records.slots.at(table, key);
    if (table === 'rows') this.#changeRow(slot, undefined);
    else this.#records.change(slot, undefined);
  }

  /** Sends what has changed so far, so that several scans can then be asked for side by side. */
  async sendChanges(): Promise<void> {
    await this.#records.send(true);
  }

  scan(table: string, range: ScanRange): Promise<readonly StoredRecord[]> {
    return this.#records.scan(table, range);
  }

  notify(notice: SyncEvent): void {
    this.notices.push(notice);
  }

  // ---- the transaction ---------------------------------------------------------------------------

  savepoint(): Savepoint {
    return {
      undoLength: this.#records.length,
      noticeLength: this.notices.length,
      state: this.#state?.mark(),
    };
  }

  /** Undoes everything since the savepoint, also what was sent to the driver since. */
  rollbackTo(savepoint: Savepoint): void {
    this.#records.undoTo(savepoint.undoLength);
    this.notices.length = savepoint.noticeLength;
    if (savepoint.state !== undefined) this.#state?.rollbackTo(savepoint.state);
    this.#leases = undefined;
    this.#leased = undefined;
  }

  /** Whether the transaction has changed anything; known after `flush`. */
  get hasChanges(): boolean {
    return this.#records.length > 0;
  }

  /** Sends all that changed to the driver, at the end. */
  async flush(): Promise<void> {
    if (this.#state?.isChanged === true) {
      this.put('meta', ['queue'], { name: 'queue', value: this.#state.toText() });
    }
    await this.#records.send(false);
  }
}
