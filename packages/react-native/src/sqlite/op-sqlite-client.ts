/**
 * SQLite on phones through `@op-engineering/op-sqlite`.
 *
 * @module
 */
import type {
  SqliteClient,
  SqliteConnection,
  SqliteRow,
  SqliteStatement,
} from 'nexus-store/sqlite';
import { OneAtATime, splitPath, withResultCode } from './sqlite-result-code.ts';

type Value = string | number | null;

/** The module `@op-engineering/op-sqlite`, by shape: `import { open } from '@op-engineering/op-sqlite'`. */
export interface OpSqlite {
  open(options: {
    name: string;
    location?: string;
    encryptionKey?: string;
    readOnly?: boolean;
  }): OpSqliteDatabase;
}

export interface OpSqliteDatabase {
  executeRaw(sql: string, parameters?: Value[]): Promise<{ readonly rawRows: unknown[][] }>;
  close(): void;
}

export interface OpSqliteClientOptions {
  /** For builds of op-sqlite with SQLCipher. @defaultValue none */
  readonly encryptionKey?: string;
}

/**
 * The client of `sqliteStorage` for op-sqlite: one connection, asked one statement at a time, opened when
 * the storage is.
 *
 * @example
 * import * as OP from '@op-engineering/op-sqlite';
 * sqliteStorage({ path: 'field.db', client: opSqliteClient(OP) });
 */
export function opSqliteClient(
  sqlite: OpSqlite,
  options: OpSqliteClientOptions = {},
): SqliteClient {
  const { encryptionKey } = options;
  return {
    encrypted: encryptionKey !== undefined,
    open: async (path, { readOnly }) => {
      const { folder, file } = splitPath(path);
      const database = await withResultCode(() =>
        sqlite.open({
          name: file,
          readOnly,
          ...(folder === undefined ? {} : { location: folder }),
          ...(encryptionKey === undefined ? {} : { encryptionKey }),
        }),
      );
      return new OpConnection(database);
    },
  };
}

class OpConnection implements SqliteConnection {
  readonly #database: OpSqliteDatabase;
  readonly #calls = new OneAtATime();

  constructor(database: OpSqliteDatabase) {
    this.#database = database;
  }

  async exec(sql: string): Promise<void> {
    await this.#calls.run(() => this.#database.executeRaw(sql));
  }

  /** op-sqlite's prepared statements answer with objects by column name; its raw rows are what is wanted. */
  prepare(sql: string): SqliteStatement {
    const execute = (parameters: readonly Value[]): Promise<readonly SqliteRow[]> =>
      this.#calls.run(async () => {
        const { rawRows } = await this.#database.executeRaw(sql, [...parameters]);
        return rawRows.map((row) => row.map(withBytes) as unknown as SqliteRow);
      });
    return {
      run: async (parameters) => {
        await execute(parameters);
      },
      all: execute,
    };
  }

  close(): Promise<void> {
    return this.#calls.run(() => this.#database.close());
  }
}

/** Blobs come as `ArrayBuffer`. */
function withBytes(value: unknown): unknown {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : value;
}
