import type { SeededRandom } from '../seeded-random.ts';

/** How people write while the app is in front. */
export interface WritingHabit {
  /** Saves in an hour in front, on average. */
  readonly savesPerHour: number;
  /** Shares of critical, high, normal and low; they need not sum to one. */
  readonly mix: readonly [critical: number, high: number, normal: number, low: number];
}

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
