import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures } from '../../testing/backend-fixture.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import { PrioritySyncQueue } from '../queue/priority-sync-queue.ts';

const world = fixtures(afterEach, () => memoryStorage());

describe('a clock that is moved back', () => {
  test('does not prolong the wait of an entry over a restart', async () => {
    const database = memoryDatabase();
    const first = world({ storage: memoryStorage({ database }) });
    first.remote.answerNext(answers.entry(423, 60_000));
    await first.notes.save({ id: 'a' });
    await first.wait(first.backend.sync());
    await first.backend.close();

    first.runtime.jumpWallClock(-20 * 3_600_000);
    const { runtime } = first;
    const second = world({ storage: memoryStorage({ database }), runtime, autoSync: true });
    await second.backend.open();
    await runtime.advance('50s');
    const early = second.arrivals.length;
    await runtime.advance('15s');

    expect([early, second.arrivals]).toEqual([0, ['create a']]);
  });

  test('does not prolong the waits of many, soonest first', async () => {
    const fixture = world({ batchSize: 100, limits: { maxEntries: 1_000 } });
    fixture.remote.answerWith(() => answers.entry(423, 120_000));
    await fixture.notes.saveAll(Array.from({ length: 600 }, (_, index) => ({ id: `n${index}` })));
    await fixture.wait(fixture.backend.sync());

    fixture.runtime.jumpWallClock(-3_600_000);
    await fixture.wait(fixture.backend.sync());
    fixture.remote.answerWith(undefined);
    await fixture.runtime.advance('121s');
    await fixture.wait(fixture.backend.sync());

    expect(fixture.arrivals).toHaveLength(600);
  });

  test('does not prolong the delay of a released item', async () => {
    const runtime = createVirtualRuntime(1);
    const queue = new PrioritySyncQueue<string>(runtime, { storage: memoryStorage() });
    await queue.enqueue('item');
    const claim = await queue.claim();
    if (claim === undefined) throw new Error('nothing was claimed');
    await queue.release(claim, { delay: '1m' });

    runtime.jumpWallClock(-20 * 3_600_000);
    const early = await queue.claim();
    await runtime.advance('61s');
    const late = await queue.claim();
    await queue.close();

    expect([early, late?.items.map(({ item }) => item)]).toEqual([undefined, ['item']]);
  });
});
