import { describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import type { AndroidVersion } from '../device/android-quota.ts';
import { expeditedQuota, regularQuota } from '../device/android-quota.ts';
import { commuter, flakyNetwork, nightCharger, powerUser, rural } from '../device/day-profiles.ts';
import type { DayProfile } from '../device/day-profiles.ts';
import type { RunRecord } from '../device/device-model.ts';
import { simulateDevice, type DeviceSimulation } from './simulate-device.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const PROFILES = [commuter, rural, nightCharger, powerUser, flakyNetwork];
const PLATFORMS = ['android', 'ios'] as const;
const VERSION: AndroidVersion = 16;
/** `NEXUS_DEVICE_SEEDS=20 npm run vitest -- run simulate-device` for a longer look. */
const SEEDS = Number(process.env['NEXUS_DEVICE_SEEDS'] ?? 2);

function week(
  platform: 'android' | 'ios',
  profile: DayProfile,
  seed: number,
): Promise<DeviceSimulation> {
  const database = memoryDatabase();
  return simulateDevice({
    platform,
    profile,
    seed,
    openStorage: () => memoryStorage({ database }),
    // More of everything, so that each profile meets every case within its week.
    habit: { savesPerHour: 90, mix: [0.2, 0.2, 0.4, 0.2] },
  });
}

/** Stretches in which a fact of the timeline held. */
function stretches(
  { timeline, until }: DeviceSimulation,
  holds: (point: DeviceSimulation['timeline'][number]) => boolean,
): { from: number; until: number }[] {
  const found: { from: number; until: number }[] = [];
  let from: number | undefined;
  for (const point of timeline) {
    if (holds(point)) from ??= point.at;
    else if (from !== undefined) {
      found.push({ from, until: point.at });
      from = undefined;
    }
  }
  if (from !== undefined) found.push({ from, until });
  return found;
}

/** By when a write must have arrived: the end of the first chance it had after it was made. */
function latestArrivals(simulation: DeviceSimulation): (savedAt: number) => number {
  const online = stretches(simulation, ({ network }) => network !== 'none');
  const inFront = stretches(simulation, (point) => point.isInFront && point.network !== 'none');
  const isOnline = (from: number, to: number): boolean =>
    online.some((stretch) => stretch.from <= from && to <= stretch.until);
  const runs = simulation.runs.filter(({ startedAt, endedAt, result }) => {
    return result !== 'lost' && isOnline(startedAt, endedAt);
  });
  return (savedAt) => {
    const chances = inFront
      .map((stretch) => ({ from: Math.max(stretch.from, savedAt), until: stretch.until }))
      .filter(({ from, until }) => until - from >= MINUTE)
      .map(({ from }) => from + MINUTE);
    const woken = runs.filter(({ startedAt }) => startedAt >= savedAt);
    return Math.min(...chances, ...woken.map(({ endedAt }) => endedAt));
  };
}

/** The most that runs took in any stretch of this length. */
function mostWithin(runs: readonly RunRecord[], windowMs: number): number {
  return runs.reduce((most, { endedAt }) => {
    const from = endedAt - windowMs;
    const used = runs.reduce(
      (sum, run) =>
        sum + Math.max(0, Math.min(run.endedAt, endedAt) - Math.max(run.startedAt, from)),
      0,
    );
    return Math.max(most, used);
  }, 0);
}

describe.each(PROFILES)('a week of the $name profile', (profile) => {
  const cases = PLATFORMS.flatMap((platform) =>
    Array.from({ length: SEEDS }, (_, index) => [platform, index + 1] as const),
  );

  test.each(cases)(
    'on %s with seed %i keeps every promise',
    { timeout: 60_000 },
    async (...given) => {
      const [platform, seed] = given;
      const simulation = await week(platform, profile, seed);
      const { runs, saves, journal } = simulation;

      // Nothing lost, nothing twice.
      expect(saves.length).toBeGreaterThan(20);
      expect(simulation.lost).toEqual([]);
      expect(simulation.appliedTwice).toEqual([]);

      // Critical writes: within 60 s of the network in front, else at the first wake-up that had one.
      const latest = latestArrivals(simulation);
      const late = saves.filter(
        ({ priority, savedAt, arrivedAt }) =>
          priority === 'critical' && (arrivedAt ?? simulation.until) > latest(savedAt),
      );
      expect(late).toEqual([]);

      // Within the platform's quota, and our own.
      expect(runs.filter(({ stopReason }) => stopReason === 'quota')).toEqual([]);
      const expedited = runs.filter(({ isExpedited }) => isExpedited);
      if (platform === 'android') {
        const active = regularQuota(VERSION, 'active');
        expect(mostWithin(runs, active.windowMs)).toBeLessThan(active.allowanceMs);
        expect(mostWithin(expedited, DAY)).toBeLessThan(
          expeditedQuota(VERSION, 'rare').allowanceMs,
        );
      } else {
        expect(runs.filter(({ stopReason }) => stopReason === 'expired')).toEqual([]);
      }
      const critical = runs.filter(({ id }) => id.endsWith('.critical'));
      for (const { startedAt } of critical) {
        const recent = critical.filter((run) => run.startedAt > startedAt - HOUR);
        expect(recent.filter((run) => run.startedAt <= startedAt).length).toBeLessThanOrEqual(7);
      }

      // Every wake-up left a record.
      expect(journal.length).toBe(Math.min(200, runs.length));
    },
  );
});

test('a week of the commuter profile takes less than two seconds', async () => {
  const startedAt = performance.now();

  const simulation = await week('android', commuter, 1);

  expect(performance.now() - startedAt).toBeLessThan(2_000);
  expect(simulation.runs.length).toBeGreaterThan(100);
});

test('the same seed gives the same week, and its result is plain data', async () => {
  const [one, other] = [await week('ios', rural, 3), await week('ios', rural, 3)];

  expect(other).toEqual(one);
  expect(JSON.parse(JSON.stringify(one))).toEqual(one);
});
