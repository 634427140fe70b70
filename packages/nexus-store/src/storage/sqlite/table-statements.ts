import { assert } from '../../core/model/errors.ts';
import type {
  ColumnValue,
  Key,
  KeyPart,
  ScanRange,
  StoredRecord,
} from '../../core/ports/storage.ts';
import { KeptRecords } from './kept-records.ts';
import { PutStatements } from './put-statements.ts';
import type { Awaitable, SqliteConnection, SqliteRow, SqliteStatement } from './sqlite-client.ts';
import { isLater } from './sqlite-client.ts';
import type { IndexLayout, TableLayout } from './table-layout.ts';
import { list, quoted } from './table-layout.ts';
import { readingWholeTexts, wholeText } from './whole-texts.ts';

/** How many keys one statement reads. Two lengths are enough to keep the number of statements small. */
const KEYS_AT_ONCE = 32;

/** The statements of one table on one connection: made from its layout when first needed, then kept. */
export class TableStatements {
  readonly name: string;
  readonly #connection: SqliteConnection;
  readonly #layout: TableLayout;
  readonly #cutsTexts: boolean;
  readonly #selected: string;
  readonly #table: string;
  readonly #prepared = new Map<string, SqliteStatement>();
  readonly #puts: PutStatements;
  readonly #kept: KeptRecords | undefined;

  /** @param cutsTexts whether the client reads texts only up to a NUL; see `whole-texts.ts` */
  constructor(connection: SqliteConnection, layout: TableLayout, cutsTexts: boolean) {
    this.#connection = connection;
    this.name = layout.name;
    this.#layout = layout;
    this.#table = quoted(layout.name);
    this.#puts = new PutStatements(connection, layout);
    this.#kept = layout.isKept ? new KeptRecords(layout.key[0] as string) : undefined;
    this.#cutsTexts = cutsTexts;
    const columns = cutsTexts ? layout.columns.map(wholeText).join(', ') : list(layout.columns);
    this.#selected = `SELECT ${columns} FROM ${this.#table}`;
  }

  /** Another connection has committed, or what was written here is undone. */
  forget(): void {
    this.#kept?.forget();
  }

  put(record: StoredRecord): Awaitable<void> {
    this.#kept?.put(record);
    return this.#puts.put(record);
  }

  delete(key: Key): Awaitable<void> {
    this.#assertKey(key);
    this.#kept?.delete(key);
    const statement = this.#statement(
      'delete',
      () => `DELETE FROM ${this.#table} WHERE ${equal(this.#layout.key)}`,
    );
    return andThen(statement, (deletion) => deletion.run(key));
  }

  get(keys: readonly Key[]): Awaitable<readonly (StoredRecord | undefined)[]> {
    if (keys.length !== 1) return this.#getMany(keys);
    return andThen(this.#getSingle(keys[0] as Key), (record) => [record]);
  }

  async #getMany(keys: readonly Key[]): Promise<readonly (StoredRecord | undefined)[]> {
    const records: (StoredRecord | undefined)[] = [];
    for (let start = 0; start < keys.length;) {
      const end = endOfRun(keys, start);
      if (end - start === KEYS_AT_ONCE) {
        const found = this.#getRun(keys.slice(start, end));
        records.push(...(isLater(found) ? await found : found));
        start = end;
      } else {
        const found = this.#getSingle(keys[start] as Key);
        records.push(isLater(found) ? await found : found);
        start += 1;
      }
    }
    return records;
  }

  async scan(range: ScanRange): Promise<readonly StoredRecord[]> {
    const statement = this.#statement(scanShape(range), () =>
      scanSql(this.#layout, range, this.#selected),
    );
    const { prefix = [], from = [], to = [] } = range;
    const parameters = [...prefix, ...from, ...to, range.limit];
    const rows = (isLater(statement) ? await statement : statement).all(parameters);
    return (isLater(rows) ? await rows : rows).map((row) => this.#record(row));
  }

  #getSingle(key: Key): Awaitable<StoredRecord | undefined> {
    this.#assertKey(key);
    const kept = this.#kept?.get(key);
    if (kept !== undefined) return kept ?? undefined;
    const statement = this.#statement(
      'get',
      () => `${this.#selected} ${this.#layout.primary.hint} WHERE ${equal(this.#layout.key)}`,
    );
    const rows = andThen(statement, (one) => one.all(key));
    return andThen(rows, ([row]) => {
      const record = row === undefined ? undefined : this.#record(row);
      this.#kept?.learn(key, record);
      return record;
    });
  }

  /** Records of keys that differ in their last part only. */
  #getRun(keys: readonly Key[]): Awaitable<readonly (StoredRecord | undefined)[]> {
    const statement = this.#statement('getMany', () => getManySql(this.#layout, this.#selected));
    const parameters: KeyPart[] = [...(keys[0] as Key).slice(0, -1)];
    for (const key of keys) {
      this.#assertKey(key);
      parameters.push(key.at(-1) as KeyPart);
    }
    const rows = andThen(statement, (many) => many.all(parameters));
    return andThen(rows, (found) => this.#inOrder(keys, found));
  }

  #inOrder(keys: readonly Key[], rows: readonly SqliteRow[]): (StoredRecord | undefined)[] {
    const column = this.#layout.columns.indexOf(this.#layout.key.at(-1) as string);
    const rowByPart = new Map(rows.map((row) => [row[column], row]));
    return keys.map((key) => {
      const row = rowByPart.get(key.at(-1) as KeyPart);
      return row === undefined ? undefined : this.#record(row);
    });
  }

  #statement(shape: string, sql: () => string): Awaitable<SqliteStatement> {
    const prepared = this.#prepared.get(shape);
    if (prepared !== undefined) return prepared;
    return andThen(this.#connection.prepare(sql()), (plain) => {
      const statement = this.#cutsTexts ? readingWholeTexts(plain) : plain;
      this.#prepared.set(shape, statement);
      return statement;
    });
  }

  #record(row: SqliteRow): StoredRecord {
    const { columns } = this.#layout;
    const record: Record<string, ColumnValue> = {};
    for (let i = 0; i < columns.length; i += 1) {
      record[columns[i] as string] = row[i] as ColumnValue;
    }
    return record;
  }

  #assertKey(key: Key): void {
    assert(key.length === this.#layout.key.length, 'a key has the length of its table');
  }
}

