import { describe, expect, test } from 'vitest';
import { backoffDelayMs, DEFAULT_BACKOFF } from './backoff.ts';

const never = (): number => 0;
const almostOne = (): number => 0.999_999_999;

describe('the wait between attempts', () => {
  test('doubles with every attempt up to the cap', () => {
    const longest = [0, 1, 2, 3, 8, 9, 10].map((attempts) =>
      Math.round(backoffDelayMs(DEFAULT_BACKOFF, attempts, almostOne) / 1_000),
    );

    expect(longest).toEqual([1, 2, 4, 8, 256, 300, 300]);
  });

  test('may be an hour after ten attempts', () => {
    expect(backoffDelayMs(DEFAULT_BACKOFF, 40, almostOne)).toBe(3_599_999);
  });

  test('is never shorter than the floor, however chance falls', () => {
    for (const attempts of [0, 1, 5, 50])
      expect(backoffDelayMs(DEFAULT_BACKOFF, attempts, never)).toBe(250);
  });

  test('is spread over the whole range', () => {
    expect(backoffDelayMs(DEFAULT_BACKOFF, 4, () => 0.5)).toBe(8_000);
  });

  test('grows by the same again where it is linear', () => {
    const linear = { ...DEFAULT_BACKOFF, policy: 'linear' } as const;

    const longest = [0, 1, 2, 9].map((attempts) =>
      Math.round(backoffDelayMs(linear, attempts, almostOne) / 1_000),
    );

    expect(longest).toEqual([1, 2, 3, 10]);
  });

  test('does not overflow after a thousand attempts', () => {
    expect(backoffDelayMs(DEFAULT_BACKOFF, 1_000, almostOne)).toBeLessThanOrEqual(3_600_000);
  });
});
