import { InvariantError, isNexusError, StorageError } from '../../core/model/errors.ts';
import type { StorageErrorCode } from '../../core/model/errors.ts';

/** Result codes of SQLite that decide what happens next; https://sqlite.org/rescode.html */
const RESULT_CODES: Readonly<Record<string, number>> = {
  SQLITE_BUSY: 5,
  SQLITE_LOCKED: 6,
  SQLITE_NOMEM: 7,
  SQLITE_READONLY: 8,
  SQLITE_IOERR: 10,
  SQLITE_IOERR_SHMSIZE: 4874,
  SQLITE_CORRUPT: 11,
  SQLITE_FULL: 13,
  SQLITE_CANTOPEN: 14,
  SQLITE_PROTOCOL: 15,
  SQLITE_CONSTRAINT: 19,
  SQLITE_MISMATCH: 20,
  SQLITE_NOTADB: 26,
};

const CODE_BY_RESULT: Readonly<Record<number, StorageErrorCode>> = {
  5: 'storage/busy',
  6: 'storage/busy',
  8: 'storage/read-only',
  11: 'storage/corrupt',
  13: 'storage/quota-exceeded',
  // The locks of other connections changed too often to get one.
  15: 'storage/busy',
  26: 'storage/corrupt',
  // A full disk shows here when the shared memory beside the file cannot grow.
  4874: 'storage/quota-exceeded',
};

const ADVICE: Readonly<Partial<Record<StorageErrorCode, string>>> = {
  'storage/busy': 'another program kept it locked',
  'storage/read-only': 'the file or its folder cannot be written',
  'storage/corrupt': 'the file is damaged or is not an SQLite database',
  'storage/quota-exceeded': 'there is no space left for it',
};

/** SQLite's (extended) result code, undefined if the error does not come from SQLite. */
export function sqliteResultCode(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { errcode, code } = error as { errcode?: unknown; code?: unknown };
  if (typeof errcode === 'number') return errcode;
  if (typeof code !== 'string' || !code.startsWith('SQLITE_')) return undefined;
  const primary = code.split('_', 2).join('_');
  return RESULT_CODES[code] ?? RESULT_CODES[primary] ?? 1;
}

/** True if trying again later may help: another connection holds a lock. */
export function isBusy(error: unknown): boolean {
  const result = sqliteResultCode(error);
  return result !== undefined && storageErrorCode(result) === 'storage/busy';
}

/** What the caller hears: a `StorageError` for a failure of SQLite, anything else as it is. */
export function translated(error: unknown, path: string): unknown {
  const result = sqliteResultCode(error);
  if (result === undefined || isNexusError(error)) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const primary = result & 0xff;
  if (
    primary === RESULT_CODES['SQLITE_CONSTRAINT'] ||
    primary === RESULT_CODES['SQLITE_MISMATCH']
  ) {
    return new InvariantError(`a record does not fit its table: ${reason}`);
  }
  const code = storageErrorCode(result);
  const advice = ADVICE[code];
  return new StorageError(
    code,
    `the database ${path} failed: ${advice === undefined ? '' : `${advice} `}(${reason})`,
    { cause: error },
  );
}

function storageErrorCode(result: number): StorageErrorCode {
  return CODE_BY_RESULT[result] ?? CODE_BY_RESULT[result & 0xff] ?? 'storage/unavailable';
}
