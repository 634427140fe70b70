import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';

const world = fixtures(afterEach, () => memoryStorage());

/** An app is killed while its request is under way; the next process looks so long after it. */
async function killedSending(
  afterMs: number,
): Promise<{ next: BackendFixture; ids: readonly string[] }> {
  const runtime = createVirtualRuntime(1);
  const database = memoryDatabase();
  const process = runtime.createProcess();
  const times = { lease: '2s', requestTimeout: '1500ms' } as const;
  const app = world({ storage: memoryStorage({ database }), runtime, process, ...times });
  app.remote.answerNext('hang');
  const write = await app.notes.save({ id: 'alone' });
  const mates = await app.notes.saveAll([{ id: 'mate' }, { id: 'other' }]);
  void app.backend.sync();
  await runtime.settle();
  process.kill();
  await runtime.advance(afterMs);
  const next = world({ storage: memoryStorage({ database }), runtime, ...times });
  await next.backend.open();
  return { next, ids: [write, ...mates].map(({ entry }) => entry?.id ?? '') };
}

describe('an entry whose runner was killed', () => {
  test('is claimed as long as its lease lasts', async () => {
    const { next, ids } = await killedSending(1_000);

    const [entry] = await next.backend.pendingChanges();

    expect(entry).toMatchObject({ state: 'claimed', isAmbiguous: false });
    expect(next.backend.status.current.claimed).toBe(3);
    expect(await next.backend.cancel(ids[0] ?? '')).toBe('claimed');
  });

  test('waits again once its lease is over, and may have been applied', async () => {
    const { next, ids } = await killedSending(3_500);

    const entries = await next.backend.pendingChanges();
    const one = await next.backend.entry(ids[1] ?? '');

    for (const entry of [...entries, one])
      expect(entry).toMatchObject({ state: 'pending', isAmbiguous: true });
    expect(next.backend.status.current).toMatchObject({ claimed: 0, pending: { normal: 3 } });
    expect(await next.backend.cancel(ids[0] ?? '')).toBe('ambiguous');
    expect(await next.backend.pendingChanges()).toHaveLength(3);
  });
});
