import { FLAG, LIST, oneOf, requireOptions, type Kinds } from '../core/model/arguments.ts';
import { FINITE } from './option-kinds.ts';
import { IosModel } from './device/ios-model.ts';
import type { IosBlocker } from './device/ios-model.ts';
import type { IosAppSetup } from './device/ios-submission.ts';
import { DEVICE_OPTIONS, SimulatedDevice } from './device/simulated-device.ts';
import type { SimulatedDeviceOptions } from './device/simulated-device.ts';
import { createSeededRandom } from './seeded-random.ts';

export interface SimulateIosOptions extends SimulatedDeviceOptions, IosAppSetup {
  /**
   * How long a processing task may run.
   *
   * @unit milliseconds
   * @defaultValue `300_000`
   */
  readonly processingWindowMs?: number;
  /**
   * `learned`: iOS chooses the moment by how the app is used. `always`: at once when nothing forbids it,
   * for tests of other things.
   *
   * @defaultValue `'learned'`
   */
  readonly opportunities?: 'learned' | 'always';
}

/**
 * How long a process that left the screen goes on: the background assertion that the native module
 * takes then lasts about 30 s (mobile-scheduling.md section 4, general knowledge).
 */
const SUSPEND_AFTER_MS = 30_000;

const OPTIONS: Kinds<SimulateIosOptions> = {
  ...DEVICE_OPTIONS,
  processingWindowMs: FINITE,
  opportunities: oneOf('learned', 'always'),
  permittedIdentifiers: LIST,
  registeredIdentifiers: LIST,
  backgroundModes: LIST,
  isSimulator: FLAG,
};

/**
 * A simulated iPhone with BGTaskScheduler, over virtual time.
 *
 * @example
 * const device = simulateIos({ permittedIdentifiers: ['sync'], profile: commuter, start: (app) => boot(app) });
 * await device.advance('7d');
 */
export function simulateIos(options: SimulateIosOptions = {}): IosDevice {
  requireOptions('simulateIos', options, OPTIONS);
  return new IosDevice(options);
}

export class IosDevice extends SimulatedDevice<IosModel> {
  constructor(options: SimulateIosOptions) {
    super(options, SUSPEND_AFTER_MS, (runtime, host) => {
      const random = createSeededRandom(runtime.seed, 'ios opportunities');
      const { conditions: _later, ...setup } = options;
      return new IosModel(runtime.time, host, { ...setup, random });
    });
  }

  /** `BGTaskScheduler.register`. Throws after the launch has ended, and for an id that has a handler. */
  registerHandler(id: string): void {
    this.model.registerHandler(id);
  }

  /** The next submit fails with this code of BGTaskScheduler.Error, or any other. */
  failNextSubmit(nativeCode: number): void {
    this.model.failNextSubmit(nativeCode);
  }

  /** Launches a request now whatever blocks it. False if there is none, or it runs already. */
  simulateLaunch(id: string): boolean {
    return this.model.simulateLaunch(id);
  }

  /** Expires a running request now. False if it does not run. */
  simulateExpiration(id: string): boolean {
    return this.model.simulateExpiration(id);
  }

  /** What keeps a request that is due from being launched; `opportunity`: iOS has not chosen a moment. */
  blockedBy(id: string): IosBlocker | undefined {
    return this.model.blockedBy(id);
  }
}
