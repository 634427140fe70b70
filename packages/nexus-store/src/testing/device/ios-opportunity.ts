import type { SeededRandom } from '../seeded-random.ts';
import type { DeviceConditions } from './conditions.ts';
import type { IosTaskKind } from './ios-rules.ts';

// When iOS launches a task that may run is its secret. What Apple says: it learns when the app is used
// and refreshes ahead of that, it prefers power and network, and processing happens mostly at night on
// the charger. The figures here are ours: plausible, simple, and in one place.

/** How often the system looks for an opportunity. */
export const OPPORTUNITY_EVERY_MS = 900_000;

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** How much one day counts in what was learnt. */
const LEARNING_RATE = 0.25;
/** A new app is taken to be used now and then. */
const PRIOR = 0.2;
const FORGOTTEN_AFTER_MS = 7 * DAY_MS;

/** In which hours of the day the app is used, learnt day by day. The virtual device lives in UTC. */
export class UsageHistory {
  readonly #likelihood = new Float32Array(24).fill(PRIOR);
  #usedHours = 0;
  #day: number;

  constructor(now: number) {
    this.#day = Math.floor(now / DAY_MS);
  }

  noteUse(now: number): void {
    this.#learn(now);
    this.#usedHours |= 1 << hourOf(now);
  }

  /** How likely the app is used within this hour or the next, 0 to 1. */
  likelihood(now: number): number {
    this.#learn(now);
    const hour = hourOf(now);
    const ahead = this.#likelihood[(hour + 1) % 24] as number;
    return Math.max(this.#likelihood[hour] as number, ahead);
  }

  #learn(now: number): void {
    const today = Math.floor(now / DAY_MS);
    // After a long absence, or a clock set back, one step a day would change nothing more.
    const days = Math.min(Math.max(today - this.#day, 0), 60);
    for (let day = 0; day < days; day++) {
      for (let hour = 0; hour < 24; hour++) {
        const seen = (this.#usedHours >> hour) & 1;
        this.#likelihood[hour] =
          (this.#likelihood[hour] as number) * (1 - LEARNING_RATE) + seen * LEARNING_RATE;
      }
      this.#usedHours = 0;
    }
    this.#day = today;
  }
}

/** The chance that a task which may run is launched at one look, 0 to 1. */
export function launchChance(
  taskKind: IosTaskKind,
  likelihood: number,
  unusedMs: number,
  conditions: DeviceConditions,
): number {
  const isPowered = conditions.isCharging;
  if (taskKind === 'processing') return isPowered ? 0.5 : 0.03;
  const chance = 0.03 + 0.5 * likelihood + (isPowered && conditions.network !== 'none' ? 0.1 : 0);
  return unusedMs > FORGOTTEN_AFTER_MS ? chance / 10 : chance;
}

/** Whether to launch now: always, for tests of other things, or by what was learnt. */
export interface Opportunity {
  readonly mode: 'learned' | 'always';
  readonly random: SeededRandom;
  /** Where this device's looks lie within the quarter of an hour, so that a fleet does not move in step. */
  readonly phaseMs: number;
}

/** The number of the look that `elapsed` falls into. */
export function lookIndex(opportunity: Opportunity, elapsed: number): number {
  return Math.floor((elapsed - opportunity.phaseMs) / OPPORTUNITY_EVERY_MS);
}

/** When the next look comes. */
export function nextLookElapsed(opportunity: Opportunity, elapsed: number): number {
  return (lookIndex(opportunity, elapsed) + 1) * OPPORTUNITY_EVERY_MS + opportunity.phaseMs;
}

function hourOf(at: number): number {
  return Math.floor((((at % DAY_MS) + DAY_MS) % DAY_MS) / HOUR_MS);
}
