import type { StoreBackend } from '../store/store-backend.ts';
import type { SyncStatus } from '../sync/sync-status.ts';

type Pending = SyncStatus['pending'];

export interface PendingWatchOptions {
  /** More waits than before. */
  readonly onGrown: () => void;
  /** Nothing urgent waits any more. */
  readonly onCalm: () => void;
  readonly onCount: (count: number) => void;
}

/** Tells when more waits in a backend's queue, and when nothing urgent does. Returns how to stop. */
export function watchPending(backend: StoreBackend, options: PendingWatchOptions): () => void {
  let known = backend.status.current.pending;
  const stops = [
    backend.status.subscribe(({ pending, phase }) => {
      if (phase === 'closed') return;
      const before = known;
      known = pending;
      if (hasGrown(before, pending)) options.onGrown();
      else if (urgent(before) > 0 && urgent(pending) === 0) options.onCalm();
    }),
    backend.pendingChangesCount.subscribe((count) => options.onCount(count)),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** The same, but does not open the database: begins when somebody else has. */
export function watchPendingOnceOpen(
  backend: StoreBackend,
  options: PendingWatchOptions,
): () => void {
  if (backend.isOpen) return watchPending(backend, options);
  let stop = backend.on(() => {
    if (!backend.isOpen) return;
    stop();
    stop = watchPending(backend, options);
  });
  return () => stop();
}

function hasGrown(before: Pending, after: Pending): boolean {
  return (
    after.critical > before.critical ||
    after.high > before.high ||
    after.normal > before.normal ||
    after.low > before.low
  );
}

function urgent({ critical, high }: Pending): number {
  return critical + high;
}
