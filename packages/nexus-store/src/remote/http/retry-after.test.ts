import { describe, expect, test } from 'vitest';
import { httpDate, MAX_RETRY_AFTER_MS, retryAfterMs } from './retry-after.ts';

const NOW = Date.UTC(2026, 10, 22, 12, 0, 0);

describe('Retry-After', () => {
  test.each([
    ['120', 120_000],
    [' 0 ', 0],
    ['99999999999999999999', MAX_RETRY_AFTER_MS],
    ['Sun, 22 Nov 2026 12:01:00 GMT', 60_000],
    ['Sunday, 22-Nov-26 12:01:00 GMT', 60_000],
    ['Sun Nov 22 12:01:00 2026', 60_000],
    ['Sun, 22 Nov 2026 11:00:00 GMT', 0],
    ['Fri, 22 Nov 2126 12:00:00 GMT', MAX_RETRY_AFTER_MS],
    ['-5', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['Sun, 22 Foo 2026 12:00:00 GMT', undefined],
    ['', undefined],
  ])('%j without a Date waits %s ms', (header, expected) => {
    expect(retryAfterMs(header, null, NOW)).toBe(expected);
  });

  test('a date is judged against the date of the answer, not against the device', () => {
    const until = 'Sun, 22 Nov 2026 12:01:00 GMT';
    const wrongClock = NOW - 5 * 3_600_000;

    expect(retryAfterMs(until, 'Sun, 22 Nov 2026 12:00:30 GMT', wrongClock)).toBe(30_000);
    expect(retryAfterMs(until, 'nonsense', NOW)).toBe(60_000);
  });

  test('an answer without it asks for nothing', () => {
    expect(retryAfterMs(null, null, NOW)).toBeUndefined();
  });

  test('a two-digit year far ahead belongs to the past century', () => {
    expect(httpDate('Sunday, 06-Nov-94 08:49:37 GMT', NOW)).toBe(Date.UTC(1994, 10, 6, 8, 49, 37));
  });
});
