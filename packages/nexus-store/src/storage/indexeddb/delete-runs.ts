import type { Change, Key } from '../../core/ports/storage.ts';
import type { Table } from './table.ts';

/**
 * The deletes among the changes, by table. Neighbouring whole numbers are deleted as one range: between
 * them there is no other key, so that such a range never reaches a record that was not named.
 */
export function deletesOf(
  changes: readonly Change[],
  tableOf: (name: string) => Table,
): ReadonlyMap<string, readonly (IDBValidKey | IDBKeyRange)[]> {
  const keys = new Map<string, Key[]>();
  for (const change of changes) {
    if ('put' in change) continue;
    const ofTable = keys.get(change.table);
    if (ofTable === undefined) keys.set(change.table, [change.delete]);
    else ofTable.push(change.delete);
  }
  const deletes = new Map<string, readonly (IDBValidKey | IDBKeyRange)[]>();
  for (const [name, ofTable] of keys) {
    const table = tableOf(name);
    const isDense = table.hasIntegerKey && ofTable.length > 1;
    deletes.set(
      name,
      isDense ? runsOf(table, ofTable) : ofTable.map((key) => table.nativeKey(key)),
    );
  }
  return deletes;
}

function runsOf(table: Table, keys: readonly Key[]): readonly (IDBValidKey | IDBKeyRange)[] {
  const numbers = keys.map((key) => key[0] as number).sort((a, b) => a - b);
  const spans: (IDBValidKey | IDBKeyRange)[] = [];
  for (let start = 0; start < numbers.length;) {
    let end = start;
    while (numbers[end + 1] === (numbers[end] as number) + 1) end += 1;
    const [low, high] = [numbers[start], numbers[end]].map((n) => table.nativeKey([n as number]));
    spans.push(start === end ? (low as IDBValidKey) : IDBKeyRange.bound(low, high));
    start = end + 1;
  }
  return spans;
}
