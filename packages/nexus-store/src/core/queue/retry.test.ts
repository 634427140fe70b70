import { describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { countedAnew, QueueFixture, type MutationWish } from '../../testing/queue-fixture.ts';
import {
  bury,
  buried,
  cancel,
  claimed,
  creates,
  retry,
  transaction,
} from '../../testing/queue-hands.ts';
import type { OnRejected } from './collection-rules.ts';
import { departureOf } from './departures.ts';
import { detailOf } from './records.ts';
import type { Settlement } from './settle.ts';

function open(onRejected: OnRejected = 'park'): Promise<QueueFixture> {
  return QueueFixture.open(memoryStorage(), { onRejected, coalesce: false });
}

describe('retry', () => {
  test('brings a dead letter back to its place, with a new key and no attempts', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 }, { key: 'refused', expiresAt: queue.now + 9 });
    await queue.add('a', { t: 2 });
    await buried(queue);

    expect(await retry(queue, 1)).toBe('queued');

    const entry = await queue.entry(1);
    expect(entry).toMatchObject({ state: null, attempts: 0, expiresAt: null });
    expect(entry?.idempotencyKey).not.toBe('refused');
    expect(await queue.drain()).toEqual([1, 2]);
  });

  test('keeps the key of a dead letter that may have been applied', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 }, { key: 'unknown' });
    await queue.settle(await claimed(queue), { ...bury, ambiguous: 1 } as Settlement);

    await retry(queue, 1);

    expect(await queue.entry(1)).toMatchObject({ idempotencyKey: 'unknown', ambiguous: 1 });
  });

  test('ends the wait of an entry that is backed off', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    await queue.settle(await claimed(queue), {
      kind: 'release',
      ambiguous: 0,
      notBefore: queue.now + 60_000,
      consumesAttempt: true,
    });

    expect(await retry(queue, 1)).toBe('queued');
    expect(await queue.claimed()).toEqual([1]);
  });

  test('says blocked for an entry behind another, and queued for one on the wire', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    await queue.add('a', { t: 2 });
    await queue.claim();

    expect(await retry(queue, 1)).toBe('queued');
    expect(await retry(queue, 2)).toBe('blocked');
    expect(await retry(queue, 3)).toBe('not-found');
  });

  test('brings a whole transaction back', async () => {
    const queue = await open();
    await transaction(queue, ['a', 'b']);
    await buried(queue);

    expect(await retry(queue, 2)).toBe('queued');
    expect(await queue.claimed(9)).toEqual([1, 2]);
  });

  test('brings a reverted letter back as itself, and what it wrote', async () => {
    const queue = await open('revert');
    await queue.add('a', { t: 1 }, creates);
    await buried(queue);
    expect(await queue.row('a')).toBeUndefined();

    expect(await retry(queue, 1)).toBe('queued');

    expect((await queue.row('a'))?.value).toBe('{"t":1}');
    expect(await queue.counters()).toMatchObject({ pending: [0, 0, 1, 0], dead: 0 });
    expect(await queue.drain()).toEqual([1]);
  });

  test('puts a reverted letter behind newer writes of its entity', async () => {
    const queue = await open('revert');
    await queue.add('a', { t: 0 });
    await queue.drain();
    await queue.add('a', { x: 1 }, { detail: { isPatch: true } });
    await buried(queue);
    await queue.add('a', { t: 5 });

    expect(await retry(queue, 2)).toBe('blocked');

    expect((await queue.row('a'))?.value).toBe('{"t":5,"x":1}');
    expect((await queue.drain()).length).toBe(2);
  });

  test('that contradicts what waits now is refused, and the letter stays', async () => {
    const queue = await open('revert');
    await queue.add('a', { t: 1 }, creates);
    await buried(queue);
    await queue.add('a', { t: 2 }, creates);

    await expect(retry(queue, 1)).rejects.toMatchObject({ code: 'store/exists' });

    expect((await queue.entry(1))?.state).toBe('dead');
  });
});

