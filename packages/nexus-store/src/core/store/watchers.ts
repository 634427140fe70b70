import type { EntityId } from '../model/entry.ts';
import type { Live } from '../model/live.ts';
import type { ChangedRow, UnitOfWork } from '../queue/unit-of-work.ts';

/**
 * What is known of something watched. `loading`: it was not read yet, here or as this user. `failed`: it
 * could not be read; `value` is what was read before, if anything was. So nothing found and nothing known
 * are never the same.
 */
export type WatchState<T> =
  | { readonly status: 'loading'; readonly value: undefined; readonly error: undefined }
  | { readonly status: 'ready'; readonly value: T; readonly error: undefined }
  | { readonly status: 'failed'; readonly value: T | undefined; readonly error: unknown };

/**
 * Something watched. As a `Live` it is the value alone, silent while nothing is known. For another user it
 * begins anew: with nothing.
 */
export interface Watch<T> extends Live<T> {
  readonly state: Live<WatchState<T>>;
  /** Reads again, after a failure. Not needed otherwise: changes are followed. */
  refresh(): void;
}

/** Something watched: one entity or a query over a collection, or what waits of them in the queue. */
export interface Watched {
  /** `NO_COLLECTION`: the queue as a whole. */
  readonly collection: string;
  /** undefined: any row of the collection. */
  readonly id: EntityId | undefined;
  /** Watches entries; others watch rows. */
  readonly isOfQueue: boolean;
  refresh(): void;
  /** What was read is not for the eyes of whoever looks now. */
  forget(): void;
  /** Entries of what it watches came, went, changed, were claimed or given back. */
  onEntries(): void;
  /** The queue was looked at, soon after a commit or because time has passed. @param now epoch milliseconds */
  onLook(now: number): void;
  close(): void;
}

/** A collection that does not exist: for what depends on the queue alone. */
export const NO_COLLECTION = '';

/** By collection, then by entity; undefined: any of them. */
type Places = Map<string, Map<EntityId | undefined, Set<Watched>>>;

/** Who must look again when rows or entries change. What a commit did not touch costs it nothing. */
export class Watchers {
  readonly #all = new Set<Watched>();
  readonly #ofRows: Places = new Map();
  readonly #ofQueue: Places = new Map();
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
    const places = this.#placesOf(watched);
    const byId = places.get(watched.collection) ?? new Map<EntityId | undefined, Set<Watched>>();
    places.set(watched.collection, byId);
    byId.set(watched.id, (byId.get(watched.id) ?? new Set()).add(watched));
    this.#all.add(watched);
  }

  remove(watched: Watched): void {
    const places = this.#placesOf(watched);
    const byId = places.get(watched.collection);
    const set = byId?.get(watched.id);
    set?.delete(watched);
    if (set?.size === 0) byId?.delete(watched.id);
    if (byId?.size === 0) places.delete(watched.collection);
    this.#all.delete(watched);
  }

  #placesOf({ isOfQueue }: Watched): Places {
    return isOfQueue ? this.#ofQueue : this.#ofRows;
  }

  /** This context has committed. */
  onCommit(uow: Pick<UnitOfWork, 'changedRows' | 'touchedLanes'>, partition: number): void {
    if (this.#ofRows.size > 0)
      for (const watched of watching(this.#ofRows, uow.changedRows, partition)) watched.refresh();
    if (this.#ofQueue.size === 0) return;
    const lanes = uow.touchedLanes;
    const due =
      lanes === undefined
        ? [...this.#all].filter(({ isOfQueue }) => isOfQueue)
        : watching(this.#ofQueue, lanes, partition);
    for (const watched of due) watched.onEntries();
  }

  /** Another context wrote: everyone looks again. */
  refreshAll(): void {
    for (const watched of this.#all) watched.refresh();
  }

  /** @param now epoch milliseconds */
  onLook(now: number): void {
    for (const watched of this.#all) watched.onLook(now);
  }

  /** Another user: everyone looks again, and what is just being read is shown to nobody. */
  startAnew(): void {
    this.#epoch += 1;
    for (const watched of [...this.#all]) watched.forget();
    this.refreshAll();
  }

  /** Ends every subscription and iteration. */
  close(): void {
    this.#isClosed = true;
    for (const watched of [...this.#all]) watched.close();
    this.#all.clear();
    this.#ofRows.clear();
    this.#ofQueue.clear();
  }
}

function watching(
  places: Places,
  changed: readonly ChangedRow[],
  partition: number,
): ReadonlySet<Watched> {
  const found = new Set<Watched>();
  const add = (collection: string, id: EntityId | undefined): void => {
    for (const watched of places.get(collection)?.get(id) ?? []) found.add(watched);
  };
  for (const row of changed) {
    if (row.partition !== partition) continue;
    add(row.collection, row.id);
    add(row.collection, undefined);
    add(NO_COLLECTION, undefined);
  }
  return found;
}
