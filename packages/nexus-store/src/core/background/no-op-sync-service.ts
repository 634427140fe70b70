import type { Runtime } from '../ports/runtime.ts';
import {
  BackgroundSyncService,
  type BackgroundSyncServiceOptions,
} from './background-sync-service.ts';
import { noOpScheduler } from './no-op-scheduler.ts';

/** Where nothing wakes the app: `isSupported` is false, every call resolves, and no database is opened for it. */
export class NoOpSyncService extends BackgroundSyncService {
  constructor(runtime: Runtime, options: Omit<BackgroundSyncServiceOptions, 'scheduler'> = {}) {
    super(runtime, { ...options, scheduler: noOpScheduler });
  }
}
