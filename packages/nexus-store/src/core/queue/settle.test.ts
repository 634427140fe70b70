import { describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { QueueFixture } from '../../testing/queue-fixture.ts';
import { LONGEST_WAIT_MS } from './leases.ts';
import { rebaseOnPull } from './conflict.ts';
import { detailOf, emptyRow, type EntryRecord, type RowRecord } from './records.ts';
import { buryEntry, settleClaim, type Settlement } from './settle.ts';
import type { Claim } from './claim.ts';
import type { OnRejected } from './collection-rules.ts';

const failure = { code: 'remote/rejected', status: 400, at: 0 };
const bury: Settlement = { kind: 'bury', failure, consumesAttempt: true };

function open(onRejected: OnRejected = 'park'): Promise<QueueFixture> {
  return QueueFixture.open(memoryStorage(), { onRejected, coalesce: false });
}

async function claimed(queue: QueueFixture, limit = 1): Promise<Claim> {
  const claim = await queue.claim(limit);
  if (claim === undefined) throw new Error('nothing to claim');
  return claim;
}

function release(change: Partial<Extract<Settlement, { kind: 'release' }>> = {}): Settlement {
  return {
    kind: 'release',
    ambiguous: 0,
    notBefore: null,
    consumesAttempt: true,
    failure,
    ...change,
  };
}

function pull(queue: QueueFixture, entity: string, value: string | null, isEcho = false) {
  return queue.write(async (uow) => {
    const row = (await uow.row(0, 'notes', entity)) ?? emptyRow(0, 'notes', entity);
    await rebaseOnPull(uow, row, { version: 'pulled', value }, isEcho, queue.rules);
  });
}

describe('a claim', () => {
  test('keeps its entries from everyone else until its lease is over', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    await queue.claim();

    queue.now += 999;
    expect(await queue.claimed()).toEqual([]);
    queue.now += 1;
    expect(await queue.claimed()).toEqual([1]);
  });

  test('that was taken over cannot settle any more, and changes nothing', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    const late = await claimed(queue);
    queue.now += 1_001;
    const next = await claimed(queue);

    await expect(queue.settle(late, { kind: 'complete' })).rejects.toMatchObject({
      code: 'queue/claim-lost',
    });

    expect(next.fence).toBeGreaterThan(late.fence);
    await queue.settle(next, { kind: 'complete' });
    expect(await queue.entries()).toEqual([]);
  });

  test('whose lease is over may still settle while nobody took it over', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    const late = await claimed(queue);
    queue.now += 5_000;

    await queue.settle(late, { kind: 'complete' });

    expect(await queue.entries()).toEqual([]);
  });

  test('of another owner cannot be settled with its fence', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    const claim = await claimed(queue);

    await expect(
      queue.settle({ ...claim, owner: 'thief' }, { kind: 'complete' }),
    ).rejects.toMatchObject({ code: 'queue/claim-lost' });
  });

  test('cannot settle what it does not hold', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    await queue.add('b', { t: 1 });
    const claim = await claimed(queue);
    const settlements = new Map([
      [1, { kind: 'complete' as const }],
      [2, { kind: 'complete' as const }],
    ]);

    await expect(
      queue.write((uow) => settleClaim(uow, claim, settlements, queue.rulesOf)),
    ).rejects.toMatchObject({ code: 'queue/claim-lost' });

    expect((await queue.entries()).length).toBe(2);
  });

  test('settled in part keeps the rest', async () => {
    const queue = await open();
    for (const entity of ['a', 'b']) await queue.add(entity, { t: 1 });
    const claim = await claimed(queue, 2);

    await queue.settle({ ...claim, entries: claim.entries.slice(0, 1) }, { kind: 'complete' });
    expect(await queue.claimed()).toEqual([]);
    await queue.settle({ ...claim, entries: claim.entries.slice(1) }, release());

    expect(await queue.claimed()).toEqual([2]);
  });

  test('that was lost leaves its entries with an unknown outcome and the same key', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 }, { key: 'k' });
    await queue.claim();
    queue.now += 1_001;

    const again = await claimed(queue);

    expect(again.entries[0]).toMatchObject({ ambiguous: 1, idempotencyKey: 'k', attempts: 0 });
  });

  test('ends when the clock was moved far back, instead of holding its entries for years', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    await queue.claim();

    queue.now -= 10 * 365 * 86_400_000;

    expect(await queue.claimed()).toEqual([1]);
  });

  test('outlives the process', async () => {
    const database = memoryDatabase();
    const before = await QueueFixture.open(memoryStorage({ database }));
    await before.add('a', { t: 1 });
    const claim = await claimed(before);
    await before.storage.close();

    const after = await QueueFixture.open(memoryStorage({ database }));
    expect(await after.claimed()).toEqual([]);
    await after.settle(claim, { kind: 'complete' });
    expect(await after.entries()).toEqual([]);
  });
});

