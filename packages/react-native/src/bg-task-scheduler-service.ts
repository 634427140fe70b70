import type { Runtime } from 'nexus-store';
import type { Phone } from './phone.ts';
import { PhoneSyncService, watchCritical, type PhoneServiceOptions } from './phone-sync-service.ts';

/**
 * Background sync on iOS: BGAppRefreshTask for the periodic request, BGProcessingTask for those that what
 * waits deserves. While critical entries wait, leaving the screen takes a background assertion (about
 * 30 s), in which the service sends them.
 */
export class BGTaskSchedulerService extends PhoneSyncService {
  readonly #stopWatching: () => void;

  constructor(runtime: Runtime, phone: Phone, options: PhoneServiceOptions = {}) {
    super(runtime, phone, options);
    const { backend } = options;
    const { native } = phone;
    if (backend === undefined || native?.setKeepAwake === undefined) {
      this.#stopWatching = () => {};
      return;
    }
    this.#stopWatching = watchCritical(backend, (isWaiting) => {
      native.setKeepAwake?.(isWaiting).catch((error: unknown) => {
        runtime.logger.log('warn', 'the background assertion could not be set', {
          error: String(error),
        });
      });
    });
  }

  override async dispose(): Promise<void> {
    this.#stopWatching();
    await this.phone.native?.setKeepAwake?.(false);
    await super.dispose();
  }
}
