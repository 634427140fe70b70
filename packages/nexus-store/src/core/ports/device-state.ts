/**
 * What the device says of itself now. Facts change at run time and are never cached by readers.
 *
 * Law: a fact that the platform does not tell is null, never a guess. `onChange` fires after a fact
 * changed, perhaps late, perhaps merged.
 */
export interface DeviceState {
  read(): Promise<DeviceFacts>;
  /** Returns how to stop listening. */
  onChange(listener: () => void): () => void;
}

export interface DeviceFacts {
  readonly isConnected: boolean | null;
  readonly isMetered: boolean | null;
  readonly isRoaming: boolean | null;
  readonly isCharging: boolean | null;
  readonly isBatteryLow: boolean | null;
  readonly isStorageLow: boolean | null;
  readonly isDeviceIdle: boolean | null;
  /** Battery saver on Android, Low Power Mode on iOS. */
  readonly isPowerSaving: boolean | null;
  /** The user's switch for background work of this app. */
  readonly isBackgroundAllowed: boolean | null;
  /** Android's standby bucket. */
  readonly standbyBucket: 'active' | 'working-set' | 'frequent' | 'rare' | 'restricted' | null;
  readonly appState: 'foreground' | 'background' | 'headless' | null;
}

export const UNKNOWN_DEVICE: DeviceFacts = {
  isConnected: null,
  isMetered: null,
  isRoaming: null,
  isCharging: null,
  isBatteryLow: null,
  isStorageLow: null,
  isDeviceIdle: null,
  isPowerSaving: null,
  isBackgroundAllowed: null,
  standbyBucket: null,
  appState: null,
};
