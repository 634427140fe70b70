import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import { deferred } from '../../testing/deferred.ts';
import { NexusStore } from './nexus-store.ts';

const world = fixtures(afterEach, () => memoryStorage());

async function bury(fixture: BackendFixture, ...ids: string[]): Promise<void> {
  fixture.remote.answerNext((sent) =>
    ids.includes(String(sent.entityId)) ? answers.rejected(422) : undefined,
  );
  await fixture.notes.saveAll(ids.map((id) => ({ id, text: 'bad' })));
  await fixture.wait(fixture.backend.sync());
}

describe('a dead letter', () => {
  test('keeps payload and reason, and holds its own lane only', async () => {
    const fixture = world();
    await bury(fixture, 'a');
    await fixture.notes.save({ id: 'a', text: 'better' });
    await fixture.notes.save({ id: 'b' });

    const report = await fixture.wait(fixture.backend.sync());

    const [letter] = await fixture.backend.deadLetters();
    expect(letter).toMatchObject({
      payload: { id: 'a', text: 'bad' },
      lastFailure: { code: 'remote/rejected', status: 422 },
    });
    expect(report).toMatchObject({ pushed: 1, remaining: 1, stoppedBy: 'drained' });
    expect(fixture.backend.status.current).toMatchObject({ dead: 1, nextAttemptAt: null });
  });

  test.each(['park', 'skip', 'revert'] as const)(
    'for each entry of a transaction whose times are over at once, where what is rejected is to %s',
    async (onRejected) => {
      const fixture = world({ store: { onRejected } });
      await fixture.backend.transaction(async (tx) => {
        const notes = tx.store(fixture.notes);
        for (const id of ['a', 'b', 'c']) await notes.save({ id }, { ttl: '1m' });
      });
      await fixture.runtime.advance('2m');

      const report = await fixture.wait(fixture.backend.sync());

      expect(report).toMatchObject({ dead: 3, remaining: 0 });
      expect(await fixture.backend.deadLetters()).toMatchObject(
        ['a', 'b', 'c'].map((entityId) => ({ entityId, lastFailure: { code: 'queue/expired' } })),
      );
      expect(fixture.backend.status.current.dead).toBe(3);
    },
  );

  test('that is retried goes again under a new key, as it was put right since', async () => {
    const fixture = world({ autoSync: true });
    await bury(fixture, 'a');
    await fixture.notes.save({ id: 'a', text: 'better' });
    const [letter] = await fixture.backend.deadLetters();

    const result = await fixture.backend.retry(letter?.id ?? '');
    await fixture.runtime.advance('11s');

    expect(result).toBe('queued');
    expect(fixture.arrivals).toEqual(['create a']);
    expect(fixture.remote.server.value('notes', 'a')).toEqual({ id: 'a', text: 'better' });
    expect(fixture.remote.server.applied[0]?.idempotencyKey).not.toBe(letter?.idempotencyKey);
  });

  test('that is retried tells the fate of both writes', async () => {
    const fixture = world();
    await bury(fixture, 'a');
    const better = await fixture.notes.save({ id: 'a', text: 'better' });
    const [letter] = await fixture.backend.deadLetters();
    const told = better.synced();

    await fixture.backend.retry(letter?.id ?? '');
    await fixture.wait(fixture.backend.sync());

    expect(await fixture.wait(told)).toMatchObject({ outcome: 'applied' });
  });

  test('that is retried where no store says how to fold goes step by step', async () => {
    const database = memoryDatabase();
    const app = world({ storage: memoryStorage({ database }), store: { coalesce: false } });
    await bury(app, 'a');
    await app.notes.save({ id: 'a', text: 'better' });
    const [letter] = await app.backend.deadLetters();
    const tool = world({ storage: memoryStorage({ database }), store: { collection: 'other' } });

    await tool.backend.retry(letter?.id ?? '');

    const left = await app.backend.pendingChanges();
    expect(left.map(({ payload }) => payload)).toEqual([
      { id: 'a', text: 'bad' },
      { id: 'a', text: 'better' },
    ]);
  });

  test("that is discarded gives the app the server's value back", async () => {
    const fixture = world();
    await fixture.notes.save({ id: 'a', text: 'good' });
    await fixture.wait(fixture.backend.sync());
    await bury(fixture, 'a');
    const [letter] = await fixture.backend.deadLetters();
    const shown = await fixture.notes.get('a');

    const discarded = await fixture.backend.discard(letter?.id ?? '');

    expect(shown).toEqual({ id: 'a', text: 'bad' });
    expect(discarded).toBe(true);
    expect(await fixture.notes.get('a')).toEqual({ id: 'a', text: 'good' });
    expect(await fixture.backend.discard(letter?.id ?? '')).toBe(false);
  });

  test('is one of those that retryAll brings back by collection and by reason', async () => {
    const fixture = world();
    const tasks = new NexusStore<{ id: string }>({ backend: fixture.backend, collection: 'tasks' });
    await tasks.save({ id: 't' });
    fixture.remote.answerNext(() => answers.rejected(422));
    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }]);
    await fixture.wait(fixture.backend.sync());

    const none = await fixture.backend.retryAll({ code: 'queue/expired' });
    const ofNotes = await fixture.backend.retryAll({ collection: 'notes' });
    const rest = await fixture.backend.retryAll();

    expect([none, ofNotes, rest]).toEqual([0, 2, 1]);
    expect(await fixture.backend.deadLetters()).toEqual([]);
  });

  test.each(['skip', 'revert'] as const)(
    'stays one where its entity was deleted or made anew, and the others come back: %s',
    async (onRejected) => {
      const fixture = world({ store: { onRejected } });
      fixture.remote.server.set('notes', 'gone', { id: 'gone' });
      await fixture.wait(fixture.backend.sync());
      await fixture.notes.patch('gone', { text: 'bad' });
      await fixture.notes.saveAll([
        { id: 'a', text: 'bad' },
        { id: 'anew', text: 'bad' },
      ]);
      fixture.remote.answerWith(() => answers.rejected(422));
      await fixture.wait(fixture.backend.sync());
      fixture.remote.answerWith(undefined);
      await fixture.notes.delete('gone');
      await fixture.notes.delete('anew');
      await fixture.notes.save({ id: 'anew', text: 'better' });

      const back = await fixture.backend.retryAll();

      const dead = await fixture.backend.deadLetters();
      expect([back, dead.length]).toEqual([3 - dead.length, dead.length]);
      expect(dead.map(({ entityId }) => entityId)).not.toContain('a');
      expect(dead.map(({ entityId }) => entityId)).toContain('gone');
    },
  );

  test('of a transaction comes back whole, and counts by its entries', async () => {
    const fixture = world();
    fixture.remote.answerNext((sent) =>
      sent.entityId === 'a' ? answers.rejected(422) : answers.entry(424),
    );
    await fixture.backend.transaction(async (tx) => {
      await tx.store(fixture.notes).save({ id: 'a' });
      await tx.store(fixture.notes).save({ id: 'b' });
    });
    const first = await fixture.wait(fixture.backend.sync());

    const count = await fixture.backend.retryAll();
    const second = await fixture.wait(fixture.backend.sync());

    expect([first.dead, count, second.pushed]).toEqual([2, 2, 2]);
  });

  test('is exported as text with payload and reason', async () => {
    const fixture = world();
    await bury(fixture, 'a');

    const exported: unknown = JSON.parse(await fixture.backend.export());

    expect(exported).toMatchObject({
      deadLetters: [
        { entityId: 'a', payload: { id: 'a', text: 'bad' }, failure: { status: 422 }, attempts: 1 },
      ],
    });
  });

  test.each([
    ['park', { shown: { id: 'a', text: 'later' }, pushed: 0, dead: 1, remaining: 1 }],
    ['skip', { shown: { id: 'a', text: 'later' }, pushed: 1, dead: 1, remaining: 0 }],
    ['revert', { shown: { id: 'a', text: 'good' }, pushed: 0, dead: 2, remaining: 0 }],
  ] as const)('with onRejected %s does with its lane as it says', async (onRejected, expected) => {
    const fixture = world({ store: { onRejected, coalesce: false } });
    await fixture.notes.save({ id: 'a', text: 'good' });
    await fixture.wait(fixture.backend.sync());
    fixture.remote.answerNext(() => answers.rejected(422));
    await fixture.notes.save({ id: 'a', text: 'bad' });
    await fixture.notes.save({ id: 'a', text: 'later' });

    const report = await fixture.wait(fixture.backend.sync());

    const { shown, ...counts } = expected;
    expect(report).toMatchObject(counts);
    expect(await fixture.notes.get('a')).toEqual(shown);
  });
});

