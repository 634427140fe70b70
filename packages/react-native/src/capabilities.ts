import type { SchedulerCapabilities } from 'nexus-store';

/** PeriodicWorkRequest.MIN_PERIODIC_INTERVAL_MILLIS; the native module keeps it on iOS too. */
export const MIN_INTERVAL_MS = 900_000;

/** A worker's own limit, under the system's ten minutes. */
export const ANDROID_RUN_MS = 540_000;

/** What a processing task is counted on; Apple says "minutes". A refresh has 30 s. */
export const IOS_PROCESSING_MS = 300_000;

/** @param supportsExpedited false below Android 12, where it would need a foreground service */
export function androidCapabilities(supportsExpedited: boolean): SchedulerCapabilities {
  return {
    kinds: ['once', 'periodic'],
    constraints: [
      'networkType',
      'requiresCharging',
      'requiresBatteryNotLow',
      'requiresStorageNotLow',
      'requiresDeviceIdle',
    ],
    networkTypes: ['not-required', 'connected', 'unmetered', 'not-roaming', 'metered'],
    minIntervalMs: MIN_INTERVAL_MS,
    maxRunMs: ANDROID_RUN_MS,
    expedited: supportsExpedited,
    idsShareOneWorker: false,
    resultHonoured: true,
    survivesKill: true,
  };
}

/** Network and charger for processing tasks only; a refresh has neither. */
export const IOS_CAPABILITIES: SchedulerCapabilities = {
  kinds: ['once', 'periodic'],
  constraints: ['networkType', 'requiresCharging'],
  networkTypes: ['not-required', 'connected'],
  minIntervalMs: MIN_INTERVAL_MS,
  maxRunMs: IOS_PROCESSING_MS,
  expedited: false,
  idsShareOneWorker: false,
  resultHonoured: true,
  survivesKill: true,
};
