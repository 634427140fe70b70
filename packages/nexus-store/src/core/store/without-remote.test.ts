import { expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import { NoOpSyncService } from '../background/no-op-sync-service.ts';
import { NexusStore } from './nexus-store.ts';
import { StoreBackend } from './store-backend.ts';

async function written() {
  const said: unknown[] = [];
  const runtime = createVirtualRuntime(1, {
    logger: { log: (level, message) => void said.push([level, message]) },
  });
  const backend = new StoreBackend(runtime, { storage: memoryStorage() });
  await new NexusStore<{ id: string }>({ backend, collection: 'notes' }).save({ id: 'a' });
  return { said, backend, service: new NoOpSyncService(runtime, { backend }) };
}

test('a sync by hand without a remote sends nothing, and says why once', async () => {
  const { said, backend } = await written();

  const reports = [await backend.sync(), await backend.sync()];

  expect(reports).toMatchObject([
    { stoppedBy: 'offline', pushed: 0, remaining: 1 },
    { stoppedBy: 'offline', pushed: 0, remaining: 1 },
  ]);
  expect(said).toEqual([['warn', 'sync sends nothing: this backend was made without a remote']]);
});

test('a background run without one says nothing: it may be meant so', async () => {
  const { said, backend } = await written();

  await backend.sync({ reason: 'background: scheduled' });

  expect(said).toEqual([]);
});

test('the first reason for what waits is the missing remote, not a network that may be there', async () => {
  const { service } = await written();

  const { reasons } = await service.explain();

  expect(reasons[0]).toMatchObject({ code: 'no-remote', message: expect.stringMatching(/remote/) });
  expect(reasons.map(({ code }) => code)).not.toContain('offline');
});
