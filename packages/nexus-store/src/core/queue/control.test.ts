import { describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { QueueFixture } from '../../testing/queue-fixture.ts';
import {
  buried,
  cancel,
  claimed,
  creates,
  discard,
  failure,
  retry,
  transaction,
} from '../../testing/queue-hands.ts';
import type { OnRejected } from './collection-rules.ts';
import { changeEntryPriority, resolveConflict } from './control.ts';
import { entryIdOf, entryView, seqOfEntryId } from './entry-view.ts';
import type { EntryRecord } from './records.ts';

function open(onRejected: OnRejected = 'park'): Promise<QueueFixture> {
  return QueueFixture.open(memoryStorage(), { onRejected, coalesce: false });
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
