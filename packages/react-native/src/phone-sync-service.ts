import {
  BackgroundSyncService,
  type BackgroundSyncServiceOptions,
  type Runtime,
  type StoreBackend,
} from 'nexus-store';
import type { NativeRunRecord } from './native-module.ts';
import { PhoneDeviceState, type PhoneSenses } from './phone-device-state.ts';
import type { Phone } from './phone.ts';

/** What an app may say of its service; everything else comes from the phone. */
export interface PhoneServiceOptions
  extends Omit<BackgroundSyncServiceOptions, 'scheduler' | 'deviceState'>, PhoneSenses {}

/** What both phones have in common: the native module under the port, its log, a run on demand. */
export abstract class PhoneSyncService extends BackgroundSyncService {
  protected readonly phone: Phone;
  readonly #id: string;

  protected constructor(runtime: Runtime, phone: Phone, options: PhoneServiceOptions) {
    const { battery, network, ...parts } = options;
    const senses = {
      ...(battery === undefined ? {} : { battery }),
      ...(network === undefined ? {} : { network }),
    };
    super(runtime, {
      ...parts,
      scheduler: phone.scheduler,
      deviceState: new PhoneDeviceState(phone.native, senses),
    });
    this.phone = phone;
    this.#id = options.id ?? 'nexus-store.sync';
  }

  /**
   * The last hundred runs as the system saw them, oldest first: also those in which no JavaScript came up.
   * The journal (`history`) tells what the others did.
   */
  runLog(): Promise<readonly NativeRunRecord[]> {
    return this.phone.native?.runLog() ?? Promise.resolve([]);
  }

  /** Asks the system to run the periodic request now. Development builds only; rejects in others. */
  async forceRun(): Promise<boolean> {
    return (await this.phone.native?.forceRun(this.#id)) ?? false;
  }
}

/** Calls `keep` with whether critical entries wait, whenever that changes. Returns how to stop. */
export function watchCritical(
  backend: StoreBackend,
  keep: (isWaiting: boolean) => void,
): () => void {
  let isWaiting = false;
  return backend.status.subscribe(({ pending }) => {
    if (pending.critical > 0 === isWaiting) return;
    isWaiting = !isWaiting;
    keep(isWaiting);
  });
}
