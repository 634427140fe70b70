import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { cursorText, parseCursor } from './cursor.ts';
import type { Cursor } from './cursor.ts';
import { refKey, StoreFailure } from './receiver-store.ts';
import type {
  AppliedOperation,
  Arrival,
  ChangedRow,
  ChangePage,
  ChangeQuery,
  Decide,
  Loaded,
  ReceiverStore,
  StoredRow,
  StoreFailureKind,
  Wanted,
  Writes,
} from './receiver-store.ts';

export type SqlValue = string | number | null;

/** The part of a SQLite client that is used; `DatabaseSync` of `node:sqlite` fits, as does better-sqlite3. */
export interface SqlDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqlStatement;
  close(): unknown;
}

export interface SqlStatement {
  run(...parameters: SqlValue[]): unknown;
  get(...parameters: SqlValue[]): unknown;
  all(...parameters: SqlValue[]): unknown[];
}

export interface SqliteReceiverOptions {
  /**
   * `strict` waits for the disk at every commit, so that an acknowledged operation survives a loss of
   * power; `relaxed` only survives a kill of the process.
   *
   * @defaultValue `'strict'`
   */
  readonly durability?: 'strict' | 'relaxed';
  /**
   * How long a write waits for another process before it answers `busy`. Other requests go on meanwhile.
   *
   * @unit milliseconds
   * @defaultValue `5_000`
   */
  readonly busyTimeoutMs?: number;
}

const SCHEMA_VERSION = 1;
/** Tells this server's files from those of other programs, such as a client's: "nxss". */
const APPLICATION_ID = 0x6e787373;
const BUSY_PAUSE_MS = 10;

const SCHEMA = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE tenants (
  tenant INTEGER PRIMARY KEY,
  principal TEXT NOT NULL UNIQUE,
  change INTEGER NOT NULL DEFAULT 0,
  horizon INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE rows (
  tenant INTEGER NOT NULL,
  collection TEXT NOT NULL,
  entity TEXT NOT NULL,
  change INTEGER NOT NULL,
  value TEXT,
  operation_id TEXT NOT NULL,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, collection, entity)
);
CREATE INDEX rows_by_change ON rows (tenant, collection, change);
CREATE INDEX tombstones ON rows (changed_at) WHERE value IS NULL;
CREATE TABLE operations (
  arrival INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant INTEGER NOT NULL,
  key TEXT NOT NULL,
  entry_id TEXT NOT NULL,
  collection TEXT NOT NULL,
  entity TEXT NOT NULL,
  operation TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  change INTEGER,
  value TEXT,
  applied_at INTEGER NOT NULL,
  UNIQUE (tenant, key)
);
`;

const SQL = {
  addTenant: 'INSERT INTO tenants (principal) VALUES (?) ON CONFLICT DO NOTHING',
  tenant: 'SELECT tenant, change, horizon FROM tenants WHERE principal = ?',
  setChange: 'UPDATE tenants SET change = ? WHERE tenant = ?',
  operation: 'SELECT fingerprint, change, value FROM operations WHERE tenant = ? AND key = ?',
  addOperation: `INSERT INTO operations
    (tenant, key, entry_id, collection, entity, operation, fingerprint, change, value, applied_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  row: `SELECT change, value, operation_id AS operationId FROM rows
    WHERE tenant = ? AND collection = ? AND entity = ?`,
  putRow: `INSERT INTO rows (tenant, collection, entity, change, value, operation_id, changed_at)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (tenant, collection, entity) DO UPDATE SET change = excluded.change,
    value = excluded.value, operation_id = excluded.operation_id, changed_at = excluded.changed_at`,
  changes: `SELECT entity, change, value, operation_id AS operationId FROM rows
    WHERE tenant = ? AND collection = ? AND change > ? ORDER BY change LIMIT ?`,
  arrivals: `SELECT arrival, key AS idempotencyKey, entry_id AS entryId, collection, entity, operation,
    CAST(change AS TEXT) AS version, applied_at AS at FROM operations
    WHERE tenant = ? AND arrival > ? ORDER BY arrival LIMIT ?`,
  oldOperations: 'SELECT arrival, applied_at AS at FROM operations ORDER BY arrival LIMIT 1000',
  forgetOperations: 'DELETE FROM operations WHERE arrival <= ?',
  raiseHorizons: `UPDATE tenants SET horizon = max(horizon, (SELECT coalesce(max(change), 0) FROM rows
    WHERE rows.tenant = tenants.tenant AND value IS NULL AND changed_at < ?))
    WHERE tenant IN (SELECT tenant FROM rows WHERE value IS NULL AND changed_at < ?)`,
  forgetTombstones: 'DELETE FROM rows WHERE value IS NULL AND changed_at < ?',
  begin: 'BEGIN IMMEDIATE',
  beginRead: 'BEGIN',
  commit: 'COMMIT',
  rollback: 'ROLLBACK',
} as const;
type StatementName = keyof typeof SQL;