describe('cancel', () => {
  test('takes a fresh write back', async () => {
    const fixture = world();
    await fixture.notes.save({ id: 'a', text: 'good' });
    await fixture.wait(fixture.backend.sync());
    const write = await fixture.notes.save({ id: 'a', text: 'oops' });

    const result = await fixture.notes.cancelPendingChange(write.entry?.id ?? '');

    expect(result).toBe('cancelled');
    expect(await fixture.notes.get('a')).toEqual({ id: 'a', text: 'good' });
    expect(await write.synced()).toEqual({ outcome: 'cancelled' });
  });

  test('says why it did not: claimed, ambiguous, has-dependents, not-found', async () => {
    const fixture = world();
    const held = deferred();
    fixture.remote.answerNext({ until: held.promise, answer: 'lose-answer' });
    const write = await fixture.notes.save({ id: 'a' });
    const id = write.entry?.id ?? '';
    const running = fixture.backend.sync();
    await fixture.settle();
    const claimed = await fixture.backend.cancel(id);
    held.resolve();
    await fixture.wait(running);
    const ambiguous = await fixture.backend.cancel(id);
    const parent = await fixture.notes.save({ id: 'parent' });
    await fixture.notes.save({ id: 'child' }, { after: [parent.entry ?? { id: '' }] });
    const needed = await fixture.backend.cancel(parent.entry?.id ?? '');

    expect([claimed, ambiguous, needed]).toEqual(['claimed', 'ambiguous', 'has-dependents']);
    for (const unknown of ['e999', 'nonsense', ''])
      expect(await fixture.backend.cancel(unknown)).toBe('not-found');
  });
});

