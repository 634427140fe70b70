import type { EntryId } from '../model/entry.ts';
import type { SyncFailure } from '../model/outcome.ts';
import { priorityOfRank, type SyncPriority } from '../model/priority.ts';
import { isReadable } from '../model/stored-text.ts';
import { decodeValue } from '../model/value-codec.ts';
import { entryIdOf } from './entry-view.ts';
import { detailOf, type EntryRecord } from './records.ts';

/** One item of a `PrioritySyncQueue`. */
export interface QueueItem<T> {
  readonly id: EntryId;
  readonly item: T;
  readonly priority: SyncPriority;
  /** How often it was claimed and handed back, or its lease ran out. */
  readonly attempts: number;
  /** Epoch milliseconds. */
  readonly enqueuedAt: number;
  /**
   * Why it was buried, with the reason that `bury` was given as `detail`; kept when it is retried. Null if it
   * never was.
   */
  readonly lastFailure: SyncFailure | null;
}

/** Items taken for a bounded time. */
export interface QueueClaim<T> {
  readonly items: readonly QueueItem<T>[];
  /** The first item: handy for claims of one. */
  readonly entry: QueueItem<T>;
  /** Epoch milliseconds when another runner may take them. */
  readonly until: number;
}

/** @throws StorageError `storage/corrupt` */
export function itemView<T>(entry: EntryRecord): QueueItem<T> {
  return itemWith(entry, decodeValue(entry.payload ?? 'null') as T);
}

/** Of a damaged item nothing is left to show; the list goes on. */
export function deadItemView<T>(entry: EntryRecord): QueueItem<T> {
  const { payload } = entry;
  const isShown = payload !== null && isReadable(payload);
  return itemWith(entry, (isShown ? decodeValue(payload) : null) as T);
}

function itemWith<T>(entry: EntryRecord, item: T): QueueItem<T> {
  return {
    id: entryIdOf(entry.seq),
    item,
    priority: priorityOfRank(entry.priority),
    attempts: entry.attempts,
    enqueuedAt: entry.enqueuedAt,
    lastFailure: detailOf(entry).failure ?? null,
  };
}
