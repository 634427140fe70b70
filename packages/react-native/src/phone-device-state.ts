import { UNKNOWN_DEVICE, type DeviceFacts, type DeviceState } from 'nexus-store';
import type { NativeSyncModule, Subscription } from './native-module.ts';

/** `expo-battery`, by shape. */
export interface BatteryLike {
  getPowerStateAsync(): Promise<{
    readonly batteryLevel: number;
    /** 0 unknown, 1 unplugged, 2 charging, 3 full. */
    readonly batteryState: number;
    readonly lowPowerMode: boolean;
  }>;
  addBatteryStateListener(listener: () => void): Subscription;
  addLowPowerModeListener(listener: () => void): Subscription;
}

/** `expo-network`, by shape. */
export interface NetworkLike {
  getNetworkStateAsync(): Promise<{
    readonly isConnected?: boolean;
    readonly isInternetReachable?: boolean;
    readonly type?: string;
  }>;
  addNetworkStateListener(listener: () => void): Subscription;
}

/** Packages that know more of the device than the native module. Pass them whole: `{ battery: Battery }`. */
export interface PhoneSenses {
  readonly battery?: BatteryLike;
  readonly network?: NetworkLike;
}

/** Android calls a battery low at 15 %, iOS shows it at 20 %. */
const LOW_LEVEL = 0.2;

/**
 * What a phone says of itself: the native module first, then the packages an app has. A source that
 * fails leaves its facts unknown.
 */
export class PhoneDeviceState implements DeviceState {
  readonly #native: NativeSyncModule | null;
  readonly #senses: PhoneSenses;

  constructor(native: NativeSyncModule | null, senses: PhoneSenses = {}) {
    this.#native = native;
    this.#senses = senses;
  }

  async read(): Promise<DeviceFacts> {
    const { battery, network } = this.#senses;
    const sources = await Promise.all([
      this.#native === null ? {} : known(this.#native.deviceFacts()),
      battery === undefined ? {} : known(batteryFacts(battery)),
      network === undefined ? {} : known(networkFacts(network)),
    ]);
    // The first source that tells a fact is believed.
    return Object.assign({}, UNKNOWN_DEVICE, ...sources.toReversed()) as DeviceFacts;
  }

  onChange(listener: () => void): () => void {
    const { battery, network } = this.#senses;
    const own = (): void => listener();
    const subscriptions = [
      this.#native?.addListener('onDeviceChange', own),
      battery?.addBatteryStateListener(own),
      battery?.addLowPowerModeListener(own),
      network?.addNetworkStateListener(own),
    ];
    return () => {
      for (const subscription of subscriptions) subscription?.remove();
    };
  }
}

/** What a source tells; null and failures are nothing. */
async function known(source: Promise<Partial<DeviceFacts>>): Promise<Partial<DeviceFacts>> {
  try {
    const facts = Object.entries(await source);
    return Object.fromEntries(facts.filter(([, fact]) => fact !== null && fact !== undefined));
  } catch {
    return {};
  }
}

async function batteryFacts(battery: BatteryLike): Promise<Partial<DeviceFacts>> {
  const { batteryLevel, batteryState, lowPowerMode } = await battery.getPowerStateAsync();
  const isCharging = batteryState === 0 ? null : batteryState === 2 || batteryState === 3;
  return {
    isCharging,
    // -1: a simulator.
    isBatteryLow: batteryLevel < 0 ? null : batteryLevel <= LOW_LEVEL && isCharging !== true,
    isPowerSaving: lowPowerMode,
  };
}

async function networkFacts(network: NetworkLike): Promise<Partial<DeviceFacts>> {
  const { isConnected, type } = await network.getNetworkStateAsync();
  const metered: Readonly<Record<string, boolean>> = {
    CELLULAR: true,
    WIFI: false,
    ETHERNET: false,
  };
  return {
    isConnected: isConnected ?? null,
    // A guess by kind, for iOS; Android's own answer comes first.
    isMetered: type === undefined ? null : (metered[type] ?? null),
  };
}