interface Tenant {
  readonly tenant: number;
  readonly change: number;
  readonly horizon: number;
}

/** Keeps the receiver's data in one SQLite file. The database must be this store's own connection. */
export class SqliteReceiverStore implements ReceiverStore {
  readonly #database: SqlDatabase;
  readonly #statements = new Map<StatementName, SqlStatement>();
  readonly #epoch: string;
  readonly #busyTimeoutMs: number;
  /** A rollback failed, so that the connection may still be inside a transaction. */
  #isUnfinished = false;

  constructor(database: SqlDatabase, options: SqliteReceiverOptions = {}) {
    this.#database = database;
    this.#busyTimeoutMs = busyTimeoutOf(options);
    try {
      database.exec(`PRAGMA busy_timeout = ${this.#busyTimeoutMs}`);
      // Before anything is changed, also the mode of its journal.
      this.#assertOurs();
      database.exec('PRAGMA journal_mode = WAL');
      database.exec(`PRAGMA synchronous = ${options.durability === 'relaxed' ? 'NORMAL' : 'FULL'}`);
      this.#epoch = this.#transaction('begin', () => this.#migrate());
      // From now on waiting is done here: inside SQLite it would stop every other request too.
      database.exec('PRAGMA busy_timeout = 0');
    } catch (cause) {
      throw storeFailure(cause);
    }
  }

