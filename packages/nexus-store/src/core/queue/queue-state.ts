import type { PriorityRank } from '../model/priority.ts';

/** What one partition holds, kept in a record so that nobody ever counts rows. */
export interface Counters {
  /** Entries that are neither dead nor in conflict, by their own priority. */
  readonly pending: readonly [number, number, number, number];
  readonly dead: number;
  readonly conflicts: number;
  /** Of all entries, see `entryBytes`. */
  readonly bytes: number;
}

export const NO_COUNTERS: Counters = { pending: [0, 0, 0, 0], dead: 0, conflicts: 0, bytes: 0 };
const NONE: readonly number[] = [];
const NOWHERE = {};

/** What stands in the record `queue` of the table `meta`, as JSON. */
export interface StoredState {
  readonly nextSeq: number;
  readonly nextFence: number;
  /** How many transactions have stored what the server said of rows; see `acknowledgements.ts`. */
  readonly acknowledgements?: number;
  /** No row is noted as fetched before this. Epoch milliseconds. */
  readonly fetchFloor?: number;
  /** How often it was changed which fields of rows are indexed. */
  readonly indexes?: number;
  /** Partitions that are nobody's: what stands in them is erased, and nothing may be put there. */
  readonly closed?: readonly number[];
  /** By partition: no entry that waits is parked at a seq before this one. */
  readonly parkedFrom?: { readonly [partition: string]: number };
  readonly counters: { readonly [partition: string]: Counters };
  readonly collections?: { readonly [partition: string]: CollectionCounts };
}

/** Entries that are neither dead nor in conflict, by their collection; none of it is zero. */
export type CollectionCounts = { readonly [collection: string]: number };

/** A point to come back to. */
export interface StateMark {
  readonly nextSeq: number;
  readonly nextFence: number;
  readonly acknowledgements: number;
  readonly fetchFloor: number;
  readonly indexes: number;
  readonly closed: readonly number[];
  readonly parkedFrom: { readonly [partition: string]: number };
  readonly undoLength: number;
  readonly undoCountsLength: number;
}

interface Undo {
  readonly partition: number;
  readonly counters: Counters;
}

interface UndoCount {
  readonly counts: Map<string, number>;
  readonly collection: string;
  readonly count: number;
}

/**
 * The next numbers and the counters of all partitions, as one transaction changes them. The next one can
 * go on with it if storage still says the same: reading the text anew costs a save 1.5 microseconds.
 */
export class QueueState {
  readonly #counters = new Map<number, Counters>();
  /** By partition, then by collection. */
  readonly #collections = new Map<number, Map<string, number>>();
  #undo: Undo[] = [];
  #undoCounts: UndoCount[] = [];
  #nextSeq = 1;
  #nextFence = 1;
  #acknowledgements = 0;
  #fetchFloor = 0;
  #indexes = 0;
  #closed: readonly number[] = NONE;
  #parkedFrom: { readonly [partition: string]: number } = NOWHERE;
  #isChanged = false;
  /** What stands in storage if this does; undefined: no text says what this is. */
  #text: string | undefined;

  /** @throws SyntaxError, TypeError for a text that is damaged: see `recounted` */
  constructor(text: string | undefined) {
    this.#text = text;
    if (text === undefined) return;
    const stored = JSON.parse(text) as StoredState;
    const { nextSeq, nextFence, acknowledgements = 0, fetchFloor = 0 } = stored;
    const { counters, collections = {}, closed = NONE, indexes = 0 } = stored;
    const { parkedFrom = NOWHERE } = stored;
    if (!(nextSeq > 0) || !(nextFence > 0)) throw new TypeError('the next numbers are missing');
    this.#closed = closed;
    this.#parkedFrom = parkedFrom;
    this.#indexes = indexes;
    this.#nextSeq = nextSeq;
    this.#nextFence = nextFence;
    this.#acknowledgements = acknowledgements;
    this.#fetchFloor = fetchFloor;
    for (const [partition, value] of Object.entries(counters)) {
      this.#counters.set(Number(partition), value);
    }
    for (const [partition, value] of Object.entries(collections)) {
      this.#collections.set(Number(partition), new Map(Object.entries(value)));
    }
  }

