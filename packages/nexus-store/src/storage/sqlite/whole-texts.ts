import type { SqliteConnection, SqliteRow, SqliteStatement } from './sqlite-client.ts';
import { isLater } from './sqlite-client.ts';
import { quoted } from './table-layout.ts';
import { textOf } from './utf8.ts';

/**
 * Some clients read a text only up to its first NUL character, though SQLite has kept all of it: those of
 * Node 22 and of the first releases of Node 24 do. Such texts are asked for as blobs.
 */
export async function cutsTexts(connection: SqliteConnection): Promise<boolean> {
  const [row] = await (await connection.prepare("SELECT 'a' || char(0) || 'b'")).all([]);
  return row?.[0] !== 'a\0b';
}

/** Selects a column so that nothing of a text is lost. */
export function wholeText(column: string): string {
  const name = quoted(column);
  return `CASE WHEN instr(${name}, char(0)) > 0 THEN CAST(${name} AS BLOB) ELSE ${name} END`;
}

export function readingWholeTexts(statement: SqliteStatement): SqliteStatement {
  const withTexts = (rows: readonly SqliteRow[]): readonly SqliteRow[] => rows.map(decoded);
  return {
    run: (parameters) => statement.run(parameters),
    all: (parameters) => {
      const rows = statement.all(parameters);
      return isLater(rows) ? rows.then(withTexts) : withTexts(rows);
    },
  };
}

function decoded(row: SqliteRow): SqliteRow {
  return row.map((value) => (value instanceof Uint8Array ? textOf(value) : value));
}
