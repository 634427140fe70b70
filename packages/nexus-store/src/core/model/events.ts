import type { EntityId, EntryId, Operation } from './entry.ts';
import type { SyncFailure } from './outcome.ts';
import type { SyncPriority } from './priority.ts';
import type { SyncReport } from './sync-report.ts';

interface OfEntry {
  readonly entryId: EntryId;
  readonly collection: string;
  readonly entityId: EntityId;
}

/** Every edge of queue and engine, for logs, metrics and traces. Never a payload. */
export type SyncEvent =
  | (OfEntry & {
      readonly type: 'entry-enqueued';
      readonly operation: Operation;
      readonly priority: SyncPriority;
      /** `merged`: folded into an entry that had not been sent. */
      readonly effect: 'appended' | 'merged';
    })
  /** A create and its delete met before either was sent: nothing will be. */
  | (OfEntry & { readonly type: 'entry-vanished' })
  | { readonly type: 'push-started'; readonly entryIds: readonly EntryId[] }
  | (OfEntry & {
      readonly type: 'entry-applied';
      readonly version: string | null;
      readonly waitedMs: number;
    })
  | (OfEntry & {
      readonly type: 'entry-released';
      readonly notBefore: number | null;
      readonly failure: SyncFailure;
    })
  | (OfEntry & {
      readonly type: 'entry-buried';
      readonly priority: SyncPriority;
      readonly failure: SyncFailure;
    })
  | (OfEntry & { readonly type: 'entry-conflicted'; readonly failure: SyncFailure })
  | (OfEntry & { readonly type: 'conflict-resolved'; readonly use: 'local' | 'remote' | 'merged' })
  | (OfEntry & { readonly type: 'entry-cancelled' })
  | (OfEntry & { readonly type: 'entry-discarded' })
  | (OfEntry & { readonly type: 'entry-retried' })
  | { readonly type: 'claim-lost'; readonly entryIds: readonly EntryId[] }
  | { readonly type: 'gate-opened'; readonly until: number; readonly failure: SyncFailure }
  | { readonly type: 'gate-closed' }
  /** The user's credentials were refused: nothing of this user is sent until somebody acts. */
  | { readonly type: 'unauthorised'; readonly failure: SyncFailure }
  /** The server wants a newer app. */
  | { readonly type: 'upgrade-required'; readonly failure: SyncFailure }
  /** The answer was not from our server: a captive portal, a proxy. */
  | { readonly type: 'answer-not-recognised'; readonly failure: SyncFailure }
  | { readonly type: 'sync-started'; readonly reason: string }
  | { readonly type: 'sync-finished'; readonly report: SyncReport }
  | {
      readonly type: 'rows-pulled';
      readonly collection: string;
      readonly count: number;
      readonly isFull: boolean;
    }
  | { readonly type: 'wake-up-began'; readonly requestId: string; readonly reason: string }
  | {
      readonly type: 'wake-up-ended';
      readonly requestId: string;
      readonly result: string;
      readonly pushed: number;
    }
  /** More critical wake-ups than the allowance: this one joins those of high priority. */
  | { readonly type: 'critical-allowance-exceeded'; readonly allowance: number }
  /** A damaged record was set aside; the rest goes on. */
  | { readonly type: 'record-damaged'; readonly table: string; readonly detail: string };
