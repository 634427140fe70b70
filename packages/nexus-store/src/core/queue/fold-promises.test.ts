import { describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { QueueFixture, type MutationWish } from '../../testing/queue-fixture.ts';
import { retryEntry } from './control.ts';
import { closeGroup, enqueueMutation } from './enqueue.ts';
import { expiredEntries } from './inspect.ts';

/** What a write that folds must not take from the one it folds into, and from those who come after that. */

const creates: MutationWish = { operation: 'create' };

const limited = (expiresAt: number | null): MutationWish =>
  expiresAt === null ? {} : { expiresAt };

const open = (): Promise<QueueFixture> => QueueFixture.open(memoryStorage());

/** What waits, as `seq operation entity`. */
async function waiting(queue: QueueFixture): Promise<readonly string[]> {
  const entries = (await queue.entries()).toSorted((a, b) => a.seq - b.seq);
  return entries.map(({ seq, operation, entity }) => `${seq} ${operation} ${entity}`);
}

async function expiresAt(queue: QueueFixture, seq: number): Promise<number | null | undefined> {
  return (await queue.entry(seq))?.expiresAt;
}

async function refused(queue: QueueFixture): Promise<void> {
  const claim = await queue.claim();
  if (claim === undefined) throw new Error('nothing to claim');
  const failure = { code: 'remote/rejected', at: 0 };
  await queue.settle(claim, { kind: 'bury', failure, consumesAttempt: true });
}

const retry = (queue: QueueFixture, seq: number): Promise<string> =>
  queue.write((uow) => retryEntry(uow, 0, seq, () => 'new key', queue.limits, queue.rulesOf));

describe('the limit of time of a folded entry', () => {
  test.each([
    ['none', null, 'a short one', 50, null],
    ['a short one', 50, 'none', null, null],
    ['a long one', 1_000, 'a short one', 50, 1_000],
    ['a short one', 50, 'a long one', 1_000, 1_000],
    ['none', null, 'none', null, null],
  ])('is the later of both: %s (%s), then %s (%s)', async (_a, first, _b, second, expected) => {
    for (const value of [{ t: 2 }, null]) {
      const queue = await open();
      await queue.add('a', { t: 0 }, creates);
      await queue.drain();
      await queue.add('a', { t: 1 }, limited(first));

      expect(await queue.enqueue('a', value, limited(second))).toMatchObject({
        effect: 'merged',
      });

      expect(await expiresAt(queue, 2)).toBe(expected);
    }
  });

  test('of a create without one is not that of a patch: it does not die unsent', async () => {
    const queue = await open();
    await queue.add('report', { text: 'long' }, creates);

    await queue.add('report', { typing: true }, { detail: { isPatch: true }, expiresAt: 50 });

    expect(await queue.write((uow) => expiredEntries(uow, 0, 1_000_000))).toEqual([]);
    expect(await queue.drain()).toEqual([1]);
  });

  test('of a delete that is repeated is the later of both as well', async () => {
    const queue = await open();
    await queue.add('a', { t: 0 }, creates);
    await queue.drain();
    await queue.add('a', null, { expiresAt: 50, priority: 2 });

    expect(await queue.enqueue('a', null, { expiresAt: 20, priority: 2 })).toEqual({
      seq: 2,
      effect: 'nothing',
    });
    expect(await expiresAt(queue, 2)).toBe(50);
    expect(await queue.enqueue('a', null, { expiresAt: 90, priority: 0 })).toEqual({
      seq: 2,
      effect: 'merged',
    });
    expect(await queue.entry(2)).toMatchObject({ expiresAt: 90, priority: 0 });
    expect(await queue.enqueue('a', null)).toEqual({ seq: 2, effect: 'merged' });
    expect(await expiresAt(queue, 2)).toBeNull();
  });

  test('of a dead letter that is retried is none, whatever folds into it', async () => {
    for (const value of [{ t: 2 }, null]) {
      const queue = await open();
      await queue.add('a', { t: 0 }, creates);
      await queue.drain();
      await queue.add('a', { t: 1 }, { expiresAt: 1_000 });
      await refused(queue);
      await queue.add('a', value, { expiresAt: 2_000 });

      expect(await retry(queue, 2)).toBe('queued');

      expect(await waiting(queue)).toHaveLength(1);
      expect(await expiresAt(queue, 2)).toBeNull();
    }
  });
});

describe('what others come after does not turn into its delete', () => {
  test('a create goes first, then they and the delete', async () => {
    const queue = await open();
    await queue.add('album', { t: 1 }, creates);
    await queue.add('photo', { t: 1 }, { ...creates, after: [1] });

    expect(await queue.enqueue('album', null)).toEqual({ seq: 3, effect: 'appended' });

    expect(await waiting(queue)).toEqual(['1 create album', '2 create photo', '3 delete album']);
    expect(await queue.row('album')).toMatchObject({ value: null, depth: 2 });
    expect(await queue.claimed()).toEqual([1]);
    expect(queue.events).toEqual([]);
  });

  test('in the order in which all were made', async () => {
    const queue = await open();
    await queue.add('album', { t: 1 }, creates);
    await queue.add('photo', { t: 1 }, { ...creates, after: [1] });
    await queue.add('album', null);

    expect(await queue.drain()).toEqual([1, 2, 3]);
  });

  test('a more urgent delete goes before them, and still after what it deletes', async () => {
    const queue = await open();
    await queue.add('album', { t: 1 }, { ...creates, priority: 3 });
    await queue.add('photo', { t: 1 }, { ...creates, after: [1], priority: 3 });
    await queue.add('other', { t: 1 }, { ...creates, priority: 1 });
    await queue.add('album', null, { priority: 0 });

    expect(await queue.drain()).toEqual([1, 4, 3, 2]);
  });

  test('a delete that names them goes after them', async () => {
    const queue = await open();
    await queue.add('album', { t: 1 }, creates);
    await queue.add('photo', { t: 1 }, { ...creates, after: [1], priority: 3 });
    await queue.add('album', null, { after: [2], priority: 0 });

    expect(await queue.drain()).toEqual([1, 2, 3]);
  });

  test('an update goes first as well', async () => {
    const queue = await open();
    await queue.add('album', { t: 0 }, creates);
    await queue.drain();
    await queue.add('album', { t: 1 });
    await queue.add('photo', { t: 1 }, { ...creates, after: [2] });

    expect(await queue.enqueue('album', null)).toEqual({ seq: 4, effect: 'appended' });

    expect(await queue.drain()).toEqual([2, 3, 4]);
  });

  test('but vanishes with it once nobody comes after it any more', async () => {
    const queue = await open();
    await queue.add('album', { t: 1 }, creates);
    await queue.add('photo', { t: 1 }, { ...creates, after: [1] });

    expect(await queue.enqueue('photo', null)).toMatchObject({ effect: 'vanished' });
    expect(await queue.enqueue('album', null)).toMatchObject({ effect: 'vanished' });

    expect(await waiting(queue)).toEqual([]);
  });

  test('also when a refused create is retried that was deleted meanwhile', async () => {
    const queue = await open();
    await queue.add('album', { t: 1 }, creates);
    await queue.add('photo', { t: 1 }, { ...creates, after: [1] });
    await refused(queue);
    await queue.add('album', null);

    expect(await retry(queue, 1)).toBe('queued');

    expect(await queue.drain()).toEqual([1, 2, 3]);
  });

  test('of a transaction the same, and its other members are sent with it', async () => {
    const queue = await open();
    await queue.write(async (uow) => {
      const members: number[] = [];
      for (const entity of ['album', 'cover']) {
        const mutation = queue.mutation(entity, { t: 1 }, { ...creates, detail: { group: 'g1' } });
        members.push((await enqueueMutation(uow, mutation, queue.rules, queue.limits)).seq ?? 0);
      }
      await closeGroup(uow, 0, members);
    });
    await queue.add('photo', { t: 1 }, { ...creates, after: [1] });

    expect(await queue.enqueue('album', null)).toEqual({ seq: 4, effect: 'appended' });

    expect(await queue.drain()).toEqual([1, 2, 3, 4]);
  });
});
