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

/** What stands in the record `queue` of the table `meta`, as JSON. */
interface StoredState {
  readonly nextSeq: number;
  readonly nextFence: number;
  readonly counters: { readonly [partition: string]: Counters };
  readonly collections?: { readonly [partition: string]: CollectionCounts };
}

/** Entries that are neither dead nor in conflict, by their collection; none of it is zero. */
type CollectionCounts = { readonly [collection: string]: number };

/** A point to come back to. */
export interface StateMark {
  readonly nextSeq: number;
  readonly nextFence: number;
  readonly undoLength: number;
}

interface Undo {
  readonly partition: number;
  readonly counters: Counters;
  readonly collections: CollectionCounts;
}

const NO_COLLECTIONS: CollectionCounts = Object.freeze({});

/** The next numbers and the counters of all partitions, as one transaction changes them. */
export class QueueState {
  readonly #counters = new Map<number, Counters>();
  readonly #collections = new Map<number, CollectionCounts>();
  readonly #undo: Undo[] = [];
  #nextSeq = 1;
  #nextFence = 1;
  #isChanged = false;

  constructor(text: string | undefined) {
    if (text === undefined) return;
    const { nextSeq, nextFence, counters, collections = {} } = JSON.parse(text) as StoredState;
    this.#nextSeq = nextSeq;
    this.#nextFence = nextFence;
    for (const [partition, value] of Object.entries(counters)) {
      this.#counters.set(Number(partition), value);
    }
    for (const [partition, value] of Object.entries(collections)) {
      this.#collections.set(Number(partition), value);
    }
  }

  /** The seq that the next entry gets. */
  get nextSeq(): number {
    return this.#nextSeq;
  }

  get isChanged(): boolean {
    return this.#isChanged;
  }

  takeSeq(): number {
    this.#isChanged = true;
    return this.#nextSeq++;
  }

  takeFence(): number {
    this.#isChanged = true;
    return this.#nextFence++;
  }

  counters(partition: number): Counters {
    return this.#counters.get(partition) ?? NO_COUNTERS;
  }

  setCounters(partition: number, counters: Counters): void {
    const collections = this.collections(partition);
    this.#undo.push({ partition, counters: this.counters(partition), collections });
    this.#counters.set(partition, counters);
    this.#isChanged = true;
  }

  /** How many entries of each collection are neither dead nor in conflict. */
  collections(partition: number): CollectionCounts {
    return this.#collections.get(partition) ?? NO_COLLECTIONS;
  }

  /** Call after the change of counters that it belongs to: they are undone together. */
  countCollection(partition: number, collection: string, sign: 1 | -1): void {
    const before = this.collections(partition);
    const count = (Object.hasOwn(before, collection) ? (before[collection] ?? 0) : 0) + sign;
    const pairs = Object.entries(before).filter(([name]) => name !== collection);
    if (count > 0) pairs.push([collection, count]);
    // From pairs: a collection may be called __proto__.
    this.#collections.set(partition, Object.fromEntries(pairs));
  }

  forgetCollections(partition: number): void {
    this.#collections.delete(partition);
  }

  countEntry(partition: number, rank: PriorityRank, bytes: number, sign: 1 | -1): void {
    const { pending, dead, conflicts, bytes: before } = this.counters(partition);
    this.setCounters(partition, {
      pending: [
        pending[0] + (rank === 0 ? sign : 0),
        pending[1] + (rank === 1 ? sign : 0),
        pending[2] + (rank === 2 ? sign : 0),
        pending[3] + (rank === 3 ? sign : 0),
      ],
      dead,
      conflicts,
      bytes: before + sign * bytes,
    });
  }

  mark(): StateMark {
    const { nextSeq } = this;
    return { nextSeq, nextFence: this.#nextFence, undoLength: this.#undo.length };
  }

  rollbackTo(mark: StateMark): void {
    while (this.#undo.length > mark.undoLength) {
      const { partition, counters, collections } = this.#undo.pop() as Undo;
      this.#counters.set(partition, counters);
      this.#collections.set(partition, collections);
    }
    this.#nextSeq = mark.nextSeq;
    this.#nextFence = mark.nextFence;
  }

  /** The text to store. */
  toText(): string {
    const { nextSeq } = this;
    const counters = Object.fromEntries(this.#counters);
    const collections = Object.fromEntries(this.#collections);
    return JSON.stringify({ nextSeq, nextFence: this.#nextFence, counters, collections });
  }
}
