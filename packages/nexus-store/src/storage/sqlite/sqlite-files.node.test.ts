import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Change, Storage, StorageSchema } from '../../core/ports/storage.ts';
import type { SqliteClient, SqliteConnection, SqliteStorageOptions } from './index.ts';
import { betterSqlite3Client, nodeSqliteClient, sqliteStorage } from './index.ts';

const SCHEMA: StorageSchema = {
  version: 1,
  tables: { notes: { columns: { id: 'integer', text: 'text' }, key: ['id'] } },
};
const NEWER: StorageSchema = { ...SCHEMA, version: 2 };

let folder: string;
let path: string;
let opened: Storage[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nexus-files-'));
  path = join(folder, 'store.db');
  opened = [];
});

afterEach(async () => {
  for (const storage of opened) await storage.close();
  rmSync(folder, { recursive: true });
});

describe.each([
  ['node:sqlite', nodeSqliteClient()],
  ['better-sqlite3', betterSqlite3Client(Database)],
])('an SQLite file through %s', (_, client) => {
  test('a file that is no database is refused as damaged, and stays as it is', async () => {
    writeFileSync(path, 'Dear diary, '.repeat(1_000));
    const before = hash(path);

    await expect(open({ client })).rejects.toMatchObject({ code: 'storage/corrupt' });

    expect(hash(path)).toBe(before);
  });

  test('a damaged page is told as damage, not as emptiness', async () => {
    const storage = await open({ client });
    await fill(storage, 2_000);
    await storage.close();
    const size = statSync(path).size;
    const bytes = readFileSync(path);
    bytes.fill(0xa5, 8_192, size - 4_096);
    writeFileSync(path, bytes);

    const damaged = await open({ client });

    await expect(allOf(damaged)).rejects.toMatchObject({ code: 'storage/corrupt' });
  });

  test('a file that was cut off is told as damage', async () => {
    const storage = await open({ client });
    await fill(storage, 2_000);
    await storage.close();
    truncateSync(path, 4_096 * 3);

    const reading = open({ client }).then(async (damaged) => await allOf(damaged));

    await expect(reading).rejects.toMatchObject({ code: 'storage/corrupt' });
  });

  test('an empty file becomes a database', async () => {
    writeFileSync(path, '');

    expect(await allOf(await open({ client }))).toEqual([]);
  });

  test("another program's database is refused, and stays as it is", async () => {
    const database = new DatabaseSync(path);
    database.exec('CREATE TABLE photos (id INTEGER)');
    database.close();
    const before = hash(path);

    await expect(open({ client })).rejects.toMatchObject({ code: 'usage/invalid-argument' });

    expect(hash(path)).toBe(before);
  });

  test('a newer database is not changed by a byte, even if a crash left a log', async () => {
    const newer = await open({ client }, NEWER);
    await fill(newer, 10);
    const crashed = join(folder, 'crashed.db');
    for (const end of ['', '-wal']) cpSync(path + end, crashed + end);
    await newer.close();
    for (const file of [path, crashed]) {
      const before = hash(file);

      const opening = open({ client, path: file });

      await expect(opening).rejects.toMatchObject({ code: 'storage/version-too-new' });
      expect(hash(file)).toBe(before);
    }
    expect((await allOf(await open({ client, path: crashed }, NEWER))).length).toBe(10);
  });

  test('what a crash left in the log is there again', async () => {
    const storage = await open({ client });
    await fill(storage, 10);
    const crashed = join(folder, 'crashed.db');
    for (const end of ['', '-wal']) cpSync(path + end, crashed + end);

    expect((await allOf(await open({ client, path: crashed }))).length).toBe(10);
  });

  test('a folder that is not there is told as unavailable', async () => {
    const missing = join(folder, 'missing', 'store.db');

    await expect(open({ client, path: missing })).rejects.toMatchObject({
      code: 'storage/unavailable',
    });
  });

  test.each(['file', 'folder'])('a read-only %s is told as read-only', async (what) => {
    await (await open({ client })).close();
    chmodSync(folder, what === 'file' ? 0o777 : 0o555);
    chmodSync(path, what === 'file' ? 0o444 : 0o666);

    const code = await withoutPrivileges(async () => await failureOf(open({ client })));

    chmodSync(folder, 0o755);
    expect(code).toBe('storage/read-only');
  });

  test.each([
    ['strict', 2],
    ['relaxed', 1],
  ] as const)('durability %s is really set', async (durability, synchronous) => {
    const spy = spied(client);
    await open({ client: spy.client, durability });

    expect(await spy.pragma('synchronous')).toBe(synchronous);
    expect(await spy.pragma('fullfsync')).toBe(durability === 'strict' ? 1 : 0);
    expect(await spy.pragma('journal_mode')).toBe('wal');
    // Waiting inside SQLite would block the event loop.
    expect(await spy.pragma('busy_timeout')).toBe(0);
  });

  test('durability is strict unless said otherwise', async () => {
    const spy = spied(client);
    await open({ client: spy.client });

    expect(await spy.pragma('synchronous')).toBe(2);
  });

  test('a full database refuses the write, keeps what it has, and goes on', async () => {
    const spy = spied(client);
    const storage = await open({ client: spy.client });
    await fill(storage, 10);
    const pages = Number(await spy.pragma('page_count'));
    await spy.pragma(`max_page_count = ${pages + 2}`);

    await expect(fill(storage, 5_000, 100)).rejects.toMatchObject({
      code: 'storage/quota-exceeded',
    });

    expect((await allOf(storage)).length).toBe(10);
    await fill(storage, 1, 10);
    await spy.pragma(`max_page_count = ${pages + 10_000}`);
    await fill(storage, 5_000, 100);
    expect((await allOf(storage)).length).toBe(5_011);
  });

  test('a connection that cannot roll back is replaced by a new one', async () => {
    const spy = spied(client);
    const storage = await open({ client: spy.client });
    await fill(storage, 3);
    const commits = await storage.foreignCommits();
    spy.failNext('COMMIT', 'ROLLBACK');

    await expect(fill(storage, 3, 10)).rejects.toMatchObject({ code: 'storage/unavailable' });

    expect((await allOf(storage)).length).toBe(3);
    await fill(storage, 1, 20);
    // Others may have committed while there was no connection.
    expect(await storage.foreignCommits()).not.toBe(commits);
  });

  test('what was deleted or replaced cannot be read from the file', async () => {
    const storage = await open({ client });
    const put = (id: number, text: string): Change => ({ table: 'notes', put: { id, text } });
    const ids = Array.from({ length: 300 }, (_, id) => id);
    // From a few in one page to several pages each.
    const secret = (id: number): string => 'secret '.repeat(1 + (id % 10) ** 3);
    await storage.transact('write', (tx) => tx.write(ids.map((id) => put(id, secret(id)))));
    await storage.transact('write', (tx) =>
      tx.write(ids.map((id) => (id % 3 === 0 ? put(id, 'x') : { table: 'notes', delete: [id] }))),
    );

    await storage.close();

    expect(readFileSync(path).includes('secret')).toBe(false);
  });

  test('the log is moved into the file between transactions', async () => {
    const storage = await open({ client });
    for (let i = 0; i < 60; i += 1) {
      await fill(storage, 500, i * 500);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }

    expect(statSync(path).size).toBeGreaterThan(2_000_000);
    expect(statSync(`${path}-wal`).size).toBeLessThan(8_500_000);
  });
});

