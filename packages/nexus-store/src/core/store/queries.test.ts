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

/** What differs here has one place in a database that rounds, or compares by other units, or not at all. */
const ODD = [
  Infinity,
  -Infinity,
  Number.MAX_VALUE,
  2 ** 53,
  2n ** 53n,
  2n ** 53n + 1n,
  -(2n ** 53n) - 1n,
  2n ** 2000n,
  '\u{1F600}b',
  '\uFF01',
  '\uD7FF',
  '\uD83D',
  '\uDE00',
  'a\0',
];
const SIMPLE = [
  true,
  false,
  0,
  1,
  0.5,
  -0,
  new Date(0),
  new Date(1),
  new Date(2),
  2n,
  '',
  'a',
  'b',
];
const sizes = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<unknown>(...SIMPLE) },
  { weight: 2, arbitrary: fc.integer({ min: -3, max: 3 }) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(...ODD) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<unknown>(
      '\u{1F600}',
      '\uFFFD',
      'ä',
      Number.NaN,
      new Date(Number.NaN),
      null,
      undefined,
      { x: 1 },
      { x: 2 },
      [1],
    ),
  },
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
  fc.constantFrom<unknown>(...SIMPLE, null, Number.NaN),
  fc.constantFrom<unknown>(...ODD),
);
const condition = fc.oneof(
  operands,
  fc.record({ gt: operands }),
  fc.record({ gte: operands, lt: operands }),
  fc.record({ gt: operands, lte: operands }),
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

/** The places of a kind come one after another: nothing, booleans, numbers, texts, the rest. */
const KIND: Readonly<Record<string, number>> = {
  undefined: 0,
  boolean: 1,
  number: 2,
  bigint: 2,
  string: 3,
  object: 4,
};
const kindOf = (value: unknown): number =>
  value === null ? 0 : value instanceof Date ? 2 : (KIND[typeof value] as number);
const plainOf = (value: unknown): unknown => {
  if (value instanceof Date) return value.getTime();
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : value;
};

/** The order of values, said once more and in few words. */
function naiveCompare(a: unknown, b: unknown): number {
  if (kindOf(a) !== kindOf(b)) return kindOf(a) - kindOf(b);
  if (kindOf(a) === 0) return 0;
  const [x, y] = [plainOf(a), plainOf(b)] as [number, number];
  if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(y)) - Number(Number.isNaN(x));
  if (typeof x === 'string') return compareUtf(String(x), String(y));
  return x < y ? -1 : x > y ? 1 : 0;
}

/** By code points; a half of a character is one of its own. */
function compareUtf(a: string, b: string): number {
  const [x, y] = [utf(a), utf(b)];
  const at = x.findIndex((unit, index) => unit !== y[index]);
  if (at < 0) return x.length - y.length;
  return y[at] === undefined ? 1 : (x[at] as number) - y[at];
}

/** Units in an order in which halves of characters are the last. */
const utf = (text: string): number[] =>
  text
    .split('')
    .map((unit) => unit.charCodeAt(0))
    .map((unit) => (unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit));

function naiveFits(value: unknown, condition: unknown): boolean {
  const isComparison =
    typeof condition === 'object' && condition !== null && !(condition instanceof Date);
  const wanted = isComparison ? condition : { eq: condition };
  return Object.entries(wanted).every(([operator, operand]) => {
    if (operator === 'in')
      return (operand as unknown[]).some((item) => naiveCompare(value, item) === 0);
    const order = naiveCompare(value, operand);
    if (operator === 'eq') return order === 0;
    if (operator === 'ne') return order !== 0;
    const isOrdered = (side: unknown): boolean => kindOf(side) > 0 && !Number.isNaN(plainOf(side));
    if (kindOf(value) !== kindOf(operand) || !isOrdered(value) || !isOrdered(operand)) return false;
    return { gt: order > 0, gte: order >= 0, lt: order < 0, lte: order <= 0 }[operator] === true;
  });
}

