import { shown, type Kind } from './arguments.ts';
import { UsageError } from './errors.ts';

/** A length of time: milliseconds as a number, or a number with its unit, such as `'15m'` or `'250ms'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** 31,000 years: what is longer could not be added to an instant without losing milliseconds. */
const LONGEST_MS = 1e15;

const SAID = "milliseconds or a string like '15m', '30s' or '250ms'";

export const DURATION: Kind = { said: SAID, fits: (value) => msOf(value) !== undefined };
export const POSITIVE_DURATION: Kind = {
  said: `more than 0 ${SAID}`,
  fits: (value) => (msOf(value) ?? 0) > 0,
};

/**
 * The duration in whole milliseconds.
 *
 * @param field names the option in the error
 * @throws UsageError `usage/invalid-argument` for anything that is not a finite, non-negative duration
 */
export function durationMs(duration: Duration, field: string): number {
  const ms = msOf(duration);
  if (ms !== undefined) return ms;
  throw new UsageError(
    'usage/invalid-argument',
    `${field} must be ${SAID}, not ${shown(duration)}`,
  );
}

function msOf(duration: unknown): number | undefined {
  let ms = duration;
  if (typeof duration === 'string') {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(duration);
    if (match) ms = Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
  }
  if (typeof ms !== 'number' || !Number.isFinite(ms) || ms < 0) return undefined;
  // What is given as a fraction of a millisecond is not nothing.
  const least = ms > 0 ? 1 : 0;
  return Math.min(LONGEST_MS, Math.max(least, Math.round(ms)));
}
