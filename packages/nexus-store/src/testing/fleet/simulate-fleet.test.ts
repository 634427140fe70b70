import { describe, expect, test } from 'vitest';
import { commuter, nightCharger } from '../device/day-profiles.ts';
import { simulateFleet } from './simulate-fleet.ts';

/** `NEXUS_FLEET=100000 npm run vitest -- run simulate-fleet` runs the whole one. */
const DEVICES = Number(process.env['NEXUS_FLEET'] ?? 2_000);

describe('a fleet', () => {
  test.each([
    ['noon', { after: '12h', length: '1h' }],
    ['the rush hour', { after: '7h', length: '1h' }],
    ['noon, with Retry-After', { after: '12h', length: '1h', retryAfter: '10m' }],
  ] as const)(
    'after an outage of an hour at %s keeps its load under three times the mean',
    { timeout: 600_000 },
    (_, outage) => {
      const startedAt = performance.now();

      const { load, delays, devices } = simulateFleet({ devices: DEVICES, outage });
      const seconds = (performance.now() - startedAt) / 1_000;

      expect(load.peakAfterOutageToMean).toBeLessThan(3);
      expect(load.refused.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
      expect(delays.critical.arrived / delays.critical.saved).toBeGreaterThan(0.99);
      // 100,000 devices in two minutes, with room for a busy machine.
      expect(seconds / devices).toBeLessThan(120 / 100_000 + 0.5 / devices);
    },
  );

  test('is the same for the same seed, and its result is plain data', () => {
    const simulate = () => simulateFleet({ devices: 50, seed: 4, duration: '1d' });
    const fleet = simulate();

    expect(simulate()).toEqual(fleet);
    expect(JSON.parse(JSON.stringify(fleet))).toEqual(fleet);
    expect(fleet.load.served).toHaveLength(24 * 60);
  });

  test('is spread by its policy even where all devices live by the same clock', () => {
    const { load } = simulateFleet({
      devices: 1_000,
      iosShare: 0,
      spread: 0,
      profiles: [nightCharger],
      outage: { after: '12h', length: '1h' },
    });

    expect(load.peakAfterOutageToMean).toBeLessThan(3);
  });

  test('told to sync twice a day wakes up less and keeps its radio off', () => {
    const often = simulateFleet({ devices: 100, profiles: [commuter] });
    const seldom = simulateFleet({
      devices: 100,
      profiles: [commuter],
      config: { minInterval: '12h', requiresCharging: true },
    });

    expect(seldom.wakeUpsPerDay).toBeLessThan(often.wakeUpsPerDay / 5);
    expect(seldom.radioOnSecondsPerDay).toBeLessThan(often.radioOnSecondsPerDay);
  });
});
