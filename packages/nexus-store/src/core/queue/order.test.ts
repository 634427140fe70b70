import { describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { QueueFixture, type MutationWish } from '../../testing/queue-fixture.ts';
import type { PriorityRank } from '../model/priority.ts';
import { cancelEntry, changeEntryPriority } from './control.ts';
import { closeGroup, enqueueMutation } from './enqueue.ts';
import { effectiveRank } from './lanes.ts';
import { expiredEntries, listEntries } from './claim.ts';
import { readStanding } from './inspect.ts';
import type { EntryRecord } from './records.ts';

const failure = { code: 'remote/server', at: 0 };

function open(): Promise<QueueFixture> {
  return QueueFixture.open(memoryStorage(), { coalesce: false });
}

/** A transaction over entities, each with a priority. */
function transaction(
  queue: QueueFixture,
  writes: readonly (readonly [entity: string, priority: PriorityRank, wish?: MutationWish])[],
): Promise<number[]> {
  return queue.write(async (uow) => {
    const group = `g${uow.state.nextSeq}`;
    const seqs: number[] = [];
    for (const [entity, priority, wish] of writes) {
      const mutation = queue.mutation(entity, { t: 1 }, { ...wish, priority, detail: { group } });
      const { seq } = await enqueueMutation(uow, mutation, queue.rules, queue.limits);
      seqs.push(seq as number);
    }
    await closeGroup(uow, 0, seqs);
    return seqs;
  });
}

async function effective(queue: QueueFixture, seq: number): Promise<PriorityRank> {
  const entry = (await queue.entry(seq)) as EntryRecord;
  return queue.writer.read((uow) => effectiveRank(uow, entry));
}

describe('entries of different entities', () => {
  test('go by priority, then first in, first out', async () => {
    const queue = await open();
    for (const [entity, priority] of [
      ['a', 3],
      ['b', 2],
      ['c', 0],
      ['d', 2],
      ['e', 0],
      ['f', 1],
    ] as const)
      await queue.add(entity, { t: 1 }, { priority });

    expect(await queue.drain()).toEqual([3, 5, 6, 2, 4, 1]);
  });

  test('come in claims of the size asked for', async () => {
    const queue = await open();
    for (const entity of ['a', 'b', 'c', 'd', 'e']) await queue.add(entity, { t: 1 });

    expect(await queue.claimed(2)).toEqual([1, 2]);
    expect(await queue.claimed(9)).toEqual([3, 4, 5]);
    expect(await queue.claimed()).toEqual([]);
  });

  test('of less than the asked urgency are left', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 }, { priority: 3 });
    await queue.add('b', { t: 1 }, { priority: 1 });

    expect(await queue.claimed(9, { worst: 2 })).toEqual([2]);
  });

  test('that are low wait while something urgent may be sent or is being sent', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 }, { priority: 3 });
    await queue.add('b', { t: 1 }, { priority: 1 });

    const urgent = await queue.claim(9, { deferLow: true });
    expect(urgent?.entries.map(({ seq }) => seq)).toEqual([2]);
    expect(await queue.claimed(9, { deferLow: true })).toEqual([]);

    if (urgent !== undefined) await queue.settle(urgent, { kind: 'complete' });
    expect(await queue.claimed(9, { deferLow: true })).toEqual([1]);
  });
});

