import {
  FUNCTION,
  NAME,
  objectWith,
  oneOf,
  type Kind,
  type Kinds,
} from '../../core/model/arguments.ts';
import { POSITIVE_DURATION } from '../../core/model/duration.ts';
import { RUNTIME } from '../../core/ports/kinds.ts';
import type { TimerSchedulerOptions } from '../../core/background/timer-scheduler.ts';
import type { Runtime } from '../../core/ports/runtime.ts';
import type { ElectronDeviceOptions } from './electron-device-state.ts';
import type { NodeDeviceOptions } from './node-device-state.ts';

/** What every entry of this platform takes besides. */
export interface WithRuntime {
  /** @defaultValue the standard one */
  readonly runtime?: Runtime;
}

/** Node refuses a path with a zero character, wherever it first meets it. */
export const PATH: Kind = {
  said: `${NAME.said}, without zero characters`,
  fits: (value) => NAME.fits(value) && !(value as string).includes('\0'),
};
export const DEVICE_STATE: Kind = objectWith('a device state', 'read', 'onChange');
export const SYSTEM_INFORMATION: Kind = objectWith('the package systeminformation', 'battery');

export const SCHEDULER_OPTIONS: Kinds<TimerSchedulerOptions & WithRuntime> = {
  runtime: RUNTIME,
  deviceState: DEVICE_STATE,
  maxRun: POSITIVE_DURATION,
  tick: POSITIVE_DURATION,
  uptimeMs: FUNCTION,
};

export const NODE_DEVICE_OPTIONS: Kinds<NodeDeviceOptions & WithRuntime> = {
  runtime: RUNTIME,
  systemInformation: SYSTEM_INFORMATION,
  path: PATH,
  poll: POSITIVE_DURATION,
  appState: oneOf('foreground', 'headless'),
};

export const ELECTRON_DEVICE_OPTIONS: Kinds<ElectronDeviceOptions & WithRuntime> = {
  runtime: RUNTIME,
  powerMonitor: objectWith("Electron's powerMonitor", 'on'),
  net: objectWith("Electron's net", 'isOnline'),
  systemInformation: SYSTEM_INFORMATION,
  poll: POSITIVE_DURATION,
};
