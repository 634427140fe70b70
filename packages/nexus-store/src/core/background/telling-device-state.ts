import type { DeviceFacts, DeviceState } from '../ports/device-state.ts';
import type { Constraints, NetworkType } from '../ports/platform-scheduler.ts';

/** A device state that says which facts it can tell at all on this machine; the others stay null. */
export interface TellingDeviceState extends DeviceState {
  readonly tells: readonly (keyof DeviceFacts)[];
}

const FACT_OF: Readonly<Record<Exclude<keyof Constraints, 'networkType'>, keyof DeviceFacts>> = {
  requiresCharging: 'isCharging',
  requiresBatteryNotLow: 'isBatteryLow',
  requiresStorageNotLow: 'isStorageLow',
  requiresDeviceIdle: 'isDeviceIdle',
};

const FACT_OF_NETWORK: readonly (readonly [NetworkType, keyof DeviceFacts])[] = [
  ['connected', 'isConnected'],
  ['unmetered', 'isMetered'],
  ['not-roaming', 'isRoaming'],
];

/** Which constraints can hold a run back, by what the device tells. One that does not say tells all. */
export function constraintsToldBy(device: DeviceState | TellingDeviceState | undefined): {
  readonly constraints: readonly (keyof Constraints)[];
  readonly networkTypes: readonly NetworkType[];
} {
  const tells = (fact: keyof DeviceFacts): boolean =>
    device !== undefined && (!('tells' in device) || device.tells.includes(fact));
  const networkTypes = FACT_OF_NETWORK.filter(([, fact]) => tells(fact)).map(([type]) => type);
  const constraints = (Object.keys(FACT_OF) as (keyof typeof FACT_OF)[]).filter((name) =>
    tells(FACT_OF[name]),
  );
  return {
    constraints: networkTypes.length > 0 ? ['networkType', ...constraints] : constraints,
    networkTypes: ['not-required', ...networkTypes],
  };
}
