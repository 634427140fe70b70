/**
 * Background sync in the app's service worker: `serveBackgroundSync` at its module scope.
 *
 * @module
 */
export { serveBackgroundSync } from './serve-background-sync.ts';
export type { WorkerSync, WorkerSyncOptions } from './serve-background-sync.ts';