/** All that a query selects, sorted, by nothing but a filter and a sort. */
function naiveAnswer(values: readonly Thing[], query: Query<Thing>): Thing[] {
  const orders = query.orderBy === undefined ? [] : [query.orderBy].flat();
  const keys = orders.map((by) => (typeof by === 'string' ? { field: by } : by));
  const sign = (direction: string | undefined): number => (direction === 'descending' ? -1 : 1);
  const last = keys.at(-1)?.direction;
  return values
    .filter((value) =>
      Object.entries(query.where ?? {}).every(([field, condition]) =>
        naiveFits(value[field as keyof Thing], condition),
      ),
    )
    .sort((a, b) => {
      for (const { field, direction } of keys) {
        const order = naiveCompare(a[field], b[field]);
        if (order !== 0) return sign(direction) * order;
      }
      return sign(last) * naiveCompare(a.id, b.id);
    });
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

          const { limit: _, ...unlimited } = query;
          const whole = naiveAnswer(values, unlimited);
          const expected = whole.slice(0, query.limit ?? whole.length);

          for (const store of [plain, indexed]) {
            expect(await store.getAll(query)).toEqual(expected);
            expect(await pages(store, unlimited, size)).toEqual(whole);
          }
          await backend.close();
        },
      ),
      { numRuns: 400 },
    );
  }, 60_000);

  test('in the order of booleans and numbers in one field loses no row between pages', async () => {
    const { notes } = world({ store: { indexes: ['f'] as never } });
    const values = [
      { id: 'r0', f: true },
      { id: 'r1', f: 0 },
      { id: 'r2', f: false },
    ];
    await notes.saveAll(values as never);
    const idsOf = async (query: object): Promise<readonly string[]> =>
      (await notes.getAll(query, { policy: 'cache-only' })).map(({ id }) => id);
    const page = (query: object) => notes.getPage({ ...query, orderBy: 'f', limit: 1 } as never);
    const first = await page({});
    const second = await page({ after: first.cursor ?? '' });

    expect(await idsOf({ orderBy: 'f', limit: 1 })).toEqual(['r2']);
    expect(await idsOf({ orderBy: 'f', limit: 9 })).toEqual(['r2', 'r0', 'r1']);
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(['r2', 'r0']);
    expect(await idsOf({ where: { f: false } })).toEqual(['r2']);
    expect(await idsOf({ where: { f: { gte: 0 } } })).toEqual(['r1']);
  });

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

  test('compares objects where it is told to, and dates and lists as they are', async () => {
    const { backend } = world();
    interface Place {
      readonly id: string;
      readonly at: Date;
      readonly tags: readonly string[];
      readonly spot: { readonly x: number };
    }
    const places = new NexusStore<Place>({ backend, collection: 'places', pull: false });
    await places.saveAll([
      { id: 'a', at: new Date(1), tags: ['x'], spot: { x: 1 } },
      { id: 'b', at: new Date(2), tags: ['y'], spot: { x: 2 } },
    ]);

    const found = await Promise.all([
      places.getAll({ where: { spot: { eq: { x: 2 } } } }),
      places.getAll({ where: { at: new Date(2) } }),
      places.getAll({ where: { tags: ['y'] } }),
    ]);

    expect(found.map((items) => items.map(({ id }) => id))).toEqual([['b'], ['b'], ['b']]);
  });

  test('refuses what is no query', async () => {
    const { notes } = world();

    await expect(notes.getAll({ limit: -1 })).rejects.toMatchObject({
      code: 'usage/invalid-argument',
    });
    await expect(notes.getAll({ where: { at: { in: 5 as never } } })).rejects.toMatchObject({
      code: 'usage/invalid-argument',
    });
    for (const where of [
      { text: { gtt: 'a' } },
      { at: { gt: 1, gtt: 2 } },
      { at: {} },
      { text: { a: 1 } },
      { at: Object.assign(Object.create(null), { GT: 1 }) },
    ])
      await expect(
        notes.getAll({ where: where as never }),
        JSON.stringify(where),
      ).rejects.toMatchObject({ code: 'usage/invalid-argument' });
    for (const orderBy of [{ field: 'at', desc: true }, { field: 'at', direction: 'desc' }, {}])
      await expect(notes.getAll({ orderBy: orderBy as never })).rejects.toMatchObject({
        code: 'usage/invalid-argument',
      });
    for (const after of ['x', '[]', '{"a":1}', '[1,2,3]', '[[],{}]'])
      await expect(notes.getPage({ limit: 1, after })).rejects.toMatchObject({
        code: 'usage/invalid-argument',
      });
  });
});

