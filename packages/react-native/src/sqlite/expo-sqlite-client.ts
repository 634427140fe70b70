/**
 * SQLite on phones through `expo-sqlite`.
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

/** The module `expo-sqlite`, by shape: `import * as SQLite from 'expo-sqlite'`. */
export interface ExpoSqlite {
  openDatabaseAsync(
    name: string,
    options?: { readonly useNewConnection?: boolean },
    directory?: string,
  ): Promise<ExpoSqliteDatabase>;
}

export interface ExpoSqliteDatabase {
  execAsync(sql: string): Promise<void>;
  prepareAsync(sql: string): Promise<ExpoSqliteStatement>;
  closeAsync(): Promise<void>;
}

export interface ExpoSqliteStatement {
  executeForRawResultAsync(parameters: Value[]): Promise<{ getAllAsync(): Promise<unknown[]> }>;
}

/** SQLITE_CANTOPEN: to `sqliteStorage`, "the real connection will tell". */
const CANNOT_OPEN = 14;

/**
 * The client of `sqliteStorage` for `expo-sqlite`: one connection of its own, asked one statement at a
 * time, opened when the storage is.
 *
 * `expo-sqlite` opens no database read-only, so that the look at a file before it is opened is left out:
 * a file that is refused may have its log moved into it.
 *
 * @example
 * import * as SQLite from 'expo-sqlite';
 * sqliteStorage({ path: 'field.db', client: expoSqliteClient(SQLite) });
 */
export function expoSqliteClient(sqlite: ExpoSqlite): SqliteClient {
  return {
    encrypted: false,
    open: async (path, { readOnly }) => {
      if (readOnly)
        throw Object.assign(new Error('expo-sqlite opens nothing read-only'), {
          errcode: CANNOT_OPEN,
        });
      const { folder, file } = splitPath(path);
      const options = { useNewConnection: true };
      return new ExpoConnection(
        await withResultCode(() => sqlite.openDatabaseAsync(file, options, folder)),
      );
    },
  };
}

class ExpoConnection implements SqliteConnection {
  readonly #database: ExpoSqliteDatabase;
  readonly #calls = new OneAtATime();

  constructor(database: ExpoSqliteDatabase) {
    this.#database = database;
  }

  exec(sql: string): Promise<void> {
    return this.#calls.run(() => this.#database.execAsync(sql));
  }

  async prepare(sql: string): Promise<SqliteStatement> {
    const statement = await this.#calls.run(() => this.#database.prepareAsync(sql));
    return {
      run: async (parameters) => {
        await this.#calls.run(() => statement.executeForRawResultAsync([...parameters]));
      },
      all: (parameters) =>
        this.#calls.run(async () => {
          const result = await statement.executeForRawResultAsync([...parameters]);
          return (await result.getAllAsync()) as readonly SqliteRow[];
        }),
    };
  }

  /** Finalizes what was prepared, as `expo-sqlite` does by default. */
  close(): Promise<void> {
    return this.#calls.run(() => this.#database.closeAsync());
  }
}
