import type { TableSchema } from '../../core/ports/storage.ts';

export interface IndexLayout {
  /** What `INDEXED BY` says, or `NOT INDEXED`. The planner is never left to choose. */
  readonly hint: string;
  /** The columns a range may bound, in order. */
  readonly key: readonly string[];
  /** What the order is by: the key, and the primary key among equals. */
  readonly order: readonly string[];
  /** Terms that the planner needs to see before it takes a partial index. */
  readonly conditions: readonly string[];
}

/** How one table lies in SQLite, worked out once from its schema. */
export interface TableLayout {
  readonly name: string;
  readonly columns: readonly string[];
  readonly key: readonly string[];
  /** True if the key is the rowid: one b-tree, and many keys are read with one `IN`. */
  readonly isClustered: boolean;
  /** Its records are kept at hand. */
  readonly isKept: boolean;
  readonly primary: IndexLayout;
  readonly indexes: ReadonlyMap<string, IndexLayout>;
  readonly createTable: string;
  readonly createIndexes: readonly string[];
  /** For columns that a newer schema adds. */
  readonly addColumn: (column: string) => string;
}

const SQL_TYPES = { integer: 'INTEGER', text: 'TEXT', any: 'ANY' } as const;

export function tableLayout(name: string, schema: TableSchema): TableLayout {
  const columns = Object.keys(schema.columns);
  const typeOf = (column: string): string => SQL_TYPES[schema.columns[column] ?? 'any'];
  const isClustered = schema.key.length === 1 && typeOf(schema.key[0] as string) === 'INTEGER';
  const sparse = Object.entries(schema.indexes ?? {}).map(([index, indexed]) =>
    sparseIndex(name, schema.key, index, indexed),
  );
  return {
    name,
    columns,
    key: schema.key,
    isClustered,
    isKept: schema.isSmall === true && schema.key.length === 1,
    primary: {
      hint: isClustered ? 'NOT INDEXED' : `INDEXED BY ${quoted(`sqlite_autoindex_${name}_1`)}`,
      key: schema.key,
      order: schema.key,
      conditions: [],
    },
    indexes: new Map(sparse.map(({ index, layout }) => [index, layout])),
    createTable: createTable(name, schema, typeOf, isClustered),
    createIndexes: sparse.map(({ create }) => create),
    addColumn: (column) =>
      `ALTER TABLE ${quoted(name)} ADD COLUMN ${quoted(column)} ${typeOf(column)}`,
  };
}

/**
 * Strict tables, so that `1` and `'1'` stay apart in a column of any type. A table whose records are
 * all key is one b-tree. Others keep the records in the order of insertion beside an index of keys:
 * with random ids that writes three times as fast as records that lie in the order of their keys,
 * because a record is long and the index of keys fits in memory.
 */
function createTable(
  name: string,
  schema: TableSchema,
  typeOf: (column: string) => string,
  isClustered: boolean,
): string {
  const columns = Object.keys(schema.columns);
  const isAllKey = columns.every((column) => schema.key.includes(column));
  const definitions = columns.map((column) => {
    const notNull = schema.key.includes(column) ? ' NOT NULL' : '';
    return `${quoted(column)} ${typeOf(column)}${isClustered && notNull ? ' PRIMARY KEY' : notNull}`;
  });
  if (!isClustered) definitions.push(`PRIMARY KEY (${list(schema.key)})`);
  const options = isAllKey && !isClustered ? 'STRICT, WITHOUT ROWID' : 'STRICT';
  return `CREATE TABLE ${quoted(name)} (${definitions.join(', ')}) ${options}`;
}

function sparseIndex(
  table: string,
  primaryKey: readonly string[],
  index: string,
  columns: readonly string[],
): { index: string; layout: IndexLayout; create: string } {
  const name = quoted(`${table}_${index}`);
  const order = [...columns, ...primaryKey.filter((column) => !columns.includes(column))];
  // A key column is never null. SQLite drops such a term from a query, and would then not see that the
  // query fits an index which has the term.
  const conditions = columns
    .filter((column) => !primaryKey.includes(column))
    .map((column) => `${quoted(column)} IS NOT NULL`);
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  return {
    index,
    layout: { hint: `INDEXED BY ${name}`, key: columns, order, conditions },
    create: `CREATE INDEX IF NOT EXISTS ${name} ON ${quoted(table)} (${list(order)})${where}`,
  };
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function list(columns: readonly string[]): string {
  return columns.map(quoted).join(', ');
}
