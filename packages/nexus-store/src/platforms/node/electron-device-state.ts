import { durationMs, type Duration } from '../../core/model/duration.ts';
import { UNKNOWN_DEVICE, type DeviceFacts } from '../../core/ports/device-state.ts';
import type { Runtime } from '../../core/ports/runtime.ts';
import { ChangePoll } from './change-poll.ts';
import {
  powerFromSystemInformation,
  rarely,
  UNKNOWN_POWER,
  type PowerFacts,
  type SystemInformationLike,
} from './power.ts';
import type { TellingDeviceState } from '../../core/background/telling-device-state.ts';

/** What is used of Electron's `powerMonitor`. */
export interface PowerMonitorLike {
  on(event: PowerEvent, listener: () => void): unknown;
  removeListener(event: PowerEvent, listener: () => void): unknown;
  isOnBatteryPower(): boolean;
  getSystemIdleState(idleThresholdSeconds: number): string;
}

/** What is used of Electron's `net`. */
export interface NetLike {
  isOnline(): boolean;
}

export interface ElectronDeviceOptions {
  readonly powerMonitor: PowerMonitorLike;
  readonly net: NetLike;
  /** For how full the battery is, which Electron's main process does not tell. @defaultValue none */
  readonly systemInformation?: SystemInformationLike;
  /** How often to ask for what has no event, such as the network. @defaultValue `'5s'` */
  readonly poll?: Duration;
}

const EVENTS = [
  'on-ac',
  'on-battery',
  'suspend',
  'resume',
  'lock-screen',
  'unlock-screen',
] as const;
type PowerEvent = (typeof EVENTS)[number];

/** As long without input as Android takes before it calls a device idle, seconds. */
const IDLE_SECONDS = 31 * 60;

/**
 * What Electron tells of the machine. Before it sleeps the app counts as leaving the foreground, which
 * sends what waits; after it woke, as coming back to it.
 */
export class ElectronDeviceState implements TellingDeviceState {
  readonly tells: readonly (keyof DeviceFacts)[];
  readonly #options: ElectronDeviceOptions;
  readonly #poll: ChangePoll;
  readonly #power: () => Promise<PowerFacts>;
  #isSuspended = false;
  #isLocked = false;
  #listeners = 0;

  constructor(runtime: Runtime, options: ElectronDeviceOptions) {
    const { systemInformation } = options;
    this.#options = options;
    this.#power =
      systemInformation === undefined
        ? async () => UNKNOWN_POWER
        : rarely(runtime.clock, () => powerFromSystemInformation(systemInformation));
    this.tells = [
      'isConnected',
      'isCharging',
      'isDeviceIdle',
      ...(systemInformation === undefined ? [] : (['isBatteryLow'] as const)),
    ];
    this.#poll = new ChangePoll(
      runtime.timers,
      durationMs(options.poll ?? '5s', 'poll'),
      async () => JSON.stringify(await this.read()),
    );
  }

  async read(): Promise<DeviceFacts> {
    const { powerMonitor, net } = this.#options;
    const battery = await this.#power().catch(() => UNKNOWN_POWER);
    return {
      ...UNKNOWN_DEVICE,
      isConnected: net.isOnline(),
      isCharging: !powerMonitor.isOnBatteryPower(),
      isBatteryLow: battery.isBatteryLow,
      isDeviceIdle: this.#isLocked || this.#isIdle(),
      appState: this.#isSuspended ? 'background' : 'foreground',
    };
  }

  onChange(listener: () => void): () => void {
    const stop = this.#poll.subscribe(listener);
    this.#listeners += 1;
    if (this.#listeners === 1) this.#hear();
    let isStopped = false;
    return () => {
      if (isStopped) return;
      isStopped = true;
      stop();
      this.#listeners -= 1;
      if (this.#listeners === 0) this.#unhear();
    };
  }

  #isIdle(): boolean | null {
    const state = this.#options.powerMonitor.getSystemIdleState(IDLE_SECONDS);
    return state === 'unknown' ? null : state !== 'active';
  }

  readonly #on: Readonly<Record<PowerEvent, () => void>> = {
    'on-ac': () => this.#changed(),
    'on-battery': () => this.#changed(),
    suspend: () => this.#changed(() => (this.#isSuspended = true)),
    resume: () => this.#changed(() => (this.#isSuspended = false)),
    'lock-screen': () => this.#changed(() => (this.#isLocked = true)),
    'unlock-screen': () => this.#changed(() => (this.#isLocked = false)),
  };

  #changed(change?: () => void): void {
    change?.();
    void this.#poll.check();
  }

  #hear(): void {
    for (const event of EVENTS) this.#options.powerMonitor.on(event, this.#on[event]);
  }

  #unhear(): void {
    for (const event of EVENTS) this.#options.powerMonitor.removeListener(event, this.#on[event]);
  }
}
