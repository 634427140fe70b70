import type { DeviceFacts } from '../ports/device-state.ts';
import type { Constraints } from '../ports/platform-scheduler.ts';

export type UnmetConstraint =
  | 'connectivity'
  | 'unmetered'
  | 'metered'
  | 'not-roaming'
  | 'charging'
  | 'battery-not-low'
  | 'storage-not-low'
  | 'device-idle';

/** Every constraint that the device certainly does not meet now. What it does not tell counts as met. */
export function unmetConstraints(
  constraints: Constraints,
  device: DeviceFacts,
): readonly UnmetConstraint[] {
  const unmet: UnmetConstraint[] = [];
  const network = constraints.networkType ?? 'not-required';
  if (network !== 'not-required' && device.isConnected === false) unmet.push('connectivity');
  else if (network === 'unmetered' && device.isMetered === true) unmet.push('unmetered');
  else if (network === 'metered' && device.isMetered === false) unmet.push('metered');
  else if (network === 'not-roaming' && device.isRoaming === true) unmet.push('not-roaming');
  if (constraints.requiresCharging === true && device.isCharging === false) unmet.push('charging');
  if (constraints.requiresBatteryNotLow === true && device.isBatteryLow === true)
    unmet.push('battery-not-low');
  if (constraints.requiresStorageNotLow === true && device.isStorageLow === true)
    unmet.push('storage-not-low');
  if (constraints.requiresDeviceIdle === true && device.isDeviceIdle === false)
    unmet.push('device-idle');
  return unmet;
}

/** Connectivity is a hint that may be wrong: whoever may try once does so, and does not ask it first. */
export function hardUnmet(
  constraints: Constraints,
  device: DeviceFacts,
): readonly UnmetConstraint[] {
  return unmetConstraints(constraints, device).filter((unmet) => unmet !== 'connectivity');
}
