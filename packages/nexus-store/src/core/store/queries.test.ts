import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { BackendFixture, answers, fixtures } from '../../testing/backend-fixture.ts';
import type { Storage } from '../ports/storage.ts';
import { NexusStore } from './nexus-store.ts';
import type { Query } from './query.ts';

const world = fixtures(afterEach, () => memoryStorage());

interface Thing {
  readonly id: string;
  readonly size?: unknown;
  readonly name?: unknown;
  readonly kind?: unknown;
}

const sizes = fc.option(
  fc.oneof(
    fc.integer({ min: -3, max: 3 }),
    fc.constantFrom(0.5, -0, new Date(1), new Date(2), Number.NaN, 2n),
    fc.constantFrom('a', 'b', '\u{1F600}', '\uFFFD', 'ä', ''),
    fc.constantFrom(null, { x: 1 }, { x: 2 }, [1]),
  ),
  { nil: undefined },
);
const things: fc.Arbitrary<Thing[]> = fc.uniqueArray(
  fc.record({
    id: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz'.split(''), 'ä', '\u{1F600}', '\uFFFD'),
    size: sizes,
    name: fc.constantFrom('x', 'y', 'z'),
  }),
  { selector: ({ id }) => id, maxLength: 25 },
);
const operands = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom('a', 'b', new Date(1), null),
);
const condition = fc.oneof(
  operands,
  fc.record({ gt: operands }),
  fc.record({ gte: operands, lt: operands }),
  fc.record({ lte: operands }),
  fc.record({ in: fc.array(operands, { maxLength: 3 }) }),
  fc.record({ ne: operands }),
);
const queries = fc.record(
  {
    where: fc.record({ size: condition, name: fc.constantFrom('x', 'y') }, { requiredKeys: [] }),
    orderBy: fc.constantFrom(
      'size',
      { field: 'size', direction: 'descending' },
      ['name', 'size'],
      [{ field: 'name', direction: 'descending' }, 'size'],
    ),
    limit: fc.integer({ min: 0, max: 8 }),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<Query<Thing>>;

async function pages(
  store: NexusStore<Thing>,
  query: Query<Thing>,
  limit: number,
): Promise<Thing[]> {
  const found: Thing[] = [];
  for (let after: string | undefined; ;) {
    const page = await store.getPage({
      ...query,
      limit,
      ...(after === undefined ? {} : { after }),
    });
    found.push(...page.items);
    if (page.cursor === null) return found;
    after = page.cursor;
  }
}

describe('a query', () => {
  test('finds the same with and without indexes, whole or page by page', async () => {
    await fc.assert(
      fc.asyncProperty(
        things,
        queries,
        fc.integer({ min: 1, max: 6 }),
        async (values, query, size) => {
          const fixture = new BackendFixture({ storage: memoryStorage() });
          const { backend } = fixture;
          const plain = new NexusStore<Thing>({ backend, collection: 'plain', pull: false });
          const indexed = new NexusStore<Thing>({
            backend,
            collection: 'indexed',
            indexes: ['size', 'name'],
            pull: false,
          });
          for (const store of [plain, indexed]) await store.saveAll(values);

          const expected = await plain.getAll(query);
          const { limit: _, ...unlimited } = query;
          const whole = await plain.getAll(unlimited);

          expect(await indexed.getAll(query)).toEqual(expected);
          expect(expected).toEqual(whole.slice(0, query.limit ?? whole.length));
          for (const store of [plain, indexed])
            expect(await pages(store, unlimited, size)).toEqual(whole);
          await backend.close();
        },
      ),
      { numRuns: 300 },
    );
  }, 60_000);

  test('in the order of an index reads a page, not the collection', async () => {
    let records = 0;
    const inner = memoryStorage();
    const storage: Storage = {
      capabilities: inner.capabilities,
      open: (schema) => inner.open(schema),
      foreignCommits: () => inner.foreignCommits(),
      close: () => inner.close(),
      transact: (mode, body) =>
        inner.transact(mode, (tx) =>
          body({
            write: (changes) => tx.write(changes),
            get: async (table, keys) => {
              records += keys.length;
              return tx.get(table, keys);
            },
            scan: async (table, range) => {
              const found = await tx.scan(table, range);
              records += found.length;
              return found;
            },
          }),
        ),
    };
    const fixture = world({ storage, store: { indexes: ['at'] } });
    const notes = Array.from({ length: 5_000 }, (_, at) => ({
      id: `n${at}`,
      at: (at * 7919) % 5_000,
    }));
    await fixture.notes.saveAll(notes);
    records = 0;

    const latest = await fixture.notes.getPage(
      { orderBy: { field: 'at', direction: 'descending' }, limit: 20 },
      { policy: 'cache-only' },
    );
    const next = await fixture.notes.getPage(
      { orderBy: { field: 'at', direction: 'descending' }, limit: 20, after: latest.cursor ?? '' },
      { policy: 'cache-only' },
    );

    expect([...latest.items, ...next.items].map(({ at }) => at)).toEqual(
      Array.from({ length: 40 }, (_, index) => 4_999 - index),
    );
    expect(records).toBeLessThan(400);
  });

  test('refuses what is no query', async () => {
    const { notes } = world();

    await expect(notes.getAll({ limit: -1 })).rejects.toMatchObject({
      code: 'usage/invalid-argument',
    });
    await expect(notes.getAll({ where: { at: { in: 5 as never } } })).rejects.toMatchObject({
      code: 'usage/invalid-argument',
    });
    for (const after of ['x', '[]', '{"a":1}', '[1,2,3]'])
      await expect(notes.getPage({ limit: 1, after })).rejects.toMatchObject({
        code: 'usage/invalid-argument',
      });
  });
});

describe('an index', () => {
  const byText = (fixture: BackendFixture, text: string): Promise<readonly string[]> =>
    fixture.notes
      .getAll({ where: { text } }, { policy: 'cache-only' })
      .then((notes) => notes.map(({ id }) => id));

  test('stays true through pull, conflict, revert, delete and restart', async () => {
    const database = memoryDatabase();
    const fixture = world({
      storage: memoryStorage({ database }),
      store: { indexes: ['text'], onRejected: 'revert', conflict: 'server-wins' },
    });
    const { server } = fixture.remote;
    server.set('notes', 'pulled', { id: 'pulled', text: 'x' });
    server.set('notes', 'gone', { id: 'gone', text: 'x' });
    await fixture.notes.saveAll([
      { id: 'own', text: 'x' },
      { id: 'cancelled', text: 'y' },
    ]);
    await fixture.wait(fixture.backend.sync());
    const first = await byText(fixture, 'x');
    server.set('notes', 'pulled', { id: 'pulled', text: 'y' });
    server.set('notes', 'gone', undefined);
    const cancelled = await fixture.notes.save({ id: 'cancelled', text: 'x' });
    await fixture.backend.cancel(cancelled.entry?.id ?? '');
    await fixture.notes.patch('own', { text: 'z' });
    fixture.remote.answerNext(() => answers.rejected(422));

    await fixture.wait(fixture.backend.sync());

    expect(first).toEqual(['gone', 'own', 'pulled']);
    expect(await byText(fixture, 'x')).toEqual(['own']);
    expect(await byText(fixture, 'y')).toEqual(['cancelled', 'pulled']);
    expect(await byText(fixture, 'z')).toEqual([]);
    await fixture.backend.close();
    const again = world({ storage: memoryStorage({ database }), store: { indexes: ['text'] } });
    expect(await byText(again, 'y')).toEqual(['cancelled', 'pulled']);
  });

  test('declared for rows that are there already finds them all', async () => {
    const database = memoryDatabase();
    const before = world({ storage: memoryStorage({ database }) });
    await before.backend.signIn('ann');
    await before.notes.saveAll(
      Array.from({ length: 450 }, (_, index) => ({
        id: `n${index}`,
        text: index % 2 ? 'odd' : 'even',
      })),
    );
    await before.backend.close();

    const after = world({ storage: memoryStorage({ database }), store: { indexes: ['text'] } });

    expect(await byText(after, 'odd')).toHaveLength(225);
  });

  test('dropped by one version and declared again by the next is built anew', async () => {
    const database = memoryDatabase();
    const versions = [['text'], [], ['text']] as const;
    const found: (readonly string[])[] = [];
    for (const [index, indexes] of versions.entries()) {
      const fixture = world({ storage: memoryStorage({ database }), store: { indexes } });
      await fixture.notes.save({ id: 'a', text: `v${index}` });
      found.push(await byText(fixture, `v${index}`), await byText(fixture, 'v0'));
      await fixture.backend.close();
    }

    expect(found).toEqual([['a'], ['a'], ['a'], [], ['a'], []]);
  });

  test('stays true while its store is not in use, as in a headless run of another one', async () => {
    const database = memoryDatabase();
    const first = world({ storage: memoryStorage({ database }), store: { indexes: ['text'] } });
    await first.notes.save({ id: 'a', text: 'x' });
    await first.backend.close();
    const other = world({
      storage: memoryStorage({ database }),
      store: { collection: 'tasks' },
    });
    other.remote.answerNext(() => ({
      kind: 'applied',
      version: '1',
      value: { id: 'a', text: 'y' },
    }));
    await other.wait(other.backend.sync());
    await other.backend.close();

    const again = world({ storage: memoryStorage({ database }), store: { indexes: ['text'] } });

    expect([await byText(again, 'x'), await byText(again, 'y')]).toEqual([[], ['a']]);
  });

  test('holds nothing of a user who was erased', async () => {
    const fixture = world({ store: { indexes: ['text'] } });
    await fixture.backend.signIn('ann');
    await fixture.notes.save({ id: 'a', text: 'x' });
    await fixture.wait(fixture.backend.signOut({ pending: 'discard' }));

    const left = await fixture.backend.writer.read((uow) => uow.scan('fields', { limit: 10 }));

    expect(left).toEqual([]);
  });
});
