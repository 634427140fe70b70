import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { UsageError } from '../../core/model/errors.ts';
import type { ColumnValue } from '../../core/ports/storage.ts';
import { assertWritable } from './node-file.ts';
import { isNodeAtLeast, nodeName } from './node-version.ts';
import type {
  SqliteClient,
  SqliteConnection,
  SqliteRow,
  SqliteStatement,
} from './sqlite-client.ts';

/**
 * The SQLite that is part of Node, from 22.13 on. There is nothing to install. Node 22 prints an
 * `ExperimentalWarning` when it is first used.
 *
 * @throws UsageError `usage/unsupported-runtime` from `open` on any other runtime
 */
export function nodeSqliteClient(): SqliteClient {
  return {
    encrypted: false,
    open: (path, { readOnly }) => {
      const { DatabaseSync: Database } = loadNodeSqlite();
      assertWritable(path);
      return new NodeConnection(new Database(path, { readOnly }));
    },
  };
}

function loadNodeSqlite(): typeof import('node:sqlite') {
  // Asked for when it is first needed, so that this file can be loaded and bundled anywhere.
  const module = isNodeAtLeast(22, 13) ? process.getBuiltinModule('node:sqlite') : undefined;
  if (module !== undefined) return module;
  throw new UsageError(
    'usage/unsupported-runtime',
    `sqliteStorage needs Node 22.13 or newer, and this is ${nodeName()}. ` +
      'Install Node 24 (https://nodejs.org, or `npm install node@24` and `npx node`). ' +
      'On another platform pass the client of an SQLite library that runs there.',
  );
}

class NodeConnection implements SqliteConnection {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  exec(sql: string): void {
    this.#database.exec(sql);
  }

  prepare(sql: string): SqliteStatement {
    return new NodeStatement(this.#database.prepare(sql));
  }

  close(): void {
    this.#database.close();
  }
}

class NodeStatement implements SqliteStatement {
  readonly #statement: StatementSync;
  readonly #returnsArrays: boolean;

  constructor(statement: StatementSync) {
    this.#statement = statement;
    // Node 22 before 22.16 does not have it.
    this.#returnsArrays = typeof statement.setReturnArrays === 'function';
    if (this.#returnsArrays) statement.setReturnArrays(true);
  }

  run(parameters: readonly ColumnValue[]): void {
    this.#statement.run(...(parameters as readonly SQLInputValue[]));
  }

  all(parameters: readonly ColumnValue[]): readonly SqliteRow[] {
    const rows: readonly unknown[] = this.#statement.all(
      ...(parameters as readonly SQLInputValue[]),
    );
    return (
      this.#returnsArrays ? rows : rows.map((row) => Object.values(row as object))
    ) as SqliteRow[];
  }
}
