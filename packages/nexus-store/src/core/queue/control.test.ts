import { describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { countedAnew, QueueFixture, type MutationWish } from '../../testing/queue-fixture.ts';
import type { Claim } from './claim.ts';
import type { OnRejected } from './collection-rules.ts';
import {
  cancelEntry,
  changeEntryPriority,
  discardEntry,
  resolveConflict,
  retryEntry,
  type CancelResult,
  type RetryResult,
} from './control.ts';
import { departureOf } from './departures.ts';
import { closeGroup, enqueueMutation } from './enqueue.ts';
import { entryIdOf, entryView, seqOfEntryId } from './entry-view.ts';
import type { EntryRecord } from './records.ts';
import type { Settlement } from './settle.ts';

const failure = { code: 'remote/rejected', status: 400, at: 0 };
const bury: Settlement = { kind: 'bury', failure, consumesAttempt: true };
const creates: MutationWish = { operation: 'create' };

function open(onRejected: OnRejected = 'park'): Promise<QueueFixture> {
  return QueueFixture.open(memoryStorage(), { onRejected, coalesce: false });
}

async function claimed(queue: QueueFixture, limit = 1): Promise<Claim> {
  const claim = await queue.claim(limit);
  if (claim === undefined) throw new Error('nothing to claim');
  return claim;
}

function cancel(queue: QueueFixture, seq: number): Promise<CancelResult> {
  return queue.write((uow) => cancelEntry(uow, 0, seq, queue.rulesOf, queue.now));
}

function retry(queue: QueueFixture, seq: number): Promise<RetryResult> {
  return queue.write((uow) => retryEntry(uow, 0, seq, queue.newKey, queue.limits, queue.rulesOf));
}

function discard(queue: QueueFixture, seq: number): Promise<boolean> {
  return queue.write((uow) => discardEntry(uow, 0, seq, queue.rulesOf));
}

function transaction(queue: QueueFixture, entities: readonly string[]): Promise<void> {
  return queue.write(async (uow) => {
    const detail = { group: `g${uow.state.nextSeq}` };
    const seqs: number[] = [];
    for (const entity of entities) {
      const mutation = queue.mutation(entity, { tx: 1 }, { detail });
      seqs.push((await enqueueMutation(uow, mutation, queue.rules, queue.limits)).seq as number);
    }
    await closeGroup(uow, 0, seqs);
  });
}

async function buried(queue: QueueFixture): Promise<void> {
  await queue.settle(await claimed(queue), bury);
}

describe('cancel', () => {
  test('takes a fresh entry out and gives the app the value back', async () => {
    const queue = await open();
    await queue.add('a', { t: 0 });
    await queue.drain();
    await queue.add('a', { t: 1 });

    expect(await cancel(queue, 2)).toBe('cancelled');

    expect(await queue.row('a')).toMatchObject({ value: '{"t":0}', shadow: null, depth: 0 });
    expect(await queue.entries()).toEqual([]);
    expect(queue.events).toContain('entry-cancelled');
  });

  test('of a create leaves nothing of it', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 }, creates);

    expect(await cancel(queue, 1)).toBe('cancelled');

    expect(await queue.row('a')).toBeUndefined();
  });

  test('from the middle keeps what was made later', async () => {
    const queue = await open();
    await queue.add('a', { t: 0 });
    await queue.drain();
    await queue.add('a', { x: 1 }, { detail: { isPatch: true } });
    await queue.add('a', { y: 1 }, { detail: { isPatch: true } });

    await cancel(queue, 2);

    expect((await queue.row('a'))?.value).toBe('{"t":0,"y":1}');
  });

  test('of an entry on the wire says claimed, and changes nothing', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    await queue.claim();

    expect(await cancel(queue, 1)).toBe('claimed');

    expect((await queue.entries()).length).toBe(1);
  });

  test('of an entry that may have been applied says ambiguous', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    await queue.settle(await claimed(queue), {
      kind: 'release',
      ambiguous: 1,
      notBefore: null,
      consumesAttempt: false,
    });

    expect(await cancel(queue, 1)).toBe('ambiguous');
  });

  test('of an entry that others come after says has-dependents', async () => {
    const queue = await open();
    await queue.add('parent', { t: 1 });
    const child = await queue.add('child', { t: 1 }, { after: [1] });

    expect(await cancel(queue, 1)).toBe('has-dependents');
    expect(await cancel(queue, child)).toBe('cancelled');
    expect(await cancel(queue, 1)).toBe('cancelled');
  });

  test('of a create or a delete that something was made on says has-dependents', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 }, creates);
    await queue.add('a', { t: 2 });
    await queue.add('b', { t: 1 });
    await queue.drain();
    await queue.add('c', { t: 1 }, creates);
    await queue.add('c', { t: 2 });
    const deleted = await queue.add('b', null);
    await queue.add('b', { t: 9 }, creates);

    expect(await cancel(queue, 4)).toBe('has-dependents');
    expect(await cancel(queue, deleted)).toBe('has-dependents');
  });

  test('of what is not there says not-found', async () => {
    const queue = await open();

    expect(await cancel(queue, 1)).toBe('not-found');
  });

  test('takes a transaction whole', async () => {
    const queue = await open();
    await transaction(queue, ['a', 'b', 'c']);

    expect(await cancel(queue, 2)).toBe('cancelled');

    expect(await queue.entries()).toEqual([]);
    expect(await queue.row('c')).toBeUndefined();
    expect(queue.events.length).toBe(3);
  });

  test('of one entry of a transaction on the wire says claimed', async () => {
    const queue = await open();
    await transaction(queue, ['a', 'b']);
    await queue.claim();

    expect(await cancel(queue, 2)).toBe('claimed');
  });
});

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