  async apply(principal: string, wanted: Wanted, decide: Decide): Promise<void> {
    await this.#guarded('begin', () => {
      const tenant = this.#tenant(principal) ?? this.#addTenant(principal);
      this.#write(tenant.tenant, decide(this.#load(tenant, wanted)));
    });
  }

  async pull(query: ChangeQuery): Promise<ChangePage> {
    return this.#guarded('beginRead', () => {
      const tenant = this.#tenant(query.principal) ?? { tenant: 0, change: 0, horizon: 0 };
      const start =
        query.cursor === null
          ? { epoch: this.#epoch, position: 0, since: tenant.change }
          : parseCursor(query.cursor);
      if (start === undefined) return { kind: 'invalid' };
      if (start.epoch !== this.#epoch || start.position > tenant.change) return { kind: 'expired' };
      if (Math.max(start.position, start.since) < tenant.horizon) return { kind: 'expired' };
      return this.#page(query, tenant, start);
    });
  }

  async sweep(before: { readonly operations: number; readonly tombstones: number }): Promise<void> {
    await this.#guarded('begin', () => {
      this.#run('raiseHorizons', before.tombstones, before.tombstones);
      this.#run('forgetTombstones', before.tombstones);
    });
    while (await this.#guarded('begin', () => this.#forgetOperations(before.operations)));
  }

  async arrivals(principal: string, after: number, limit: number): Promise<readonly Arrival[]> {
    return this.#guarded('beginRead', () => {
      const tenant = this.#tenant(principal)?.tenant ?? 0;
      return this.#statement('arrivals').all(tenant, after, limit) as Arrival[];
    });
  }

  async close(): Promise<void> {
    this.#statements.clear();
    this.#database.close();
  }

  /** True if there is nothing in it yet. */
  #assertOurs(): boolean {
    const number = (name: string): unknown =>
      Object.values(this.#database.prepare(`PRAGMA ${name}`).get() as object)[0];
    const isEmpty =
      this.#database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
    const applicationId = number('application_id');
    const isNobodys = isEmpty && applicationId === 0 && number('user_version') === 0;
    if (applicationId !== APPLICATION_ID && !isNobodys) throw new StoreFailure('foreign');
    if (Number(number('user_version')) > SCHEMA_VERSION) throw new StoreFailure('too-new');
    return isNobodys;
  }

  /** Makes the tables if there are none. Returns the epoch. */
  #migrate(): string {
    // Another process may have been faster.
    if (this.#assertOurs()) {
      this.#database.exec(SCHEMA);
      this.#database.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
      const add = this.#database.prepare('INSERT INTO meta (name, value) VALUES (?, ?)');
      add.run('epoch', randomBytes(8).toString('hex'));
      this.#database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    }
    const epoch = this.#database.prepare("SELECT value FROM meta WHERE name = 'epoch'").get();
    return (epoch as { value: string }).value;
  }

  #tenant(principal: string): Tenant | undefined {
    return this.#statement('tenant').get(principal) as Tenant | undefined;
  }

  #addTenant(principal: string): Tenant {
    this.#run('addTenant', principal);
    return this.#tenant(principal) as Tenant;
  }

  #load(tenant: Tenant, wanted: Wanted): Loaded {
    const operations = new Map<string, AppliedOperation>();
    const rows = new Map<string, StoredRow>();
    const operation = this.#statement('operation');
    for (const key of wanted.keys) {
      const found = operation.get(tenant.tenant, key);
      if (found !== undefined) operations.set(key, found as AppliedOperation);
    }
    const row = this.#statement('row');
    const looked = new Set<string>();
    for (const ref of wanted.refs) {
      // A thousand operations may be of one large row.
      const key = refKey(ref);
      if (looked.has(key)) continue;
      looked.add(key);
      const found = row.get(tenant.tenant, ref.collection, ref.entity);
      if (found !== undefined) rows.set(key, found as StoredRow);
    }
    return { change: tenant.change, operations, rows };
  }

  #write(tenant: number, writes: Writes): void {
    for (const row of writes.rows) {
      const { collection, entity, change, value, operationId } = row;
      this.#run('putRow', tenant, collection, entity, change, value, operationId, writes.at);
    }
    const add = this.#statement('addOperation');
    for (const made of writes.operations) {
      const { key, entryId, collection, entity, operation, fingerprint, change, value } = made;
      const where = [tenant, key, entryId, collection, entity] as const;
      add.run(...where, operation, fingerprint, change, value, writes.at);
    }
    if (writes.operations.length > 0) this.#run('setChange', writes.change, tenant);
  }

  #page(query: ChangeQuery, tenant: Tenant, start: Cursor): ChangePage {
    // One row more than asked for tells whether another page follows.
    const found = this.#statement('changes').all(
      tenant.tenant,
      query.collection,
      start.position,
      query.limit + 1,
    ) as ChangedRow[];
    const rows = withinBytes(found.slice(0, query.limit), query.maxBytes);
    const hasMore = rows.length < found.length;
    const last = rows.at(-1)?.change ?? start.position;
    // With nothing left, the position moves past the changes of other collections too.
    const position = hasMore ? last : tenant.change;
    const since = Math.max(start.since, position);
    return {
      kind: 'page',
      rows,
      cursor: cursorText({ epoch: this.#epoch, position, since }),
      hasMore,
    };
  }

  /** Forgets up to a thousand operations; true if there may be more. */
  #forgetOperations(before: number): boolean {
    const oldest = this.#statement('oldOperations').all() as { arrival: number; at: number }[];
    const firstKept = oldest.findIndex(({ at }) => at >= before);
    const last = oldest.at(firstKept < 0 ? -1 : firstKept - 1);
    if (last === undefined || firstKept === 0) return false;
    this.#run('forgetOperations', last.arrival);
    return firstKept < 0;
  }

  #statement(name: StatementName): SqlStatement {
    let statement = this.#statements.get(name);
    if (statement === undefined) {
      statement = this.#database.prepare(SQL[name]);
      this.#statements.set(name, statement);
    }
    return statement;
  }

  #run(name: StatementName, ...parameters: SqlValue[]): void {
    this.#statement(name).run(...parameters);
  }

  /** @param body may run several times: a transaction that met a lock has done nothing */
  async #guarded<R>(begin: 'begin' | 'beginRead', body: () => R): Promise<R> {
    const until = performance.now() + this.#busyTimeoutMs;
    for (;;) {
      try {
        return this.#transaction(begin, body);
      } catch (cause) {
        const failure = storeFailure(cause);
        if (failure.kind !== 'busy' || performance.now() >= until) throw failure;
      }
      await sleep(BUSY_PAUSE_MS);
    }
  }

  #transaction<R>(begin: 'begin' | 'beginRead', body: () => R): R {
    if (this.#isUnfinished) this.#rollBack();
    try {
      this.#run(begin);
      const result = body();
      this.#run('commit');
      return result;
    } catch (error) {
      this.#isUnfinished = true;
      this.#rollBack();
      throw error;
    }
  }

  /** Never throws: the error that led here is the one to report, and the next transaction tries again. */
  #rollBack(): void {
    try {
      this.#run('rollback');
      this.#isUnfinished = false;
    } catch (error) {
      // Some failures (a full disk) make SQLite roll back by itself.
      this.#isUnfinished = !/no transaction is active/.test(String(error));
    }
  }
}

