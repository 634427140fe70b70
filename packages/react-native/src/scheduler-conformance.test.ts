import type { PlatformScheduler } from 'nexus-store';
import {
  testPlatformScheduler,
  type AndroidDevice,
  type IosDevice,
  type SchedulerHarness,
} from 'nexus-store/testing';
import { describe, expect, test } from 'vitest';
import { fakeAndroid, fakeIos, type Entry, type FakePhone } from './fake/fake-phone.ts';
import { phoneHarness } from './fake/phone-harness.ts';

const functions = { describe, test, expect };

function harness(
  create: (entry: Entry) => FakePhone<AndroidDevice | IosDevice>,
  patienceMs?: number,
): SchedulerHarness {
  let scheduler: PlatformScheduler | undefined;
  const { device } = create((context) => {
    ({ scheduler } = context.createPhone());
  });
  return phoneHarness(device, () => scheduler, patienceMs);
}

for (const version of [9, 11, 12, 15, 16] as const) {
  testPlatformScheduler(
    `WorkManager through the native module, Android ${version}`,
    async () => harness((entry) => fakeAndroid(entry, { version })),
    functions,
  );
}

testPlatformScheduler(
  'BGTaskScheduler through the native module, launching whenever it may',
  async () => harness((entry) => fakeIos(entry, { opportunities: 'always' })),
  functions,
);

testPlatformScheduler(
  'BGTaskScheduler through the native module, choosing its moments',
  async () =>
    harness((entry) => fakeIos(entry, { conditions: { isCharging: true } }), 12 * 3_600_000),
  functions,
);
