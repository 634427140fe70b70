import { expect, test } from 'vitest';
import { durationMs, type Duration } from './duration.ts';

test.each<[Duration, number]>([
  ['250ms', 250],
  ['30s', 30_000],
  ['15m', 900_000],
  ['12h', 43_200_000],
  ['7d', 604_800_000],
  ['1.5s', 1_500],
  [1_234, 1_234],
  [0, 0],
])('%s is %d milliseconds', (duration, ms) => {
  expect(durationMs(duration, 'budget')).toBe(ms);
});

test.each(['', '15', '15 m', 'm', '-1s', '1w', -1, Number.NaN, Infinity, null, undefined, {}])(
  '%j is refused, and the option is named',
  (duration) => {
    expect(() => durationMs(duration as Duration, 'budget')).toThrow(
      expect.objectContaining({
        code: 'usage/invalid-argument',
        message: expect.stringContaining('budget') as string,
      }),
    );
  },
);
