import { describe, expect, test } from 'vitest';
import { createSeededRandom } from '../seeded-random.ts';
import { commuter, flakyNetwork, nightCharger, powerUser, rural } from './day-profiles.ts';
import type { DayEvent, DayProfile } from './day-profiles.ts';

const PROFILES = [commuter, rural, nightCharger, powerUser, flakyNetwork];
const DAY_MS = 86_400_000;

function daysOf(profile: DayProfile, count: number, seed = 1): readonly (readonly DayEvent[])[] {
  const days = profile.days(createSeededRandom(seed), 1);
  return Array.from({ length: count }, () => days.next().value as readonly DayEvent[]);
}

describe.each(PROFILES)('the days of the $name profile', (profile) => {
  test('are the same for the same seed and differ otherwise', () => {
    expect(daysOf(profile, 3)).toEqual(daysOf(profile, 3));
    expect(daysOf(profile, 3)).not.toEqual(daysOf(profile, 3, 2));
  });

  test('hold events in order of time, within the day', () => {
    for (const day of daysOf(profile, 30)) {
      const times = day.map((event) => event.at);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      expect(times.filter((at) => at < 0 || at >= DAY_MS)).toEqual([]);
    }
  });

  test('leave the app as often as they open it, one session after the other', () => {
    for (const day of daysOf(profile, 30)) {
      const uses = day.flatMap((event) =>
        event.kind === 'app' && (event.action === 'open' || event.action === 'leave')
          ? [event.action]
          : [],
      );
      const expected = uses.map((_, index) => (index % 2 === 0 ? 'open' : 'leave'));
      expect(uses).toEqual(expected);
      expect(uses.length).toBeGreaterThan(0);
      expect(uses.length % 2).toBe(0);
    }
  });

  test('keep the battery between 1 and 100 percent, and change network and charger', () => {
    const changes = daysOf(profile, 30)
      .flat()
      .flatMap((event) => (event.kind === 'device' ? [event.change] : []));
    const levels = changes.flatMap(({ batteryLevel }) => batteryLevel ?? []);
    const seen = (key: 'network' | 'isCharging'): number =>
      new Set(changes.flatMap((change) => change[key] ?? [])).size;

    expect(Math.min(...levels)).toBeGreaterThanOrEqual(1);
    expect(Math.max(...levels)).toBeLessThanOrEqual(100);
    expect(seen('network')).toBeGreaterThan(1);
    expect(seen('isCharging')).toBe(2);
  });
});

test('a power user runs the battery down to the saver within a week', () => {
  const saves = daysOf(powerUser, 7)
    .flat()
    .filter((event) => event.kind === 'device' && event.change.isPowerSaving === true);

  expect(saves.length).toBeGreaterThan(0);
});