  /** What stands in place of a damaged text, by what else is stored. It is stored with the next commit. */
  static recounted(stored: StoredState): QueueState {
    const state = new QueueState(JSON.stringify(stored));
    state.#change();
    return state;
  }

  /** The seq that the next entry gets. */
  get nextSeq(): number {
    return this.#nextSeq;
  }

  get isChanged(): boolean {
    return this.#isChanged;
  }

  /** This or a new one, for a transaction that finds `text` in storage. */
  continuedFrom(text: string | undefined): QueueState {
    if (text === undefined || text !== this.#text) return new QueueState(text);
    this.#undo = [];
    this.#undoCounts = [];
    this.#isChanged = false;
    return this;
  }

  takeSeq(): number {
    this.#change();
    return this.#nextSeq++;
  }

  takeFence(): number {
    this.#change();
    return this.#nextFence++;
  }

  /** How many transactions have stored what the server said of rows. */
  get acknowledgements(): number {
    return this.#acknowledgements;
  }

  takeAcknowledgement(): number {
    this.#change();
    this.#acknowledgements += 1;
    return this.#acknowledgements;
  }

  /**
   * When a row was fetched, for its record: never before a full fetch that is under way, also where the clock
   * was set back, so that the sweep at its end does not take the row for one that the server no longer has.
   */
  fetchedAt(at: number): number {
    return Math.max(at, this.#fetchFloor);
  }

  /** True once anything was fetched, by whatever context and for whatever user. */
  get hasPulled(): boolean {
    return this.#fetchFloor > 0;
  }

  raiseFetchFloor(at: number): void {
    this.#change();
    this.#fetchFloor = Math.max(at, this.#fetchFloor);
  }

  /** A number that is another one once it was changed which fields of rows are indexed. */
  get indexes(): number {
    return this.#indexes;
  }

  changeIndexes(): void {
    this.#change();
    this.#indexes += 1;
  }

  /** True of a partition that is nobody's any more; see `partitions.ts`. */
  isClosed(partition: number): boolean {
    return this.#closed.length > 0 && this.#closed.includes(partition);
  }

  setClosed(partition: number, isClosed: boolean): void {
    if (this.isClosed(partition) === isClosed) return;
    this.#change();
    const others = this.#closed.filter((other) => other !== partition);
    this.#closed = isClosed ? [...others, partition] : others;
  }

  /**
   * No entry that waits is parked at a seq before this one: only dead letters and conflicts, which may be
   * many, and nobody has to look through them again.
   */
  parkedFrom(partition: number): number {
    return this.#parkedFrom[partition] ?? 0;
  }

  /** Somebody has looked through what is parked before `seq`. */
  passParked(partition: number, seq: number): void {
    this.#setParkedFrom(partition, Math.max(seq, this.parkedFrom(partition)));
  }

  /** An entry that waits is parked at `seq`. */
  notePark(partition: number, seq: number): void {
    if (seq < this.parkedFrom(partition)) this.#setParkedFrom(partition, seq);
  }

  #setParkedFrom(partition: number, seq: number): void {
    if (seq === this.parkedFrom(partition)) return;
    this.#change();
    this.#parkedFrom = { ...this.#parkedFrom, [partition]: seq };
  }

  #change(): void {
    this.#isChanged = true;
    this.#text = undefined;
  }

  counters(partition: number): Counters {
    return this.#counters.get(partition) ?? NO_COUNTERS;
  }

  setCounters(partition: number, counters: Counters): void {
    this.#undo.push({ partition, counters: this.counters(partition) });
    this.#counters.set(partition, counters);
    this.#change();
  }

