import { InvariantError, isNexusError, StorageError } from '../../core/model/errors.ts';
import type { StorageErrorCode } from '../../core/model/errors.ts';

/** What the names of IndexedDB's errors mean for the caller; any other is `storage/unavailable`. */
const CODE_BY_NAME: Readonly<Record<string, StorageErrorCode>> = {
  QuotaExceededError: 'storage/quota-exceeded',
  VersionError: 'storage/version-too-new',
  // A value that is there and cannot be read back.
  NotReadableError: 'storage/corrupt',
  DataError: 'storage/corrupt',
};

const ADVICE: Readonly<Partial<Record<StorageErrorCode, string>>> = {
  'storage/quota-exceeded': 'there is no space left for this site',
  'storage/version-too-new':
    'a newer version of the app has changed it; reload to get that version. Nothing was changed',
  'storage/corrupt': 'something in it cannot be read',
};

/** What the caller hears: a `StorageError` for a failure of IndexedDB, anything else as it is. */
export function translated(error: unknown, database: string): unknown {
  if (!isForeign(error)) return error;
  const code = CODE_BY_NAME[error.name] ?? 'storage/unavailable';
  const advice = ADVICE[code];
  const reason = `${error.name}: ${error.message}`;
  return new StorageError(
    code,
    `the database ${database} failed: ${advice === undefined ? reason : `${advice} (${reason})`}`,
    { cause: error },
  );
}

/** A failure that IndexedDB throws at the call, before anything is asked of the disk: misuse. */
export function misused(error: unknown): unknown {
  if (!isForeign(error)) return error;
  switch (error.name) {
    case 'DataError':
    case 'DataCloneError':
      return new InvariantError(`a record does not fit its table: ${error.message}`);
    case 'TransactionInactiveError':
      return awaitedElsewhere();
    default:
      return error;
  }
}

/** True for what the platform threw: an error with a name that is none of ours. */
function isForeign(error: unknown): error is { name: string; message: string } {
  if (typeof error !== 'object' || error === null || isNexusError(error)) return false;
  return typeof DOMException !== 'undefined' && error instanceof DOMException;
}

/** The transaction has ended before its body: IndexedDB does not wait for anything but its own requests. */
export function awaitedElsewhere(): InvariantError {
  return new InvariantError('the body of a transaction awaited something else than its steps');
}
