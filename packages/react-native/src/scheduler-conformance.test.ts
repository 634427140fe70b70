import type { PlatformScheduler } from 'nexus-store';
import { testPlatformScheduler, type AndroidDevice, type IosDevice } from 'nexus-store/testing';
import type { DeviceConditions, SchedulerHarness } from 'nexus-store/testing';
import { describe, expect, test } from 'vitest';
import { fakeAndroid, fakeIos, type Entry, type FakePhone } from './fake/fake-phone.ts';

const functions = { describe, test, expect };

const CONDITIONS = {
  requiresCharging: [{ isCharging: false }, { isCharging: true }],
  requiresBatteryNotLow: [{ isCharging: false, batteryLevel: 10 }, { batteryLevel: 60 }],
  requiresStorageNotLow: [{ isStorageLow: true }, { isStorageLow: false }],
  requiresDeviceIdle: [{ isScreenOn: true }, { isScreenOn: false }],
} as const satisfies Record<string, readonly Partial<DeviceConditions>[]>;

/** A device becomes idle after 31 minutes with the screen off. */
const UNTIL_IDLE_MS = 32 * 60_000;

function harness(
  create: (entry: Entry) => FakePhone<AndroidDevice | IosDevice>,
  patienceMs: number,
): SchedulerHarness {
  let scheduler: PlatformScheduler | undefined;
  const { device } = create((context) => {
    ({ scheduler } = context.createPhone());
  });
  const start = (): PlatformScheduler => {
    device.app.launch();
    device.app.background();
    return scheduler as PlatformScheduler;
  };
  return {
    scheduler: start(),
    patienceMs,
    now: () => device.runtime.clock.now(),
    advance: (ms) => device.advance(ms),
    setMet: async (constraint, isMet) => device.set(CONDITIONS[constraint][isMet ? 1 : 0]),
    setNetwork: async (network) => device.set({ network }),
    restart: async () => {
      device.app.kill();
      return start();
    },
    close: async () => {},
  };
}

for (const version of [9, 11, 12, 15, 16] as const) {
  testPlatformScheduler(
    `WorkManager through the native module, Android ${version}`,
    async () => harness((entry) => fakeAndroid(entry, { version }), UNTIL_IDLE_MS),
    functions,
  );
}

testPlatformScheduler(
  'BGTaskScheduler through the native module, launching whenever it may',
  async () => harness((entry) => fakeIos(entry, { opportunities: 'always' }), UNTIL_IDLE_MS),
  functions,
);

testPlatformScheduler(
  'BGTaskScheduler through the native module, choosing its moments',
  async () =>
    harness((entry) => fakeIos(entry, { conditions: { isCharging: true } }), 12 * 3_600_000),
  functions,
);
