import { requireOptions } from '../core/model/arguments.ts';
import type { EntityId } from '../core/model/entry.ts';
import { READ_OPTIONS, type NexusStore, type ReadOptions } from '../core/store/nexus-store.ts';
import { planOf, type Query } from '../core/store/query.ts';
import { askedId, requireStore } from './hook-arguments.ts';
import { useWatch, type Reading } from './shared-watch.ts';

/**
 * One entity as it changes. `value` is undefined until it was read, and where there is none: `status`
 * tells which.
 *
 * @param id null or undefined asks for nothing, and stays `loading`
 * @throws UsageError while rendering: `usage/missing-id` for any other id that is none, such as an empty
 *   text, and `usage/invalid-argument`
 */
export function useItem<T, Id extends EntityId>(
  store: NexusStore<T, Id>,
  id: Id | null | undefined,
  options: ReadOptions = {},
): Reading<T | undefined> {
  requireStore('useItem', store);
  requireOptions('useItem', options, READ_OPTIONS);
  const key = askedId('useItem', id) as Id | undefined;
  return useWatch(store, store.backend, ['item', key, options.policy], () =>
    key === undefined ? undefined : store.watch(key, options),
  );
}

/**
 * The entities that a query selects, as they change; all of them without one. The query may be written
 * in place: what counts is what it says. The array, and every item that did not change, stay the same
 * objects.
 *
 * @throws UsageError while rendering: `usage/unsupported-value` for a query that holds a function or the
 *   like, and `usage/invalid-argument`
 */
export function useItems<T, Id extends EntityId>(
  store: NexusStore<T, Id>,
  query: Query<T> = {},
  options: ReadOptions = {},
): Reading<readonly T[]> {
  requireStore('useItems', store);
  requireOptions('useItems', options, READ_OPTIONS);
  return useWatch(
    store,
    store.backend,
    ['items', query, options.policy],
    () => store.watchAll(query, options),
    () => planOf(query),
  );
}
