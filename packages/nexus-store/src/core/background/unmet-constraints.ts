import type { DeviceFacts } from '../ports/device-state.ts';
import type { Constraints } from '../ports/platform-scheduler.ts';

export type UnmetConstraint =
  | 'connectivity'
  | 'unmetered'
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
  if (network === 'unmetered' && device.isMetered === true) unmet.push('unmetered');
  if (network === 'not-roaming' && device.isRoaming === true) unmet.push('not-roaming');
  if (constraints.requiresCharging === true && device.isCharging === false) unmet.push('charging');
  if (constraints.requiresBatteryNotLow === true && device.isBatteryLow === true)
    unmet.push('battery-not-low');
  if (constraints.requiresStorageNotLow === true && device.isStorageLow === true)
    unmet.push('storage-not-low');
  if (constraints.requiresDeviceIdle === true && device.isDeviceIdle === false)
    unmet.push('device-idle');
  return unmet;
}