test('a cursor goes with the order of its page, and with no other', async () => {
  const { notes } = world({ store: { indexes: ['at'] } });
  await notes.saveAll([
    { id: 'a', at: 1, text: 'y' },
    { id: 'b', at: 2, text: 'x' },
  ]);
  const { cursor } = await notes.getPage({ orderBy: 'at', limit: 1 });
  const after = cursor ?? '';

  expect(await notes.getAll({ orderBy: 'at', after })).toMatchObject([{ id: 'b' }]);
  expect(
    await notes.getAll({ orderBy: { field: 'at', direction: 'ascending' }, after }),
  ).toMatchObject([{ id: 'b' }]);
  const others = ['text', { field: 'at', direction: 'descending' }, ['at', 'text'], []] as const;
  for (const orderBy of others)
    await expect(
      notes.getPage({ orderBy: orderBy as never, limit: 1, after }),
      JSON.stringify(orderBy),
    ).rejects.toMatchObject({
      code: 'usage/invalid-argument',
      message: expect.stringContaining('after') as string,
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

  test('made by an earlier version, in which false and 0 had one place, is made anew', async () => {
    const database = memoryDatabase();
    const values = [
      { id: 'r0', f: true, text: '\u{1F600}' },
      { id: 'r1', f: 0, text: '\uFF01' },
      { id: 'r2', f: false, text: 'a' },
      { id: 'r3', text: 'a' },
    ];
    const former = world({ storage: memoryStorage({ database }) });
    await former.notes.saveAll(values as never);
    await former.backend.writer.write(async (uow) => {
      const fields: readonly [string, string | number, string][] = [
        ['f', 1, 'r0'],
        ['f', 0, 'r1'],
        ['f', 0, 'r2'],
        ['~rest:f', 0, 'r3'],
        ...values.map(({ id, text }): [string, string, string] => ['text', text, id]),
      ];
      for (const [field, value, id] of fields) {
        const record = { partition: 0, collection: 'notes', field, value, id };
        uow.put('fields', [0, 'notes', field, value, id], record);
      }
      const value = JSON.stringify({ notes: ['f', 'text'], others: ['x'] });
      uow.put('meta', ['indexes'], { name: 'indexes', value });
    });
    await former.backend.close();

    const indexes = ['f', 'text'] as never;
    const fixture = world({ storage: memoryStorage({ database }), store: { indexes } });
    const idsOf = async (query: object): Promise<readonly string[]> =>
      (await fixture.notes.getAll(query, { policy: 'cache-only' })).map(({ id }) => id);

    expect(await idsOf({ orderBy: 'f', limit: 9 })).toEqual(['r3', 'r2', 'r0', 'r1']);
    expect(await idsOf({ where: { f: 0 } })).toEqual(['r1']);
    expect(await idsOf({ orderBy: 'text', limit: 9 })).toEqual(['r2', 'r3', 'r1', 'r0']);
    const { fields, former: left } = await fixture.backend.writer.read(async (uow) => ({
      fields: await uow.scan('fields', { limit: 99 }),
      former: await uow.get('meta', ['indexes']),
    }));
    // One place for each row in each index, and what belongs to others untouched.
    expect(fields).toHaveLength(8);
    expect(left?.['value']).toBe('{"others":["x"]}');
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