describe('a released entry', () => {
  test('waits until its time, then goes by priority again', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 }, { priority: 0 });
    await queue.settle(await claimed(queue), release({ notBefore: queue.now + 500 }));
    await queue.add('b', { t: 1 });
    await queue.add('c', { t: 1 });

    expect(await queue.claimed()).toEqual([2]);
    queue.now += 500;
    expect(await queue.claimed(9)).toEqual([1, 3]);
  });

  test('keeps what waits behind it waiting', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    await queue.add('a', { t: 2 });
    await queue.settle(await claimed(queue), release({ notBefore: queue.now + 500 }));

    expect(await queue.claimed(9)).toEqual([]);
  });

  test('is due when the clock was moved back by more than any wait', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    await queue.settle(await claimed(queue), release({ notBefore: queue.now + 500 }));

    queue.now -= LONGEST_WAIT_MS;

    expect(await queue.claimed()).toEqual([1]);
  });

  test('counts attempts only where asked, and remembers why', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    await queue.settle(await claimed(queue), release());
    await queue.settle(await claimed(queue), release({ consumesAttempt: false }));

    const entry = (await queue.entry(1)) as EntryRecord;
    expect(entry.attempts).toBe(1);
    expect(detailOf(entry).failure).toEqual(failure);
  });

  test('whose fate is unknown stays so, whatever a later attempt met', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    await queue.settle(await claimed(queue), release({ ambiguous: 1 }));
    await queue.settle(await claimed(queue), release({ ambiguous: 0 }));

    expect((await queue.entry(1))?.ambiguous).toBe(1);
  });

  test('is found in time among hundreds that are due', async () => {
    const queue = await open();
    for (let i = 0; i < 600; i += 1) await queue.add(`e${i}`, { t: 1 });
    await queue.settle(await claimed(queue, 600), release({ notBefore: queue.now + 10 }));
    queue.now += 10;

    expect((await queue.drain()).length).toBe(600);
  });
});

describe('an applied entry', () => {
  test('moves the base of what waits behind it forward', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 }, { operation: 'create' });
    await queue.add('a', { u: 2 }, { detail: { isPatch: true } });

    await queue.settle(await claimed(queue), { kind: 'complete', version: 'v1', at: 7 });

    expect(await queue.row('a')).toMatchObject({
      version: 'v1',
      shadow: '{"t":1}',
      value: '{"t":1,"u":2}',
      fetchedAt: 7,
    });
  });

  test("takes the server's value over its own", async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });

    await queue.settle(await claimed(queue), {
      kind: 'complete',
      version: 'v1',
      value: '{"t":1,"by":"server"}',
    });

    expect(await queue.row('a')).toMatchObject({ value: '{"t":1,"by":"server"}', shadow: null });
  });

  test('leaves no version behind that the server did not name', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    await queue.settle(await claimed(queue), { kind: 'complete', version: 'v1' });
    await queue.add('a', { t: 2 });

    await queue.settle(await claimed(queue), { kind: 'complete' });

    expect((await queue.row('a'))?.version).toBeNull();
  });

  test('that deleted leaves no row', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    await queue.drain();
    await queue.add('a', null);

    await queue.drain();

    expect(await queue.row('a')).toBeUndefined();
  });

  test('does not hide what a pull brought on top of it', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    const claim = await claimed(queue);
    await pull(queue, 'a', '{"t":1,"later":true}');

    await queue.settle(claim, { kind: 'complete', version: 'older' });

    expect(await queue.row('a')).toMatchObject({
      value: '{"t":1,"later":true}',
      version: 'pulled',
    });
  });

  test('does not count a command twice whose effect a pull brought first', async () => {
    const increment = (value: unknown) => ({ n: (value as { n: number }).n + 1 });
    const queue = await QueueFixture.open(memoryStorage(), { applyCommand: increment });
    await queue.add('a', { n: 1 });
    await queue.drain();
    await queue.add('a', 1, { operation: 'command', detail: { command: 'increment' } });
    const claim = await claimed(queue);

    await pull(queue, 'a', '{"n":2}', true);
    expect((await queue.row('a'))?.value).toBe('{"n":2}');

    await queue.settle(claim, { kind: 'complete', version: 'older' });
    expect(await queue.row('a')).toMatchObject({ value: '{"n":2}', version: 'pulled' });
  });
});

