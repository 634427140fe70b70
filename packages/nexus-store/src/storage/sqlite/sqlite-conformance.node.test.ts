import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { faultySqliteClient, testStorage } from '../../testing/index.ts';
import type { SqliteFault, StorageHarness } from '../../testing/index.ts';
import type { SqliteClient, SqliteConnection, SqliteRow, SqliteStatement } from './index.ts';
import { betterSqlite3Client, nodeSqliteClient, sqliteStorage } from './index.ts';

const functions = { describe, test, expect };

async function harness(client: SqliteClient, fault?: SqliteFault): Promise<StorageHarness> {
  const folder = await mkdtemp(join(tmpdir(), 'nexus-sqlite-'));
  const faulty = faultySqliteClient(client);
  return {
    create: () =>
      sqliteStorage({
        path: join(folder, 'store.db'),
        client: fault === undefined ? client : faulty,
      }),
    ...(fault === undefined ? {} : { failStep: (nth) => faulty.failStatement(nth, fault) }),
    dispose: async () => await rm(folder, { recursive: true }),
  };
}

/** Answers later, as the clients on phones do. */
function asynchronous(client: SqliteClient): SqliteClient {
  const later = async <T>(answer: () => T | Promise<T>): Promise<T> => {
    await Promise.resolve();
    return await answer();
  };
  const statement = (inner: SqliteStatement): SqliteStatement => ({
    run: async (parameters) => await later(() => inner.run(parameters)),
    all: async (parameters) => await later(() => inner.all(parameters)),
  });
  const connection = (inner: SqliteConnection): SqliteConnection => ({
    exec: async (sql) => await later(() => inner.exec(sql)),
    prepare: async (sql) => statement(await later(() => inner.prepare(sql))),
    close: async () => await later(() => inner.close()),
  });
  return {
    encrypted: client.encrypted,
    open: async (path, options) => connection(await later(() => client.open(path, options))),
  };
}

function cuttingTexts(client: SqliteClient): SqliteClient {
  const cut = (row: SqliteRow): SqliteRow =>
    row.map((value) => (typeof value === 'string' ? value.replace(/\0.*/s, '') : value));
  return {
    encrypted: client.encrypted,
    open: async (path, options) => {
      const connection = await client.open(path, options);
      return {
        exec: (sql) => connection.exec(sql),
        prepare: async (sql) => {
          const statement = await connection.prepare(sql);
          return {
            run: (parameters) => statement.run(parameters),
            all: async (parameters) => (await statement.all(parameters)).map(cut),
          };
        },
        close: () => connection.close(),
      };
    },
  };
}

testStorage('node:sqlite', async () => await harness(nodeSqliteClient()), functions);

testStorage('better-sqlite3', async () => await harness(betterSqlite3Client(Database)), functions);

testStorage(
  'a client that answers later',
  async () => await harness(asynchronous(nodeSqliteClient())),
  functions,
);

testStorage(
  'a client that reads texts up to a NUL, as that of Node 22 does',
  async () => await harness(cuttingTexts(nodeSqliteClient())),
  functions,
);

testStorage(
  'a disk that fills up',
  async () => await harness(nodeSqliteClient(), { resultCode: 13 }),
  functions,
);

testStorage(
  'a device that fails, so that SQLite rolls back by itself',
  async () => await harness(nodeSqliteClient(), { resultCode: 10, rollsBack: true }),
  functions,
);
