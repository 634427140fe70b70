import { useCallback, useEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import {
  ANYTHING,
  COUNT,
  FUNCTION,
  requireKind,
  requireOptions,
  type Kinds,
} from '../core/model/arguments.ts';
import type { BackgroundSyncStatus } from '../core/background/background-sync-status.ts';
import type { EntityId, Entry } from '../core/model/entry.ts';
import type { Live } from '../core/model/live.ts';
import { encodeValue } from '../core/model/value-codec.ts';
import { requireId } from '../core/store/mutation.ts';
import type { PendingChangesOptions } from '../core/store/queue-control.ts';
import type { StoreBackend } from '../core/store/store-backend.ts';
import type { SyncMark } from '../core/store/sync-marks.ts';
import { INITIAL_STATUS, pendingTotal, type SyncStatus } from '../core/sync/sync-status.ts';
import { askedId, requireStore } from './hook-arguments.ts';
import { useBackend, useProvidedBackground, type BackgroundSyncSource } from './provider.ts';
import { useWatch, type Reading } from './shared-watch.ts';

/** What the hooks of this file need of a `NexusStore`, whatever it holds. */
export interface OneStore {
  readonly backend: StoreBackend;
  readonly collection: string;
  readonly pendingChangesCount: Live<number>;
}

/** Facts about the provider's backend. Until its database was opened, `phase` is `closed`. */
export function useSyncStatus(): SyncStatus;
/**
 * What `select` takes from the facts. The component renders again only when that changes.
 *
 * @example
 * const isOffline = useSyncStatus(({ blockedBy }) => blockedBy?.reason === 'offline');
 */
export function useSyncStatus<S>(select: (status: SyncStatus) => S): S;
export function useSyncStatus(select?: (status: SyncStatus) => unknown): unknown {
  if (select !== undefined) requireKind('useSyncStatus: select', select, FUNCTION);
  return useStatus(useBackend(), select ?? whole);
}

const whole = (status: SyncStatus): SyncStatus => status;

function useStatus<S>(backend: StoreBackend, select: (status: SyncStatus) => S): S {
  const shown = useRef<Picked<S>>(undefined);
  const pick = useMemo(() => remembering(select, shown), [select]);
  const value = useSyncExternalStore(
    useCallback((onChange) => backend.status.subscribe(onChange), [backend]),
    () => pick(backend.status.current),
    () => pick(INITIAL_STATUS),
  );
  useEffect(() => {
    shown.current = { value };
  }, [value]);
  return value;
}

interface Picked<S> {
  readonly value: S;
}

/**
 * A selector may make its object anew each time, and be made anew with each rendering: what says the same as
 * what is shown is that.
 */
function remembering<S>(
  select: (status: SyncStatus) => S,
  shown: { readonly current: Picked<S> | undefined },
): (status: SyncStatus) => S {
  let from: SyncStatus | undefined;
  let last: Picked<S> | undefined;
  return (status) => {
    if (last !== undefined && status === from) return last.value;
    const value = select(status);
    last ??= shown.current;
    if (last === undefined || !isAlike(value, last.value)) last = { value };
    from = status;
    return last.value;
  };
}

function isAlike(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  try {
    return encodeValue(a) === encodeValue(b);
  } catch {
    // It holds a function or the like: nobody can tell.
    return false;
  }
}

/**
 * How many writes wait to be sent, of one store or of all: for a badge. Undefined until the queue was
 * read, since nothing known is not nothing pending.
 */
export function usePendingCount(store?: OneStore): number | undefined {
  const backend = useBackend(store);
  const read = ({ phase, ...status }: SyncStatus): number | undefined => {
    if (phase === 'closed') return undefined;
    return store === undefined ? pendingTotal(status) : store.pendingChangesCount.current;
  };
  return useSyncExternalStore(
    useCallback(
      (onChange) => {
        const stops = [
          backend.status.subscribe(onChange),
          store?.pendingChangesCount.subscribe(onChange),
        ];
        return () => {
          for (const stop of stops) stop?.();
        };
      },
      [backend, store],
    ),
    () => read(backend.status.current),
    () => undefined,
  );
}

/**
 * What waits to be sent, in the order in which it would be: of one store or of all, or the lane of one
 * entity, what is dead in it included. At most `limit` entries (200), looked at again at most every 50 ms.
 */
export function usePendingChanges(
  store?: OneStore,
  options: LaneOptions = {},
): Reading<readonly Entry[]> {
  const backend = useBackend(store);
  requireOptions('usePendingChanges', options, LANE_OPTIONS);
  if (options.entityId !== undefined) {
    requireId(options.entityId, 'usePendingChanges');
    requireStore('usePendingChanges with an entityId', store);
  }
  const asked = { ...options, ...(store === undefined ? {} : { collection: store.collection }) };
  return useWatch({
    owner: backend,
    backend,
    asked: ['pending', asked],
    open: () => backend.watchPendingChanges(asked),
  });
}

type LaneOptions = Omit<PendingChangesOptions, 'collection'>;

const LANE_OPTIONS: Kinds<LaneOptions> = { entityId: ANYTHING, limit: COUNT };

/**
 * How far one entity has come on its way to the server: for a mark beside it. A list may have one in every
 * row: a write is looked at for the rows it changes only, all of them at once and at most every 50 ms.
 *
 * @param id null or undefined asks for nothing, and stays `unknown`
 * @throws UsageError while rendering: `usage/missing-id` for any other id that is none, such as an empty
 *   text, and `usage/invalid-argument`
 */
export function useSyncMark(store: OneStore, id: EntityId | null | undefined): SyncMark {
  requireStore('useSyncMark', store);
  const { backend, collection } = store;
  const entityId = askedId('useSyncMark', id);
  const { status, value } = useWatch({
    owner: backend,
    backend,
    asked: ['mark', collection, entityId],
    open: () => (entityId === undefined ? undefined : backend.watchSyncMark(collection, entityId)),
  });
  return status === 'ready' ? value : 'unknown';
}

/** Background sync as a component sees it. */
export interface BackgroundSyncView extends Pick<
  BackgroundSyncSource,
  'isSupported' | 'scheduleSync' | 'cancelSync' | 'history' | 'explain'
> {
  readonly status: BackgroundSyncStatus;
}

/**
 * The provider's background sync, with its status as it changes.
 *
 * @throws UsageError `usage/invalid-argument` without `<NexusProvider background>`
 */
export function useBackgroundSync(): BackgroundSyncView {
  const source = useProvidedBackground();
  const { statusStream } = source;
  const status = useSyncExternalStore(
    useCallback((onChange) => statusStream.subscribe(onChange), [statusStream]),
    () => statusStream.current,
    () => 'idle' as const,
  );
  return useMemo(
    () => ({
      status,
      isSupported: source.isSupported,
      scheduleSync: () => source.scheduleSync(),
      cancelSync: () => source.cancelSync(),
      history: () => source.history(),
      explain: () => source.explain(),
    }),
    [source, status],
  );
}
