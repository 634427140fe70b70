/**
 * Background sync on phones. Importing it defines the task that WorkManager and BGTaskScheduler run, and
 * makes `defineBackgroundSync` and `BackgroundSyncServiceFactory` choose this platform: import it in the
 * entry file.
 *
 * @module
 */
import { requireOptionalNativeModule } from 'expo-modules-core';
import { defineTask } from 'expo-task-manager';
import {
  createStandardRuntime,
  registerBackgroundSyncProvider,
  type BackgroundSync,
  type BackgroundSyncProvider,
  type Runtime,
} from 'nexus-store';
import { BGTaskSchedulerService as IosService } from './bg-task-scheduler-service.ts';
import { NATIVE_MODULE, TASK_NAME, type NativeSyncModule } from './native-module.ts';
import { phoneProviders } from './phone-background-sync.ts';
import type { PhoneSenses } from './phone-device-state.ts';
import { PhoneSyncService, type PhoneServiceOptions } from './phone-sync-service.ts';
import { createPhone } from './phone.ts';
import { provideRandomValues, type Engine } from './random-values.ts';
import { WorkManagerSyncService as AndroidService } from './work-manager-sync-service.ts';

// Before any runtime is made: idempotency keys of many devices must never meet.
provideRandomValues(globalThis as unknown as Engine);

const runtime = createStandardRuntime();
const phone = createPhone(
  runtime,
  requireOptionalNativeModule<NativeSyncModule>(NATIVE_MODULE),
  (executor) => defineTask(TASK_NAME, executor),
);

for (const provider of phoneProviders(phone)) registerBackgroundSyncProvider(provider);

/**
 * The providers with more senses: `providers: phoneBackgroundSync({ battery: Battery, network: Network })`,
 * with `expo-battery` and `expo-network`.
 */
export function phoneBackgroundSync(senses: PhoneSenses = {}): readonly BackgroundSyncProvider[] {
  return phoneProviders(phone, senses);
}

/**
 * Asks the system to run the background sync now, as it would by itself. Development builds only; rejects in
 * others. False if there is no native module, or nothing is asked of the system.
 */
export async function forceRun(background: Pick<BackgroundSync, 'ready'>): Promise<boolean> {
  const service = await background.ready;
  return service instanceof PhoneSyncService ? service.forceRun() : false;
}

interface WithRuntime {
  readonly runtime?: Runtime;
}

/** Background sync on Android, through WorkManager. On another platform it does nothing. */
export class WorkManagerSyncService extends AndroidService {
  constructor(options: PhoneServiceOptions & WithRuntime = {}) {
    super(options.runtime ?? options.backend?.runtime ?? runtime, phone, options);
  }
}

/** Background sync on iOS, through BGTaskScheduler. On another platform it does nothing. */
export class BGTaskSchedulerService extends IosService {
  constructor(options: PhoneServiceOptions & WithRuntime = {}) {
    super(options.runtime ?? options.backend?.runtime ?? runtime, phone, options);
  }
}

export type { NativeRunRecord, Subscription } from './native-module.ts';
export type { BatteryLike, NetworkLike, PhoneSenses } from './phone-device-state.ts';
export type { PhoneServiceOptions } from './phone-sync-service.ts';
