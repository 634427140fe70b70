/**
 * What the receiver keeps: rows, tombstones, applied operations with their idempotency keys, and one
 * counter for each principal.
 *
 * Law:
 * - `apply` loads, decides and writes in one transaction, during which no other `apply` of the same
 *   principal runs in any process: the principal's counter row is locked first (`UPDATE ... RETURNING` or
 *   `SELECT ... FOR UPDATE` on PostgreSQL, `BEGIN IMMEDIATE` on SQLite). All of its writes are durable
 *   when it resolves, or none ever are.
 * - So change numbers become visible in their own order: whoever sees change n sees every change below n
 *   of that principal, and no row can commit late below a cursor. A sequence or a time stamp would not
 *   give that: both are taken before the commit, in whatever order commits happen.
 * - `pull` reads one state of the database.
 * - Arrival numbers grow in the order in which operations of one principal were applied, and are never
 *   given twice.
 * - Failures are `StoreFailure`s.
 */
export interface ReceiverStore {
  apply(principal: string, wanted: Wanted, decide: Decide): Promise<void>;
  pull(query: ChangeQuery): Promise<ChangePage>;
  /** Forgets operations and tombstones older than the instants given (epoch milliseconds). */
  sweep(before: { readonly operations: number; readonly tombstones: number }): Promise<void>;
  /** The operations applied, by arrival, for tests and for support. */
  arrivals(principal: string, after: number, limit: number): Promise<readonly Arrival[]>;
  close(): Promise<void>;
}

export interface EntityRef {
  readonly collection: string;
  /** The JSON text of the id: tells `1` from `"1"`. */
  readonly entity: string;
}

export interface Wanted {
  readonly keys: readonly string[];
  readonly refs: readonly EntityRef[];
}

export interface Loaded {
  /** The principal's last change number. */
  readonly change: number;
  /** By idempotency key. */
  readonly operations: ReadonlyMap<string, AppliedOperation>;
  /** By `refKey`. */
  readonly rows: ReadonlyMap<string, StoredRow>;
}

/** Pure and synchronous, so that a store may call it inside its transaction. */
export type Decide = (loaded: Loaded) => Writes;

export interface Writes {
  readonly rows: readonly (EntityRef & StoredRow)[];
  /** In the order applied. */
  readonly operations: readonly NewOperation[];
  /** The last change number used. */
  readonly change: number;
  /** Epoch milliseconds. */
  readonly at: number;
}

export interface StoredRow {
  /** The change number that made it. */
  readonly change: number;
  /** JSON text, null for a tombstone. */
  readonly value: string | null;
  /** The idempotency key of the operation that made it. */
  readonly operationId: string;
}

export interface AppliedOperation {
  /** A digest of what the key was used for. */
  readonly fingerprint: string;
  /** The version that was answered. */
  readonly change: number | null;
  /** The value that was answered, as JSON text. */
  readonly value: string | null;
}

export interface NewOperation extends EntityRef, AppliedOperation {
  readonly key: string;
  readonly entryId: string;
  readonly operation: string;
}

export interface Arrival {
  readonly arrival: number;
  readonly idempotencyKey: string;
  readonly entryId: string;
  readonly collection: string;
  readonly entity: string;
  readonly operation: string;
  readonly version: string | null;
  /** Epoch milliseconds. */
  readonly at: number;
}

export interface ChangeQuery {
  readonly principal: string;
  readonly collection: string;
  /** Null begins a full pull. */
  readonly cursor: string | null;
  readonly limit: number;
  /** The page ends after the row that reaches it. */
  readonly maxBytes: number;
}

export type ChangePage =
  | { readonly kind: 'expired' }
  | { readonly kind: 'invalid' }
  | {
      readonly kind: 'page';
      readonly rows: readonly ChangedRow[];
      readonly cursor: string;
      readonly hasMore: boolean;
    };

export interface ChangedRow extends StoredRow {
  readonly entity: string;
}

/** What is the matter with the database. `failed`: none of the others. */
export type StoreFailureKind =
  | 'busy'
  | 'full'
  | 'corrupt'
  | 'read-only'
  | 'unavailable'
  | 'foreign'
  | 'too-new'
  | 'failed';

const REASONS: Readonly<Record<StoreFailureKind, string>> = {
  busy: 'another process keeps it locked',
  full: 'there is no space left for it',
  corrupt: 'the file is damaged or is not an SQLite database',
  'read-only': 'the file or its folder cannot be written',
  unavailable: 'it cannot be opened: its folder is missing, or is no folder, or may not be read',
  foreign: 'the file belongs to another program; give the server a file of its own',
  'too-new': 'it was written by a newer server; nothing was changed',
  failed: 'it failed',
};

/** A failure of the database. Nothing of the transaction was kept. */
export class StoreFailure extends Error {
  readonly kind: StoreFailureKind;

  constructor(kind: StoreFailureKind, cause?: unknown) {
    const because = kind === 'failed' && cause instanceof Error ? `: ${cause.message}` : '';
    super(`the server's database: ${REASONS[kind]}${because}`, { cause });
    this.name = 'StoreFailure';
    this.kind = kind;
  }
}

export const refKey = (ref: EntityRef): string => `${ref.collection}\n${ref.entity}`;
