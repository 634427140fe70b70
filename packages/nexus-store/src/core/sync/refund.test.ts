import { afterEach, describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures } from '../../testing/backend-fixture.ts';
import { deferred } from '../../testing/deferred.ts';

const world = fixtures(afterEach, () => memoryStorage());

describe('three lanes in a row refused with 403', () => {
  test.each(['revert', 'skip'] as const)(
    'bring back what had left its lane (%s), as it was',
    async (onRejected) => {
      const store = { onRejected, coalesce: false, ttl: '7d' } as const;
      const fixture = world({ batchSize: 1, concurrency: 1, store });
      fixture.remote.answerWith(() => answers.rejected(403));
      await fixture.notes.save({ id: 'a', text: '1' });
      await fixture.notes.save({ id: 'a', text: '2' });
      await fixture.notes.saveAll([{ id: 'b' }, { id: 'c' }]);
      const before = await fixture.backend.pendingChanges();

      const report = await fixture.wait(fixture.backend.sync());

      const after = await fixture.backend.pendingChanges();
      const seqs = (entries: typeof after) =>
        entries.map(({ seq }) => seq).toSorted((x, y) => x - y);
      expect(report).toMatchObject({ stoppedBy: 'blocked', remaining: 4, dead: 0 });
      expect(seqs(after)).toEqual(seqs(before));
      expect(after.map(({ attempts }) => attempts)).toEqual([0, 0, 0, 0]);
      expect(new Set(after.map(({ expiresAt }) => expiresAt))).toEqual(
        new Set(before.map(({ expiresAt }) => expiresAt)),
      );
      expect(await fixture.notes.get('a')).toEqual({ id: 'a', text: '2' });

      fixture.remote.answerWith(undefined);
      await fixture.runtime.advance('10m');
      await fixture.wait(fixture.backend.sync());
      expect(fixture.remote.server.applied.map(({ payload }) => payload)).toEqual(
        expect.arrayContaining([
          { id: 'a', text: '1' },
          { id: 'a', text: '2' },
        ]),
      );
    },
  );

  test.each([
    ['said of each', answers.rejected(403)],
    ['said of the whole request', { ...answers.rejected(405), sweeping: true } as const],
  ])('bring back all of the request that is the last of them: %s', async (_name, refusal) => {
    const fixture = world({ concurrency: 1 });
    fixture.remote.answerWith(() => refusal);
    for (const ids of [['a'], ['b'], ['c', 'd']]) {
      await fixture.notes.saveAll(ids.map((id) => ({ id })));
      await fixture.wait(fixture.backend.sync());
    }

    expect(await fixture.backend.deadLetters()).toEqual([]);
    expect(await fixture.backend.pendingChanges()).toHaveLength(4);
  });

  test.each(['revert', 'skip'] as const)(
    'never tear apart a transaction that is the last of them (%s)',
    async (onRejected) => {
      const fixture = world({ batchSize: 1, concurrency: 1, store: { onRejected } });
      fixture.remote.answerWith(() => answers.rejected(403));
      await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }]);
      await fixture.backend.transaction(async (tx) => {
        for (const id of ['c', 'd']) await tx.store(fixture.notes).save({ id });
      });

      await fixture.wait(fixture.backend.sync());

      const entries = await fixture.backend.pendingChanges();
      expect(entries.map(({ state, attempts }) => [state, attempts])).toEqual([
        ['pending', 0],
        ['pending', 0],
        ['pending', 0],
        ['pending', 0],
      ]);
      const groups = entries.filter(({ entityId }) => entityId === 'c' || entityId === 'd');
      expect(new Set(groups.map(({ group }) => group)).size).toBe(1);
      expect(groups[0]?.group).not.toBeNull();
    },
  );

  test('leave what somebody has retried the time to live that it has since', async () => {
    const fixture = world({ batchSize: 1, concurrency: 1, store: { ttl: '1d' } });
    fixture.remote.answerWith(() => answers.rejected(403));
    await fixture.notes.save({ id: 'a' });
    await fixture.wait(fixture.backend.sync());
    await fixture.runtime.advance('2d');
    await fixture.backend.retryAll();
    await fixture.wait(fixture.backend.sync());
    await fixture.notes.saveAll([{ id: 'b' }, { id: 'c' }]);
    await fixture.wait(fixture.backend.sync());
    fixture.remote.answerWith(undefined);
    await fixture.runtime.advance('10m');

    await fixture.wait(fixture.backend.sync());

    expect(fixture.arrivals.toSorted()).toEqual(['create a', 'create b', 'create c']);
  });

  test('bring back those before, also if the claim of the last one was lost meanwhile', async () => {
    const fixture = world({ batchSize: 1, concurrency: 1 });
    fixture.remote.answerWith(() => answers.rejected(403));
    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }]);
    await fixture.wait(fixture.backend.sync());
    const held = deferred();
    fixture.remote.answerNext({ until: held.promise, answer: answers.rejected(403) });
    await fixture.notes.save({ id: 'c' });
    const running = fixture.backend.sync();
    await fixture.settle();
    await fixture.backend.writer.write(async (uow) => {
      for (const fence of (await uow.leases()).keys()) await uow.deleteLease(fence);
    });
    fixture.remote.answerWith(() => answers.endpoint(503));
    held.resolve();

    await fixture.wait(running);

    expect(fixture.typesOf('claim-lost')).toHaveLength(1);
    expect(await fixture.backend.deadLetters()).toEqual([]);
  });

  test('leave a dead letter whose entity was written anew since', async () => {
    const fixture = world({ batchSize: 1, concurrency: 1, store: { onRejected: 'revert' } });
    fixture.remote.answerWith(() => answers.rejected(403));
    await fixture.notes.save({ id: 'a', text: 'old' });
    await fixture.wait(fixture.backend.sync());
    await fixture.notes.save({ id: 'a', text: 'new' }, { priority: 'low' });
    await fixture.notes.saveAll([{ id: 'b' }, { id: 'c' }]);

    await fixture.wait(fixture.backend.sync());

    const dead = await fixture.backend.deadLetters();
    expect(dead.map(({ payload }) => payload)).toEqual([{ id: 'a', text: 'old' }]);
    expect(await fixture.notes.get('a')).toEqual({ id: 'a', text: 'new' });
  });
});

