import type { Constraints, NetworkType } from '../../core/ports/platform-scheduler.ts';

/** What the device is connected to. Roaming is metered too. */
export type NetworkKind = 'none' | 'metered' | 'unmetered' | 'roaming';

/** What of a device changes while people use it. */
export interface DeviceConditions {
  readonly network: NetworkKind;
  readonly isCharging: boolean;
  /** Percent, 0 to 100. */
  readonly batteryLevel: number;
  readonly isStorageLow: boolean;
  readonly isScreenOn: boolean;
  /** Lies still. Doze needs it. */
  readonly isStationary: boolean;
  /** Battery saver on Android, Low Power Mode on iOS. */
  readonly isPowerSaving: boolean;
  /** The user's switch: battery usage not "restricted" on Android, Background App Refresh on iOS. */
  readonly isBackgroundAllowed: boolean;
}

/** A phone in a pocket, on Wi-Fi, with nothing in the way of background work. */
export const DEFAULT_CONDITIONS: DeviceConditions = {
  network: 'unmetered',
  isCharging: false,
  batteryLevel: 80,
  isStorageLow: false,
  isScreenOn: false,
  isStationary: false,
  isPowerSaving: false,
  isBackgroundAllowed: true,
};

/**
 * Low from 15 % down until 20 % is reached again or the charger is plugged in, in between as it was
 * (BatteryService mBatteryLevelLow, config_lowBatteryWarningLevel; general knowledge).
 */
export function isBatteryLow(wasLow: boolean, conditions: DeviceConditions): boolean {
  if (conditions.isCharging) return false;
  return conditions.batteryLevel <= 15 || (wasLow && conditions.batteryLevel < 20);
}

export function isNetworkMet(asked: NetworkType, network: NetworkKind): boolean {
  switch (asked) {
    case 'not-required':
      return true;
    case 'connected':
      return network !== 'none';
    case 'unmetered':
      return network === 'unmetered';
    case 'not-roaming':
      return network === 'metered' || network === 'unmetered';
    case 'metered':
      return network === 'metered' || network === 'roaming';
  }
}

/** What a constraint is judged by: the conditions, as the app's jobs see them. */
export interface ConstraintFacts {
  readonly network: NetworkKind;
  readonly isCharging: boolean;
  readonly isBatteryLow: boolean;
  readonly isStorageLow: boolean;
  readonly isDeviceIdle: boolean;
}

export type UnmetConstraint = 'network' | 'charging' | 'battery' | 'storage' | 'idle';

/** The first constraint that is not met, in the order of `WorkInfo.STOP_REASON_CONSTRAINT_*`. */
export function unmetConstraint(
  constraints: Constraints,
  facts: ConstraintFacts,
): UnmetConstraint | undefined {
  if (constraints.requiresBatteryNotLow && facts.isBatteryLow) return 'battery';
  if (constraints.requiresCharging && !facts.isCharging) return 'charging';
  if (!isNetworkMet(constraints.networkType ?? 'not-required', facts.network)) return 'network';
  if (constraints.requiresDeviceIdle && !facts.isDeviceIdle) return 'idle';
  if (constraints.requiresStorageNotLow && facts.isStorageLow) return 'storage';
  return undefined;
}
