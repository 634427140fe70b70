import type { EntityId } from '../core/model/entry.ts';
import type { NexusStore, ReadOptions } from '../core/store/nexus-store.ts';
import type { Query } from '../core/store/query.ts';
import { useWatch, type Reading } from './shared-watch.ts';

/**
 * One entity as it changes. `value` is undefined until it was read, and where there is none: `status`
 * tells which.
 *
 * @param id null or undefined asks for nothing, and stays `loading`
 */
export function useItem<T, Id extends EntityId>(
  store: NexusStore<T, Id>,
  id: Id | null | undefined,
  options: ReadOptions = {},
): Reading<T | undefined> {
  const { timers } = store.backend.runtime;
  return useWatch(store, timers, ['item', id, options.policy], () =>
    id === null || id === undefined ? undefined : store.watch(id, options),
  );
}

/**
 * The entities that a query selects, as they change; all of them without one. The query may be written
 * in place: what counts is what it says. The array, and every item that did not change, stay the same
 * objects.
 *
 * @throws UsageError `usage/unsupported-value` for a query that holds a function or the like
 */
export function useItems<T, Id extends EntityId>(
  store: NexusStore<T, Id>,
  query: Query<T> = {},
  options: ReadOptions = {},
): Reading<readonly T[]> {
  const { timers } = store.backend.runtime;
  return useWatch(store, timers, ['items', query, options.policy], () =>
    store.watchAll(query, options),
  );
}
