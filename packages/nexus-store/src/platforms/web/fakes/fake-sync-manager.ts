import type { Timers } from '../../../core/ports/runtime.ts';
import type { RegistrationLike } from '../browser.ts';

const FIRST_RETRY_MS = 300_000;
const MOST_ATTEMPTS = 3;

interface OneOff {
  attempts: number;
  isFiring: boolean;
  /** It was registered again while its event was under way. */
  isAgain: boolean;
  cancelRetry: (() => void) | undefined;
}

export interface FakeSyncOptions {
  /** The browser's own timers: they outlive pages and workers. */
  readonly timers: Timers;
  readonly isOnline: () => boolean;
  /** Starts the worker if need be; settles as the worker answers the event. */
  readonly dispatch: (type: 'sync' | 'periodicsync', event: object) => Promise<void>;
}

/**
 * Background Sync as Chromium has it, found out by trying: a one-off fires when there is a network, three
 * times at most, five and fifteen minutes apart while the worker answers with a failure. A tag that is there
 * already fires nothing when it is registered again; one that is registered while its event is under way
 * stays, and fires with the next new tag or the next network. The registrations outlive everything.
 */
export class FakeSyncManager {
  /** What is not there is missing in the registration; what is refused rejects. */
  oneOffs: 'there' | 'refused' | 'missing' = 'there';
  periodic: 'there' | 'refused' | 'missing' = 'there';
  readonly intervals = new Map<string, number>();
  /** Every call of `register`, in order. */
  readonly registered: string[] = [];
  readonly #options: FakeSyncOptions;
  readonly #oneOffs = new Map<string, OneOff>();
  #isClosed = false;

  constructor(options: FakeSyncOptions) {
    this.#options = options;
  }

  /** Tags that wait or are under way. */
  get tags(): readonly string[] {
    return [...this.#oneOffs.keys()];
  }

  registration(active?: RegistrationLike['active']): RegistrationLike {
    return {
      active,
      sync:
        this.oneOffs === 'missing'
          ? undefined
          : { register: async (tag) => this.#register(tag), getTags: async () => this.tags },
      periodicSync:
        this.periodic === 'missing'
          ? undefined
          : {
              register: async (tag, { minInterval }) => {
                if (this.periodic === 'refused') throw notAllowed();
                this.intervals.set(tag, minInterval);
              },
              unregister: async (tag) => void this.intervals.delete(tag),
            },
    };
  }

  /** The browser ends: nothing fires any more. */
  close(): void {
    for (const { cancelRetry } of this.#oneOffs.values()) cancelRetry?.();
    this.#oneOffs.clear();
    this.#isClosed = true;
  }

  /** The network has returned. */
  onOnline(): void {
    this.#fireReady();
  }

  #fireReady(): void {
    for (const [tag, oneOff] of this.#oneOffs)
      if (!oneOff.isFiring && oneOff.cancelRetry === undefined) void this.#fire(tag, oneOff);
  }

  /** The browser finds it time for a periodic event. */
  firePeriodic(tag: string): Promise<void> {
    return this.#options.dispatch('periodicsync', { tag });
  }

  #register(tag: string): void {
    if (this.oneOffs === 'refused') throw notAllowed();
    this.registered.push(tag);
    const known = this.#oneOffs.get(tag);
    if (known !== undefined) {
      known.isAgain = known.isFiring;
      return;
    }
    const oneOff = { attempts: 0, isFiring: false, isAgain: false, cancelRetry: undefined };
    this.#oneOffs.set(tag, oneOff);
    if (this.#options.isOnline()) this.#fireReady();
  }

  async #fire(tag: string, oneOff: OneOff): Promise<void> {
    oneOff.isFiring = true;
    oneOff.attempts += 1;
    const lastChance = oneOff.attempts === MOST_ATTEMPTS;
    const isDone = await this.#options.dispatch('sync', { tag, lastChance }).then(
      () => true,
      () => false,
    );
    oneOff.isFiring = false;
    if (this.#isClosed) return;
    if (oneOff.isAgain) {
      oneOff.isAgain = false;
      oneOff.attempts = 0;
    } else if (isDone || lastChance) {
      this.#oneOffs.delete(tag);
    } else {
      const delayMs = FIRST_RETRY_MS * 3 ** (oneOff.attempts - 1);
      oneOff.cancelRetry = this.#options.timers.after(delayMs, () => {
        oneOff.cancelRetry = undefined;
        if (this.#options.isOnline()) void this.#fire(tag, oneOff);
      });
    }
  }
}

function notAllowed(): Error {
  return Object.assign(new Error('Permission denied.'), { name: 'NotAllowedError' });
}
