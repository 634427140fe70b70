import { FUNCTION, requireKind } from '../../core/model/arguments.ts';
import { UsageError } from '../../core/model/errors.ts';
import type { ColumnValue } from '../../core/ports/storage.ts';
import { assertWritable } from './node-file.ts';
import { hasNodeApi, nodeName } from './node-version.ts';
import type {
  SqliteClient,
  SqliteConnection,
  SqliteRow,
  SqliteStatement,
} from './sqlite-client.ts';

/**
 * The version of Node-API that its binaries are made for, whatever its `engines` say: 13.2 crashes on Node
 * 22.13, which has 9, and runs on 22.14.
 */
const NODE_API = 10;

/** The class that `better-sqlite3` exports, as far as it is used here. */
export interface BetterSqlite3 {
  new (
    path: string,
    options: { readonly readonly: boolean; readonly timeout: number },
  ): BetterSqlite3Database;
}

export interface BetterSqlite3Database {
  exec(sql: string): unknown;
  prepare(sql: string): BetterSqlite3Statement;
  close(): unknown;
}

export interface BetterSqlite3Statement {
  /** True for statements that return rows. */
  readonly reader: boolean;
  raw(isRaw: boolean): unknown;
  run(...parameters: unknown[]): unknown;
  all(...parameters: unknown[]): unknown[];
}

/**
 * The library `better-sqlite3`, 13 or newer.
 *
 * @example sqliteStorage({ path: 'field.db', client: betterSqlite3Client(Database) })
 * @throws UsageError `usage/unsupported-runtime` from `open` on Node before 22.14, where the library ends
 *   the process with a segmentation fault
 */
export function betterSqlite3Client(Database: BetterSqlite3): SqliteClient {
  requireKind(
    "betterSqlite3Client's class (the default export of better-sqlite3)",
    Database,
    FUNCTION,
  );
  return {
    encrypted: false,
    open: (path, { readOnly }) => {
      assertNodeFits();
      assertWritable(path);
      return new BetterSqlite3Connection(new Database(path, { readonly: readOnly, timeout: 0 }));
    },
  };
}

function assertNodeFits(): void {
  if (hasNodeApi(NODE_API)) return;
  throw new UsageError(
    'usage/unsupported-runtime',
    `better-sqlite3 needs Node 22.14 or newer and would end the process here: this is ${nodeName()}. ` +
      'Install Node 24 (https://nodejs.org, or `npm install node@24` and `npx node`).',
  );
}

class BetterSqlite3Connection implements SqliteConnection {
  readonly #database: BetterSqlite3Database;

  constructor(database: BetterSqlite3Database) {
    this.#database = database;
  }

  exec(sql: string): void {
    this.#database.exec(sql);
  }

  prepare(sql: string): SqliteStatement {
    return new Statement(this.#database.prepare(sql));
  }

  close(): void {
    this.#database.close();
  }
}

class Statement implements SqliteStatement {
  readonly #statement: BetterSqlite3Statement;

  constructor(statement: BetterSqlite3Statement) {
    this.#statement = statement;
    if (statement.reader) statement.raw(true);
  }

  run(parameters: readonly ColumnValue[]): void {
    this.#statement.run(parameters);
  }

  all(parameters: readonly ColumnValue[]): readonly SqliteRow[] {
    return this.#statement.all(parameters) as SqliteRow[];
  }
}
