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
    blocked: () => patience.onBlocked(),
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

/** A browser that has not said anything by then will hardly answer. */
const UNANSWERED_MS = 30_000;

/**
 * Waits for an open request. Other contexts can keep it waiting for as long as they like, and the browser
 * says so; whatever else takes its time is only slow.
 */
class Patience {
  readonly #database: string;
  readonly #limitMs: number;
  readonly #ended: Promise<never>;
  #reject: (error: StorageError) => void = () => undefined;
  #stop: () => void;

  constructor(database: string, limitMs: number) {
    this.#database = database;
    this.#limitMs = limitMs;
    this.#ended = new Promise((_, reject) => {
      this.#reject = reject;
    });
    this.#ended.catch(() => undefined);
    this.#stop = afterWaiting(Math.max(limitMs, UNANSWERED_MS), () =>
      this.#giveUp('the browser does not answer; close other tabs of this site, or start it anew'),
    );
  }

  onBlocked(): void {
    this.#stop();
    this.#stop = afterWaiting(this.#limitMs, () =>
      this.#giveUp(
        'another tab or worker of this site holds an older version of it open; close it',
      ),
    );
  }

  #giveUp(hint: string): void {
    const reason = `the database ${this.#database} did not open: ${hint}`;
    this.#reject(new StorageError('storage/busy', reason));
  }

  /** From here on it takes as long as it takes: nobody else is in the way any more. */
  end(): void {
    this.#stop();
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

const SLICES = 4;

/**
 * Calls it after so long, as far as this context could do anything meanwhile: a page that is held up, or
 * sleeps, has not waited, and what came for it in that time is heard first. Returns how to stop.
 */
function afterWaiting(limitMs: number, call: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const wait = (slices: number): void => {
    timer = setTimeout(
      () => (slices === 0 ? call() : wait(slices - 1)),
      slices === 0 ? 0 : limitMs / SLICES,
    );
  };
  wait(SLICES);
  return () => clearTimeout(timer);
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
