import { expect, test } from 'vitest';
import { createSeededRandom } from '../../testing/seeded-random.ts';
import { createIds } from './uuid.ts';

test('ids are UUIDs of version 7 that begin with the time and do not meet', () => {
  const now = Date.UTC(2026, 10, 22);
  const seeded = createSeededRandom(1, 'ids');
  const ids = createIds(
    { now: () => now, elapsed: () => 0 },
    { float: () => seeded.float(), uint32: () => seeded.uint32() },
  );

  const made = Array.from({ length: 10_000 }, () => ids.uuid());

  expect(new Set(made).size).toBe(made.length);
  for (const id of made) {
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)).toBe(now);
  }
});
