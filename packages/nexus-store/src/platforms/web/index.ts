/**
 * Background sync in web pages. Importing it makes `BackgroundSyncServiceFactory` and
 * `defineBackgroundSync` choose it there. The service worker imports `nexus-store/web/worker`.
 *
 * @module
 */
import { registerBackgroundSyncProvider } from '../../core/background/provider-registry.ts';
import { thisBrowser } from './browser.ts';
import { webBackgroundSync } from './web-background-sync.ts';
import { WebDeviceState } from './web-device-state.ts';

registerBackgroundSyncProvider(webBackgroundSync());

/** What this browser says of the device. What it does not tell is null. */
export function webDeviceState(): WebDeviceState {
  return new WebDeviceState(thisBrowser());
}

export type { BrowserSupport, SyncGrant } from './browser-sync.ts';
export { ServiceWorkerSyncService } from './service-worker-sync-service.ts';
export type { ServiceWorkerSyncServiceOptions } from './service-worker-sync-service.ts';
export { webBackgroundSync } from './web-background-sync.ts';
export type { WebBackgroundSyncOptions } from './web-background-sync.ts';
export type { WebDeviceState } from './web-device-state.ts';