describe('reprioritise', () => {
  test('sends a write before others, or after them', async () => {
    const fixture = world({ batchSize: 1, concurrency: 1 });
    const first = await fixture.notes.save({ id: 'first' });
    await fixture.notes.save({ id: 'second' });
    const third = await fixture.notes.save({ id: 'third' });

    await fixture.backend.reprioritise(first.entry?.id ?? '', 'low');
    await fixture.backend.reprioritise(third.entry?.id ?? '', 'critical');
    await fixture.wait(fixture.backend.sync());

    expect(fixture.arrivals).toEqual(['create third', 'create second', 'create first']);
    await expect(fixture.backend.reprioritise('e1', 'urgent' as never)).rejects.toMatchObject({
      code: 'usage/unknown-priority',
    });
    expect(await fixture.backend.reprioritise('e1', 'low')).toBe(false);
  });

  test('to critical sends it at once', async () => {
    const fixture = world({ autoSync: true });
    const write = await fixture.notes.save({ id: 'a' }, { priority: 'low' });
    await fixture.backend.reprioritise(write.entry?.id ?? '', 'critical');

    await fixture.runtime.advance('10ms');

    expect(fixture.arrivals).toEqual(['create a']);
  });
});

describe('synced', () => {
  test('tells of the acknowledgement, with its version', async () => {
    const fixture = world();
    const write = await fixture.notes.save({ id: 'a' });
    const waiting = write.synced();

    await fixture.wait(fixture.backend.sync());

    expect(await waiting).toEqual({ outcome: 'applied', version: '1' });
    expect(await write.synced()).toEqual({ outcome: 'applied', version: '1' });
  });

  test('tells of the dead letter, and after a retry of what came of it', async () => {
    const fixture = world();
    fixture.remote.answerNext(() => answers.rejected(422));
    const write = await fixture.notes.save({ id: 'a' });
    await fixture.wait(fixture.backend.sync());
    const dead = await write.synced();
    await fixture.backend.retry(write.entry?.id ?? '');
    const retried = write.synced();

    await fixture.wait(fixture.backend.sync());

    expect(dead).toMatchObject({ outcome: 'dead', failure: { status: 422 } });
    expect(await retried).toMatchObject({ outcome: 'applied' });
  });

  test('tells that create and delete met before either was sent', async () => {
    const fixture = world();
    const write = await fixture.notes.save({ id: 'a' });
    await fixture.notes.delete('a');

    expect(await write.synced()).toEqual({ outcome: 'vanished' });
  });

  test('follows an entry that another context settles', async () => {
    const database = memoryDatabase();
    const page = world({ storage: memoryStorage({ database }) });
    const worker = world({ storage: memoryStorage({ database }), runtime: page.runtime });
    const write = await page.notes.save({ id: 'a' });
    const waiting = write.synced();
    await page.settle();

    await worker.wait(worker.backend.sync());
    await page.backend.refresh();

    expect(await waiting).toMatchObject({ outcome: 'applied' });
  });

  test('does not take a change of users for an acknowledgement', async () => {
    const fixture = world();
    await fixture.backend.signIn('ann');
    const write = await fixture.notes.save({ id: 'a' });
    const told: unknown[] = [];
    void write.synced().then((settled) => told.push(settled.outcome));
    await fixture.settle();

    await fixture.backend.signOut();
    await fixture.backend.refresh();
    await fixture.wait(fixture.backend.sync());
    const whileAway = [...told];
    await fixture.backend.signIn('ann');
    await fixture.wait(fixture.backend.sync());

    expect([whileAway, told]).toEqual([[], ['applied']]);
  });

  test('is cancelled with the data of a user who is erased', async () => {
    const fixture = world();
    await fixture.backend.signIn('ann');
    const write = await fixture.notes.save({ id: 'a' });
    const waiting = write.synced();
    await fixture.settle();

    await fixture.backend.signOut({ pending: 'discard' });

    expect(await waiting).toEqual({ outcome: 'cancelled' });
  });

  test('stops waiting when its signal aborts, or the backend is closed', async () => {
    const fixture = world();
    const write = await fixture.notes.save({ id: 'a' });
    const controller = new AbortController();
    const aborted = write.synced({ signal: controller.signal });
    const open = write.synced();
    const rejections = Promise.all([
      expect(aborted).rejects.toMatchObject({ name: 'AbortError' }),
      expect(open).rejects.toMatchObject({ code: 'storage/closed' }),
    ]);
    await fixture.settle();

    controller.abort();
    await fixture.backend.close();

    await rejections;
  });
});

