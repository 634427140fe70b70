import type { Runtime } from 'nexus-store';
import type { Phone } from './phone.ts';
import { PhoneSyncService, type PhoneServiceOptions } from './phone-sync-service.ts';

/** Background sync on Android: unique work of WorkManager, run in headless JavaScript. */
export class WorkManagerSyncService extends PhoneSyncService {
  constructor(runtime: Runtime, phone: Phone, options: PhoneServiceOptions = {}) {
    super(runtime, phone, options);
  }
}
