import { describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { failing, QueueFixture } from '../../testing/queue-fixture.ts';
import { claimEntries } from './claim.ts';
import { cancelEntry } from './control.ts';
import { enqueueMutation } from './enqueue.ts';
import { emptyRow, type RowRecord } from './records.ts';
import { settleClaim } from './settle.ts';
import { UnitOfWork, type RowChange } from './unit-of-work.ts';

async function everything(queue: QueueFixture): Promise<unknown> {
  return queue.writer.read(async (uow) => {
    const tables = ['meta', 'rows', 'entries', 'dependencies', 'leases'];
    return Promise.all(tables.map((table) => uow.scan(table, { limit: 1_000 })));
  });
}

/** A queue with a lane, a dependency, a claim and a backed-off entry. */
async function busy(): Promise<QueueFixture> {
  const queue = await QueueFixture.open(memoryStorage(), { coalesce: false });
  await queue.add('a', { t: 1 });
  await queue.add('a', { t: 2 });
  await queue.add('b', { t: 1 }, { after: [1] });
  await queue.add('c', { t: 1 });
  await queue.claim();
  return queue;
}

describe('a body that fails', () => {
  test('in a shared commit leaves nothing of what it did, and the others stand', async () => {
    const queue = await busy();
    const before = await everything(queue);

    await failing(queue.writer, async (uow) => {
      const mutation = queue.mutation('new', { t: 1 }, { after: [1] });
      await enqueueMutation(uow, mutation, queue.rules, queue.limits);
      await settleClaim(
        uow,
        { fence: 1, owner: 'runner' },
        new Map([[1, { kind: 'complete' }]]),
        queue.rulesOf,
      );
      await claimEntries(uow, { partition: 0, owner: 'x', leaseMs: 9, limit: 9, now: queue.now });
      await cancelEntry(uow, 0, 4, queue.rulesOf, queue.now);
    });

    expect(await everything(queue)).toEqual(before);
  });

  test('does not take back what the bodies before and after it did', async () => {
    const queue = await busy();
    const enqueue = (entity: string) =>
      queue.writer.write((uow) =>
        enqueueMutation(uow, queue.mutation(entity, { t: 1 }), queue.rules, queue.limits),
      );

    const [first, , last] = await Promise.allSettled([
      enqueue('before'),
      queue.writer.write(async (uow) => {
        await enqueueMutation(uow, queue.mutation('before', { t: 2 }), queue.rules, queue.limits);
        throw new Error('no');
      }),
      enqueue('after'),
    ]);

    expect(first).toMatchObject({ status: 'fulfilled', value: { seq: 5 } });
    expect(last).toMatchObject({ status: 'fulfilled', value: { seq: 6 } });
    expect((await queue.row('before'))?.value).toBe('{"t":1}');
    expect(await queue.counters()).toMatchObject({ pending: [0, 0, 6, 0] });
  });

  test('does not take records away that it deleted without reading them', async () => {
    const queue = await busy();
    const before = await everything(queue);

    await failing(queue.writer, async (uow) => {
      uow.delete('dependencies', [1, 3]);
      uow.put('meta', ['partitions'], { name: 'partitions', value: '{}' });
      uow.put('journal', [1], { id: 1, record: '{}' });
      await uow.scan('meta', { limit: 9 });
    });

    expect(await everything(queue)).toEqual(before);
  });

  test('tells nobody what it would have told', async () => {
    const queue = await busy();

    await failing(queue.writer, (uow) => cancelEntry(uow, 0, 4, queue.rulesOf, queue.now));

    expect(queue.events).toEqual([]);
  });
});

describe('a unit of work', () => {
  test('reads its own writes, scans included', async () => {
    const queue = await QueueFixture.open(memoryStorage());

    await queue.write(async (uow) => {
      await enqueueMutation(uow, queue.mutation('a', { t: 1 }), queue.rules, queue.limits);
      expect((await uow.scanEntries({ limit: 9 })).length).toBe(1);
      uow.put('meta', ['x'], { name: 'x', value: '1' });
      expect(await uow.get('meta', ['x'])).toEqual({ name: 'x', value: '1' });
      uow.delete('meta', ['x']);
      expect(await uow.get('meta', ['x'])).toBeUndefined();
    });
  });

  test('says which rows changed, and what they were', async () => {
    const queue = await QueueFixture.open(memoryStorage());
    await queue.add('a', { t: 0 });
    await queue.drain();
    let changes: readonly RowChange[] = [];

    await queue.write(async (uow) => {
      await uow.row(0, 'notes', 'untouched');
      await enqueueMutation(uow, queue.mutation('a', { t: 1 }), queue.rules, queue.limits);
      await uow.scanEntries({ limit: 1 });
      await enqueueMutation(uow, queue.mutation('b', { t: 1 }), queue.rules, queue.limits);
      changes = uow.rowChanges();
      expect(uow.changedRows.map(({ id }) => id)).toEqual(['a', 'b']);
    });

    expect(changes.map(({ before, after }) => [before?.value, after?.value])).toEqual([
      ['{"t":0}', '{"t":1}'],
      [undefined, '{"t":1}'],
    ]);
  });

  test('tells apart ids and keys that look alike', async () => {
    const queue = await QueueFixture.open(memoryStorage());

    await queue.write(async (uow) => {
      for (const id of [1, '1', '#1', '$1', '1:1', 'a\0b']) {
        await uow.row(0, 'notes', id);
        uow.putRow({ ...emptyRow(0, 'notes', id), value: JSON.stringify(id) });
      }
      for (const [field, value] of [
        ['a', 'b$1:c'],
        ['a$3:b$1', 'c'],
        ['a', 1],
        ['a', '1'],
      ] as const)
        uow.put('fields', [0, 'notes', field, value, 'x'], {
          partition: 0,
          collection: 'notes',
          field,
          value,
          id: 'x',
        });
    });

    const rows = (await queue.writer.read((uow) =>
      uow.scan('rows', { limit: 99 }),
    )) as unknown as RowRecord[];
    expect(rows.map(({ id, value }) => [id, value])).toEqual(
      rows.map(({ id }) => [id, JSON.stringify(id)]),
    );
    expect(rows.length).toBe(6);
    const fields = await queue.writer.read((uow) => uow.scan('fields', { limit: 99 }));
    expect(fields.length).toBe(4);
  });

  test('refuses to change a row that nobody has read', async () => {
    const queue = await QueueFixture.open(memoryStorage());

    await expect(queue.write((uow) => uow.putRow(emptyRow(0, 'notes', 'a')))).rejects.toThrow(
      /read before it is changed/,
    );
  });

  test('needs its counters loaded', () => {
    expect(() => new UnitOfWork({} as never).counters(0)).toThrow(/loadState comes first/);
  });
});