describe('discard', () => {
  test('gives a dead letter up, and its lane goes on', async () => {
    const queue = await open();
    await queue.add('a', { t: 0 });
    await queue.drain();
    await queue.add('a', { x: 1 }, { detail: { isPatch: true } });
    await queue.add('a', { y: 1 }, { detail: { isPatch: true } });
    await buried(queue);

    expect(await discard(queue, 2)).toBe(true);

    expect((await queue.row('a'))?.value).toBe('{"t":0,"y":1}');
    expect(await queue.drain()).toEqual([3]);
    expect(queue.events).toContain('entry-discarded');
  });

  test('frees what came after it', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    await queue.add('b', { t: 1 }, { after: [1] });
    await buried(queue);

    await discard(queue, 1);

    expect(await queue.drain()).toEqual([2]);
  });

  test('of a create keeps what was made on it as dead letters, never silently', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 }, creates);
    await queue.add('a', { t: 2 });
    await queue.add('a', null);
    await queue.add('a', { t: 3 }, creates);
    await buried(queue);

    await discard(queue, 1);

    expect((await queue.entry(2))?.state).toBe('dead');
    expect((await queue.row('a'))?.value).toBe('{"t":3}');
    expect(await queue.drain()).toEqual([3, 4]);
  });

  test('takes dead letters only', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });

    expect(await discard(queue, 1)).toBe(false);
    expect(await discard(queue, 2)).toBe(false);
  });

  test('of a reverted letter leaves the row alone', async () => {
    const queue = await open('revert');
    await queue.add('a', { t: 0 });
    await queue.drain();
    await queue.add('a', { t: 1 });
    await buried(queue);

    expect(await discard(queue, 2)).toBe(true);

    expect(await queue.row('a')).toMatchObject({ value: '{"t":0}', depth: 0 });
    expect(await queue.entries()).toEqual([]);
  });
});

describe('reprioritise', () => {
  const change = (queue: QueueFixture, seq: number, rank: 0 | 3) =>
    queue.write((uow) => changeEntryPriority(uow, 0, seq, rank));

  test('moves an entry, and the counters with it', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    await queue.add('b', { t: 1 });

    expect(await change(queue, 2, 0)).toBe(true);

    expect(await queue.counters()).toMatchObject({ pending: [1, 0, 1, 0] });
    expect(await queue.drain()).toEqual([2, 1]);
  });

  test('of an entry on the wire counts once it comes back', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    await queue.add('b', { t: 1 });
    const claim = await claimed(queue);

    await change(queue, 1, 3);
    await queue.settle(claim, {
      kind: 'release',
      ambiguous: 0,
      notBefore: null,
      consumesAttempt: false,
    });

    expect(await queue.drain()).toEqual([2, 1]);
  });

  test('is refused for dead letters and for what is not there', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    await buried(queue);

    expect(await change(queue, 1, 0)).toBe(false);
    expect(await change(queue, 2, 0)).toBe(false);
  });
});

describe('a parked conflict', () => {
  test('goes on as decided, and only once', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    const remote = { version: 'v9', value: '{"theirs":1}' };
    await queue.settle(await claimed(queue), { kind: 'conflict', failure, remote });
    const decide = () =>
      queue.write((uow) =>
        resolveConflict(
          uow,
          0,
          1,
          () => ({ remote, use: 'local', idempotencyKey: 'fresh' }),
          queue.rulesOf,
        ),
      );

    expect(await decide()).toBe(true);
    expect(await decide()).toBe(false);

    expect(await queue.counters()).toMatchObject({ pending: [0, 0, 1, 0], conflicts: 0 });
    expect(await queue.row('a')).toMatchObject({ value: '{"t":1}', version: 'v9' });
    expect(await queue.drain()).toEqual([1]);
  });

  test('of a transaction holds all of it back, and frees all of it', async () => {
    const queue = await open();
    await transaction(queue, ['a', 'b']);
    const claim = await claimed(queue, 2);
    const [a, b] = claim.entries as [EntryRecord, EntryRecord];
    const remote = { version: 'v9', value: '{"theirs":1}' };
    await queue.settle({ ...claim, entries: [a] }, { kind: 'conflict', failure, remote });
    await queue.settle(
      { ...claim, entries: [b] },
      { kind: 'release', ambiguous: 0, notBefore: null, consumesAttempt: false },
    );
    expect(await queue.claimed(9)).toEqual([]);

    await queue.write((uow) =>
      resolveConflict(
        uow,
        0,
        1,
        () => ({ remote, use: 'remote', idempotencyKey: '' }),
        queue.rulesOf,
      ),
    );

    expect(await queue.claimed(9)).toEqual([2]);
    expect((await queue.row('a'))?.value).toBe('{"theirs":1}');
  });
});

