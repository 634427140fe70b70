import type { Kind } from '../../core/model/arguments.ts';
import { FINITE } from '../option-kinds.ts';
import type { SeededRandom } from '../seeded-random.ts';

/** How people write while the app is in front. */
export interface WritingHabit {
  /** Saves in an hour in front, on average. */
  readonly savesPerHour: number;
  /** Shares of critical, high, normal and low; they need not sum to one. */
  readonly mix: readonly [critical: number, high: number, normal: number, low: number];
}

/** What never comes, or comes without end, would stop the time of a simulation. */
export const HABIT: Kind = {
  said: '{ savesPerHour, mix }: more than 0, and four shares',
  fits: (value) => {
    const { savesPerHour, mix } = (value ?? {}) as Partial<Record<keyof WritingHabit, unknown>>;
    const isOften = FINITE.fits(savesPerHour) && (savesPerHour as number) > 0;
    const isShare = (share: unknown): boolean => FINITE.fits(share) && (share as number) >= 0;
    return isOften && Array.isArray(mix) && mix.length === 4 && mix.every(isShare);
  },
};

export const DEFAULT_HABIT: WritingHabit = { savesPerHour: 60, mix: [0.05, 0.15, 0.5, 0.3] };

/** The wait until the next save, milliseconds. */
export function nextSaveMs(habit: WritingHabit, random: SeededRandom): number {
  return random.exponential(3_600_000 / habit.savesPerHour);
}

/** The priority of a save, 0 is critical. */
export function drawRank(habit: WritingHabit, random: SeededRandom): 0 | 1 | 2 | 3 {
  const [critical, high, normal, low] = habit.mix;
  let draw = random.float() * (critical + high + normal + low);
  if ((draw -= critical) < 0) return 0;
  if ((draw -= high) < 0) return 1;
  return draw - normal < 0 ? 2 : 3;
}
