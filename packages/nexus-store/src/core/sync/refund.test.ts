import { afterEach, describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures } from '../../testing/backend-fixture.ts';

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
