import { InvariantError } from '../../core/model/errors.ts';
import type { ColumnValue, StoredRecord } from '../../core/ports/storage.ts';
import type { Awaitable, SqliteConnection, SqliteStatement } from './sqlite-client.ts';
import { isLater } from './sqlite-client.ts';
import type { TableLayout } from './table-layout.ts';
import { list, quoted } from './table-layout.ts';

/** Statements kept for one table; records of more shapes than these name all columns. */
const MAX_SHAPES = 16;

/**
 * Writes records of one table, one row per statement, which is the fastest way to write. The columns
 * that are null are not bound: half of an entry is, and each costs as much as one with a value. So there
 * is a statement for each set of columns with values, its shape, and most records have one of a few.
 */
export class PutStatements {
  readonly #connection: SqliteConnection;
  readonly #layout: TableLayout;
  /** By shape: bit i is set if column i has a value. */
  readonly #byShape = new Map<number, SqliteStatement>();
  #lastShape = -1;
  #last: SqliteStatement | undefined;

  constructor(connection: SqliteConnection, layout: TableLayout) {
    this.#connection = connection;
    this.#layout = layout;
  }

  /** Inserts or replaces. Runs a thousand times in a row, so it makes no closure for a known shape. */
  put(record: StoredRecord): Awaitable<void> {
    const { columns } = this.#layout;
    const values: ColumnValue[] = [];
    let shape = 0;
    let at = 0;
    // A record whose columns come in the order of the table is read without looking any up.
    for (const column in record) {
      if (column !== columns[at]) break;
      const value = record[column];
      if (value === undefined) break;
      if (value !== null) {
        values.push(value);
        shape |= 1 << at;
      }
      at += 1;
    }
    for (; at < columns.length; at += 1) {
      const value = record[columns[at] as string];
      if (value === undefined) throw this.#missing(at);
      if (value === null) continue;
      values.push(value);
      shape |= 1 << at;
    }
    if (shape === this.#lastShape && this.#last !== undefined) return this.#last.run(values);
    return this.#putAs(shape, values, record);
  }

  #putAs(shape: number, values: ColumnValue[], record: StoredRecord): Awaitable<void> {
    const known = this.#byShape.get(shape);
    if (known !== undefined) return this.#run(shape, known, values);
    const { columns } = this.#layout;
    const all = 2 ** columns.length - 1;
    if (this.#byShape.size >= MAX_SHAPES && shape !== all) {
      return this.#putAs(
        all,
        columns.map((column) => record[column] as ColumnValue),
        record,
      );
    }
    const statement = this.#connection.prepare(putSql(this.#layout, shape));
    if (!isLater(statement)) return this.#run(shape, statement, values);
    return statement.then((prepared) => this.#run(shape, prepared, values));
  }

  #run(shape: number, statement: SqliteStatement, values: ColumnValue[]): Awaitable<void> {
    this.#byShape.set(shape, statement);
    this.#lastShape = shape;
    this.#last = statement;
    return statement.run(values);
  }

  #missing(at: number): InvariantError {
    const { name, columns } = this.#layout;
    return new InvariantError(`${name}.${columns[at] ?? ''} is missing in a record`);
  }
}

function putSql(layout: TableLayout, shape: number): string {
  const isGiven = (column: string): boolean =>
    (shape & (1 << layout.columns.indexOf(column))) !== 0;
  const given = layout.columns.filter(isGiven);
  const values = given.map(() => '?').join(', ');
  const updated = layout.columns.filter((column) => !layout.key.includes(column));
  const insert = `INSERT INTO ${quoted(layout.name)} (${list(given)}) VALUES (${values})`;
  // REPLACE would delete and insert again: twice the cost of an update in place.
  const update = updated.map((column) => {
    const name = quoted(column);
    return `${name} = ${isGiven(column) ? `excluded.${name}` : 'NULL'}`;
  });
  return `${insert} ON CONFLICT (${list(layout.key)}) DO ${
    update.length === 0 ? 'NOTHING' : `UPDATE SET ${update.join(', ')}`
  }`;
}
