import { UsageError } from './errors.ts';

/** A length of time: milliseconds as a number, or a number with its unit, such as `'15m'` or `'250ms'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/**
 * The duration in milliseconds.
 *
 * @param field names the option in the error
 * @throws UsageError `usage/invalid-argument` for anything that is not a finite, non-negative duration
 */
export function durationMs(duration: Duration, field: string): number {
  if (typeof duration === 'number' && Number.isFinite(duration) && duration >= 0) return duration;
  if (typeof duration === 'string') {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(duration);
    if (match) return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
  }
  throw new UsageError(
    'usage/invalid-argument',
    `${field} must be milliseconds or a string like '15m', '30s' or '250ms', not ${JSON.stringify(duration) ?? typeof duration}`,
  );
}
