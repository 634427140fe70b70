import {
  FLAG,
  oneOf,
  requireKind,
  requireOptions,
  type Kind,
  type Kinds,
} from '../core/model/arguments.ts';
import { AndroidModel } from './device/android-model.ts';
import type { AndroidVersion, StandbyBucket } from './device/android-quota.ts';
import type { AndroidBlocker } from './device/android-rules.ts';
import type { DozePhase } from './device/doze.ts';
import { DEVICE_OPTIONS, SimulatedDevice } from './device/simulated-device.ts';
import type { SimulatedDeviceOptions } from './device/simulated-device.ts';

export interface SimulateAndroidOptions extends SimulatedDeviceOptions {
  /** @defaultValue `16` */
  readonly version?: AndroidVersion;
  /**
   * Some vendors treat a swipe from the recent apps as a force-stop.
   *
   * @defaultValue `false`
   */
  readonly isSwipeForceStop?: boolean;
}

/**
 * How long a process that left the screen goes on before the system freezes it. The cached-apps freezer
 * waits seconds to minutes, depending on version and memory (general knowledge).
 */
const FREEZE_AFTER_MS = 60_000;

const VERSION: Kind = {
  said: 'a whole number from 9 to 16',
  fits: (value) => Number.isInteger(value) && (value as number) >= 9 && (value as number) <= 16,
};
const BUCKET = oneOf('auto', 'active', 'working-set', 'frequent', 'rare', 'restricted');

const OPTIONS: Kinds<SimulateAndroidOptions> = {
  ...DEVICE_OPTIONS,
  version: VERSION,
  isSwipeForceStop: FLAG,
};

/**
 * A simulated Android phone with WorkManager, over virtual time.
 *
 * @example
 * const device = simulateAndroid({ version: 16, conditions: { network: 'none' } });
 * device.scheduler.onWakeUp((wakeUp) => wakeUp.complete('success'));
 * await device.scheduler.schedule({ id: 'sync', kind: 'once', constraints: { networkType: 'connected' } });
 * device.set({ network: 'metered' });
 * await device.advance('1s');
 */
export function simulateAndroid(options: SimulateAndroidOptions = {}): AndroidDevice {
  requireOptions('simulateAndroid', options, OPTIONS);
  return new AndroidDevice(options);
}

export class AndroidDevice extends SimulatedDevice<AndroidModel> {
  constructor(options: SimulateAndroidOptions) {
    super(options, FREEZE_AFTER_MS, (runtime, host) => {
      const { version = 16, isSwipeForceStop = false } = options;
      return new AndroidModel(runtime.time, host, { version, isSwipeForceStop });
    });
  }

  get standbyBucket(): StandbyBucket {
    return this.model.standbyBucket;
  }

  get dozePhase(): DozePhase {
    return this.model.dozePhase;
  }

  /** Puts the app into a bucket whatever its use; `auto` lets its use decide again. */
  setStandbyBucket(bucket: StandbyBucket | 'auto'): void {
    requireKind('setStandbyBucket', bucket, BUCKET);
    this.model.setStandbyBucket(bucket);
  }

  /** Into Doze at once; it ends when screen, motion or charger change. */
  forceDoze(): void {
    this.model.forceDoze();
  }

  /** "Force stop" in the settings: nothing of the app runs until the user opens it. */
  forceStop(): void {
    this.model.forceStop();
  }

  /** Runs a request now whatever blocks it. False if there is none, or it runs already. */
  runNow(id: string): boolean {
    return this.model.runNow(id);
  }

  /** What keeps a request that is due from running; undefined if nothing does. */
  blockedBy(id: string): AndroidBlocker | undefined {
    return this.model.blockedBy(id);
  }

  /** How often a request was updated. */
  generation(id: string): number | undefined {
    return this.model.generation(id);
  }

  /** How much of the standby quotas is used within their windows, in milliseconds. */
  quotaUse(): { readonly regularMs: number; readonly expeditedMs: number } {
    return this.model.quotaUse();
  }
}