  /** How many entries of each collection are neither dead nor in conflict. */
  collections(partition: number): CollectionCounts {
    return Object.fromEntries(this.#countsOf(partition));
  }

  countCollection(partition: number, collection: string, sign: 1 | -1): void {
    const counts = this.#countsOf(partition);
    this.#setCount(counts, collection, (counts.get(collection) ?? 0) + sign);
  }

  forgetCollections(partition: number): void {
    const counts = this.#countsOf(partition);
    for (const collection of [...counts.keys()]) this.#setCount(counts, collection, 0);
  }

  #countsOf(partition: number): Map<string, number> {
    let counts = this.#collections.get(partition);
    if (counts === undefined) {
      counts = new Map();
      this.#collections.set(partition, counts);
    }
    return counts;
  }

  #setCount(counts: Map<string, number>, collection: string, count: number): void {
    this.#undoCounts.push({ counts, collection, count: counts.get(collection) ?? 0 });
    this.#change();
    storeCount(counts, collection, count);
  }

  countEntry(partition: number, rank: PriorityRank, bytes: number, sign: 1 | -1): void {
    const { pending, dead, conflicts, bytes: before } = this.counters(partition);
    const [critical, high, normal, low] = pending;
    this.setCounters(partition, {
      pending: [
        rank === 0 ? critical + sign : critical,
        rank === 1 ? high + sign : high,
        rank === 2 ? normal + sign : normal,
        rank === 3 ? low + sign : low,
      ],
      dead,
      conflicts,
      bytes: before + sign * bytes,
    });
  }

  mark(): StateMark {
    return {
      nextSeq: this.#nextSeq,
      nextFence: this.#nextFence,
      acknowledgements: this.#acknowledgements,
      fetchFloor: this.#fetchFloor,
      indexes: this.#indexes,
      closed: this.#closed,
      parkedFrom: this.#parkedFrom,
      undoLength: this.#undo.length,
      undoCountsLength: this.#undoCounts.length,
    };
  }

  rollbackTo(mark: StateMark): void {
    while (this.#undo.length > mark.undoLength) {
      const { partition, counters } = this.#undo.pop() as Undo;
      this.#counters.set(partition, counters);
    }
    while (this.#undoCounts.length > mark.undoCountsLength) {
      const { counts, collection, count } = this.#undoCounts.pop() as UndoCount;
      storeCount(counts, collection, count);
    }
    this.#nextSeq = mark.nextSeq;
    this.#nextFence = mark.nextFence;
    this.#acknowledgements = mark.acknowledgements;
    this.#fetchFloor = mark.fetchFloor;
    this.#indexes = mark.indexes;
    this.#closed = mark.closed;
    this.#parkedFrom = mark.parkedFrom;
  }

  /** The text to store. Put together by hand, at a third of the price: every commit stores one. */
  toText(): string {
    let counters = '';
    for (const [partition, known] of this.#counters) {
      if (known === NO_COUNTERS) continue;
      const { pending, dead, conflicts, bytes } = known;
      counters += `${counters === '' ? '' : ','}"${partition}":{"pending":[${pending.join()}],"dead":${dead},"conflicts":${conflicts},"bytes":${bytes}}`;
    }
    let collections = '';
    for (const [partition, counts] of this.#collections) {
      if (counts.size === 0) continue;
      let of = '';
      for (const [collection, count] of counts) {
        of += `${of === '' ? '' : ','}${JSON.stringify(collection)}:${count}`;
      }
      collections += `${collections === '' ? '' : ','}"${partition}":{${of}}`;
    }
    let rest = '';
    if (this.#acknowledgements > 0) rest += `,"acknowledgements":${this.#acknowledgements}`;
    if (this.#fetchFloor > 0) rest += `,"fetchFloor":${this.#fetchFloor}`;
    if (this.#indexes > 0) rest += `,"indexes":${this.#indexes}`;
    if (this.#closed.length > 0) rest += `,"closed":[${this.#closed.join()}]`;
    if (this.#parkedFrom !== NOWHERE) rest += `,"parkedFrom":${JSON.stringify(this.#parkedFrom)}`;
    this.#text = `{"nextSeq":${this.#nextSeq},"nextFence":${this.#nextFence}${rest},"counters":{${counters}},"collections":{${collections}}}`;
    return this.#text;
  }
}

function storeCount(counts: Map<string, number>, collection: string, count: number): void {
  if (count > 0) counts.set(collection, count);
  else counts.delete(collection);
}
