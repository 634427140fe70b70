import { expect, test } from 'vitest';
import { engineOptions, type SyncSettings } from './sync-options.ts';

type Wish = NonNullable<SyncSettings['backoff']>;

const MINUTE = 60_000;

test('a first wait that is longer than the longest is refused, naming both', () => {
  expect(() => engineOptions({ backoff: { initial: '10m', cap: '1m' } })).toThrow(
    expect.objectContaining({
      code: 'usage/invalid-argument',
      message: 'backoff.initial (600000 ms) must not be longer than backoff.cap (60000 ms)',
    }),
  );
});

test.each<[Wish, number, number]>([
  [{ initial: '1m', cap: '1m' }, MINUTE, MINUTE],
  // What was not said gives way to what was.
  [{ initial: '10m' }, 10 * MINUTE, 10 * MINUTE],
  [{ cap: '200ms' }, 200, 200],
  [{}, 1_000, 5 * MINUTE],
])('backoff %j begins with %i ms and waits %i ms at most', (backoff, initialMs, capMs) => {
  expect(engineOptions({ backoff }).backoff).toMatchObject({ initialMs, capMs });
});
