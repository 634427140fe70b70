/** What one `sync` did. */
export interface SyncReport {
  /** Entries that the server acknowledged. */
  readonly pushed: number;
  /** Rows that came from the server, tombstones included. */
  readonly pulled: number;
  /** Conflicts met, resolved ones included. */
  readonly conflicts: number;
  /** Entries that became dead letters. */
  readonly dead: number;
  /** Entries that are still to be sent. */
  readonly remaining: number;
  /**
   * - `drained`: nothing was left that may be sent now, but perhaps what was written as it ended.
   * - `deadline`: the window or the budget ended, or what was fetched was out of date each time it came,
   *   since writes of the same rows were acknowledged meanwhile. The rest is for a run soon after.
   * - `offline`: the server could not be reached, or the backend was made without a remote.
   * - `blocked`: the server asked to wait, refused the credentials, or wants a newer app.
   * - `aborted`: the caller's signal. `paused`: `pause` is in force.
   */
  readonly stoppedBy: 'drained' | 'deadline' | 'offline' | 'blocked' | 'aborted' | 'paused';
  /** Epoch milliseconds when the next attempt is due; null if none is. */
  readonly nextAttemptAt: number | null;
  readonly durationMs: number;
}
