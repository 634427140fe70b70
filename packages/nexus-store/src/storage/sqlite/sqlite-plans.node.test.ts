import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, test } from 'vitest';
import { STORAGE_SCHEMA } from '../../core/model/storage-schema.ts';
import type { Key, ScanRange, StorageSchema } from '../../core/ports/storage.ts';
import { sqliteStorage } from './index.ts';
import { tableLayout } from './table-layout.ts';
import { scanSql } from './table-statements.ts';

const folder = mkdtempSync(join(tmpdir(), 'nexus-plans-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A table that has what the product's schema happens not to have: a text key with indexes. */
const SCHEMA: StorageSchema = {
  version: 1,
  tables: {
    ...STORAGE_SCHEMA.tables,
    other: {
      columns: { a: 'integer', b: 'text', c: 'any', d: 'text', e: 'integer' },
      key: ['a', 'b', 'c'],
      indexes: { d: ['d', 'e'], tail: ['e'], mixed: ['d', 'b'], reordered: ['c', 'a'] },
    },
  },
};

interface Shape {
  readonly table: string;
  readonly range: ScanRange;
  readonly columns: readonly string[];
}

describe('the plans of SQLite', () => {
  test.each(['a new database', 'a database whose statistics mislead'])(
    'every scan of %s searches the index it names and sorts nothing',
    async (kind) => {
      const path = join(folder, `${kind}.db`);
      const storage = sqliteStorage({ path });
      await storage.open(SCHEMA);
      await storage.close();
      const database = new DatabaseSync(path);
      if (kind.includes('mislead')) mislead(database);

      const wrong = shapes()
        .map((shape) => ({ shape, plan: planOf(database, shape) }))
        .filter(({ shape, plan }) => !isGood(shape, plan));
      database.close();

      expect(shapes().length).toBeGreaterThan(500);
      expect(wrong).toEqual([]);
    },
  );
});

/** One step that reads by the named index, with every given part used as a bound of the search. */
function isGood({ range, columns }: Shape, plan: readonly string[]): boolean {
  const [step = '', ...more] = plan;
  const bounded = new Set<string>();
  const { prefix = [], from, to } = range;
  for (let i = 0; i < prefix.length; i += 1) bounded.add(`${columns[i]}=?`);
  const next = columns[prefix.length] ?? '';
  // Of a bound of several columns SQLite names them all.
  const several = (key: Key, sign: string): string =>
    `(${columns.slice(prefix.length, prefix.length + key.length).join(',')})${sign}(${key.map(() => '?').join(',')})`;
  if (from !== undefined) bounded.add(from.length === 1 ? `${next}>?` : several(from, '>'));
  if (to !== undefined) bounded.add(to.length === 1 ? `${next}<?` : several(to, '<'));
  const isSearched = [...bounded].every((term) =>
    step.replaceAll('rowid', columns[0] ?? '').includes(term),
  );
  // A second step would be a sort.
  return more.length === 0 && isSearched && (bounded.size === 0 || step.startsWith('SEARCH'));
}

function planOf(database: DatabaseSync, { table, range }: Shape): string[] {
  const schema = SCHEMA.tables[table];
  if (schema === undefined) throw new Error(`no table ${table}`);
  const sql = `EXPLAIN QUERY PLAN ${scanSql(tableLayout(table, schema), range, `SELECT * FROM ${table}`)}`;
  const { prefix = [], from = [], to = [] } = range;
  const rows = database.prepare(sql).all(...prefix, ...from, ...to, range.limit);
  return rows.map((row) => String(row['detail']));
}

function shapes(): Shape[] {
  return Object.entries(SCHEMA.tables).flatMap(([table, schema]) => {
    const keys: [string | undefined, readonly string[]][] = [
      [undefined, schema.key],
      ...Object.entries(schema.indexes ?? {}),
    ];
    return keys.flatMap(([index, columns]) =>
      ranges(columns.length).map((range) => ({
        table,
        columns,
        range: index === undefined ? range : { ...range, index },
      })),
    );
  });
}

function ranges(length: number): ScanRange[] {
  const all: ScanRange[] = [];
  const keyOf = (size: number): Key => Array.from({ length: size }, () => 1);
  for (let prefix = 0; prefix <= length; prefix += 1) {
    for (let from = 0; from <= length - prefix; from += 1) {
      for (let to = 0; to <= length - prefix; to += 1) {
        for (const reverse of [false, true]) {
          for (const isOpen of [false, true]) {
            all.push({
              limit: 10,
              reverse,
              ...(prefix === 0 ? {} : { prefix: keyOf(prefix) }),
              ...(from === 0 ? {} : { from: keyOf(from), fromOpen: isOpen }),
              ...(to === 0 ? {} : { to: keyOf(to), toOpen: isOpen }),
            });
          }
        }
      }
    }
  }
  return all;
}

/** Statistics by which every index looks useless, and then some that make one look like a bargain. */
function mislead(database: DatabaseSync): void {
  database.exec('ANALYZE');
  const insert = database.prepare('INSERT INTO sqlite_stat1 VALUES (?, ?, ?)');
  const indexes = database
    .prepare("SELECT name, tbl_name FROM sqlite_schema WHERE type = 'index'")
    .all();
  for (const [i, index] of indexes.entries()) {
    const statistics = i % 2 === 0 ? '1000000 1000000 1000000 1000000' : '1000000 1 1 1';
    insert.run(String(index['tbl_name']), String(index['name']), statistics);
  }
  database.exec('ANALYZE sqlite_schema');
}
