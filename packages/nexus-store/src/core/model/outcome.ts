/** Why an attempt failed, as data. `detail` is an excerpt (at most 1 KiB), never a payload of ours. */
export interface SyncFailure {
  /** A stable code such as `remote/rejected`, or one that the app's own classifier chose. */
  readonly code: string;
  /** The HTTP status, where there was one. */
  readonly status?: number;
  readonly detail?: string;
  /** Epoch milliseconds. */
  readonly at: number;
}

export const MAX_FAILURE_DETAIL_LENGTH = 1024;

/**
 * What a push says of one entry. A value, never an exception: sending is not an error path.
 *
 * - `applied`: the server has it, now or from an earlier attempt with the same key.
 * - `conflict`: the server's row is not the base this mutation was made on.
 * - `retry`, scope `entry`: this entry failed; an attempt is consumed. Scope `endpoint`: the server or
 *   the way to it failed; no attempt is consumed. `ambiguous`: it may have been applied all the same.
 * - `rejected`: will never be accepted as it is.
 * - `too-large`: the request was refused for its size; a batch is split, a single entry is rejected.
 * - `unauthorised`: credentials are missing or no longer accepted, after one refresh was tried.
 */
export type Outcome =
  | { readonly kind: 'applied'; readonly version?: string; readonly value?: unknown }
  | {
      readonly kind: 'conflict';
      readonly remote: unknown;
      readonly version?: string;
      readonly failure?: SyncFailure;
    }
  | {
      readonly kind: 'retry';
      readonly scope: 'entry' | 'endpoint';
      readonly ambiguous: boolean;
      /** The server's own wish, a floor for the next attempt. */
      readonly retryAfterMs?: number;
      /** The remote held it back because of `maySend`: that says nothing of the server. */
      readonly withheld?: boolean;
      /** Nothing will work until the app is upgraded (426). */
      readonly upgradeRequired?: boolean;
      readonly failure: SyncFailure;
    }
  | {
      readonly kind: 'rejected';
      /**
       * It was said of the whole request, and so that somebody before the server may have said it. Where several
       * entries are refused like this, the server or the way to it is at fault.
       */
      readonly sweeping?: boolean;
      readonly failure: SyncFailure;
    }
  | { readonly kind: 'too-large'; readonly failure: SyncFailure }
  | { readonly kind: 'unauthorised'; readonly failure: SyncFailure };
