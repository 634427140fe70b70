import { describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { QueueFixture } from '../../testing/queue-fixture.ts';
import type { StoredRecord } from '../ports/storage.ts';
import { emptyRow } from './records.ts';
import { IN_ROW } from './shared-payload.ts';

/** Payloads as storage has them, by seq. */
async function stored(queue: QueueFixture): Promise<ReadonlyMap<number, string | null>> {
  const records = await queue.storage.transact('read', (tx) => tx.scan('entries', { limit: 100 }));
  return new Map(
    records.map((record) => [record['seq'] as number, record['payload'] as string | null]),
  );
}

async function payloads(queue: QueueFixture): Promise<readonly (string | null)[]> {
  const entries = await queue.entries();
  return entries.toSorted((a, b) => a.seq - b.seq).map(({ payload }) => payload);
}

describe('the text of a write', () => {
  test('is stored once while the write is alone with its row', async () => {
    const queue = await QueueFixture.open(memoryStorage());
    await queue.add('a', { t: 1 });

    expect(await stored(queue)).toEqual(new Map([[1, IN_ROW]]));
    expect(await payloads(queue)).toEqual(['{"t":1}']);
    expect((await queue.claim())?.entries[0]?.payload).toBe('{"t":1}');
  });

  test('is still once after a later write was folded into it', async () => {
    const queue = await QueueFixture.open(memoryStorage());
    await queue.add('a', { t: 1 });
    await queue.add('a', { t: 2 });

    expect(await stored(queue)).toEqual(new Map([[1, IN_ROW]]));
    expect(await payloads(queue)).toEqual(['{"t":2}']);
  });

  test('is written out before the row shows a later one', async () => {
    const queue = await QueueFixture.open(memoryStorage());
    await queue.add('a', { t: 1 });
    await queue.claim();
    await queue.add('a', { t: 2 });

    expect(await payloads(queue)).toEqual(['{"t":1}', '{"t":2}']);
    expect((await stored(queue)).get(1)).toBe('{"t":1}');
  });

  test('is written out before a write of the same text waits behind it', async () => {
    const queue = await QueueFixture.open(memoryStorage(), { coalesce: false });
    await queue.add('a', { t: 1 });
    await queue.add('a', { t: 1 });
    await queue.add('a', { t: 2 });

    expect(await payloads(queue)).toEqual(['{"t":1}', '{"t":1}', '{"t":2}']);
    const all = await stored(queue);
    expect([...all.values()].filter((payload) => payload === IN_ROW)).toEqual([]);
  });

  test('is there for a dead letter whose row went back to what the server has', async () => {
    const queue = await QueueFixture.open(memoryStorage(), { onRejected: 'revert' });
    await queue.add('a', { t: 1 });
    const claim = await queue.claim();
    const failure = { code: 'remote/rejected', at: queue.now } as const;
    if (claim !== undefined)
      await queue.settle(claim, { kind: 'bury', failure, consumesAttempt: true });

    expect((await queue.row('a'))?.value ?? null).toBeNull();
    expect(await payloads(queue)).toEqual(['{"t":1}']);
  });

  test('is not left to a row that a body changed and gave back', async () => {
    const queue = await QueueFixture.open(memoryStorage());
    await queue.add('a', { t: 1 });
    await queue.claim();
    const failed = queue.write(async (uow) => {
      const row = await uow.row(0, 'notes', 'a');
      if (row !== undefined) uow.putRow({ ...row, value: '{"t":9}' });
      await uow.scan('entries', { limit: 10 });
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');

    expect(await payloads(queue)).toEqual(['{"t":1}']);
    expect((await queue.row('a'))?.value).toBe('{"t":1}');
  });

  test('is read as it was stored, whatever this transaction made of the row', async () => {
    const queue = await QueueFixture.open(memoryStorage());
    await queue.add('a', { t: 1 });
    const position = await positionOfFirst(queue);
    const seen = await queue.write(async (uow) => {
      const row = await uow.row(0, 'notes', 'a');
      if (row !== undefined) uow.putRow({ ...row, value: '{"t":9}' });
      return (await uow.entryAt(position))?.payload;
    });

    expect(seen).toBe('{"t":1}');
    expect(await payloads(queue)).toEqual(['{"t":1}']);
  });

  test.each(['is gone', 'is that of a later pull'])(
    'is lost where its row %s: the entry says so, and is never sent',
    async (what) => {
      const queue = await QueueFixture.open(memoryStorage());
      await queue.add('a', { t: 1 });
      await queue.add('b', { t: 2 });
      const row = { ...emptyRow(0, 'notes', 'a'), value: '{"t":9}', version: '9' };
      await queue.storage.transact('write', (tx) =>
        tx.write([
          what === 'is gone'
            ? { table: 'rows', delete: [0, 'notes', 'a'] }
            : { table: 'rows', put: row as unknown as StoredRecord },
        ]),
      );

      const lost = (await queue.entries()).find(({ entity }) => entity === 'a');
      const claim = await queue.claim();

      expect(lost).toMatchObject({ payload: null, detail: '{"isDamaged":true}' });
      expect(claim?.entries.map(({ entity }) => entity)).toEqual(['b']);
    },
  );
});

async function positionOfFirst(queue: QueueFixture): Promise<number> {
  const records = await queue.storage.transact('read', (tx) => tx.scan('entries', { limit: 1 }));
  return records[0]?.['position'] as number;
}
