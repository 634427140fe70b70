import type { SqliteConnection } from 'nexus-store/sqlite';
import { atOnce } from './at-once.ts';

/** All records of a database, table by table. */
export type Dump = ReadonlyMap<string, readonly Readonly<Record<string, unknown>>[]>;

/** Everything in an SQLite file, read without any code of the product. */
export function dumpOf(connection: SqliteConnection): Dump {
  const dump = new Map<string, readonly Readonly<Record<string, unknown>>[]>();
  const tables = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
  for (const name of textsOf(connection, tables)) {
    const columns = textsOf(connection, `SELECT name FROM pragma_table_info('${name}')`);
    const selected = columns.map((column) => `"${column}"`).join();
    const rows = rowsOf(connection, `SELECT ${selected} FROM "${name}"`);
    dump.set(
      name,
      rows.map((row) => Object.fromEntries(columns.map((column, at) => [column, row[at]]))),
    );
  }
  return dump;
}

function textsOf(connection: SqliteConnection, sql: string): readonly string[] {
  return rowsOf(connection, sql).map(([text]) => text as string);
}

/** The same text for the same records, in whatever order they are kept. */
export function textOf(dump: Dump): string {
  return [...dump]
    .map(([name, rows]) => [name, ...rows.map((row) => JSON.stringify(row)).toSorted()].join('\n'))
    .join('\n\n');
}

function rowsOf(connection: SqliteConnection, sql: string): readonly (readonly unknown[])[] {
  return atOnce(atOnce(connection.prepare(sql)).all([]));
}