describe('a lane', () => {
  test('goes strictly in the order of making, whatever its priorities', async () => {
    const queue = await open();
    for (const priority of [3, 0, 2, 1] as const) await queue.add('a', { t: 1 }, { priority });

    expect(await queue.drain()).toEqual([1, 2, 3, 4]);
  });

  test('has one entry on the wire at a time', async () => {
    const queue = await open();
    for (let i = 0; i < 3; i += 1) await queue.add('a', { t: i });

    expect(await queue.claimed(9)).toEqual([1]);
    expect(await queue.claimed(9)).toEqual([]);
  });

  test('lends its head the urgency of what waits behind', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 }, { priority: 3 });
    await queue.add('b', { t: 1 }, { priority: 1 });
    await queue.add('a', { t: 2 }, { priority: 2 });
    await queue.add('a', { t: 3 }, { priority: 0 });

    expect(await effective(queue, 1)).toBe(0);
    expect(await queue.drain()).toEqual([1, 3, 4, 2]);
  });

  test('takes the urgency back when what was urgent goes, or is urgent no more', async () => {
    const queue = await open();
    for (const priority of [3, 1, 0] as const) await queue.add('a', { t: 1 }, { priority });

    await queue.write((uow) => cancelEntry(uow, 0, 3, queue.rulesOf, queue.now));
    expect(await effective(queue, 1)).toBe(1);

    await queue.write((uow) => changeEntryPriority(uow, 0, 2, 3));
    expect(await effective(queue, 1)).toBe(3);

    await queue.write((uow) => changeEntryPriority(uow, 0, 2, 0));
    expect(await effective(queue, 1)).toBe(0);
  });

  test('that lost an entry from its middle and its end goes on in order', async () => {
    const queue = await open();
    for (let i = 0; i < 5; i += 1) await queue.add('a', { t: i });
    for (const seq of [3, 5])
      await queue.write((uow) => cancelEntry(uow, 0, seq, queue.rulesOf, queue.now));
    await queue.add('a', { t: 9 });

    expect(await queue.row('a')).toMatchObject({ head: 1, tail: 6, depth: 4, value: '{"t":9}' });
    expect(await queue.drain()).toEqual([1, 2, 4, 6]);
    expect(await queue.row('a')).toMatchObject({ head: null, tail: null, depth: 0, lane: null });
  });
});

describe('an entry that comes after others', () => {
  test('waits until all of them are settled', async () => {
    const queue = await open();
    const a = await queue.add('a', { t: 1 }, { priority: 3 });
    const b = await queue.add('b', { t: 1 }, { priority: 2 });
    await queue.add('c', { t: 1 }, { after: [a, b], priority: 3 });

    expect(await queue.drain()).toEqual([2, 1, 3]);
  });

  test('lends them its urgency, through lanes and further dependencies', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 }, { priority: 3 });
    await queue.add('b', { t: 1 }, { priority: 3 });
    const behindB = await queue.add('b', { t: 2 }, { priority: 3, after: [1] });
    await queue.add('x', { t: 1 }, { priority: 1 });
    await queue.add('c', { t: 1 }, { priority: 0, after: [behindB] });

    expect([await effective(queue, 1), await effective(queue, 2)]).toEqual([0, 0]);
    expect(await queue.drain()).toEqual([1, 2, 3, 5, 4]);
  });

  test('takes the urgency back through all of them when it is cancelled', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 }, { priority: 3 });
    await queue.add('b', { t: 1 }, { priority: 3, after: [1] });
    await queue.add('b', { t: 2 }, { priority: 2 });
    const urgent = await queue.add('c', { t: 1 }, { priority: 0, after: [3] });

    expect(await effective(queue, 1)).toBe(0);
    await queue.write((uow) => cancelEntry(uow, 0, urgent, queue.rulesOf, queue.now));

    expect(await effective(queue, 1)).toBe(2);
  });

  test('passes urgency on past one of its lane that was cancelled', async () => {
    const queue = await open();
    for (const entity of ['p', 'q', 'r']) await queue.add(entity, { t: 1 }, { priority: 3 });
    for (const before of [1, 2, 3])
      await queue.add('a', { t: before }, { after: [before], priority: 3 });

    await queue.write((uow) => cancelEntry(uow, 0, 5, queue.rulesOf, queue.now));
    await queue.write((uow) => changeEntryPriority(uow, 0, 6, 0));

    expect(await Promise.all([1, 2, 3].map((seq) => effective(queue, seq)))).toEqual([0, 3, 0]);
  });

  test('does not wait for what is settled, unknown, or the same twice', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    await queue.drain();

    await queue.add('b', { t: 1 }, { after: [1, 777, 1] });
    await queue.add('c', { t: 1 }, { after: [2, 2] });

    expect(await queue.drain()).toEqual([2, 3]);
  });

  test('waits behind a dead letter until it is given up', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    await queue.add('b', { t: 1 }, { after: [1] });
    const claim = await queue.claim();
    if (claim !== undefined)
      await queue.settle(claim, { kind: 'bury', failure, consumesAttempt: true });

    expect(await queue.claimed()).toEqual([]);
  });
});