/** As many rows as fit, at least one: a page must make progress. */
function withinBytes(rows: readonly ChangedRow[], maxBytes: number): readonly ChangedRow[] {
  let bytes = 0;
  const end = rows.findIndex((row, index) => {
    bytes += Buffer.byteLength(row.value ?? '') + row.entity.length + 128;
    return bytes > maxBytes && index > 0;
  });
  return end < 0 ? rows : rows.slice(0, end);
}

function busyTimeoutOf({ busyTimeoutMs = 5_000 }: SqliteReceiverOptions): number {
  if (typeof busyTimeoutMs === 'number' && busyTimeoutMs >= 0) return Math.trunc(busyTimeoutMs);
  throw new TypeError(`busyTimeoutMs must be milliseconds, not ${String(busyTimeoutMs)}`);
}

/** SQLite's result codes (sqlite.org/rescode.html): of `node:sqlite` numbers, of better-sqlite3 names. */
const FAILURES: readonly (readonly [code: number, name: string, kind: StoreFailureKind])[] = [
  [5, 'SQLITE_BUSY', 'busy'],
  [6, 'SQLITE_LOCKED', 'busy'],
  [8, 'SQLITE_READONLY', 'read-only'],
  [11, 'SQLITE_CORRUPT', 'corrupt'],
  [13, 'SQLITE_FULL', 'full'],
  [14, 'SQLITE_CANTOPEN', 'unavailable'],
  // The locks of others changed too often to get one.
  [15, 'SQLITE_PROTOCOL', 'busy'],
  [26, 'SQLITE_NOTADB', 'corrupt'],
];
/** A full disk shows so when the shared memory beside the file cannot grow. */
const IOERR_SHMSIZE = 4874;

/** What is the matter, from an error of an SQLite client. */
export function storeFailure(cause: unknown): StoreFailure {
  if (cause instanceof StoreFailure) return cause;
  const { errcode, code } = cause as { errcode?: unknown; code?: unknown };
  if (errcode === IOERR_SHMSIZE || code === 'SQLITE_IOERR_SHMSIZE') {
    return new StoreFailure('full', cause);
  }
  // The extended codes keep the primary one in their low byte, and begin with its name.
  const known = FAILURES.find(([primary, name]) =>
    typeof errcode === 'number' ? (errcode & 255) === primary : String(code).startsWith(name),
  );
  return new StoreFailure(known?.[2] ?? 'failed', cause);
}
