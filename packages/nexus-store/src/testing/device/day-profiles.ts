import type { SeededRandom } from '../seeded-random.ts';
import type { NetworkKind } from './conditions.ts';
import { Battery, DayPlan } from './day-plan.ts';
import type { DayEvent } from './day-plan.ts';

export type { DayEvent } from './day-plan.ts';

/** How a person and a phone spend their days. The same seed gives the same days. */
export interface DayProfile {
  readonly name: string;
  /**
   * Endless days of events in order of time.
   *
   * @param weekday of the first one; 0 is Sunday
   */
  days(random: SeededRandom, weekday: number): Iterator<readonly DayEvent[]>;
}

interface Habits {
  readonly batteryAtFirst: number;
  readonly savesPowerWhenLow?: boolean;
  plan(day: DayPlan, random: SeededRandom, isWeekend: boolean): void;
}

function profile(name: string, habits: Habits): DayProfile {
  return {
    name,
    *days(random, weekday) {
      const battery = new Battery(habits.batteryAtFirst);
      for (let today = weekday; ; today = (today + 1) % 7) {
        const day = new DayPlan(random);
        habits.plan(day, random, today === 0 || today === 6);
        yield day.finish(battery, habits.savesPowerWhenLow ?? false);
      }
    },
  };
}

/** On the charger and the night table until the morning, and again from the evening. */
function night(day: DayPlan, random: SeededRandom, wakesAt: number, sleepsAt: number): void {
  day.plug(0);
  day.layDown(0);
  day.pickUp(wakesAt);
  day.unplug(wakesAt + random.between(0.05, 0.4));
  day.plug(sleepsAt);
  day.layDown(sleepsAt + random.between(0.1, 0.4));
}

/** Mobile network with holes of a few minutes, as on a train. */
function patchy(
  day: DayPlan,
  random: SeededRandom,
  from: number,
  to: number,
  coverage: NetworkKind,
  meanMinutes: { readonly covered: number; readonly gap: number },
): void {
  let hour = from;
  while (hour < to) {
    day.network(hour, coverage);
    hour += random.exponential(meanMinutes.covered / 60);
    if (hour >= to) return;
    day.network(hour, 'none');
    hour += random.exponential(meanMinutes.gap / 60);
  }
}

/** Sessions at random times between two hours. */
function sessions(
  day: DayPlan,
  random: SeededRandom,
  count: number,
  hours: readonly [from: number, to: number],
  meanMinutes: number,
  killChance: number,
): void {
  for (let index = 0; index < count; index++) {
    const minutes = 0.5 + random.exponential(meanMinutes);
    day.session(random.between(hours[0], hours[1]), Math.min(minutes, 60), killChance);
  }
}

/** Wi-Fi at home and at work, a train with tunnels in between, the charger at night. */
export const commuter: DayProfile = profile('commuter', {
  batteryAtFirst: 90,
  plan(day, random, isWeekend) {
    night(day, random, random.between(6.3, 7), random.between(22.5, 23.2));
    day.network(0, 'unmetered');
    sessions(day, random, 1 + random.integer(2), [7, 7.5], 3, 0.5);
    if (isWeekend) {
      const out = random.between(10, 12);
      day.network(out, 'metered');
      day.network(out + random.between(2, 6), 'unmetered');
      sessions(day, random, 2 + random.integer(4), [9, 22], 4, 0.6);
      return;
    }
    const train = { covered: 9, gap: 3 };
    const leaves = random.between(7.5, 7.9);
    patchy(day, random, leaves, leaves + 0.75, 'metered', train);
    day.session(leaves + 0.15, random.between(8, 25), 0.3);
    day.network(leaves + 0.8, 'unmetered');
    sessions(day, random, 1 + random.integer(3), [9, 17], 3, 0.7);
    const returns = random.between(17, 18.3);
    patchy(day, random, returns, returns + 0.75, 'metered', train);
    day.session(returns + 0.2, random.between(8, 25), 0.3);
    day.network(returns + 0.8, 'unmetered');
    sessions(day, random, 1 + random.integer(3), [19.3, 22.3], 5, 0.6);
  },
});

/** Fields and valleys: mostly no network, now and then a metered one, at the border a foreign one. */
export const rural: DayProfile = profile('rural', {
  batteryAtFirst: 80,
  plan(day, random) {
    night(day, random, random.between(5, 5.8), random.between(21.3, 22.3));
    // The house has mobile network only, and not in every corner.
    patchy(day, random, 0, 6, 'metered', { covered: 120, gap: 20 });
    patchy(day, random, 6, 18.5, 'metered', { covered: 15, gap: 70 });
    patchy(day, random, 18.5, 24, 'metered', { covered: 90, gap: 25 });
    if (random.chance(0.2)) day.network(random.between(9, 16), 'roaming');
    const drive = random.between(11.5, 13);
    day.plug(drive);
    day.unplug(drive + random.between(0.3, 0.8));
    sessions(day, random, 5 + random.integer(6), [6, 18.5], 6, 0.6);
    sessions(day, random, 1 + random.integer(2), [19, 21], 5, 0.6);
  },
});

/** Hardly used: a look in the evening, then the whole night on the charger and on Wi-Fi. */
export const nightCharger: DayProfile = profile('night charger', {
  batteryAtFirst: 85,
  plan(day, random) {
    night(day, random, random.between(6.8, 7.6), random.between(21.8, 22.4));
    day.network(0, 'unmetered');
    const leaves = random.between(8, 9);
    day.network(leaves, 'metered');
    day.network(leaves + random.between(7, 10), 'unmetered');
    sessions(day, random, 1 + random.integer(2), [19, 21.5], 3, 0.9);
    if (random.chance(0.15)) day.swipeAway(21.7);
  },
});

/** In and out of the app all day, empty by the afternoon, saver on, charger wherever there is one. */
export const powerUser: DayProfile = profile('power user', {
  batteryAtFirst: 100,
  savesPowerWhenLow: true,
  plan(day, random) {
    night(day, random, random.between(6.5, 7.5), random.between(23.2, 23.8));
    day.network(0, 'unmetered');
    for (let hour = random.between(7.8, 8.5); hour < 22; hour += random.between(0.5, 2.5)) {
      day.network(hour, random.chance(0.5) ? 'metered' : 'unmetered');
    }
    for (let charges = random.integer(2); charges > 0; charges--) {
      const hour = random.between(9, 20);
      day.plug(hour);
      day.unplug(hour + random.between(0.2, 0.8));
    }
    sessions(day, random, 35 + random.integer(25), [7.5, 23], 9, 0.05);
  },
});

/** The network changes every few minutes, all day. */
export const flakyNetwork: DayProfile = profile('flaky network', {
  batteryAtFirst: 85,
  plan(day, random) {
    night(day, random, random.between(6.5, 7.5), random.between(22.5, 23.3));
    const kinds: readonly NetworkKind[] = ['none', 'none', 'metered', 'metered', 'unmetered'];
    for (let hour = 0; hour < 24; hour += Math.max(random.exponential(8 / 60), 0.005)) {
      day.network(hour, random.pick(kinds));
    }
    sessions(day, random, 6 + random.integer(5), [7, 22], 5, 0.5);
  },
});
