import { OBJECT, objectWith, oneOf, requireOptions, TEXT } from '../../core/model/arguments.ts';
import type { Kinds } from '../../core/model/arguments.ts';
import type { Duration } from '../../core/model/duration.ts';
import { DURATION, durationMs } from '../../core/model/duration.ts';
import { assert, StorageError, UsageError } from '../../core/model/errors.ts';
import type {
  Storage,
  StorageCapabilities,
  StorageSchema,
  StorageTransaction,
} from '../../core/ports/storage.ts';
import { nodeSqliteClient } from './node-sqlite-client.ts';
import type { WaitingRuntime } from './patience.ts';
import { Patience, platformRuntime } from './patience.ts';
import type { Awaitable, SqliteClient, SqliteConnection } from './sqlite-client.ts';
import { isLater } from './sqlite-client.ts';
import { sqliteResultCode, translated } from './sqlite-errors.ts';
import type { Durability, SqliteSession } from './sqlite-session.ts';
import { assertOurs, startSession } from './sqlite-session.ts';
import { SqliteTransaction } from './sqlite-transaction.ts';
import { tableLayout } from './table-layout.ts';
import { Turns } from './turns.ts';

export interface SqliteStorageOptions {
  /** The database file. It is made if it is not there; its folder must be there and be writable. */
  readonly path: string;
  /**
   * `strict`: a resolved write survives a loss of power. `relaxed`: it survives a kill of the process,
   * and a loss of power may take back the last ones, never a part of one.
   *
   * @defaultValue 'strict'
   */
  readonly durability?: Durability;
  /**
   * The SQLite library.
   *
   * @defaultValue `nodeSqliteClient()`, the SQLite that is part of Node 22.13 and newer
   */
  readonly client?: SqliteClient;
  /**
   * How long a call waits for another process that has the file locked, before it rejects with
   * `storage/busy`. The event loop stays free meanwhile, and reads go on.
   *
   * @defaultValue '10s'
   */
  readonly busyTimeout?: Duration;
  /** Clock, timers and chance for that waiting. @defaultValue the platform's own */
  readonly runtime?: WaitingRuntime;
}

const OPTIONS: Kinds<SqliteStorageOptions> = {
  path: TEXT,
  durability: oneOf('strict', 'relaxed'),
  client: objectWith('a client, such as nodeSqliteClient()', 'open'),
  busyTimeout: DURATION,
  runtime: OBJECT,
};

/** Changes after which it is worth asking how long the log is. */
const CHANGES_BETWEEN_LOOKS = 200;

/**
 * A storage in one SQLite file, which several processes may share.
 *
 * @throws UsageError `usage/invalid-argument` at the call; `open` rejects with
 *   `usage/unsupported-runtime` where the client cannot run, and with `storage/unavailable`,
 *   `storage/read-only`, `storage/corrupt` or `storage/version-too-new`
 */
export function sqliteStorage(options: SqliteStorageOptions): Storage {
  return new SqliteHandle(options);
}

class SqliteHandle implements Storage {
  readonly capabilities: StorageCapabilities;
  readonly #path: string;
  readonly #client: SqliteClient;
  readonly #durability: Durability;
  readonly #runtime: WaitingRuntime;
  readonly #patience: Patience;
  readonly #turns = new Turns();
  #state: 'new' | 'open' | 'closed' = 'new';
  #schema: StorageSchema | undefined;
  #session: SqliteSession | undefined;
  /** Counts connections: numbers of commits are comparable within one connection only. */
  #generation = 0;
  #changesSinceLook = 0;
  #isCheckpointDue = false;
  #closing: Promise<void> | undefined;

