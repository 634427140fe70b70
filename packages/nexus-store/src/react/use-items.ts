import { FLAG, requireOptions, type Kinds } from '../core/model/arguments.ts';
import type { EntityId } from '../core/model/entry.ts';
import { READ_OPTIONS, type NexusStore, type ReadOptions } from '../core/store/nexus-store.ts';
import { planOf, type Query } from '../core/store/query.ts';
import { askedId, requireStore } from './hook-arguments.ts';
import { useWatchOrPrevious, type Reading } from './shared-watch.ts';

export interface ItemOptions extends ReadOptions {
  /**
   * What to give while another id or query of the same store is read for the first time: what the one before
   * had, `ready` and with `isPrevious`, or `loading`. Without an id there is nothing to read.
   *
   * @defaultValue `false`
   */
  readonly keepsPrevious?: boolean;
}

const ITEM_OPTIONS: Kinds<ItemOptions> = { ...READ_OPTIONS, keepsPrevious: FLAG };

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
  options: ItemOptions = {},
): Reading<T | undefined> {
  requireStore('useItem', store);
  requireOptions('useItem', options, ITEM_OPTIONS);
  const { keepsPrevious = false, ...read } = options;
  const key = askedId('useItem', id) as Id | undefined;
  return useWatchOrPrevious(
    {
      owner: store,
      backend: store.backend,
      asked: ['item', key, read.policy],
      open: () => (key === undefined ? undefined : store.watch(key, read)),
    },
    keepsPrevious && key !== undefined,
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
  options: ItemOptions = {},
): Reading<readonly T[]> {
  requireStore('useItems', store);
  requireOptions('useItems', options, ITEM_OPTIONS);
  const { keepsPrevious = false, ...read } = options;
  return useWatchOrPrevious(
    {
      owner: store,
      backend: store.backend,
      asked: ['items', query, read.policy],
      open: () => store.watchAll(query, read),
      check: () => planOf(query),
    },
    keepsPrevious,
  );
}