describe('retry of a dead letter behind which the entity was written again', () => {
  const folding = (limits: object = {}) => QueueFixture.open(memoryStorage(), {}, limits);
  const patch: MutationWish = { detail: { isPatch: true } };

  /** A refused write of `a`, in front of nothing yet. */
  async function refused(queue: QueueFixture, wish: MutationWish = creates): Promise<void> {
    await queue.add('a', { t: 1, u: 1 }, { key: 'refused', ...wish });
    await buried(queue);
  }

  test('sends the corrected value, in one entry, under a new key', async () => {
    const queue = await folding();
    await refused(queue);
    const fix = await queue.add('a', { t: 2 }, { key: 'fix', priority: 1 });

    expect(await retry(queue, 1)).toBe('queued');

    expect(await queue.entry(fix)).toBeUndefined();
    expect(await queue.entry(1)).toMatchObject({
      operation: 'create',
      payload: '{"t":2}',
      priority: 1,
      attempts: 0,
      state: null,
    });
    expect(['refused', 'fix']).not.toContain((await queue.entry(1))?.idempotencyKey);
    expect((await queue.row('a'))?.value).toBe('{"t":2}');
    expect(await queue.counters()).toEqual(countedAnew(await queue.entries()));
    expect(await queue.drain()).toEqual([1]);
  });

  test('keeps apart fields of two schemas, and takes a whole value of the newer one', async () => {
    const queue = await folding();
    await refused(queue);
    const fields = await queue.add('a', { u: 2 }, { detail: { isPatch: true, schemaVersion: 2 } });

    await retry(queue, 1);

    expect(await queue.entry(1)).toMatchObject({ payload: '{"t":1,"u":1}' });
    expect(await queue.entry(fields)).toMatchObject({ payload: '{"u":2}' });
    await buried(queue);
    await queue.add('b', { t: 1 }, creates);
    await buried(queue);
    await queue.add('b', { whole: 2 }, { detail: { schemaVersion: 2 } });

    await retry(queue, 3);

    const whole = await queue.entry(3);
    expect(whole).toMatchObject({ operation: 'create', payload: '{"whole":2}' });
    expect(detailOf(whole as never)).toMatchObject({ schemaVersion: 2 });
  });

  test('says of the later write that it went with the earlier one', async () => {
    const queue = await folding();
    await refused(queue);
    const fix = await queue.add('a', { t: 2 });

    await retry(queue, 1);

    const departure = await queue.write((uow) => departureOf(uow, fix));
    expect(departure).toEqual({ outcome: 'moved', to: 1 });
  });

  test('lays a patch over it', async () => {
    const queue = await folding();
    await refused(queue);
    await queue.add('a', { t: 2 }, patch);

    await retry(queue, 1);

    expect((await queue.entry(1))?.payload).toBe('{"t":2,"u":1}');
  });

  test('keeps the base that it was made on', async () => {
    const queue = await folding();
    await queue.add('a', { t: 0 });
    await queue.drain();
    await queue.add('a', { t: 1 });
    await buried(queue);
    await queue.add('a', { t: 2 });

    await retry(queue, 2);

    expect(await queue.row('a')).toMatchObject({ value: '{"t":2}', shadow: '{"t":0}', depth: 1 });
    expect(await queue.drain()).toEqual([2]);
  });

  test('of an update that was deleted since sends the delete', async () => {
    const queue = await folding();
    await refused(queue, {});
    await queue.add('a', null);

    expect(await retry(queue, 1)).toBe('queued');

    expect((await queue.entries()).length).toBe(1);
    expect(await queue.entry(1)).toMatchObject({ operation: 'delete', payload: null });
  });

  test('of a create that was deleted since leaves nothing to send', async () => {
    const queue = await folding();
    await refused(queue);
    await queue.add('a', null);

    expect(await retry(queue, 1)).toBe('vanished');

    expect(await queue.entries()).toEqual([]);
    expect(await queue.row('a')).toBeUndefined();
    expect(queue.events.filter((type) => type === 'entry-vanished').length).toBe(2);
  });

  test('of a create that was deleted and made again sends the new one', async () => {
    const queue = await folding();
    await refused(queue);
    await queue.add('a', null);
    await queue.add('a', { t: 3 }, creates);

    expect(await retry(queue, 1)).toBe('vanished');

    expect((await queue.row('a'))?.value).toBe('{"t":3}');
    expect(await queue.drain()).toEqual([3]);
  });

  test('of an unknown fate sends it as it was, under its key, and the later write after it', async () => {
    const queue = await folding();
    await queue.add('a', { t: 1 }, { key: 'unknown' });
    await queue.settle(await claimed(queue), { ...bury, ambiguous: 1 } as Settlement);
    await queue.add('a', { t: 2 });

    await retry(queue, 1);

    expect(await queue.entry(1)).toMatchObject({
      idempotencyKey: 'unknown',
      payload: '{"t":1}',
      ambiguous: 1,
    });
    expect(await queue.drain()).toEqual([1, 2]);
  });

  test('folds nothing in a store that keeps every step', async () => {
    const queue = await open();
    await refused(queue);
    await queue.add('a', { t: 2 });

    await retry(queue, 1);

    expect(await queue.drain()).toEqual([1, 2]);
  });

  test('folds nothing across the edge of a transaction', async () => {
    const queue = await folding();
    await refused(queue);
    await transaction(queue, ['a', 'b']);

    await retry(queue, 1);

    expect(await queue.drain()).toEqual([1, 2, 3]);
  });

  test('leaves alone what waits for another entity as well', async () => {
    const queue = await folding();
    await queue.add('other', { t: 1 });
    await refused(queue, { priority: 0 });
    await queue.add('a', { t: 2 }, { after: [1] });

    await retry(queue, 2);

    expect(await queue.drain()).toEqual([2, 1, 3]);
  });

  test('keeps apart what would be too large in one entry', async () => {
    const queue = await folding({ maxEntryBytes: 160 });
    await queue.add('a', { t: 'x'.repeat(30) }, patch);
    await buried(queue);
    await queue.add('a', { u: 'y'.repeat(30) }, patch);

    await retry(queue, 1);

    expect(await queue.drain()).toEqual([1, 2]);
  });

  test('lets those who came after the later write wait for the entry that has it now', async () => {
    const queue = await folding();
    await refused(queue, { ...creates, priority: 3 });
    await queue.add('a', { t: 2 }, { priority: 3 });
    const child = await queue.add('child', { t: 1 }, { after: [2], priority: 0 });
    await queue.add('other', { t: 1 }, { priority: 1 });

    expect(await retry(queue, 1)).toBe('queued');

    expect(await cancel(queue, 1)).toBe('has-dependents');
    // The child lends its urgency to what it waits for.
    expect(await queue.drain()).toEqual([1, child, 4]);
  });
});
