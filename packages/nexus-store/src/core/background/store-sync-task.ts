import type { SyncReport } from '../model/sync-report.ts';
import type { StoreBackend } from '../store/store-backend.ts';
import type { BackgroundSyncTask } from './background-sync-task.ts';

/** The store's own sync, as a task of a background run. */
export interface StoreSyncTask extends BackgroundSyncTask {
  /** What the last run did, once. */
  takeReport(): SyncReport | null;
}

export const STORE_SYNC_TASK = 'nexus-store.sync';

export function storeSyncTask(backend: StoreBackend): StoreSyncTask {
  let last: SyncReport | null = null;
  return {
    taskId: STORE_SYNC_TASK,
    execute: async ({ deadline, signal, reason }) => {
      last = await backend.sync({
        signal,
        reason: `background: ${reason}`,
        ...(Number.isFinite(deadline) ? { deadline } : {}),
      });
      return last.stoppedBy === 'drained';
    },
    takeReport: () => {
      const report = last;
      last = null;
      return report;
    },
  };
}
