import { UNKNOWN_DEVICE, type DeviceFacts, type DeviceState } from '../ports/device-state.ts';
import type { Runtime } from '../ports/runtime.ts';
import { within } from './within.ts';

export interface AppEdgesOptions {
  /** The app came to the front. */
  readonly onFront: () => void;
  /** There is a network where there was none. */
  readonly onNetwork: () => void;
  /** The app is no longer in front. */
  readonly onLeave: () => void;
  /** Any fact changed. */
  readonly onFacts: (facts: DeviceFacts) => void;
  readonly log: (message: string, error: unknown) => void;
}

/** A device that does not answer within this time says nothing. */
const ANSWER_MS = 1_000;

/** Watches the device, and tells of the moments at which something is to be done. */
export class AppEdges {
  readonly #runtime: Runtime;
  readonly #device: DeviceState | undefined;
  readonly #options: AppEdgesOptions;
  #last: DeviceFacts = UNKNOWN_DEVICE;
  #stop: (() => void) | undefined;
  #isStarted = false;
  #isReading = false;
  #isStale = false;

  constructor(runtime: Runtime, device: DeviceState | undefined, options: AppEdgesOptions) {
    this.#runtime = runtime;
    this.#device = device;
    this.#options = options;
  }

  /** The facts now; null if the device does not say, or not in time. */
  async read(): Promise<DeviceFacts | null> {
    const device = this.#device;
    if (device === undefined) return null;
    const fail = (error: unknown): null => {
      this.#options.log('the device state could not be read', error);
      return null;
    };
    return within<DeviceFacts | null>(this.#runtime, ANSWER_MS, () => device.read(), fail);
  }

  /** Begins to watch. What holds already is where edges are counted from. */
  async start(): Promise<void> {
    if (this.#isStarted || this.#device === undefined) return;
    this.#isStarted = true;
    this.#stop = this.#device.onChange(() => void this.#look());
    await this.#look();
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
    this.#isStarted = false;
  }

  /** One look at a time: two that overtake each other would see edges that never were. */
  async #look(): Promise<void> {
    this.#isStale = true;
    if (this.#isReading) return;
    this.#isReading = true;
    while (this.#isStale && this.#isStarted) {
      this.#isStale = false;
      const facts = await this.read();
      if (facts !== null && this.#isStarted) this.#compare(facts);
    }
    this.#isReading = false;
  }

  #compare(facts: DeviceFacts): void {
    const before = this.#last;
    this.#last = facts;
    const { onFront, onNetwork, onLeave, onFacts } = this.#options;
    onFacts(facts);
    const isInFront = facts.appState === 'foreground';
    const wasInFront = before.appState === 'foreground';
    if (isInFront && !wasInFront && before.appState !== null) onFront();
    if (wasInFront && !isInFront) onLeave();
    if (facts.isConnected === true && before.isConnected === false) onNetwork();
  }
}