describe('refusals with 403 are not in a row', () => {
  test('if a write that goes to the server first was taken between them', async () => {
    const fixture = world({ batchSize: 1, concurrency: 1 });
    fixture.remote.answerWith(({ batch }) =>
      batch.some(({ entityId }) => entityId === 'good') ? 'apply' : answers.rejected(403),
    );
    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }]);
    await fixture.wait(fixture.backend.sync());
    await fixture.wait(fixture.notes.save({ id: 'good' }, { policy: 'remote-first' }));
    await fixture.notes.save({ id: 'c' });

    await fixture.wait(fixture.backend.sync());

    expect(await fixture.backend.deadLetters()).toHaveLength(3);
  });

  test('if another user came, also while the first was answered', async () => {
    const fixture = world({ batchSize: 1, concurrency: 1 });
    await fixture.wait(fixture.backend.signIn('ann'));
    const push = fixture.remote.push.bind(fixture.remote);
    const answered = deferred();
    fixture.remote.push = async (batch) => {
      await answered.promise;
      return batch.map(() => answers.rejected(403));
    };
    await fixture.notes.save({ id: 'a' });
    const run = fixture.backend.sync();
    await fixture.settle();
    const change = fixture.backend.signIn('ben');
    answered.resolve();
    await fixture.wait(Promise.all([run, change]));
    fixture.remote.push = push;
    fixture.remote.answerWith(() => answers.rejected(403));
    await fixture.notes.saveAll([{ id: 'b' }, { id: 'c' }]);

    await fixture.wait(fixture.backend.sync());

    expect(await fixture.backend.deadLetters()).toHaveLength(2);
  });
});
