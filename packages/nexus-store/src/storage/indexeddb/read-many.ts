import type { Key, StoredRecord } from '../../core/ports/storage.ts';
import { compareKeys } from './key-order.ts';
import { resultOf, resultsOf } from './requests.ts';
import type { Table } from './table.ts';

/** Below this many keys one request for each costs less than anything else. */
const FEW = 5;
/** The same for keys that do not lie together. */
const FEW_SCATTERED = 64;
/** Records that may come along unasked when a range is read instead of its keys. */
const MOST_UNASKED = 32;
/** How many keys are looked at for each that is asked for: a key costs a tenth of a request. */
const KEYS_FOR_EACH = 5;
/** After a range held mostly records nobody asked for, this many reads of the table ask for each key. */
const READS_UNTIL_NEXT_TRY = 16;

/** How many reads of a table go by before a range is tried again; 0: now. */
export type RangeHopes = Map<string, number>;

/**
 * The records of these keys. What costs is the request, not the record: whole numbers, which mostly lie
 * together, are read as a range; among many others it is asked first which of them there are.
 */
export async function readMany(
  store: IDBObjectStore,
  table: Table,
  keys: readonly Key[],
  hopes: RangeHopes,
): Promise<readonly (StoredRecord | undefined)[]> {
  const isFew = keys.length < (table.hasIntegerKey ? FEW : FEW_SCATTERED);
  const readsToGo = hopes.get(table.name) ?? 0;
  if (isFew || readsToGo > 0) {
    if (!isFew) hopes.set(table.name, readsToGo - 1);
    return completed(table, await readEach(store, table, keys));
  }
  const order = keys.map((_, i) => i).sort((a, b) => compareKeys(keys[a] as Key, keys[b] as Key));
  const results: (StoredRecord | undefined)[] = keys.map(() => undefined);
  const rest = table.hasIntegerKey
    ? await readRange(store, table, keys, order, results, hopes)
    : await presentAmong(store, table, keys, order, hopes);
  const values = await readEach(
    store,
    table,
    rest.map((i) => keys[i] as Key),
  );
  rest.forEach((i, nth) => (results[i] = values[nth] as StoredRecord | undefined));
  return completed(table, results);
}

/** Fills in what one range of records has; returns the places it did not reach. */
async function readRange(
  store: IDBObjectStore,
  table: Table,
  keys: readonly Key[],
  order: readonly number[],
  results: (StoredRecord | undefined)[],
  hopes: RangeHopes,
): Promise<readonly number[]> {
  const limit = keys.length + (keys.length >> 1) + MOST_UNASKED;
  const found = (await resultOf(
    store.getAll(spanOver(table, keys, order), limit),
  )) as StoredRecord[];
  const isCut = found.length === limit;
  let hits = 0;
  let at = 0;
  for (const [nth, i] of order.entries()) {
    const key = keys[i] as Key;
    while (at < found.length && compareKeys(table.keyOf(found[at] as StoredRecord), key) < 0)
      at += 1;
    const record = found[at];
    if (record === undefined) {
      if (!isCut) return [];
      // The range holds many that nobody asked for; what lies behind is read key by key.
      if (hits < found.length / 4) hopes.set(table.name, READS_UNTIL_NEXT_TRY);
      return order.slice(nth);
    }
    if (compareKeys(table.keyOf(record), key) !== 0) continue;
    // The same key may be asked for twice, and each answer is the caller's own.
    results[i] = { ...record };
    hits += 1;
  }
  return [];
}

/** The places of keys that may have a record: all others of the range have none. */
async function presentAmong(
  store: IDBObjectStore,
  table: Table,
  keys: readonly Key[],
  order: readonly number[],
  hopes: RangeHopes,
): Promise<readonly number[]> {
  const limit = keys.length * KEYS_FOR_EACH;
  const present = await resultOf(store.getAllKeys(spanOver(table, keys, order), limit));
  if (present.length === limit) {
    hopes.set(table.name, READS_UNTIL_NEXT_TRY);
    return order;
  }
  let at = 0;
  return order.filter((i) => {
    const key = keys[i] as Key;
    const orderOf = (native: IDBValidKey): number => compareKeys(table.keyOfNative(native), key);
    while (at < present.length && orderOf(present[at] as IDBValidKey) < 0) at += 1;
    return at < present.length && orderOf(present[at] as IDBValidKey) === 0;
  });
}

function spanOver(table: Table, keys: readonly Key[], order: readonly number[]): IDBKeyRange {
  const [first, last] = [keys[order[0] as number] as Key, keys[order.at(-1) as number] as Key];
  return IDBKeyRange.bound(table.nativeKey(first), table.nativeKey(last));
}

async function readEach(
  store: IDBObjectStore,
  table: Table,
  keys: readonly Key[],
): Promise<readonly unknown[]> {
  return await resultsOf(keys.map((key) => store.get(table.nativeKey(key))));
}

function completed(
  table: Table,
  values: readonly unknown[],
): readonly (StoredRecord | undefined)[] {
  return values.map((value) => (value === undefined ? undefined : table.completed(value)));
}
