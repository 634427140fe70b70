import type { SyncReport } from '../model/sync-report.ts';
import type { StoreBackend } from '../store/store-backend.ts';
import type { BackgroundSyncTask } from './background-sync-task.ts';

/** The store's own sync, as a task of one background run. */
export interface StoreSyncTask extends BackgroundSyncTask {
  /** What it did; null if it did not come back in time. */
  readonly report: SyncReport | null;
}

export const STORE_SYNC_TASK = 'nexus-store.sync';

/** Joins a sync that is under way. Made anew for every run, so that a late one tells nothing to the next. */
export function storeSyncTask(backend: StoreBackend): StoreSyncTask {
  let report: SyncReport | null = null;
  return {
    taskId: STORE_SYNC_TASK,
    execute: async ({ deadline, signal, reason }) => {
      report = await backend.sync({
        signal,
        reason: `background: ${reason}`,
        ...(Number.isFinite(deadline) ? { deadline } : {}),
      });
      return report.stoppedBy === 'drained';
    },
    get report(): SyncReport | null {
      return report;
    },
  };
}
