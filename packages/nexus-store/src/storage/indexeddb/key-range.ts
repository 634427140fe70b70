import { assert } from '../../core/model/errors.ts';
import type { Key, ScanRange } from '../../core/ports/storage.ts';

/** What a scan covers: everything (`undefined`), a range, or nothing at all. */
export type Span = IDBKeyRange | undefined | 'nothing';

/** Sorts after every number and every text, so that it ends the keys that begin with a prefix. */
const AFTER_ALL: IDBValidKey = [];

/** How the driver names a key to IndexedDB: the bare value where one column is the key. */
export function nativeKey(key: Key): IDBValidKey {
  return key.length === 1 ? (key[0] as IDBValidKey) : (key as unknown as IDBValidKey);
}

/**
 * The range of a scan over keys of `width` columns. Where a key is a list, a shorter list sorts right
 * before all lists that begin with it.
 */
export function spanOf(range: ScanRange, width: number): Span {
  const { prefix = [], from = [], to = [], fromOpen = false, toOpen = false } = range;
  const lowest = [...prefix, ...from];
  const highest = [...prefix, ...to];
  for (const part of [...lowest, ...highest]) {
    assert(typeof part === 'string' || !Number.isNaN(part), 'a bound is a number or a text');
  }
  assert(lowest.length <= width && highest.length <= width, 'a bound is no longer than the key');
  // A bound that was not given must not leave out the keys that equal the prefix.
  const isFromOpen = fromOpen && from.length > 0;
  const isToOpen = toOpen && to.length > 0;
  if (width === 1) return bounded(lowest[0], isFromOpen, highest[0], isToOpen);
  return bounded(
    lowest.length === 0 ? undefined : isFromOpen ? [...lowest, AFTER_ALL] : lowest,
    false,
    highest.length === 0 ? undefined : isToOpen ? highest : [...highest, AFTER_ALL],
    isToOpen,
  );
}

function bounded(
  lower: IDBValidKey | undefined,
  isLowerOpen: boolean,
  upper: IDBValidKey | undefined,
  isUpperOpen: boolean,
): Span {
  if (lower === undefined) {
    return upper === undefined ? undefined : IDBKeyRange.upperBound(upper, isUpperOpen);
  }
  if (upper === undefined) return IDBKeyRange.lowerBound(lower, isLowerOpen);
  const order = indexedDB.cmp(lower, upper);
  if (order > 0 || (order === 0 && (isLowerOpen || isUpperOpen))) return 'nothing';
  return IDBKeyRange.bound(lower, upper, isLowerOpen, isUpperOpen);
}