describe('a transaction', () => {
  test('is claimed whole, in the order of making, and never cut', async () => {
    const queue = await open();
    await queue.add('x', { t: 1 });
    await transaction(queue, [
      ['a', 2],
      ['b', 2],
      ['c', 2],
    ]);
    await queue.add('y', { t: 1 });

    // What comes after it does not go in its place.
    expect(await queue.claimed(3)).toEqual([1]);
    expect(await queue.claimed(2)).toEqual([2, 3, 4]);
    expect(await queue.claimed(3)).toEqual([5]);
  });

  test('waits until each of its entries is at the head of its lane', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 }, { priority: 3 });
    await queue.add('b', { t: 1 }, { priority: 3 });
    await transaction(queue, [
      ['a', 2],
      ['b', 2],
    ]);
    await queue.add('a', { t: 3 }, { priority: 0 });

    expect(await queue.drain()).toEqual([1, 2, 3, 4, 5]);
  });

  test('is as urgent as its most urgent entry, and lends that to all it waits for', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 }, { priority: 3 });
    await queue.add('x', { t: 1 }, { priority: 1 });
    await transaction(queue, [
      ['a', 3],
      ['b', 0],
    ]);

    expect(await effective(queue, 1)).toBe(0);
    expect(await queue.drain()).toEqual([1, 3, 4, 2]);
  });

  test('of several writes to one entity goes as one', async () => {
    const queue = await open();
    await transaction(queue, [
      ['a', 2],
      ['a', 2],
    ]);
    await queue.add('a', { t: 2 });

    expect(await queue.claimed(9)).toEqual([1, 2]);
    expect(await queue.claimed(9)).toEqual([]);
  });

  test('stands without the entries that were applied alone', async () => {
    const queue = await open();
    await transaction(queue, [
      ['a', 0],
      ['b', 3],
      ['c', 3],
    ]);
    const claim = await queue.claim(9);
    expect(claim?.entries.length).toBe(3);
    if (claim !== undefined) {
      await queue.settle({ ...claim, entries: claim.entries.slice(0, 1) }, { kind: 'complete' });
      await queue.settle(
        { ...claim, entries: claim.entries.slice(1, 2) },
        { kind: 'release', ambiguous: 0, notBefore: null, consumesAttempt: false },
      );
      expect(await queue.claimed(9)).toEqual([]);
      await queue.settle(
        { ...claim, entries: claim.entries.slice(2) },
        { kind: 'release', ambiguous: 0, notBefore: null, consumesAttempt: false },
      );
    }

    expect(await effective(queue, 2)).toBe(3);
    expect(await queue.claimed(9)).toEqual([2, 3]);
  });

  test('of one thousand entries is claimed, released and applied in bounded time', async () => {
    const queue = await open();
    const writes = Array.from({ length: 1_000 }, (_, i) => [`e${i}`, 2] as const);
    await transaction(queue, writes);
    await transaction(queue, writes);

    const first = await queue.claim(1);
    expect(first?.entries.length).toBe(1_000);
    if (first !== undefined)
      await queue.settle(first, {
        kind: 'release',
        ambiguous: 0,
        notBefore: null,
        consumesAttempt: true,
      });

    expect((await queue.drain()).length).toBe(2_000);
  });
});

describe('aging', () => {
  const agingMs = 900_000;

  test('lets a head that waited too long compete one class higher, first of that class', async () => {
    const queue = await open();
    await queue.add('old', { t: 1 }, { priority: 3 });
    queue.now += agingMs;
    await queue.add('new', { t: 1 }, { priority: 2 });

    expect(await queue.claimed(1, { agingMs })).toEqual([1]);
    expect(await queue.claimed(1, { agingMs })).toEqual([2]);
  });

  test('never makes anything critical, and is off unless asked for', async () => {
    const queue = await open();
    await queue.add('old', { t: 1 }, { priority: 1 });
    await queue.add('older', { t: 1 }, { priority: 3 });
    queue.now += 10 * agingMs;
    await queue.add('new', { t: 1 }, { priority: 2 });
    await queue.add('urgent', { t: 1 }, { priority: 0 });

    expect(await queue.claimed(9, { agingMs })).toEqual([4, 1, 2, 3]);
    const again = await open();
    await again.add('old', { t: 1 }, { priority: 3 });
    again.now += 10 * agingMs;
    await again.add('new', { t: 1 }, { priority: 2 });
    expect(await again.claimed(9)).toEqual([2, 1]);
  });
});

