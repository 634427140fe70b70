import { describe, expect, test } from 'vitest';
import { AndroidModel } from './device/android-model.ts';
import { commuter, flakyNetwork, nightCharger, powerUser, rural } from './device/day-profiles.ts';
import { NO_HOST } from './device/device-model.ts';
import type { DeviceModel, ModelHost } from './device/device-model.ts';
import { IosModel } from './device/ios-model.ts';
import { ProfilePlayer } from './device/profile-player.ts';
import type { StartApp } from './device/simulated-app.ts';
import { SeededRandom } from './seeded-random.ts';
import { simulateAndroid } from './simulate-android.ts';
import { simulateIos } from './simulate-ios.ts';
import { VirtualTime } from './virtual-time.ts';

const DAY = 86_400_000;
const PROFILES = [commuter, rural, nightCharger, powerUser, flakyNetwork];

describe('speed', () => {
  const start: StartApp = async (app) => {
    app.scheduler.onWakeUp((wakeUp) => wakeUp.complete('success'));
    const often = { id: 'sync', kind: 'periodic', intervalMs: 900_000 } as const;
    await app.scheduler.schedule({ ...often, existing: 'keep' });
  };

  test.each([
    ['Android', () => simulateAndroid({ profile: commuter, start })],
    ['iOS', () => simulateIos({ profile: commuter, start })],
  ])('a week of the commuter profile on %s takes less than half a second', async (_, simulate) => {
    const device = simulate();
    device.app.launch();
    const startedAt = performance.now();

    await device.advance('7d');

    expect(performance.now() - startedAt).toBeLessThan(500);
    expect(device.runs.length).toBeGreaterThan(20);
  });

  test('a thousand devices of a fleet live a day in less than 1.2 seconds, so 100,000 in two minutes', () => {
    const startedAt = performance.now();
    let runs = 0;
    for (let index = 0; index < 1_000; index++) {
      // Each device on a time of its own: a hundred thousand on a shared one take ten times as long,
      // because their state no longer fits the processor's caches.
      const time = new VirtualTime(Date.UTC(2026, 0, 5));
      const random = new SeededRandom(1, index);
      const host: ModelHost = {
        ...NO_HOST,
        runBegan: (run) => void time.schedule(3_000, () => run.finish('success')),
        runEnded: () => runs++,
      };
      const device: DeviceModel =
        index % 2 === 0
          ? new AndroidModel(time, host, { version: 16 })
          : new IosModel(time, host, { random });
      device.schedule({ id: 'sync', kind: 'periodic', intervalMs: 900_000 });
      new ProfilePlayer(device, PROFILES[index % PROFILES.length] ?? commuter, random);
      time.runTo(DAY);
    }

    expect(runs).toBeGreaterThan(10_000);
    expect(performance.now() - startedAt).toBeLessThan(1_200);
  });
});
