import type { PlatformScheduler } from 'nexus-store';
import type {
  AndroidDevice,
  DeviceConditions,
  IosDevice,
  SchedulerHarness,
} from 'nexus-store/testing';

const CONDITIONS = {
  requiresCharging: [{ isCharging: false }, { isCharging: true }],
  requiresBatteryNotLow: [{ isCharging: false, batteryLevel: 10 }, { batteryLevel: 60 }],
  requiresStorageNotLow: [{ isStorageLow: true }, { isStorageLow: false }],
  requiresDeviceIdle: [{ isScreenOn: true }, { isScreenOn: false }],
} as const satisfies Record<string, readonly Partial<DeviceConditions>[]>;

/** A device becomes idle after 31 minutes with the screen off. */
const UNTIL_IDLE_MS = 32 * 60_000;

/**
 * For `testPlatformScheduler`: a simulated phone whose app was opened and left.
 *
 * @param current the scheduler of the process that runs now
 * @param patienceMs the longest until the system runs what nothing hinders
 */
export function phoneHarness(
  device: AndroidDevice | IosDevice,
  current: () => PlatformScheduler | undefined,
  patienceMs: number = UNTIL_IDLE_MS,
): SchedulerHarness {
  const start = (): PlatformScheduler => {
    device.app.launch();
    device.app.background();
    const scheduler = current();
    if (scheduler === undefined) throw new Error('the app has made no scheduler');
    return scheduler;
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
