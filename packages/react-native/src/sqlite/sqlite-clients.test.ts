import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { sqliteStorage, type SqliteClient } from 'nexus-store/sqlite';
import { faultySqliteClient, testStorage, type StorageHarness } from 'nexus-store/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  EXPO_ANDROID,
  EXPO_IOS,
  expoSqliteLookAlike,
  opSqliteLookAlike,
} from '../fake/sqlite-look-alikes.ts';
import { expoSqliteClient } from './expo-sqlite-client.ts';
import { opSqliteClient } from './op-sqlite-client.ts';
import { OneAtATime, resultCodeIn, splitPath } from './sqlite-result-code.ts';

const functions = { describe, test, expect };

async function harness(create: (folder: string) => SqliteClient): Promise<StorageHarness> {
  const folder = await mkdtemp(join(tmpdir(), 'nexus-phone-'));
  const faulty = faultySqliteClient(create(folder));
  return {
    create: () => sqliteStorage({ path: join(folder, 'field.db'), client: faulty }),
    failStep: (nth) => faulty.failStatement(nth, { resultCode: 13 }),
    dispose: () => rm(folder, { recursive: true }),
  };
}

const CLIENTS = {
  'expo-sqlite on iOS': (folder: string) => expoSqliteClient(expoSqliteLookAlike(folder, EXPO_IOS)),
  'expo-sqlite on Android': (folder: string) =>
    expoSqliteClient(expoSqliteLookAlike(folder, EXPO_ANDROID)),
  'op-sqlite': (folder: string) => opSqliteClient(opSqliteLookAlike(folder)),
};

for (const [name, create] of Object.entries(CLIENTS)) {
  testStorage(`${name}, a look-alike`, () => harness(create), functions);
}

describe.each(Object.entries(CLIENTS))('%s', (_, create) => {
  let folder: string;
  const schema = { version: 1, tables: {} };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nexus-phone-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const storage = () =>
    sqliteStorage({ path: join(folder, 'a.db'), client: create(folder), busyTimeout: '50ms' });

  test('nothing is opened before the storage is', async () => {
    storage();

    expect(existsSync(join(folder, 'a.db'))).toBe(false);
  });

  test('a database that another process keeps locked is busy', async () => {
    const opened = storage();
    await opened.open(schema);
    const other = new DatabaseSync(join(folder, 'a.db'));
    other.exec('BEGIN IMMEDIATE');

    const written = opened.transact('write', async () => {});

    await expect(written).rejects.toMatchObject({ code: 'storage/busy' });
    other.close();
    await opened.close();
  });

  test('a file that is no database is corrupt', async () => {
    await writeFile(join(folder, 'a.db'), 'what is this? '.repeat(100));

    await expect(storage().open(schema)).rejects.toMatchObject({ code: 'storage/corrupt' });
  });

  test('a folder that is not there is unavailable', async () => {
    const lost = sqliteStorage({ path: join(folder, 'no', 'a.db'), client: create(folder) });

    await expect(lost.open(schema)).rejects.toMatchObject({ code: 'storage/unavailable' });
  });

  test('it writes ahead', async () => {
    const opened = storage();
    await opened.open(schema);
    await opened.close();

    const reader = new DatabaseSync(join(folder, 'a.db'));
    expect(reader.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    reader.close();
  });
});

test.each([
  ['Error code 5: database is locked', 5],
  ['Error code \u0005: database is locked', 5],
  ['→ Caused by: Error code \r: database or disk is full', 13],
  ['Error code \n: disk I/O error', 10],
  ['[op-sqlite] SQLite error code: 2067, description: UNIQUE constraint failed', 2067],
  ['[op-sqlite] SQL statement error on opsqlite_execute:\n11 description:\nmalformed', 11],
  ['unable to open database file', 14],
  ['something else', undefined],
])('the result code in %j', (message, code) => {
  expect(resultCodeIn(new Error(message))).toBe(code);
});

test('calls of a connection run one at a time, in order, also after one that failed', async () => {
  const calls = new OneAtATime();
  const events: string[] = [];
  const slow = calls.run(async () => {
    await new Promise((resolve) => setImmediate(resolve));
    events.push('slow');
    throw new Error('no');
  });
  const fast = calls.run(() => void events.push('fast'));

  await expect(slow).rejects.toThrow('no');
  await fast;

  expect(events).toEqual(['slow', 'fast']);
});

test.each([
  ['field.db', { file: 'field.db' }],
  ['/data/app/field.db', { folder: '/data/app', file: 'field.db' }],
  ['/field.db', { folder: '/', file: 'field.db' }],
])('the path %s', (path, parts) => {
  expect(splitPath(path)).toEqual(parts);
});
