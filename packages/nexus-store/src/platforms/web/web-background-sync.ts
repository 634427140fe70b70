import type { BackgroundSyncProvider } from '../../core/background/background-sync-service-factory.ts';
import { isPage } from './browser.ts';
import {
  requireWebOptions,
  ServiceWorkerSyncService,
  type ServiceWorkerSyncServiceOptions,
} from './service-worker-sync-service.ts';

/** What the app decides of its service; the rest comes from `defineBackgroundSync`. */
export type WebBackgroundSyncOptions = Omit<
  ServiceWorkerSyncServiceOptions,
  'backend' | 'id' | 'onPendingCount' | 'runtime'
>;

/**
 * The provider for `BackgroundSyncServiceFactory` and `defineBackgroundSync` in a page, with a service
 * worker or without. Importing `nexus-store/web` registers it without options; pass your own to have them:
 * `providers: [webBackgroundSync({ badge: true })]`.
 *
 * @throws UsageError `usage/invalid-argument`, naming the option
 */
export function webBackgroundSync(options: WebBackgroundSyncOptions = {}): BackgroundSyncProvider {
  requireWebOptions(options);
  return {
    name: 'web',
    detect: isPage,
    create: (runtime, parts) => new ServiceWorkerSyncService({ ...options, ...parts, runtime }),
  };
}
