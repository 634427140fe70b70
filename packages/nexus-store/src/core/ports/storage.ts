/**
 * Ordered records in one database, changed in transactions.
 *
 * Law:
 * - All-or-nothing: when `transact('write', body)` resolves, every change of `body` is in the database;
 *   when it rejects (because `body` threw, a write failed, or the process died) none is.
 * - Durable when resolved, if `capabilities.durable`: it survives a kill of the process, and with strict
 *   durability a loss of power.
 * - Serializable: bodies behave as if they ran one after another, across every context that has the
 *   database open. A read body sees one state of the database throughout.
 * - `body` awaits only the transaction's own methods. It may be called once only. A step that failed fails
 *   the transaction, even if `body` catches it; after the end every step rejects.
 * - Order: keys ascend by their parts; a number comes before a text, numbers by value, texts by UTF-8
 *   bytes or by UTF-16 units (a driver uses one of them throughout).
 * - What was put is what is got: every text of well-formed Unicode, every safe integer and finite
 *   double, null. Records given out are the caller's; changing one changes nothing stored.
 * - Failures are `StorageError`s by code. A read that fails throws: an empty result means empty.
 * - Concurrent callers are served in turn. `close` waits for the transactions under way; later calls
 *   reject with `storage/closed`. Waiting for another context's lock is the driver's business; only
 *   after its patience ends does `storage/busy` reach the caller.
 */
export interface Storage {
  /** Static facts. The conformance suite chooses its tests by them, and checks that they are true. */
  readonly capabilities: StorageCapabilities;
  /**
   * Opens the database and makes what the schema lacks. A database of a newer schema version is
   * refused, untouched, with `storage/version-too-new`.
   */
  open(schema: StorageSchema): Promise<void>;
  transact<R>(mode: 'read' | 'write', body: (tx: StorageTransaction) => Promise<R>): Promise<R>;
  /** A number that differs from the last one if another context has committed in between. */
  foreignCommits(): Promise<number>;
  /** Idempotent. */
  close(): Promise<void>;
}

export interface StorageCapabilities {
  /** What was committed is still there after `close` and a new `open`. */
  readonly durable: boolean;
  /** Several contexts (processes, tabs, workers) may have the database open at once. */
  readonly sharedAcrossContexts: boolean;
  /** The driver encrypts what it stores. */
  readonly encrypted: boolean;
}

export interface StorageTransaction {
  /** The records of these primary keys, in the order asked, undefined where there is none. */
  get(table: string, keys: readonly Key[]): Promise<readonly (StoredRecord | undefined)[]>;
  /** Records in the order of the primary key or of an index; equals in an index by primary key. */
  scan(table: string, range: ScanRange): Promise<readonly StoredRecord[]>;
  /**
   * Applies puts (insert or replace) and deletes; at most one for each record in one call. A put names
   * every column. Deleting what is not there does nothing.
   */
  write(changes: readonly Change[]): Promise<void>;
}

export type KeyPart = string | number;
export type Key = readonly KeyPart[];
export type ColumnValue = string | number | null;
export type StoredRecord = { readonly [column: string]: ColumnValue };

/**
 * Which records to read. Bounds are keys over the columns that follow `prefix`; a bound shorter than
 * the key stands for all keys that begin with it. Parts have the types of their columns; infinities are
 * allowed where numbers are.
 */
export interface ScanRange {
  /** The name of an index of the table; the primary key if absent. */
  readonly index?: string;
  /** Exact values of the leading columns. */
  readonly prefix?: Key;
  readonly from?: Key;
  /** Leave out the keys that equal or begin with `from`. */
  readonly fromOpen?: boolean;
  readonly to?: Key;
  readonly toOpen?: boolean;
  readonly reverse?: boolean;
  /** At most this many records. Every scan has a limit. */
  readonly limit: number;
}

export type Change =
  | { readonly table: string; readonly put: StoredRecord }
  | { readonly table: string; readonly delete: Key };

/**
 * - `integer`: a safe integer. `text`: a string. `any`: a string or a finite number.
 * Key columns are never null; the others may be.
 */
export type ColumnType = 'integer' | 'text' | 'any';

export interface TableSchema {
  readonly columns: Readonly<Record<string, ColumnType>>;
  /** A key of a single `integer` column is clustered: records of neighbouring keys lie together. */
  readonly key: readonly string[];
  /** Sparse: a record is in an index only if none of the index's columns is null in it. */
  readonly indexes?: Readonly<Record<string, readonly string[]>>;
  /**
   * Few and short records that nearly every transaction reads. A driver may keep them at hand, as long as
   * it notices what other contexts commit.
   */
  readonly isSmall?: boolean;
}

export interface StorageSchema {
  readonly version: number;
  readonly tables: Readonly<Record<string, TableSchema>>;
}
