import type { EntryRecord, RowRecord } from './records.ts';

/**
 * Most writes carry the whole value of a row that nothing else waits for. Its text is stored once: the
 * row has it, and the entry has this payload, which no value is encoded to. Only `RecordBuffer` knows:
 * everyone else reads and writes entries with their payload.
 *
 * It holds in every committed state that the payload of such an entry is the value of its row. So a
 * transaction that changes the row, or lets anything else wait for it, writes the payload out.
 */
export const IN_ROW = '';

/** True if the payload of this entry may be left to its row, as both are about to be stored. */
export function isInRow(entry: EntryRecord, row: RowRecord): boolean {
  return row.depth === 1 && row.head === entry.seq && row.value === entry.payload;
}

/** True if an entry that left its payload to the row, as it was, cannot do so with the row as it is. */
export function isLetDown(before: RowRecord, after: RowRecord | undefined): boolean {
  if (before.depth !== 1 || before.value === null) return false;
  if (after === undefined || after.depth !== 1) return true;
  return after.head !== before.head || after.value !== before.value;
}
