import type { SyncFailure } from '../model/outcome.ts';
import type { SyncPriority } from '../model/priority.ts';

/** Facts about a backend, several of which can hold at once. */
export interface SyncStatus {
  readonly phase: 'closed' | 'idle' | 'pushing' | 'pulling';
  /** Entries that are to be sent, by their own priority; claimed ones included. */
  readonly pending: Readonly<Record<SyncPriority, number>>;
  /** Entries under a claim. */
  readonly claimed: number;
  readonly conflicts: number;
  readonly dead: number;
  /** Epoch milliseconds; null if nothing is pending. */
  readonly oldestPendingAt: number | null;
  readonly blockedBy: null | {
    readonly reason: 'offline' | 'unauthorised' | 'gate' | 'paused' | 'upgrade-required';
    /** Epoch milliseconds; null: until someone acts. */
    readonly until: number | null;
  };
  /** Epoch milliseconds; null if no attempt is due. */
  readonly nextAttemptAt: number | null;
  /**
   * Epoch milliseconds when this device last was in step with the server: nothing left that could be sent,
   * and everything fetched. Outlives the process, and is one for all contexts; null: never.
   */
  readonly lastSyncedAt: number | null;
  readonly lastFailure: SyncFailure | null;
  /** Of the push under way. */
  readonly progress: { readonly done: number; readonly total: number } | null;
}

export const INITIAL_STATUS: SyncStatus = {
  phase: 'closed',
  pending: { critical: 0, high: 0, normal: 0, low: 0 },
  claimed: 0,
  conflicts: 0,
  dead: 0,
  oldestPendingAt: null,
  blockedBy: null,
  nextAttemptAt: null,
  lastSyncedAt: null,
  lastFailure: null,
  progress: null,
};

export function pendingTotal(status: Pick<SyncStatus, 'pending'>): number {
  const { critical, high, normal, low } = status.pending;
  return critical + high + normal + low;
}
