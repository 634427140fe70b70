import { afterEach, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { fixtures } from '../../testing/backend-fixture.ts';

const world = fixtures(afterEach, () => memoryStorage());
const text = 'x'.repeat(1_000);

test('a request carries no more than maxBatchBytes, but always one entry', async () => {
  const fixture = world({ maxBatchBytes: 3_500, concurrency: 1 });
  await fixture.notes.saveAll(['a', 'b', 'c', 'd'].map((id) => ({ id, text })));
  await fixture.notes.save({ id: 'large', text: text.repeat(9) });

  await fixture.wait(fixture.backend.sync());

  expect(fixture.requests).toEqual([['a', 'b', 'c'], ['d'], ['large']]);
});

test('a transaction goes whole, however many bytes it has', async () => {
  const fixture = world({ maxBatchBytes: 2_000, concurrency: 1 });
  await fixture.notes.save({ id: 'before' });
  await fixture.backend.transaction(async (tx) => {
    for (const id of ['a', 'b', 'c']) await tx.store(fixture.notes).save({ id, text });
  });

  await fixture.wait(fixture.backend.sync());

  expect(fixture.requests).toEqual([['before'], ['a', 'b', 'c']]);
});

test.each([0, -1, 1.5])('maxBatchBytes of %d is refused', (maxBatchBytes) => {
  expect(() => world({ maxBatchBytes })).toThrow(/maxBatchBytes/);
});
