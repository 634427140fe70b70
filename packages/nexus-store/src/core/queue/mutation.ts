import type { EntityId } from '../model/entry.ts';
import type { PriorityRank } from '../model/priority.ts';
import type { EntryDetail, StoredOperation } from './records.ts';

/** A mutation on its way into the queue. */
export interface NewMutation {
  readonly partition: number;
  readonly collection: string;
  readonly entity: EntityId;
  readonly operation: StoredOperation;
  /** Encoded; null for a delete. */
  readonly payload: string | null;
  readonly priority: PriorityRank;
  readonly idempotencyKey: string;
  readonly enqueuedAt: number;
  readonly expiresAt: number | null;
  /** Seqs of earlier entries that must be settled first. */
  readonly after?: readonly number[] | undefined;
  readonly detail?: EntryDetail | undefined;
}

export interface Enqueued {
  /** The entry that carries the mutation now; null if it vanished with the one it met. */
  readonly seq: number | null;
  readonly effect: 'appended' | 'merged' | 'vanished' | 'nothing';
}