  constructor(options: SqliteStorageOptions) {
    requireOptions('sqliteStorage', options, OPTIONS);
    this.#path = checkedPath(options.path);
    this.#client = options.client ?? nodeSqliteClient();
    this.#durability = options.durability ?? 'strict';
    this.#runtime = options.runtime ?? platformRuntime;
    this.#patience = new Patience(
      this.#runtime,
      durationMs(options.busyTimeout ?? '10s', 'busyTimeout'),
    );
    this.capabilities = {
      durable: true,
      sharedAcrossContexts: true,
      encrypted: this.#client.encrypted,
    };
  }

  async open(schema: StorageSchema): Promise<void> {
    assert(this.#state !== 'open', 'a storage is opened once');
    this.#assertNotClosed();
    await this.#inTurn(false, async () => {
      await this.#lookFirst(schema);
      this.#session = await this.#connect(schema);
      this.#schema = schema;
      if (this.#state === 'new') this.#state = 'open';
    });
  }

  async transact<R>(
    mode: 'read' | 'write',
    body: (tx: StorageTransaction) => Promise<R>,
  ): Promise<R> {
    this.#assertOpen();
    // Steps that a client answers at once are not awaited: each turn of promises costs a save as much as
    // a small statement.
    const turn = this.#turns.take(mode === 'read');
    if (turn !== undefined) await turn;
    try {
      const session = this.#session ?? (await this.#currentSession());
      const begun = this.#begin(session, mode);
      if (begun !== undefined) await begun;
      return await this.#perform(session, mode, body);
    } catch (error) {
      throw this.#translated(error);
    } finally {
      this.#turns.end();
    }
  }

  async #perform<R>(
    session: SqliteSession,
    mode: 'read' | 'write',
    body: (tx: StorageTransaction) => Promise<R>,
  ): Promise<R> {
    const transaction = new SqliteTransaction(
      session,
      mode,
      (error) => this.#translated(error),
      this.#runtime,
    );
    try {
      const result = await body(transaction);
      transaction.end();
      const committed = session.commit();
      if (isLater(committed)) await committed;
      this.#countChanges(transaction.changeCount);
      return result;
    } catch (error) {
      transaction.abandon();
      if (!(await session.rollback())) await this.#giveUp(session);
      throw error;
    }
  }

  async foreignCommits(): Promise<number> {
    this.#assertOpen();
    return await this.#inTurn(true, async () => {
      const session = await this.#currentSession();
      return this.#generation * 2 ** 32 + (await session.dataVersion());
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#state = 'closed';
    await this.#inTurn(false, async () => {
      const session = this.#session;
      this.#session = undefined;
      await session?.close();
    });
  }

  #begin(session: SqliteSession, mode: 'read' | 'write'): Promise<void> | undefined {
    let begun: Awaitable<void>;
    try {
      begun = session.begin(mode);
    } catch (error) {
      begun = Promise.reject(error);
    }
    if (!isLater(begun)) return undefined;
    let isFirst = true;
    return this.#patience.until(
      () => {
        if (!isFirst) return session.begin(mode);
        isFirst = false;
        return begun;
      },
      mode === 'write' ? () => this.#turns.lendToReads() : undefined,
    );
  }

  async #currentSession(): Promise<SqliteSession> {
    assert(this.#schema, 'a schema was given to open');
    this.#session ??= await this.#connect(this.#schema);
    return this.#session;
  }

  /**
   * Looks at the file through a connection that cannot write, so that a database which is refused stays
   * as it is: a connection that can write would move a log left by a crash into the file when it closes.
   */
  async #lookFirst(schema: StorageSchema): Promise<void> {
    let connection: SqliteConnection | undefined;
    try {
      connection = await this.#client.open(this.#path, { readOnly: true });
      await assertOurs(connection, schema.version);
    } catch (error) {
      // No file yet, a lock, or a log to be recovered first: the real connection will tell.
      if (sqliteResultCode(error) === undefined) throw error;
    } finally {
      await connection?.close();
    }
  }

  async #connect(schema: StorageSchema): Promise<SqliteSession> {
    const connection = await this.#client.open(this.#path, { readOnly: false });
    try {
      const layouts = Object.entries(schema.tables).map(([name, table]) =>
        tableLayout(name, table),
      );
      const session = await startSession(
        connection,
        schema,
        layouts,
        this.#durability,
        this.#patience,
      );
      this.#generation += 1;
      return session;
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  /** The next call makes a new connection. */
  async #giveUp(session: SqliteSession): Promise<void> {
    this.#session = undefined;
    try {
      await session.close();
    } catch {
      // It is given up because it does not work; the failure that led here is the one to tell.
    }
  }

  #countChanges(count: number): void {
    this.#changesSinceLook += count;
    if (this.#changesSinceLook < CHANGES_BETWEEN_LOOKS || this.#isCheckpointDue) return;
    this.#changesSinceLook = 0;
    void this.#checkpointSoon();
  }

  /**
   * In a turn of the event loop of its own, that no commit follows in: a commit and a checkpoint together
   * would drop a frame.
   */
  async #checkpointSoon(): Promise<void> {
    this.#isCheckpointDue = true;
    try {
      if (!(await this.#session?.needsCheckpoint())) return;
      await this.#runtime.timers.yield();
      if (this.#state !== 'open') return;
      await this.#inTurn(false, async () => {
        await this.#session?.checkpoint();
        await this.#runtime.timers.yield();
      });
    } catch {
      // Upkeep: nothing is lost without it, and a real fault shows in the next transaction.
    } finally {
      this.#isCheckpointDue = false;
    }
  }

  async #inTurn<R>(isRead: boolean, body: () => Promise<R>): Promise<R> {
    await this.#turns.take(isRead);
    try {
      return await body();
    } catch (error) {
      throw this.#translated(error);
    } finally {
      this.#turns.end();
    }
  }

  #translated(error: unknown): unknown {
    return translated(error, this.#path);
  }

  #assertOpen(): void {
    this.#assertNotClosed();
    if (this.#state === 'new')
      throw new StorageError('storage/closed', 'the storage is not open yet');
  }

  #assertNotClosed(): void {
    if (this.#state === 'closed') throw new StorageError('storage/closed', 'the storage is closed');
  }
}

function checkedPath(path: unknown): string {
  if (typeof path !== 'string' || path === '' || path === ':memory:') {
    throw new UsageError(
      'usage/invalid-argument',
      'path must name a database file; memoryStorage() keeps data in memory',
    );
  }
  // Half of what reads it would take what comes before the zero for the name.
  if (path.includes('\0'))
    throw new UsageError('usage/invalid-argument', 'path must not hold a zero character');
  return path;
}
