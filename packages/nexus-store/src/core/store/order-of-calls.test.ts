import { afterEach, describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { fixtures, type BackendFixture, type Note } from '../../testing/backend-fixture.ts';
import type { StandardSchema } from './standard-schema.ts';

const world = fixtures(afterEach, () => memoryStorage());
const here = { policy: 'cache-only' } as const;

/** A validator that takes longer for its first value than for the next. */
function slowSchema(): StandardSchema<Note> {
  let calls = 0;
  const validate = async (value: unknown) => {
    calls += 1;
    for (let hops = calls === 1 ? 20 : 1; hops > 0; hops -= 1) await Promise.resolve();
    return { value: value as Note };
  };
  return { '~standard': { version: 1, vendor: 'test', validate } };
}

type Call = (fixture: BackendFixture) => Promise<unknown>;

const calls: Record<string, Call> = {
  save: ({ notes }) => notes.save({ id: 'a', text: 'save' }),
  saveAll: ({ notes }) => notes.saveAll([{ id: 'a', text: 'saveAll' }]),
  patch: ({ notes }) => notes.patch('a', { text: 'patch' }),
  delete: ({ notes }) => notes.delete('a'),
  deleteAll: ({ notes }) => notes.deleteAll({ where: { id: 'a' } }),
};
const pairs = Object.keys(calls).flatMap((first) =>
  ['save', 'saveAll', 'delete', 'deleteAll'].map((second) => [first, second] as const),
);

describe.each([
  ['without a schema', {}],
  ['with a slow schema', { store: { schema: slowSchema() } }],
])('writes that nobody awaits, %s', (_name, options) => {
  test.each(pairs)('%s, then %s: the later call wins', async (first, second) => {
    const fixture = world(options);
    await fixture.notes.save({ id: 'a', text: 'before' });

    await Promise.all([calls[first]?.(fixture), calls[second]?.(fixture)]);

    const kept = await fixture.notes.get('a', here);
    expect(kept?.text).toBe(second.startsWith('delete') ? undefined : second);
  });

  test('a patch sees the save that was called before it', async () => {
    const fixture = world(options);

    await Promise.all([
      fixture.notes.save({ id: 'a', text: 'x' }),
      fixture.notes.patch('a', { at: 1 }),
    ]);

    expect(await fixture.notes.get('a', here)).toEqual({ id: 'a', text: 'x', at: 1 });
  });
});

test('a delete by query spares what was saved so that it no longer matches', async () => {
  const fixture = world();
  await fixture.notes.saveAll([
    { id: 'a', at: 1 },
    { id: 'b', at: 1 },
  ]);

  await Promise.all([
    fixture.notes.save({ id: 'a', at: 2 }),
    fixture.notes.deleteAll({ where: { at: 1 } }),
  ]);

  expect(await fixture.notes.getAll({}, here)).toEqual([{ id: 'a', at: 2 }]);
});

test('transactions that read and write at once lose no update', async () => {
  const fixture = world();
  await fixture.notes.save({ id: 'a', count: 0 });

  await Promise.all(
    Array.from({ length: 5 }, () =>
      fixture.backend.transaction(async (tx) => {
        const notes = tx.store(fixture.notes);
        const count = (await notes.get('a'))?.count ?? 0;
        await notes.save({ id: 'a', count: count + 1 });
      }),
    ),
  );

  expect((await fixture.notes.get('a', here))?.count).toBe(5);
});

test('a transaction that others always overtake ends with a code, and stores nothing', async () => {
  const fixture = world();
  await fixture.notes.save({ id: 'a', count: 0 });
  let at = 0;

  const transaction = fixture.backend.transaction(async (tx) => {
    const notes = tx.store(fixture.notes);
    await notes.get('a');
    await fixture.notes.save({ id: 'a', at: (at += 1) });
    await notes.save({ id: 'b' });
  });

  await expect(transaction).rejects.toMatchObject({ code: 'store/transaction-conflict' });
  expect(await fixture.notes.get('b', here)).toBeUndefined();
});

test.each([{ wher: {} }, { limit: 1, cursor: 'x' }])(
  'a query with an unknown part is refused: %j',
  async (query) => {
    const fixture = world();
    await fixture.notes.save({ id: 'a' });

    await expect(fixture.notes.deleteAll(query as never)).rejects.toMatchObject({
      code: 'usage/invalid-argument',
    });
    expect(await fixture.notes.getAll({}, here)).toHaveLength(1);
  },
);