describe('limits', () => {
  test('hold, with the last tenth for critical writes, and neither row nor entry is written beyond', async () => {
    const fixture = world({ limits: { maxEntries: 10 } });
    for (let index = 0; index < 9; index += 1) await fixture.notes.save({ id: `n${index}` });

    await expect(fixture.notes.save({ id: 'tenth' })).rejects.toMatchObject({ code: 'queue/full' });
    await fixture.notes.save({ id: 'urgent' }, { priority: 'critical' });
    await expect(
      fixture.notes.save({ id: 'urgent too' }, { priority: 'critical' }),
    ).rejects.toMatchObject({ code: 'queue/full' });

    expect(await fixture.notes.getAll()).toHaveLength(10);
    expect(await fixture.notes.get('tenth')).toBeUndefined();
    await fixture.wait(fixture.backend.sync());
    await fixture.notes.save({ id: 'tenth' });
  });

  test('of size hold for one entry and for all', async () => {
    const fixture = world({ limits: { maxEntryBytes: 1_000, maxBytes: 2_000 } });

    await expect(fixture.notes.save({ id: 'a', text: 'x'.repeat(1_000) })).rejects.toMatchObject({
      code: 'queue/entry-too-large',
    });
    await fixture.notes.save({ id: 'a', text: 'x'.repeat(700) });
    await fixture.notes.save({ id: 'b', text: 'x'.repeat(700) });
    await expect(fixture.notes.save({ id: 'c', text: 'x'.repeat(700) })).rejects.toMatchObject({
      code: 'queue/full',
    });
  });
});

describe('counts of what waits', () => {
  test('are kept for each collection, through every end a write can have', async () => {
    const database = memoryDatabase();
    const fixture = world({ storage: memoryStorage({ database }) });
    const tasks = new NexusStore<{ id: string }>({ backend: fixture.backend, collection: 'tasks' });
    const seen: number[] = [];
    fixture.notes.pendingChangesCount.subscribe((count) => seen.push(count));
    const write = await fixture.notes.save({ id: 'a' });
    await fixture.notes.saveAll([{ id: 'b' }, { id: 'c' }, { id: 'd' }]);
    await tasks.save({ id: 't' });
    const both = [
      fixture.notes.pendingChangesCount.current,
      tasks.pendingChangesCount.current,
      fixture.backend.pendingChangesCount.current,
    ];
    await fixture.backend.cancel(write.entry?.id ?? '');
    await fixture.notes.delete('b');
    fixture.remote.answerNext((sent) =>
      sent.entityId === 'c' ? answers.rejected(422) : answers.offline,
    );
    await fixture.wait(fixture.backend.sync());
    const partly = [fixture.notes.pendingChangesCount.current, tasks.pendingChangesCount.current];
    await fixture.backend.retryAll();
    await fixture.backend.close();
    const again = world({ storage: memoryStorage({ database }) });
    await again.backend.open();

    expect(both).toEqual([4, 1, 5]);
    expect(partly).toEqual([1, 1]);
    expect(again.notes.pendingChangesCount.current).toBe(2);
    expect(seen.slice(0, 3)).toEqual([0, 1, 4]);
  });
});
