import type { Change, Key } from '../../core/ports/storage.ts';
import { resultOf } from './requests.ts';
import type { Table } from './table.ts';

/** Below this many deletes, asking what lies between the keys costs more than it saves. */
const FEW = 8;
/** How many keys are looked at for each that is to go: a key costs a tenth of a request. */
const KEYS_FOR_EACH = 4;

/** Whole numbers from the first to the last, and nothing else that is stored. */
type Run = readonly [first: number, last: number];

/** The keys of the deletes among the changes, by table. */
export function deletesOf(changes: readonly Change[]): ReadonlyMap<string, readonly Key[]> {
  const keys = new Map<string, Key[]>();
  for (const change of changes) {
    if ('put' in change) continue;
    const ofTable = keys.get(change.table);
    if (ofTable === undefined) keys.set(change.table, [change.delete]);
    else ofTable.push(change.delete);
  }
  return keys;
}

/**
 * Deletes records in few requests. Whole numbers go as ranges in which nothing else is: between neighbours
 * there is no other key, and what is between others is looked up first. No write may be sent meanwhile.
 */
export async function deleteRecords(
  store: IDBObjectStore,
  table: Table,
  keys: readonly Key[],
): Promise<void> {
  if (!table.hasIntegerKey) {
    for (const key of keys) store.delete(table.nativeKey(key));
    return;
  }
  const numbers = keys.map((key) => key[0] as number).sort((a, b) => a - b);
  for (const run of await runsOf(store, table, numbers)) {
    store.delete(run[0] === run[1] ? table.nativeKey([run[0]]) : spanOver(table, run));
  }
}

/** @param numbers in order */
async function runsOf(
  store: IDBObjectStore,
  table: Table,
  numbers: readonly number[],
): Promise<readonly Run[]> {
  const neighbours = runsAmong(numbers, (number, before) => number === before + 1);
  if (neighbours.length < FEW) return neighbours;
  const limit = numbers.length * KEYS_FOR_EACH;
  const whole = spanOver(table, [numbers[0] as number, numbers.at(-1) as number]);
  const present = await resultOf(store.getAllKeys(whole, limit));
  // Too many others are in between to go on looking.
  if (present.length === limit) return neighbours;
  const stored = new Map(present.map((key, i) => [table.keyOfNative(key)[0] as number, i]));
  const named = numbers.filter((number) => stored.has(number));
  return runsAmong(named, (number, before) => stored.get(number) === (stored.get(before) ?? 0) + 1);
}

function runsAmong(
  numbers: readonly number[],
  isNext: (number: number, before: number) => boolean,
): readonly Run[] {
  const runs: [number, number][] = [];
  for (const number of numbers) {
    const run = runs.at(-1);
    if (run !== undefined && isNext(number, run[1])) run[1] = number;
    else runs.push([number, number]);
  }
  return runs;
}

function spanOver(table: Table, [first, last]: Run): IDBKeyRange {
  return IDBKeyRange.bound(table.nativeKey([first]), table.nativeKey([last]));
}
