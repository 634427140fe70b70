import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { PROTOCOL_CONTENT_TYPE } from 'nexus-store/http';
import { afterEach, describe, expect, test } from 'vitest';
import { createReceiver, SqliteReceiverStore, StoreFailure } from './index.ts';
import type { ChangePage, Decide, SqlDatabase, SqlStatement } from './index.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'nexus-receiver-'));
  folders.push(folder);
  return join(folder, 'server.db');
}

/** Fails before or after the nth statement from now on, once or for as long as it is broken. */
class FaultyDatabase implements SqlDatabase {
  readonly inner: DatabaseSync;
  failAt = Infinity;
  when: 'before' | 'after' = 'before';
  isSticky = false;
  #count = 0;

  constructor(file: string) {
    this.inner = new DatabaseSync(file);
  }

  arm(failAt: number, when: 'before' | 'after', isSticky: boolean): void {
    Object.assign(this, { failAt, when, isSticky });
    this.#count = 0;
  }

  /** True once the fault has struck. */
  heal(): boolean {
    const hasStruck = this.#count >= this.failAt;
    this.failAt = Infinity;
    return hasStruck;
  }

  exec(sql: string): void {
    this.#step(() => this.inner.exec(sql));
  }

  prepare(sql: string): SqlStatement {
    const statement = this.inner.prepare(sql);
    return {
      run: (...parameters) => this.#step(() => statement.run(...parameters)),
      get: (...parameters) => this.#step(() => statement.get(...parameters)),
      all: (...parameters) => this.#step(() => statement.all(...parameters)),
    };
  }

  close(): void {
    this.inner.close();
  }

  #step<R>(work: () => R): R {
    this.#count += 1;
    const fails = this.isSticky ? this.#count >= this.failAt : this.#count === this.failAt;
    if (fails && this.when === 'before') throw new Error('injected');
    const result = work();
    if (fails) throw new Error('injected');
    return result;
  }
}

const OPERATIONS = [
  { entityId: 'new', operation: 'create', payload: { n: 1 } },
  { entityId: 'old', operation: 'update', patch: true, payload: { n: 2 } },
  { entityId: 'gone', operation: 'delete' },
  { entityId: 'g1', operation: 'create', payload: 1, group: 'g' },
  { entityId: 'g2', operation: 'create', payload: 2, group: 'g' },
].map((operation, index) => ({
  id: `e${index}`,
  idempotencyKey: `k${index}`,
  collection: 'notes',
  schemaVersion: 1,
  ...operation,
}));

const requestOf = (operations: readonly object[]): Request =>
  new Request('http://server.test/v1/push', {
    method: 'POST',
    headers: { authorization: 'Bearer t', 'content-type': PROTOCOL_CONTENT_TYPE },
    body: JSON.stringify({ protocol: 1, operations }),
  });

const SETUP = [
  {
    id: 's0',
    idempotencyKey: 's0',
    collection: 'notes',
    entityId: 'old',
    operation: 'create',
    payload: { n: 0 },
  },
  {
    id: 's1',
    idempotencyKey: 's1',
    collection: 'notes',
    entityId: 'gone',
    operation: 'create',
    payload: { n: 0 },
  },
];

/** Everything committed that a push may change, as another process sees it. */
function contentOf(file: string): unknown {
  const database = new DatabaseSync(file);
  const content = ['rows', 'operations', 'tenants'].map((table) =>
    database.prepare(`SELECT * FROM ${table}`).all(),
  );
  database.close();
  return content;
}

describe('a push in whose transaction a statement fails', () => {
  test.each([
    ['before', false],
    ['after', false],
    ['before', true],
    ['after', true],
  ] as const)(
    '%s it is done (and all later ones: %s) leaves effect and key both or neither',
    async (when, isSticky) => {
      let strikes = 0;
      for (let hasStruck = true; hasStruck;) {
        const file = newFile();
        const database = new FaultyDatabase(file);
        const options = { authenticate: { t: 'u' }, now: () => 5, durability: 'relaxed' } as const;
        const receiver = createReceiver({ database, ...options });
        await receiver(requestOf(SETUP));
        const untouched = contentOf(file);

        database.arm(strikes + 1, when, isSticky);
        const response = await receiver(requestOf(OPERATIONS));
        const between = contentOf(file);
        hasStruck = database.heal();
        const again = await receiver(requestOf(OPERATIONS));

        const whole = contentOf(file);
        const { results } = (await again.json()) as { results: readonly { status: string }[] };
        expect(results.map((result) => result.status)).toEqual(OPERATIONS.map(() => 'applied'));
        expect((await receiver.arrivals('u')).length).toBe(SETUP.length + OPERATIONS.length);
        expect(response.status).toBe(hasStruck ? 500 : 200);
        expect([untouched, whole]).toContainEqual(between);
        await receiver.close();
        strikes += 1;
      }
      expect(strikes).toBeGreaterThan(20);
    },
  );
});

