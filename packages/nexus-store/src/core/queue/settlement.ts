import type { SyncFailure } from '../model/outcome.ts';
import type { ConflictDecision, RemoteState } from './conflict.ts';
import type { Suspicion } from './records.ts';

/** What to do with one claimed entry. */
export type Settlement =
  | {
      readonly kind: 'complete';
      readonly version?: string | undefined;
      /** The server's value as text, if it sent one. */
      readonly value?: string | null | undefined;
      /** Epoch milliseconds when the server said so. */
      readonly at?: number;
    }
  | {
      readonly kind: 'release';
      /** null leaves the entry as if it had not been sent. */
      readonly ambiguous: 0 | 1 | null;
      /** Epoch milliseconds; null: at once. */
      readonly notBefore: number | null;
      readonly consumesAttempt: boolean;
      readonly failure?: SyncFailure | undefined;
      /** Held against it from now on. With a failure and without this nothing is. */
      readonly suspicion?: Suspicion | undefined;
    }
  | {
      readonly kind: 'bury';
      readonly failure: SyncFailure;
      readonly consumesAttempt: boolean;
      /** 1 if the last attempt may have been applied all the same: a retry then keeps the key. */
      readonly ambiguous?: 0 | 1;
    }
  | {
      readonly kind: 'conflict';
      readonly failure: SyncFailure;
      readonly remote: RemoteState;
    }
  | ({ readonly kind: 'resolve' } & ConflictDecision);

export type Complete = Extract<Settlement, { kind: 'complete' }>;
