import type { TellingDeviceState } from '../../core/background/telling-device-state.ts';
import { UNKNOWN_DEVICE, type DeviceFacts } from '../../core/ports/device-state.ts';
import type { BatteryLike, Browser, Listening } from './browser.ts';

/** As the systems do it: 15 %, unless it is charging. */
const LOW_BATTERY = 0.15;
const METERED: Readonly<Record<string, boolean>> = {
  cellular: true,
  ethernet: false,
  wifi: false,
  wimax: true,
};

/**
 * What a browser tells of the device; null where it does not. `navigator.onLine` is a hint: false is
 * believed, true only means that there is some network.
 */
export class WebDeviceState implements TellingDeviceState {
  readonly tells: readonly (keyof DeviceFacts)[];
  readonly #browser: Browser;
  #battery: Promise<BatteryLike | null> | undefined;

  constructor(browser: Browser) {
    this.#browser = browser;
    const { navigator } = browser;
    this.tells = [
      'isConnected',
      ...(typeof navigator.connection?.type === 'string' ? (['isMetered'] as const) : []),
      ...(navigator.getBattery === undefined ? [] : (['isCharging', 'isBatteryLow'] as const)),
    ];
  }

  /** Nothing is waited for: false if the browser says that there is no network. */
  get mayBeConnected(): boolean {
    const { onLine, connection } = this.#browser.navigator;
    return onLine !== false && connection?.type !== 'none';
  }

  async read(): Promise<DeviceFacts> {
    const { navigator, document } = this.#browser;
    const [battery, isBackgroundAllowed] = await Promise.all([
      this.#readBattery(),
      this.#isBackgroundAllowed(),
    ]);
    return {
      ...UNKNOWN_DEVICE,
      isConnected: navigator.onLine === undefined ? null : this.mayBeConnected,
      isMetered: this.#isMetered(),
      isCharging: battery?.charging ?? null,
      isBatteryLow: battery && !battery.charging && battery.level <= LOW_BATTERY,
      isBackgroundAllowed,
      appState: appStateOf(document?.visibilityState),
    };
  }

  onChange(listener: () => void): () => void {
    const { scope, document, navigator } = this.#browser;
    const own = (): void => listener();
    const stops = [
      listen(scope, ['online', 'offline', 'pageshow', 'resume'], own),
      listen(document, ['visibilitychange', 'resume'], own),
      listen(navigator.connection, ['change'], own),
    ];
    let isStopped = false;
    void this.#readBattery().then((battery) => {
      if (!isStopped && battery !== null)
        stops.push(listen(battery, ['chargingchange', 'levelchange'], own));
    });
    return () => {
      isStopped = true;
      for (const stop of stops) stop();
    };
  }

  /** Whoever asks for less data is treated like somebody who pays for it. */
  #isMetered(): boolean | null {
    const { connection } = this.#browser.navigator;
    if (connection?.saveData === true) return true;
    return METERED[connection?.type ?? ''] ?? null;
  }

  #readBattery(): Promise<BatteryLike | null> {
    const { navigator } = this.#browser;
    this.#battery ??= new Promise<BatteryLike | null>((resolve) => {
      resolve(navigator.getBattery?.() ?? null);
    }).catch(() => null);
    return this.#battery;
  }

  /** The user's switch for background sync of this site, where the browser has one. */
  async #isBackgroundAllowed(): Promise<boolean | null> {
    try {
      const { permissions } = this.#browser.navigator;
      const answer = await permissions?.query({ name: 'background-sync' });
      return answer === undefined ? null : answer.state !== 'denied';
    } catch {
      return null;
    }
  }
}

function appStateOf(visibility: string | undefined): DeviceFacts['appState'] {
  if (visibility === undefined) return 'headless';
  return visibility === 'visible' ? 'foreground' : 'background';
}

function listen(
  target: Partial<Listening> | undefined,
  types: readonly string[],
  listener: () => void,
): () => void {
  for (const type of types) target?.addEventListener?.(type, listener);
  return () => {
    for (const type of types) target?.removeEventListener?.(type, listener);
  };
}
