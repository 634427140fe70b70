import type { SyncFailure } from './outcome.ts';
import type { SyncPriority } from './priority.ts';

/** What a mutation does to its entity. */
export type Operation = 'create' | 'update' | 'delete' | 'command';

/** `claimed` means under a live lease; `conflict` and `dead` wait for a decision and park their lane. */
export type EntryState = 'pending' | 'claimed' | 'conflict' | 'dead';

/** The id of an entity. Numbers and strings are different ids: `1` is not `'1'`. */
export type EntityId = string | number;

/** Names one entry of one queue, for the life of the database. */
export type EntryId = string;

/** What `save` gives back to name the entry it made, for `after`, `retry`, `cancel` and the like. */
export interface EntryRef {
  readonly id: EntryId;
}

/** One durable unit in the queue, as the app sees it. */
export interface Entry {
  readonly id: EntryId;
  /** Storage order. Grows, is never reused, has gaps. */
  readonly seq: number;
  /** The server applies a mutation with this key at most once. */
  readonly idempotencyKey: string;
  readonly collection: string;
  readonly entityId: EntityId;
  readonly operation: Operation;
  /** The name of a command; null for other operations. */
  readonly command: string | null;
  /** True if the payload holds only the changed fields. */
  readonly isPatch: boolean;
  /** The value, the changed fields, or the command's arguments; null for a delete. Decoded on access. */
  readonly payload: unknown;
  readonly schemaVersion: number;
  readonly priority: SyncPriority;
  /**
   * The best priority of everything that waits for this entry. While it waits behind another write of its
   * entity, without what waits behind it there: that counts for the first one, and for this one once it is.
   */
  readonly effectivePriority: SyncPriority;
  readonly state: EntryState;
  /** An attempt was made and its outcome is unknown. Such an entry is frozen and resent as it is. */
  readonly isAmbiguous: boolean;
  /** Consumed attempts. */
  readonly attempts: number;
  /** Epoch milliseconds before which it is not sent, or null. */
  readonly notBefore: number | null;
  /** Names the transaction it belongs to, or null. */
  readonly group: string | null;
  /** Earlier entries that must be settled first, besides those of its lane. */
  readonly after: readonly EntryId[];
  /** Epoch milliseconds. */
  readonly enqueuedAt: number;
  /** Epoch milliseconds after which it is buried instead of sent, or null. */
  readonly expiresAt: number | null;
  readonly lastFailure: SyncFailure | null;
}
