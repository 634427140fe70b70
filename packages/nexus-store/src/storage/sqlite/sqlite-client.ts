import type { ColumnValue } from '../../core/ports/storage.ts';

/** A client may answer at once or later. Answers that come at once are not awaited one by one. */
export type Awaitable<T> = T | Promise<T>;

/** The values of one row in the order of the selected columns. A blob is a `Uint8Array`. */
export type SqliteRow = readonly (ColumnValue | Uint8Array)[];

/**
 * The little that `sqliteStorage` needs of an SQLite library, so that any of them fits.
 *
 * Law: statements of one connection run one at a time, in the order they were asked for. A failure is
 * thrown (or rejects) as an error that carries SQLite's result code, either as a number in `errcode` or
 * as its name in `code` (`'SQLITE_BUSY'`); extended result codes are welcome. Numbers are read as
 * JavaScript numbers. SQLite must be 3.37 or newer.
 */
export interface SqliteClient {
  /** Whether what it writes is encrypted. */
  readonly encrypted: boolean;
  /**
   * Opens a database file, and makes it unless `readOnly`.
   *
   * @throws UsageError `usage/unsupported-runtime` before any native code is touched that would not work
   */
  open(path: string, options: { readonly readOnly: boolean }): Awaitable<SqliteConnection>;
}

export interface SqliteConnection {
  /** Runs one or several statements without parameters. */
  exec(sql: string): Awaitable<void>;
  prepare(sql: string): Awaitable<SqliteStatement>;
  /** Ends the connection and all of its statements. */
  close(): Awaitable<void>;
}

/** A prepared statement. The parameters replace the question marks in order. */
export interface SqliteStatement {
  run(parameters: readonly ColumnValue[]): Awaitable<void>;
  all(parameters: readonly ColumnValue[]): Awaitable<readonly SqliteRow[]>;
}

/** True if an answer comes later. */
export function isLater<T>(answer: Awaitable<T>): answer is Promise<T> {
  return answer instanceof Promise;
}
