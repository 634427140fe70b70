import { UNKNOWN_DEVICE, type DeviceFacts, type DeviceState } from '../core/ports/device-state.ts';
import { requireFacts } from './option-kinds.ts';

/** The state of a device as a test says it is. */
export class ManualDeviceState implements DeviceState {
  readonly #listeners = new Set<() => void>();
  #facts: DeviceFacts;

  constructor(facts: Partial<DeviceFacts> = {}) {
    requireFacts(facts);
    this.#facts = { ...UNKNOWN_DEVICE, ...facts };
  }

  async read(): Promise<DeviceFacts> {
    return this.#facts;
  }

  onChange(listener: () => void): () => void {
    const own = (): void => listener();
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  set(facts: Partial<DeviceFacts>): void {
    requireFacts(facts);
    this.#facts = { ...this.#facts, ...facts };
    for (const listener of [...this.#listeners]) listener();
  }
}
