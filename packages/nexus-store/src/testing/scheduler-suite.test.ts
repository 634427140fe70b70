import { describe, expect, test } from 'vitest';
import { noOpScheduler } from '../core/background/no-op-scheduler.ts';
import type { DeviceConditions } from './device/conditions.ts';
import { testPlatformScheduler } from './scheduler-suite.ts';
import type { SchedulerHarness } from './scheduler-suite.ts';
import { simulateAndroid } from './simulate-android.ts';
import type { AndroidDevice } from './simulate-android.ts';
import { simulateIos } from './simulate-ios.ts';
import type { IosDevice } from './simulate-ios.ts';

const functions = { describe, test, expect };

/** How a device breaks each constraint, and how it meets it. */
const CONDITIONS = {
  requiresCharging: [{ isCharging: false }, { isCharging: true }],
  requiresBatteryNotLow: [{ isCharging: false, batteryLevel: 10 }, { batteryLevel: 60 }],
  requiresStorageNotLow: [{ isStorageLow: true }, { isStorageLow: false }],
  requiresDeviceIdle: [{ isScreenOn: true }, { isScreenOn: false }],
} as const satisfies Record<
  string,
  readonly [Partial<DeviceConditions>, Partial<DeviceConditions>]
>;

function harnessOf(device: AndroidDevice | IosDevice, patienceMs: number): SchedulerHarness {
  return {
    scheduler: device.scheduler,
    patienceMs,
    now: () => device.runtime.clock.now(),
    advance: (ms) => device.advance(ms),
    setMet: async (constraint, isMet) => device.set(CONDITIONS[constraint][isMet ? 1 : 0]),
    setNetwork: async (network) => device.set({ network }),
    restart: async () => {
      device.app.kill();
      device.app.launch();
      device.app.background();
      return device.scheduler;
    },
    close: async () => {},
  };
}

/** A device becomes idle after 31 minutes with the screen off. */
const UNTIL_IDLE_MS = 32 * 60_000;

for (const version of [9, 11, 12, 15, 16] as const) {
  testPlatformScheduler(
    `simulated Android ${version}`,
    async () => harnessOf(simulateAndroid({ version }), UNTIL_IDLE_MS),
    functions,
  );
}

testPlatformScheduler(
  'simulated iOS that launches whenever it may',
  async () => harnessOf(simulateIos({ opportunities: 'always' }), UNTIL_IDLE_MS),
  functions,
);

testPlatformScheduler(
  'simulated iOS that chooses its moments',
  async () => harnessOf(simulateIos({ conditions: { isCharging: true } }), 12 * 3_600_000),
  functions,
);

testPlatformScheduler(
  'no scheduler',
  async () => ({
    scheduler: noOpScheduler,
    patienceMs: 60_000,
    now: () => 0,
    advance: async () => {},
    setMet: async () => {},
    setNetwork: async () => {},
    restart: async () => noOpScheduler,
    close: async () => {},
  }),
  functions,
);