test('a full disk refuses the write, keeps what it has, and goes on', async ({ skip }) => {
  const disk = smallDisk();
  if (disk === undefined) return skip('this process may not make a small disk');
  try {
    const file = join(disk, 'store.db');
    const storage = await open({ path: file });
    await fill(storage, 100);

    await expect(fill(storage, 20_000, 1_000)).rejects.toMatchObject({
      code: 'storage/quota-exceeded',
    });

    expect((await allOf(storage)).length).toBe(100);
    await fill(storage, 10, 100);
    await storage.close();
    expect((await allOf(await open({ path: file }))).length).toBe(110);
  } finally {
    for (const storage of opened) await storage.close();
    execFileSync('umount', [disk]);
    rmSync(disk, { recursive: true });
  }
});

test.each(['', ':memory:', undefined])('the path %j is refused at the call', (wrong) => {
  expect(() => sqliteStorage({ path: wrong as string })).toThrowError(/path must name/);
});

async function open(
  options: Partial<SqliteStorageOptions> = {},
  schema: StorageSchema = SCHEMA,
): Promise<Storage> {
  const storage = sqliteStorage({ path, busyTimeout: 100, ...options });
  opened.push(storage);
  await storage.open(schema);
  return storage;
}

async function fill(storage: Storage, count: number, from = 0): Promise<void> {
  const changes: Change[] = Array.from({ length: count }, (_, i) => ({
    table: 'notes',
    put: { id: from + i, text: 'x'.repeat(200) },
  }));
  await storage.transact('write', async (tx) => await tx.write(changes));
}

async function allOf(storage: Storage): Promise<readonly unknown[]> {
  return await storage.transact('read', async (tx) => await tx.scan('notes', { limit: 1e6 }));
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => 'resolved',
    (error: unknown) => (error as { code?: unknown }).code ?? error,
  );
}

function hash(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** The superuser may write everywhere, so for this the process becomes somebody else. */
async function withoutPrivileges<T>(body: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return await body();
  process.seteuid?.(65_534);
  try {
    return await body();
  } finally {
    process.seteuid?.(0);
  }
}

/** A disk of a megabyte, where this process may make one. */
function smallDisk(): string | undefined {
  const point = join(tmpdir(), `nexus-small-disk-${process.pid}`);
  try {
    mkdirSync(point);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', point], { stdio: 'ignore' });
    return point;
  } catch {
    if (existsSync(point)) rmSync(point, { recursive: true });
    return undefined;
  }
}

interface Spy {
  readonly client: SqliteClient;
  readonly pragma: (sql: string) => Promise<unknown>;
  readonly failNext: (...statements: string[]) => void;
}

/** A client whose newest connection can be asked, and whose statements can be made to fail. */
function spied(client: SqliteClient): Spy {
  let newest: SqliteConnection | undefined;
  const failing: string[] = [];
  return {
    client: {
      encrypted: false,
      open: async (file, options) => {
        const connection = await client.open(file, options);
        newest = connection;
        return {
          exec: (sql) => connection.exec(sql),
          prepare: async (sql) => {
            const statement = await connection.prepare(sql);
            return {
              run: (parameters) => {
                if (failing[0] !== sql) return statement.run(parameters);
                failing.shift();
                throw Object.assign(new Error('injected'), { errcode: 10 });
              },
              all: (parameters) => statement.all(parameters),
            };
          },
          close: () => connection.close(),
        };
      },
    },
    pragma: async (sql) => {
      const rows = await (await newest?.prepare(`PRAGMA ${sql}`))?.all([]);
      return rows?.[0]?.[0];
    },
    failNext: (...statements) => void failing.push(...statements),
  };
}
