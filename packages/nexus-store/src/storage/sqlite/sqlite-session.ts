import { InvariantError, StorageError, UsageError } from '../../core/model/errors.ts';
import type { StorageSchema } from '../../core/ports/storage.ts';
import type { Patience } from './patience.ts';
import type { Awaitable, SqliteConnection, SqliteRow, SqliteStatement } from './sqlite-client.ts';
import { isLater } from './sqlite-client.ts';
import { isBusy } from './sqlite-errors.ts';
import type { TableLayout } from './table-layout.ts';
import { TableStatements } from './table-statements.ts';
import { cutsTexts } from './whole-texts.ts';

/** 'nxst': says in the file's header whose it is. */
export const APPLICATION_ID = 0x6e787374;

export type Durability = 'strict' | 'relaxed';

/** Pages that the write-ahead log may hold before they are moved into the file: about 4 MB, SQLite's own. */
const CHECKPOINT_PAGES = 1_000;
/** Commits happen inside somebody's frame; there a checkpoint is only the last resort. */
const LAST_RESORT_CHECKPOINT_PAGES = 3_000;

/** What a database says of itself before anything is changed. */
interface Identity {
  readonly applicationId: number;
  readonly version: number;
  readonly isEmpty: boolean;
}

/** One connection, ready for transactions: its pragmas are set and its schema is there. */
export class SqliteSession {
  readonly #connection: SqliteConnection;
  readonly #tables: ReadonlyMap<string, TableStatements>;
  readonly #version: number;
  readonly #fixed: FixedStatements;
  /** Changes when another connection commits. */
  #dataVersion: number | undefined;

