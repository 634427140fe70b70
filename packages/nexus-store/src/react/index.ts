'use client';

/**
 * React hooks over stores and their queue. For React 18 and later, in browsers, on servers and in React
 * Native: nothing here touches the DOM.
 *
 * @module
 */
export {
  NexusProvider,
  useBackend,
  type BackgroundSyncSource,
  type NexusProviderProps,
} from './provider.ts';
export type { Reading } from './shared-watch.ts';
export { useItem, useItems, type ItemOptions } from './use-items.ts';
export {
  useBackgroundSync,
  usePendingChanges,
  usePendingCount,
  useSyncMark,
  useSyncStatus,
  type BackgroundSyncView,
  type OneStore,
} from './use-sync.ts';
export type { SyncMark } from '../core/store/sync-marks.ts';
