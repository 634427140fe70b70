import {
  BackgroundSyncService,
  type BackgroundSyncServiceOptions,
  type PlatformRun,
  type Runtime,
  type StoreBackend,
} from 'nexus-store';
import type { NativeRunRecord, NativeSyncModule } from './native-module.ts';
import { PhoneDeviceState, type PhoneSenses } from './phone-device-state.ts';
import type { Phone } from './phone.ts';

/** What an app may say of its service; everything else comes from the phone. */
export interface PhoneServiceOptions
  extends
    Omit<BackgroundSyncServiceOptions, 'scheduler' | 'deviceState' | 'platformRuns'>,
    PhoneSenses {}

/** What both phones have in common: the native module under the port, its log, a run on demand. */
export abstract class PhoneSyncService extends BackgroundSyncService {
  protected readonly phone: Phone;
  readonly #id: string;

  protected constructor(runtime: Runtime, phone: Phone, options: PhoneServiceOptions) {
    super(runtime, {
      ...options,
      scheduler: phone.scheduler,
      deviceState: new PhoneDeviceState(phone.native, options),
      ...(phone.native === null ? {} : { platformRuns: platformRunsOf(phone.native) }),
    });
    this.phone = phone;
    this.#id = options.id ?? 'nexus-store.sync';
  }

  /**
   * The last hundred runs as the system saw them, oldest first, without what they did. The journal
   * (`history`) has taken up what only this log knows.
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

/** The native log as the journal takes it. */
function platformRunsOf(native: NativeSyncModule): () => Promise<readonly PlatformRun[]> {
  return async () =>
    (await native.runLog()).map(({ id, refusal = null, ...run }) => ({
      ...run,
      requestId: id,
      error: refusal === null ? null : `the request for the next run was refused: ${refusal}`,
    }));
}
