import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import type { StoreConfig } from './collection-config.ts';
import type { Note } from '../../testing/backend-fixture.ts';

const world = fixtures(afterEach, () => memoryStorage());

/** Two contexts on one database: what one writes, the other settles. */
function contexts(store: Partial<StoreConfig<Note>> = {}): {
  readonly page: BackendFixture;
  readonly worker: BackendFixture;
} {
  const database = memoryDatabase();
  const runtime = createVirtualRuntime(1);
  const page = world({ storage: memoryStorage({ database }), runtime, store });
  const worker = world({ storage: memoryStorage({ database }), runtime, store });
  return { page, worker };
}

describe('the fate of a write that another context settled', () => {
  test('is cancelled if it was cancelled there', async () => {
    const { page, worker } = contexts();
    const write = await page.notes.save({ id: 'a' });
    const waiting = write.synced();
    await page.settle();

    await worker.backend.cancel(write.entry?.id ?? '');
    await page.backend.refresh();

    expect(await waiting).toEqual({ outcome: 'cancelled' });
  });

  test('is vanished if its delete met it there', async () => {
    const { page, worker } = contexts();
    const write = await page.notes.save({ id: 'a' });
    const waiting = write.synced();
    await page.settle();

    await worker.notes.delete('a');
    await page.backend.refresh();

    expect(await waiting).toEqual({ outcome: 'vanished' });
  });

  test('is superseded if a conflict was decided against it there', async () => {
    const { page, worker } = contexts({ conflict: 'server-wins' });
    worker.remote.answerNext(answers.conflict({ id: 'a', text: 'theirs' }, '1'));
    const write = await page.notes.save({ id: 'a', text: 'ours' });
    const waiting = write.synced();
    await page.settle();

    await worker.wait(worker.backend.sync());
    await page.backend.refresh();

    expect(await waiting).toEqual({ outcome: 'superseded' });
  });

  test('is cancelled if its user was erased there', async () => {
    const { page, worker } = contexts();
    await page.backend.signIn('ann');
    const write = await page.notes.save({ id: 'a' });
    const waiting = write.synced();
    await page.settle();

    await worker.backend.refresh();
    await worker.backend.signOut({ pending: 'discard' });
    await page.backend.refresh();

    expect(await waiting).toEqual({ outcome: 'cancelled' });
  });

  test('is that of the entry which a retried dead letter became', async () => {
    const { page, worker } = contexts({ onRejected: 'revert' });
    await worker.notes.save({ id: 'a' });
    await worker.wait(worker.backend.sync());
    worker.remote.answerNext(answers.rejected(422));
    const write = await page.notes.save({ id: 'a', text: 'refused' });
    await worker.wait(worker.backend.sync());
    const newer = await worker.notes.save({ id: 'a', text: 'newer' });

    const id = write.entry?.id ?? '';
    await worker.backend.retry(id);
    const left = await worker.backend.pendingChanges();
    const told: string[] = [];
    void write.synced().then(({ outcome }) => told.push(outcome));
    await page.settle();
    const whileWaiting = [...told];
    await worker.wait(worker.backend.sync());
    await page.backend.refresh();
    await page.settle();

    expect(left.map((entry) => entry.id)).toHaveLength(2);
    expect(left.map((entry) => entry.id)).toContain(newer.entry?.id);
    expect(left.map((entry) => entry.id)).not.toContain(id);
    expect(whileWaiting).toEqual([]);
    expect(told).toEqual(['applied']);
  });

  test('is still applied if it was applied there', async () => {
    const { page, worker } = contexts();
    const write = await page.notes.save({ id: 'a' });
    const waiting = write.synced();
    await page.settle();

    await worker.wait(worker.backend.sync());
    await page.backend.refresh();

    expect(await waiting).toMatchObject({ outcome: 'applied' });
  });
});