  constructor(
    connection: SqliteConnection,
    layouts: readonly TableLayout[],
    version: number,
    fixed: FixedStatements,
    areTextsCut: boolean,
  ) {
    this.#connection = connection;
    this.#version = version;
    this.#fixed = fixed;
    this.#tables = new Map(
      layouts.map((layout) => [layout.name, new TableStatements(connection, layout, areTextsCut)]),
    );
  }

  table(name: string): TableStatements {
    const table = this.#tables.get(name);
    // Asked for every change: the message is made only if there is one to tell.
    if (table === undefined) throw new InvariantError(`there is no table ${name}`);
    return table;
  }

  /**
   * Begins a transaction and fixes the state it sees, so that only this may have to wait for a lock.
   * Leaves no transaction behind if it fails.
   */
  begin(mode: 'read' | 'write'): Awaitable<void> {
    const begun = this.#fixed[mode === 'write' ? 'beginWrite' : 'beginRead'].run([]);
    if (isLater(begun)) return begun.then(() => this.#lookAround());
    // Without a promise where the client needs none: a save is a few microseconds in all.
    let rows: Awaitable<readonly SqliteRow[]>;
    try {
      rows = this.#fixed.dataVersion.all([]);
    } catch (error) {
      return this.#abort(error);
    }
    if (!isLater(rows) && numberOf(rows) === this.#dataVersion) return undefined;
    return this.#lookAround(rows);
  }

  /**
   * Whether other connections have committed since the last transaction; reading it takes the snapshot. If
   * so, what is kept in memory may be old, and an update of the app, running in another process, may have
   * changed the schema under this one.
   */
  async #lookAround(answer?: Awaitable<readonly SqliteRow[]>): Promise<void> {
    try {
      const dataVersion = numberOf(await (answer ?? this.#fixed.dataVersion.all([])));
      if (dataVersion === this.#dataVersion) return;
      this.#forget();
      const version = numberOf(await this.#fixed.version.all([]));
      if (version !== this.#version) assertVersionKnown(version, this.#version);
      this.#dataVersion = dataVersion;
    } catch (error) {
      await this.#abort(error);
    }
  }

  async #abort(error: unknown): Promise<never> {
    await this.rollback();
    throw error;
  }

  #forget(): void {
    for (const table of this.#tables.values()) table.forget();
  }

  commit(): Awaitable<void> {
    return this.#fixed.commit.run([]);
  }

  /** False if the connection is in an unknown state and must be given up. */
  async rollback(): Promise<boolean> {
    this.#forget();
    try {
      await this.#fixed.rollback.run([]);
      return true;
    } catch (error) {
      // SQLite rolls back by itself after some failures, and then says that there is no transaction.
      return error instanceof Error && error.message.includes('no transaction is active');
    }
  }

  async dataVersion(): Promise<number> {
    return numberOf(await this.#fixed.dataVersion.all([]));
  }

  /** True if the log is long enough for a checkpoint. Always false where SQLite cannot tell. */
  async needsCheckpoint(): Promise<boolean> {
    const [row] = (await this.#fixed.logSize?.all([])) ?? [];
    return row !== undefined && Number(row[1]) - Number(row[2]) >= CHECKPOINT_PAGES;
  }

  /** Moves the log into the file as far as no reader stands in the way. */
  async checkpoint(): Promise<void> {
    await this.#fixed.checkpoint.all([]);
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}

interface FixedStatements {
  readonly beginRead: SqliteStatement;
  readonly beginWrite: SqliteStatement;
  readonly commit: SqliteStatement;
  readonly rollback: SqliteStatement;
  readonly version: SqliteStatement;
  readonly dataVersion: SqliteStatement;
  readonly checkpoint: SqliteStatement;
  readonly logSize: SqliteStatement | undefined;
}

/** Makes a fresh connection ready. The caller closes the connection if this fails. */
export async function startSession(
  connection: SqliteConnection,
  schema: StorageSchema,
  layouts: readonly TableLayout[],
  durability: Durability,
  patience: Patience,
): Promise<SqliteSession> {
  // Waiting for locks inside SQLite would block the event loop.
  await connection.exec('PRAGMA busy_timeout = 0');
  const identity = await patience.until(() => assertOurs(connection, schema.version));
  await patience.until(() => useWriteAheadLog(connection));
  const canTellLogSize = await isAtLeast(connection, 3, 51);
  await connection.exec(settings(durability, canTellLogSize));
  if (identity.isEmpty || identity.version < schema.version) {
    await patience.until(() => upgrade(connection, schema, layouts));
  } else {
    await assertWritable(connection, schema.version);
  }
  const fixed = await fixedStatements(connection, canTellLogSize);
  const areTextsCut = await cutsTexts(connection);
  return new SqliteSession(connection, layouts, schema.version, fixed, areTextsCut);
}

/**
 * Refuses a database that is not ours to change, before anything is changed.
 *
 * @throws StorageError `storage/version-too-new`
 * @throws UsageError `usage/invalid-argument` if the file is another program's
 */
export async function assertOurs(
  connection: SqliteConnection,
  knownVersion: number,
): Promise<Identity> {
  const identity: Identity = {
    applicationId: numberOf(await query(connection, 'PRAGMA application_id')),
    version: numberOf(await query(connection, 'PRAGMA user_version')),
    isEmpty: (await query(connection, 'SELECT 1 FROM sqlite_schema LIMIT 1')).length === 0,
  };
  if (identity.applicationId === APPLICATION_ID) {
    assertVersionKnown(identity.version, knownVersion);
  } else if (!identity.isEmpty || identity.applicationId !== 0) {
    throw new UsageError(
      'usage/invalid-argument',
      'path names an SQLite database of another program; give nexus-store a file of its own',
    );
  }
  return identity;
}

function assertVersionKnown(found: number, known: number): void {
  if (found <= known) return;
  throw new StorageError(
    'storage/version-too-new',
    `the database has schema version ${found}, and this code knows versions up to ${known}; ` +
      'update the app to open it. Nothing was changed.',
  );
}

async function useWriteAheadLog(connection: SqliteConnection): Promise<void> {
  const [row] = await query(connection, 'PRAGMA journal_mode = WAL');
  if (row?.[0] === 'wal') return;
  throw new StorageError(
    'storage/unavailable',
    'SQLite cannot keep a write-ahead log there; use a file on a local disk',
  );
}

function settings(durability: Durability, canTellLogSize: boolean): string {
  const isStrict = durability === 'strict';
  const pages = canTellLogSize ? LAST_RESORT_CHECKPOINT_PAGES : CHECKPOINT_PAGES / 2;
  return [
    `PRAGMA synchronous = ${isStrict ? 'FULL' : 'NORMAL'}`,
    // On Apple systems a plain fsync leaves the data in the drive's cache.
    `PRAGMA fullfsync = ${isStrict ? 1 : 0}`,
    `PRAGMA checkpoint_fullfsync = ${isStrict ? 1 : 0}`,
    'PRAGMA cache_size = -4000',
    'PRAGMA mmap_size = 0',
    `PRAGMA wal_autocheckpoint = ${pages}`,
    'PRAGMA journal_size_limit = 8388608',
    'PRAGMA trusted_schema = 0',
    // What is deleted is overwritten, or a user's data could be read from the file after they have discarded it.
    'PRAGMA secure_delete = ON',
  ].join('; ');
}

/** SQLite opens what it cannot write, and would say so only when somebody's write is lost. */
async function assertWritable(connection: SqliteConnection, version: number): Promise<void> {
  try {
    // Of a file that it cannot write SQLite takes BEGIN IMMEDIATE for BEGIN; only a change fails.
    await connection.exec('BEGIN IMMEDIATE');
    await connection.exec(`PRAGMA user_version = ${version}`);
    await connection.exec('ROLLBACK');
  } catch (error) {
    // Whoever holds the lock can write, so this file can be written.
    if (!isBusy(error)) throw error;
  }
}

/** Brings an older or empty database to this schema, in one transaction. */
async function upgrade(
  connection: SqliteConnection,
  schema: StorageSchema,
  layouts: readonly TableLayout[],
): Promise<void> {
  await connection.exec('BEGIN IMMEDIATE');
  try {
    // Another process may have been faster.
    const { version, isEmpty } = await assertOurs(connection, schema.version);
    if (isEmpty || version < schema.version) {
      for (const layout of layouts) await upgradeTable(connection, layout);
      await connection.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
      await connection.exec(`PRAGMA user_version = ${schema.version}`);
    }
    await connection.exec('COMMIT');
  } catch (error) {
    try {
      await connection.exec('ROLLBACK');
    } catch {
      // SQLite has rolled back by itself, or the connection is about to be closed for the first failure.
    }
    throw error;
  }
}

async function upgradeTable(connection: SqliteConnection, layout: TableLayout): Promise<void> {
  const rows = await query(connection, `SELECT name FROM pragma_table_info(?)`, [layout.name]);
  if (rows.length === 0) await connection.exec(layout.createTable);
  const existing = new Set(rows.map(([name]) => name));
  const missing = layout.columns.filter((column) => rows.length > 0 && !existing.has(column));
  for (const column of missing) await connection.exec(layout.addColumn(column));
  for (const create of layout.createIndexes) await connection.exec(create);
}

async function fixedStatements(
  connection: SqliteConnection,
  canTellLogSize: boolean,
): Promise<FixedStatements> {
  return {
    beginRead: await connection.prepare('BEGIN'),
    beginWrite: await connection.prepare('BEGIN IMMEDIATE'),
    commit: await connection.prepare('COMMIT'),
    rollback: await connection.prepare('ROLLBACK'),
    version: await connection.prepare('PRAGMA user_version'),
    dataVersion: await connection.prepare('PRAGMA data_version'),
    checkpoint: await connection.prepare('PRAGMA wal_checkpoint(PASSIVE)'),
    // Older versions take the unknown word for PASSIVE and would do what is only asked about.
    logSize: canTellLogSize ? await connection.prepare('PRAGMA wal_checkpoint(NOOP)') : undefined,
  };
}

async function isAtLeast(
  connection: SqliteConnection,
  major: number,
  minor: number,
): Promise<boolean> {
  const [row] = await query(connection, 'SELECT sqlite_version()');
  const [foundMajor = 0, foundMinor = 0] = String(row?.[0]).split('.').map(Number);
  return foundMajor > major || (foundMajor === major && foundMinor >= minor);
}

async function query(
  connection: SqliteConnection,
  sql: string,
  parameters: readonly string[] = [],
): Promise<readonly SqliteRow[]> {
  return await (await connection.prepare(sql)).all(parameters);
}

function numberOf(rows: readonly SqliteRow[]): number {
  return Number(rows[0]?.[0]);
}
