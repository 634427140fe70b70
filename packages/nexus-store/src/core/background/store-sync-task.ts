import type { SyncReport } from '../model/sync-report.ts';
import type { StoreBackend } from '../store/store-backend.ts';
import { CLOSING_MS } from '../sync/run-window.ts';
import type { BackgroundSyncTask, TaskContext } from './background-sync-task.ts';

/** The store's own sync, as a task of one background run. */
export interface StoreSyncTask extends BackgroundSyncTask {
  /** What it did; null if it did not come back in time. */
  readonly report: SyncReport | null;
}

export const STORE_SYNC_TASK = 'nexus-store.sync';

/**
 * Joins a sync that is under way. Made anew for every run, so that a late one tells nothing to the next.
 */
export function storeSyncTask(backend: StoreBackend): StoreSyncTask {
  let report: SyncReport | null = null;
  return {
    taskId: STORE_SYNC_TASK,
    execute: async (context) => {
      const { clock } = backend.runtime;
      const calledAt = clock.elapsed();
      const endsAt = calledAt + (context.deadline - clock.now());
      const first = await syncWithin(backend, context);
      report = first;
      // A sync that the system froze with the app is found at its end when a wake-up thaws it. It was
      // another's window that ended, not ours: of ours more is left than the time to close.
      const hasJoined = first.durationMs > clock.elapsed() - calledAt;
      const isCut = first.stoppedBy === 'deadline' || first.stoppedBy === 'aborted';
      const isOurs = endsAt - clock.elapsed() <= CLOSING_MS;
      if (hasJoined && isCut && !isOurs && !context.signal.aborted) {
        const second = await syncWithin(backend, context);
        report = { ...second, pushed: first.pushed + second.pushed };
      }
      return report.stoppedBy === 'drained';
    },
    get report(): SyncReport | null {
      return report;
    },
  };
}

function syncWithin(backend: StoreBackend, context: TaskContext): Promise<SyncReport> {
  const { signal, reason, deadline } = context;
  const limit = Number.isFinite(deadline) ? { deadline } : {};
  return backend.sync({ signal, reason: `background: ${reason}`, ...limit });
}