describe('an entry whose effect a pull brought', () => {
  test('is done whatever the server answers: its conflict was with itself', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    const claim = await claimed(queue);
    await pull(queue, 'a', '{"t":1}', true);

    const remote = { version: 'pulled', value: '{"t":1}' };
    await queue.settle(claim, { kind: 'conflict', failure, remote });

    expect(await queue.entries()).toEqual([]);
    expect(await queue.row('a')).toMatchObject({ value: '{"t":1}', depth: 0 });
  });

  test('is frozen: nothing folds into it', async () => {
    const queue = await QueueFixture.open(memoryStorage());
    await queue.add('a', { t: 1 });
    await queue.settle(await claimed(queue), release());
    await pull(queue, 'a', '{"t":1}', true);

    expect(await queue.enqueue('a', { t: 2 })).toEqual({ seq: 2, effect: 'appended' });
  });
});

describe('a buried entry', () => {
  test('parks its own lane and no other', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    await queue.add('a', { t: 2 });
    await queue.add('b', { t: 1 });

    await queue.settle(await claimed(queue), bury);

    expect(await queue.drain()).toEqual([3]);
    expect(await queue.counters()).toMatchObject({ pending: [0, 0, 1, 0], dead: 1 });
    expect(queue.events).toContain('entry-buried');
    expect((await queue.row('a'))?.value).toBe('{"t":2}');
  });

  test('that is skipped leaves its lane, and the app sees what still waits', async () => {
    const queue = await open('skip');
    await queue.add('a', { t: 0, kept: 1 });
    await queue.drain();
    await queue.add('a', { bad: 1 }, { detail: { isPatch: true } });
    await queue.add('a', { good: 1 }, { detail: { isPatch: true } });

    await queue.settle(await claimed(queue), bury);

    expect((await queue.row('a'))?.value).toBe('{"t":0,"kept":1,"good":1}');
    expect(await queue.drain()).toEqual([3]);
    expect((await queue.entry(2))?.state).toBe('dead');
  });

  test('that is a skipped create takes what was made on it along', async () => {
    const queue = await open('skip');
    await queue.add('a', { t: 1 }, { operation: 'create' });
    await queue.add('a', { t: 2 });

    await queue.settle(await claimed(queue), bury);

    expect((await queue.entries()).map(({ state }) => state)).toEqual(['dead', 'dead']);
    expect(await queue.row('a')).toBeUndefined();
    expect(queue.events.filter((type) => type === 'entry-buried').length).toBe(2);
  });

  test('that is reverted takes its lane along, and the app sees the server again', async () => {
    const queue = await open('revert');
    await queue.add('a', { t: 0 });
    await queue.drain();
    for (const t of [1, 2]) await queue.add('a', { t });

    await queue.settle(await claimed(queue), bury);

    expect(await queue.row('a')).toMatchObject({ value: '{"t":0}', shadow: null, depth: 0 });
    expect(await queue.counters()).toMatchObject({ pending: [0, 0, 0, 0], dead: 2 });
  });

  test('that expired in the middle leaves what is before it alone, even on the wire', async () => {
    const queue = await open('revert');
    await queue.add('a', { t: 1 });
    await queue.add('a', { t: 2 }, { expiresAt: 5 });
    await queue.add('a', { t: 3 });
    const claim = await claimed(queue);
    const second = (await queue.entry(2)) as EntryRecord;

    await queue.write((uow) => buryEntry(uow, second, failure, queue.rulesOf));

    expect((await queue.row('a'))?.value).toBe('{"t":1}');
    await queue.settle(claim, { kind: 'complete' });
    expect(await queue.counters()).toMatchObject({ pending: [0, 0, 0, 0], dead: 2 });
    expect(await queue.row('a')).toMatchObject({ value: '{"t":1}', depth: 0 });
  });

  test('is buried once, by whatever stale record it is named', async () => {
    const queue = await open('revert');
    for (const t of [1, 2]) await queue.add('a', { t });
    const entries = await queue.entries();

    await queue.write(async (uow) => {
      for (const entry of entries) await buryEntry(uow, entry, failure, queue.rulesOf);
    });

    expect(await queue.counters()).toMatchObject({ pending: [0, 0, 0, 0], dead: 2 });
    expect((await queue.entries()).length).toBe(2);
  });

  test('remembers that its last attempt may have been applied', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });
    await queue.settle(await claimed(queue), { ...bury, ambiguous: 1 } as Settlement);

    expect(await queue.entry(1)).toMatchObject({ state: 'dead', ambiguous: 1, attempts: 1 });
  });
});

