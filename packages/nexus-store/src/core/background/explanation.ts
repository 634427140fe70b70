/** One reason why something has not synced. */
export interface Reason {
  readonly code: ReasonCode;
  /** For people, in a sentence or two. */
  readonly message: string;
  /** What a person can do; null if only time helps. */
  readonly action: string | null;
  /** Epoch milliseconds since when it holds; null if unknown. */
  readonly since: number | null;
  /** Epoch milliseconds until when it holds; null if unknown. */
  readonly until: number | null;
}

export type ReasonCode =
  | 'nothing-pending'
  | 'fetch-failed'
  | 'unsupported'
  | 'disabled'
  | 'cancelled'
  | 'not-initialized'
  | 'paused'
  | 'unauthorised'
  | 'upgrade-required'
  | 'background-refused'
  | 'request-refused'
  | 'standby-restricted'
  | 'server-asked-to-wait'
  | 'server-failing'
  | 'offline'
  | 'no-remote'
  | 'constraint-unmet'
  | 'power-saving'
  | 'conflicts-waiting'
  | 'dead-letters'
  | 'run-did-not-start'
  | 'run-was-killed'
  | 'run-was-too-short'
  | 'not-yet-due'
  | 'not-woken'
  | 'waiting-for-wake-up';

/** The answer to "why has it not synced?". */
export interface Explanation {
  /** Writes that wait to be sent. */
  readonly pending: number;
  /** Most telling first. Never empty. */
  readonly reasons: readonly Reason[];
}