/** Where the run of keys ends that differ from the first one in their last part only. */
function endOfRun(keys: readonly Key[], start: number): number {
  const first = keys[start] as Key;
  const limit = Math.min(keys.length, start + KEYS_AT_ONCE);
  let end = start + 1;
  while (end < limit && haveSameStart(first, keys[end] as Key)) end += 1;
  return end;
}

function haveSameStart(left: Key, right: Key): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length - 1; i += 1) {
    if (left[i] !== right[i]) return false;
  }
  return true;
}

function getManySql(layout: TableLayout, selected: string): string {
  const last = layout.key.at(-1) as string;
  const conditions = layout.key.slice(0, -1).map((column) => `${quoted(column)} = ?`);
  conditions.push(`${quoted(last)} IN (${Array(KEYS_AT_ONCE).fill('?').join(', ')})`);
  return `${selected} ${layout.primary.hint} WHERE ${conditions.join(' AND ')}`;
}

function scanShape(range: ScanRange): string {
  const { index = '', prefix = [], from = [], to = [] } = range;
  const flags = (range.fromOpen ? 1 : 0) + (range.toOpen ? 2 : 0) + (range.reverse ? 4 : 0);
  return `${prefix.length}.${from.length}.${to.length}.${flags}.${index}`;
}

/** The statement of a scan. Its parameters are prefix, from, to and limit, in this order. */
export function scanSql(layout: TableLayout, range: ScanRange, selected: string): string {
  const index = range.index === undefined ? layout.primary : layout.indexes.get(range.index);
  assert(index, `${layout.name} has no index ${range.index ?? ''}`);
  const prefixLength = range.prefix?.length ?? 0;
  const conditions = [
    ...index.conditions,
    ...index.key.slice(0, prefixLength).map((column) => `${quoted(column)} = ?`),
    ...bound(index, prefixLength, range.from?.length ?? 0, range.fromOpen ? '>' : '>='),
    ...bound(index, prefixLength, range.to?.length ?? 0, range.toOpen ? '<' : '<='),
  ];
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  const direction = range.reverse ? ' DESC' : '';
  const order = index.order.slice(prefixLength).map((column) => quoted(column) + direction);
  return (
    `${selected} ${index.hint}${where}` +
    `${order.length === 0 ? '' : ` ORDER BY ${order.join(', ')}`} LIMIT ?`
  );
}

function bound(
  index: IndexLayout,
  prefixLength: number,
  length: number,
  operator: string,
): string[] {
  if (length === 0) return [];
  const columns = index.key.slice(prefixLength, prefixLength + length);
  assert(columns.length === length, 'a bound is not longer than the key');
  if (columns.length === 1) return [`${quoted(columns[0] as string)} ${operator} ?`];
  return [`(${list(columns)}) ${operator} (${columns.map(() => '?').join(', ')})`];
}

function equal(columns: readonly string[]): string {
  return columns.map((column) => `${quoted(column)} = ?`).join(' AND ');
}

function andThen<A, B>(answer: Awaitable<A>, next: (value: A) => Awaitable<B>): Awaitable<B> {
  return isLater(answer) ? answer.then(next) : next(answer);
}
