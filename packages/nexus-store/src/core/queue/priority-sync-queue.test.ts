import { describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { testQueue } from '../../testing/index.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import { PrioritySyncQueue } from './priority-sync-queue.ts';

const functions = { describe, test, expect };

testQueue(
  'memory, one handle',
  async () => {
    const storage = memoryStorage();
    return { create: () => storage, dispose: async () => {} };
  },
  functions,
);

testQueue(
  'memory, a database that outlives its handles',
  async () => {
    const database = memoryDatabase();
    return { create: () => memoryStorage({ database }), dispose: async () => {} };
  },
  functions,
);

test('a damaged dead letter is listed without its item, and can be discarded', async () => {
  const storage = memoryStorage();
  const queue = new PrioritySyncQueue<string>(createVirtualRuntime(1), { storage });
  await queue.enqueue('hurt');
  await queue.enqueue('sound');
  await storage.transact('write', async (tx) => {
    const [hurt] = await tx.scan('entries', { limit: 1 });
    await tx.write([{ table: 'entries', put: { ...hurt, payload: '{' } }]);
  });

  expect(await queue.dequeue()).toBe('sound');

  const [letter] = await queue.deadLetters();
  expect(letter).toMatchObject({ item: null, lastFailure: { code: 'storage/corrupt' } });
  expect(await queue.discard(letter?.id ?? '')).toBe(true);
  expect(await queue.deadLetters()).toEqual([]);
});
