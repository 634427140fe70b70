import type { EntityId } from '../model/entry.ts';
import { LiveValue, type Live } from '../model/live.ts';
import type { ChangedRow } from '../queue/unit-of-work.ts';

/** Reads a watched value anew; `texts` tell whether anything changed. */
export interface Reading<T> {
  readonly value: T;
  readonly texts: readonly (string | null)[];
}

/** Something watched: one entity, or a query over a collection. */
interface Watched {
  readonly collection: string;
  /** undefined: any row of the collection. */
  readonly id: EntityId | undefined;
  refresh(): void;
  close(): void;
}

/** Who must look again when rows change. */
export class Watchers {
  readonly #byCollection = new Map<string, Set<Watched>>();
  #epoch = 0;
  #isClosed = false;

  /** Grows when what is being read belongs to another time, such as to another user. */
  get epoch(): number {
    return this.#epoch;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  add(watched: Watched): void {
    const set = this.#byCollection.get(watched.collection) ?? new Set();
    this.#byCollection.set(watched.collection, set.add(watched));
  }

  remove(watched: Watched): void {
    const set = this.#byCollection.get(watched.collection);
    set?.delete(watched);
    if (set?.size === 0) this.#byCollection.delete(watched.collection);
  }

  onChanged(rows: Iterable<ChangedRow>, partition: number): void {
    if (this.#byCollection.size === 0) return;
    const due = new Set<Watched>();
    for (const row of rows) {
      if (row.partition !== partition) continue;
      for (const watched of this.#byCollection.get(row.collection) ?? []) {
        if (watched.id === undefined || watched.id === row.id) due.add(watched);
      }
    }
    for (const watched of due) watched.refresh();
  }

  /** Another context wrote: everyone looks again. */
  refreshAll(): void {
    for (const set of this.#byCollection.values()) for (const watched of set) watched.refresh();
  }

  /** Another user: everyone looks again, and what is just being read is shown to nobody. */
  startAnew(): void {
    this.#epoch += 1;
    this.refreshAll();
  }

  /** Ends every subscription and iteration. */
  close(): void {
    this.#isClosed = true;
    for (const set of [...this.#byCollection.values()])
      for (const watched of [...set]) watched.close();
    this.#byCollection.clear();
  }
}

/**
 * A live view of stored rows. It follows changes while someone listens; reads are joined, so that a
 * burst of writes costs one reading. Without a change of what is stored there is no notification.
 */
export class WatchedValue<T> implements Live<T> {
  readonly collection: string;
  readonly id: EntityId | undefined;
  readonly #read: () => Promise<Reading<T>>;
  readonly #watchers: Watchers;
  readonly #live: LiveValue<T>;
  readonly #onError: (error: unknown) => void;
  #texts: readonly (string | null)[] | undefined;
  #listeners = 0;
  #isReading = false;
  #isStale = false;

  constructor(
    watchers: Watchers,
    target: { readonly collection: string; readonly id?: EntityId },
    initial: T,
    read: () => Promise<Reading<T>>,
    onError: (error: unknown) => void,
  ) {
    this.collection = target.collection;
    this.id = target.id;
    this.#watchers = watchers;
    this.#read = read;
    this.#onError = onError;
    this.#live = new LiveValue(initial, onError);
    this.subscribe = this.subscribe.bind(this);
    this.refresh();
  }

  get current(): T {
    return this.#live.current;
  }

  subscribe(listener: (value: T) => void): () => void {
    if (this.#listeners === 0 && !this.#watchers.isClosed) {
      this.#watchers.add(this);
      // What happened while nobody listened was not followed.
      this.refresh();
    }
    this.#listeners += 1;
    const stop = this.#live.subscribe(listener);
    let isActive = true;
    return () => {
      if (!isActive) return;
      isActive = false;
      stop();
      this.#listeners -= 1;
      if (this.#listeners === 0) this.#watchers.remove(this);
    };
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<T> {
    const stop = this.subscribe(() => {});
    try {
      yield* this.#live;
    } finally {
      stop();
    }
  }

  refresh(): void {
    this.#isStale = true;
    if (!this.#isReading) void this.#readAgain();
  }

  close(): void {
    this.#live.close();
  }

  async #readAgain(): Promise<void> {
    this.#isReading = true;
    while (this.#isStale && !this.#watchers.isClosed) {
      this.#isStale = false;
      const { epoch } = this.#watchers;
      try {
        const reading = await this.#read();
        if (epoch === this.#watchers.epoch) this.#publish(reading);
        else this.#isStale = true;
      } catch (error) {
        if (!this.#watchers.isClosed) this.#onError(error);
      }
    }
    this.#isReading = false;
  }

  #publish({ value, texts }: Reading<T>): void {
    if (isUnchanged(this.#texts, texts)) return;
    this.#texts = texts;
    this.#live.set(value);
  }
}

function isUnchanged(
  before: readonly (string | null)[] | undefined,
  after: readonly (string | null)[],
): boolean {
  if (before === undefined || before.length !== after.length) return false;
  return after.every((text, index) => text === before[index]);
}