describe('questions about the queue', () => {
  test('tell whether something may be sent, and when something will', async () => {
    const queue = await open();
    const ask = () => queue.writer.read((uow) => readStanding(uow, 0, queue.now));
    const nothing = { readyRank: null, dueAt: null, claimed: 0, oldestAt: null, passed: 0 };
    expect(await ask()).toEqual(nothing);

    const madeAt = queue.now;
    await queue.add('a', { t: 1 }, { priority: 2 });
    queue.now += 5;
    await queue.add('b', { t: 1 }, { priority: 1 });
    expect(await ask()).toEqual({ ...nothing, readyRank: 1, oldestAt: madeAt });

    const claim = await queue.claim();
    const until = queue.now + 1_000;
    const underWay = { dueAt: until, claimed: 1, oldestAt: madeAt, passed: 0 };
    expect(await ask()).toEqual({ ...underWay, readyRank: 2 });

    if (claim !== undefined)
      await queue.settle(claim, {
        kind: 'release',
        ambiguous: 0,
        notBefore: queue.now + 77,
        consumesAttempt: true,
      });
    expect(await ask()).toEqual({
      ...nothing,
      readyRank: 2,
      dueAt: queue.now + 77,
      oldestAt: madeAt,
    });
  });

  test('see what is free before, between and behind what is claimed', async () => {
    const queue = await open();
    for (const id of ['a', 'b', 'c']) await queue.add(id, { t: 1 }, { priority: 2 });
    const readyRank = async () =>
      (await queue.writer.read((uow) => readStanding(uow, 0, queue.now))).readyRank;
    const first = await queue.claim();
    const second = await queue.claim();
    expect(await readyRank()).toBe(2);

    await queue.claim();
    expect(await readyRank()).toBe(null);

    for (const claim of [second, first]) {
      if (claim === undefined) throw new Error('nothing was claimed');
      await queue.settle(claim, {
        kind: 'release',
        ambiguous: 0,
        notBefore: null,
        consumesAttempt: true,
      });
      expect(await readyRank()).toBe(2);
      await queue.claim();
      expect(await readyRank()).toBe(null);
    }
  });

  test('name the entry made first of those that are not dead, however many are', async () => {
    const queue = await open();
    for (let i = 0; i < 300; i += 1) await queue.add(`dead-${i}`, { t: 1 }, { priority: 0 });
    const claim = await queue.claim(300);
    if (claim !== undefined)
      await queue.settle(claim, { kind: 'bury', failure, consumesAttempt: true });
    queue.now += 5;
    const madeAt = queue.now;
    await queue.add('dead-7', { t: 2 });
    queue.now += 5;
    await queue.add('x', { t: 1 }, { priority: 0 });

    const { oldestAt } = await queue.writer.read((uow) => readStanding(uow, 0, queue.now));
    expect(oldestAt).toBe(madeAt);
  });

  test('list what may be sent in order, then what waits by age', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 }, { priority: 3 });
    await queue.add('a', { t: 2 }, { priority: 3 });
    await queue.add('b', { t: 1 }, { priority: 0 });

    const list = (limit: number) => queue.writer.read((uow) => listEntries(uow, 0, limit));
    expect((await list(9)).map(({ seq }) => seq)).toEqual([3, 1, 2]);
    expect((await list(1)).map(({ seq }) => seq)).toEqual([3]);
  });

  test('find every expired entry behind hundreds that may not expire', async () => {
    const queue = await open();
    for (let i = 0; i < 300; i += 1) await queue.add(`sent-${i}`, { t: 1 }, { expiresAt: 5 });
    const claim = await queue.claim(300);
    if (claim !== undefined)
      await queue.settle(claim, {
        kind: 'release',
        ambiguous: 1,
        notBefore: null,
        consumesAttempt: false,
      });
    await queue.add('x', { t: 1 }, { expiresAt: 6 });

    const expired = await queue.writer.read((uow) => expiredEntries(uow, 0, queue.now));
    expect(expired.map(({ seq }) => seq)).toEqual([301]);
  });
});