describe('a conflict', () => {
  const remote = { version: 'v9', value: '{"theirs":1}' };

  async function parked(): Promise<QueueFixture> {
    const queue = await open();
    await queue.add('a', { t: 0 });
    await queue.drain();
    await queue.add('a', { t: 1 }, { detail: { isPatch: true } });
    await queue.add('a', { u: 2 }, { detail: { isPatch: true } });
    return queue;
  }

  test('parks the lane until someone decides', async () => {
    const queue = await parked();

    await queue.settle(await claimed(queue), { kind: 'conflict', failure, remote });

    expect(await queue.claimed()).toEqual([]);
    expect(await queue.counters()).toMatchObject({ pending: [0, 0, 1, 0], conflicts: 1 });
    expect(queue.events).toContain('entry-conflicted');
  });

  test.each([
    ['local', '{"theirs":1,"t":1,"u":2}', [2, 3]],
    ['remote', '{"theirs":1,"u":2}', [3]],
    ['merged', '{"m":1,"u":2}', [2, 3]],
  ] as const)('decided for %s puts the rest on top of it', async (use, value, left) => {
    const queue = await parked();

    await queue.settle(await claimed(queue), {
      kind: 'resolve',
      remote,
      use,
      merged: '{"m":1}',
      idempotencyKey: 'fresh',
    });

    expect(await queue.row('a')).toMatchObject({ value, shadow: '{"theirs":1}', version: 'v9' });
    if (use !== 'remote') expect((await queue.entry(2))?.idempotencyKey).toBe('fresh');
    expect(await queue.drain()).toEqual(left);
  });

  test('with a row that is gone makes a kept patch a whole create', async () => {
    const queue = await parked();

    await queue.settle(await claimed(queue), {
      kind: 'resolve',
      remote: { version: null, value: null },
      use: 'local',
      idempotencyKey: 'fresh',
    });

    expect(await queue.entry(2)).toMatchObject({ operation: 'create', payload: '{"t":1}' });
    expect((await queue.row('a'))?.value).toBe('{"t":1,"u":2}');
  });

  test('with a row that came first makes a kept create an update', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 }, { operation: 'create' });

    await queue.settle(await claimed(queue), {
      kind: 'resolve',
      remote,
      use: 'local',
      idempotencyKey: 'fresh',
    });

    expect(await queue.entry(1)).toMatchObject({ operation: 'update', payload: '{"t":1}' });
  });
});

describe('a pull under waiting entries', () => {
  test('goes to the shadow, and the first entry keeps the base it was made on', async () => {
    const queue = await open();
    await queue.add('a', { t: 0 });
    const first = await claimed(queue);
    await queue.settle(first, { kind: 'complete', version: 'v1' });
    await queue.add('a', { u: 1 }, { detail: { isPatch: true } });

    await pull(queue, 'a', '{"t":5}');
    await pull(queue, 'a', '{"t":6}');

    expect(await queue.row('a')).toMatchObject({ value: '{"t":6,"u":1}', shadow: '{"t":6}' });
    const { pinned } = detailOf((await queue.entry(2)) as EntryRecord);
    expect(pinned).toEqual({ version: 'v1', value: '{"t":0}' });
  });

  test('of a deletion leaves what waits visible', async () => {
    const queue = await open();
    await queue.add('a', { t: 1 });

    await pull(queue, 'a', null);

    expect((await queue.row('a')) as RowRecord).toMatchObject({ value: '{"t":1}', shadow: null });
  });
});