describe('the limits', () => {
  const limited = (limits: object) => QueueFixture.open(memoryStorage(), {}, limits);

  test('keep their last tenth for critical writes', async () => {
    const queue = await limited({ maxEntries: 10 });
    for (let i = 0; i < 9; i += 1) await queue.add(`e${i}`, { t: 1 });

    await expect(queue.add('x', { t: 1 })).rejects.toMatchObject({ code: 'queue/full' });
    await queue.add('y', { t: 1 }, { priority: 0 });
    await expect(queue.add('z', { t: 1 }, { priority: 0 })).rejects.toMatchObject({
      code: 'queue/full',
    });

    expect((await queue.entries()).length).toBe(10);
    expect(await queue.row('x')).toBeUndefined();
  });

  test('count bytes too', async () => {
    const queue = await limited({ maxBytes: 1_000 });
    await queue.add('a', { t: 'x'.repeat(500) });

    await expect(queue.add('b', { t: 'x'.repeat(500) })).rejects.toMatchObject({
      code: 'queue/full',
    });
  });

  test('of a full queue do not refuse what folds or vanishes', async () => {
    const queue = await limited({ maxEntries: 10 });
    for (let i = 0; i < 9; i += 1) await queue.add(`e${i}`, { t: 1 }, creates);

    expect(await queue.enqueue('e1', { t: 2 })).toMatchObject({ effect: 'merged' });
    expect(await queue.enqueue('e2', null)).toMatchObject({ effect: 'vanished' });
    expect(await queue.enqueue('x', { t: 1 })).toMatchObject({ effect: 'appended' });
  });

  test('of one entry hold for what is folded together as well', async () => {
    const queue = await limited({ maxEntryBytes: 300 });
    await queue.add('a', { x: 'x'.repeat(120) }, creates);

    await expect(
      queue.add('a', { y: 'y'.repeat(120) }, { detail: { isPatch: true } }),
    ).rejects.toMatchObject({ code: 'queue/entry-too-large' });
    await expect(queue.add('b', { t: 'x'.repeat(300) })).rejects.toMatchObject({
      code: 'queue/entry-too-large',
    });

    expect((await queue.row('a'))?.value).toBe(JSON.stringify({ x: 'x'.repeat(120) }));
  });

  test('do not keep a dead letter from being sent again', async () => {
    const queue = await QueueFixture.open(
      memoryStorage(),
      { onRejected: 'revert' },
      { maxEntries: 10 },
    );
    await queue.add('a', { t: 1 }, creates);
    await buried(queue);
    for (let i = 0; i < 9; i += 1) await queue.add(`e${i}`, { t: 1 }, { priority: 0 });

    expect(await retry(queue, 1)).toBe('queued');
  });
});

describe('the id of an entry', () => {
  test('names its seq, and nothing else does', () => {
    expect(seqOfEntryId(entryIdOf(42))).toBe(42);
    for (const id of ['', 'e', 'e0', 'e01', 'e-1', '42', 'E42', 'e1.5', 'e1e3', 'e9999999999999'])
      expect(seqOfEntryId(id)).toBeNull();
  });

  test('stands in a view that says what the app needs to know', async () => {
    const queue = await open();
    await queue.add('p', { t: 1 });
    await queue.add('a', { t: 1 }, { after: [1], expiresAt: 9, priority: 1 });

    const view = entryView((await queue.entry(2)) as EntryRecord, 1, undefined);

    expect(view).toMatchObject({
      id: 'e2',
      collection: 'notes',
      entityId: 'a',
      operation: 'update',
      payload: { t: 1 },
      priority: 'high',
      effectivePriority: 'high',
      state: 'pending',
      after: ['e1'],
      expiresAt: 9,
    });
  });
});

describe('an entry whose claim is over', () => {
  test('is not cancelled: nobody knows whether it was applied', async () => {
    const queue = await open();
    const seq = await queue.add('a', { a: 1 });
    await claimed(queue);
    const during = await cancel(queue, seq);
    queue.now += 1_000;

    expect([during, await cancel(queue, seq)]).toEqual(['claimed', 'ambiguous']);
  });
});
