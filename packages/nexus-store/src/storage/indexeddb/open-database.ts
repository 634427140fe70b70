import { openDB, unwrap } from 'idb';
import type { IDBPDatabase } from 'idb';
import { StorageError } from '../../core/model/errors.ts';
import type { StorageSchema } from '../../core/ports/storage.ts';
import { assertOurs, upgradeDatabase } from './schema-upgrade.ts';

export interface OpenDatabaseOptions {
  readonly name: string;
  readonly schema: StorageSchema;
  /** How long to wait for other contexts to let go of an older version. */
  readonly patienceMs: number;
  /** The connection must not be used any more: another context upgrades, or the browser has ended it. */
  readonly onLost: () => void;
}

/**
 * Opens the database and makes what the schema lacks.
 *
 * @throws StorageError `storage/unavailable`, `storage/busy`, `storage/corrupt`; a newer version than the
 *   schema's is the browser's own `VersionError`
 */
export async function openDatabase(options: OpenDatabaseOptions): Promise<IDBDatabase> {
  assertIndexedDb();
  const { name, schema, patienceMs, onLost } = options;
  let refusal: unknown;
  let lose = onLost;
  const patience = new Patience(name, patienceMs);
  const opening = openDB(name, schema.version, {
    upgrade: (database, oldVersion, _, transaction) => {
      patience.end();
      // Otherwise nobody hears of the failure of this transaction, and it counts as unhandled.
      transaction.done.catch(() => undefined);
      try {
        upgradeDatabase(unwrap(database), unwrap(transaction), oldVersion, schema);
      } catch (error) {
        refusal = error;
        transaction.abort();
      }
    },
    blocking: () => lose(),
    terminated: () => lose(),
  });
  let database: IDBPDatabase;
  try {
    database = await patience.with(opening);
  } catch (error) {
    throw refusal ?? error;
  }
  const native = unwrap(database);
  try {
    assertOurs(native, schema);
    return native;
  } catch (error) {
    lose = () => undefined;
    native.close();
    throw error;
  }
}

/** Waits for an open request, which other contexts can keep waiting for as long as they like. */
class Patience {
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #ended: Promise<never>;

  constructor(database: string, limitMs: number) {
    this.#ended = new Promise((_, reject) => {
      this.#timer = setTimeout(() => {
        const hint =
          'another tab or worker of this site holds an older version of it open; close it';
        reject(new StorageError('storage/busy', `the database ${database} did not open: ${hint}`));
      }, limitMs);
    });
    this.#ended.catch(() => undefined);
  }

  /** From here on it takes as long as it takes: nobody else is in the way any more. */
  end(): void {
    clearTimeout(this.#timer);
  }

  async with(opening: Promise<IDBPDatabase>): Promise<IDBPDatabase> {
    try {
      return await Promise.race([opening, this.#ended]);
    } catch (error) {
      // A request cannot be withdrawn. When it succeeds after all, its connection must not block others.
      opening.then(
        (late) => late.close(),
        () => undefined,
      );
      throw error;
    } finally {
      this.end();
    }
  }
}

function assertIndexedDb(): void {
  let cause: unknown;
  try {
    if (typeof indexedDB === 'object' && indexedDB !== null) return;
  } catch (error) {
    cause = error; // A frame without an origin of its own may not even look.
  }
  throw new StorageError(
    'storage/unavailable',
    'there is no IndexedDB here: the browser lacks it, or keeps it from this page (private window, ' +
      'blocked site data, sandboxed frame)',
    { cause },
  );
}
