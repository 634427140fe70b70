import type { EntityId } from '../model/entry.ts';
import type { Live } from '../model/live.ts';
import type { ChangedRow } from '../queue/unit-of-work.ts';

/**
 * What is known of something watched. `loading`: it was not read yet, here or as this user. `failed`: it
 * could not be read; `value` is what was read before, if anything was. So nothing found and nothing known
 * are never the same.
 */
export type WatchState<T> =
  | { readonly status: 'loading'; readonly value: undefined; readonly error: undefined }
  | { readonly status: 'ready'; readonly value: T; readonly error: undefined }
  | { readonly status: 'failed'; readonly value: T | undefined; readonly error: unknown };

/** Something watched. As a `Live` it is the value alone, silent while nothing is known. */
export interface Watch<T> extends Live<T> {
  readonly state: Live<WatchState<T>>;
  /** Reads again, after a failure. Not needed otherwise: changes are followed. */
  refresh(): void;
}

/** Something watched: one entity, or a query over a collection. */
export interface Watched {
  readonly collection: string;
  /** undefined: any row of the collection. */
  readonly id: EntityId | undefined;
  refresh(): void;
  /** What was read is not for the eyes of whoever looks now. */
  forget(): void;
  /** Something in the queue may have changed. */
  onQueue(): void;
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

  /** Nobody watches. */
  get isIdle(): boolean {
    return this.#byCollection.size === 0;
  }

  onChanged(rows: Iterable<ChangedRow>, partition: number): void {
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

  /** Something in the queue may have changed, in whatever it is. */
  onQueue(): void {
    for (const set of this.#byCollection.values()) for (const watched of set) watched.onQueue();
  }

  /** Another user: everyone looks again, and what is just being read is shown to nobody. */
  startAnew(): void {
    this.#epoch += 1;
    for (const set of this.#byCollection.values()) for (const watched of set) watched.forget();
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