/** Writes so many new rows. */
function writing(prefix: string, count: number, during: () => void = () => {}): Decide {
  return (loaded) => {
    const rows = Array.from({ length: count }, (_, index) => ({
      collection: index % 3 === 2 ? 'other' : 'notes',
      entity: JSON.stringify(`${prefix}-${index}`),
      change: loaded.change + index + 1,
      value: '1',
      operationId: `${prefix}-${index}`,
    }));
    during();
    const operations = rows.map((row) => ({
      ...row,
      key: row.operationId,
      entryId: row.operationId,
      operation: 'create',
      fingerprint: '',
    }));
    return { rows, operations, change: loaded.change + count, at: 1 };
  };
}

const NOTHING = { keys: [], refs: [] };

/** Follows the cursors of one collection and remembers what it saw. */
class Follower {
  readonly seen = new Map<string, number>();
  #cursor: string | null = null;

  async step(store: SqliteReceiverStore, limit: number): Promise<boolean> {
    const query = { principal: 'u', collection: 'notes', limit, maxBytes: 1_000_000 };
    return this.take(await store.pull({ ...query, cursor: this.#cursor }));
  }

  take(page: ChangePage): boolean {
    if (page.kind !== 'page') throw new Error(page.kind);
    for (const row of page.rows) this.seen.set(row.entity, row.change);
    this.#cursor = page.cursor;
    return page.hasMore;
  }
}

describe('two connections on one file', () => {
  test('a cursor never skips a row, whoever writes and whenever it is read', async () => {
    const step = fc.record({
      writer: fc.constantFrom(0, 1),
      rows: fc.integer({ min: 0, max: 6 }),
      limit: fc.integer({ min: 1, max: 4 }),
      readsDuring: fc.boolean(),
      readsAfter: fc.integer({ min: 0, max: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const file = newFile();
        const options = { durability: 'relaxed', busyTimeoutMs: 0 } as const;
        const stores = [0, 1].map(() => new SqliteReceiverStore(new DatabaseSync(file), options));
        const [reader, follower] = [stores[0] as SqliteReceiverStore, new Follower()];
        let written = 0;
        for (const [index, { writer, rows, limit, readsDuring, readsAfter }] of steps.entries()) {
          const store = stores[writer] as SqliteReceiverStore;
          const reading: Promise<boolean>[] = [];
          // The other connection reads while this one's transaction is open; a store reads at once.
          const during = (): void => {
            const other = stores[1 - writer] as SqliteReceiverStore;
            if (readsDuring) reading.push(follower.step(other, limit));
          };
          await store.apply('u', NOTHING, writing(`w${index}`, rows, during));
          await Promise.all(reading);
          for (let count = 0; count < readsAfter; count += 1) await follower.step(reader, limit);
          written += rows - Math.floor(rows / 3);
        }
        while (await follower.step(reader, 3));

        expect(follower.seen.size).toBe(written);
        for (const store of stores) await store.close();
      }),
      { numRuns: 60 },
    );
  });

  test('a row committed late is above every cursor given out before', async () => {
    const file = newFile();
    const [one, two] = [0, 1].map(
      () => new SqliteReceiverStore(new DatabaseSync(file), { busyTimeoutMs: 0 }),
    ) as [SqliteReceiverStore, SqliteReceiverStore];
    await one.apply('u', NOTHING, writing('early', 2));
    const follower = new Follower();
    const reading: Promise<unknown>[] = [];
    const refused: Promise<unknown>[] = [];

    await one.apply(
      'u',
      NOTHING,
      writing('late', 2, () => {
        reading.push(follower.step(two, 100));
        refused.push(two.apply('u', NOTHING, writing('meanwhile', 2)).catch((error) => error));
      }),
    );
    await Promise.all(reading);

    const error = await refused[0];
    expect(error).toBeInstanceOf(StoreFailure);
    expect(error).toMatchObject({ kind: 'busy' });
    expect(follower.seen.size).toBe(2);
    await two.apply('u', NOTHING, writing('meanwhile', 2));
    await follower.step(two, 100);
    expect(follower.seen.size).toBe(6);
    await one.close();
    await two.close();
  });

  test('a push while another process writes is told to come again, with nothing applied', async () => {
    const file = newFile();
    const receiver = createReceiver({
      database: new DatabaseSync(file),
      authenticate: { t: 'u' },
      busyTimeoutMs: 0,
    });
    const other = new DatabaseSync(file);
    other.exec('BEGIN IMMEDIATE');

    const response = await receiver(requestOf(SETUP));
    other.exec('COMMIT');

    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    expect((await receiver(requestOf(SETUP))).status).toBe(200);
    other.close();
    await receiver.close();
  });

  test('data and cursors outlive the process', async () => {
    const file = newFile();
    const first = new SqliteReceiverStore(new DatabaseSync(file));
    await first.apply('u', NOTHING, writing('a', 2));
    const follower = new Follower();
    await follower.step(first, 100);
    await first.close();

    const second = new SqliteReceiverStore(new DatabaseSync(file));
    await second.apply('u', NOTHING, writing('b', 1));
    await follower.step(second, 100);

    expect([...follower.seen.keys()]).toEqual(['"a-0"', '"a-1"', '"b-0"']);
    await second.close();
  });

  test('a database of a newer server is left alone', () => {
    const file = newFile();
    const database = new DatabaseSync(file);
    database.exec('PRAGMA user_version = 99');

    expect(() => new SqliteReceiverStore(database)).toThrow(StoreFailure);
    database.close();
  });
});
