import { decodeValue, encodeValue } from '../model/value-codec.ts';
import type { CollectionRules } from './collection-rules.ts';
import { findEntry } from './lanes.ts';
import { detailOf, laneKey, type EntryRecord, type RowRecord } from './records.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/** The text of an entity after a mutation; null for none. */
export function applyMutation(
  text: string | null,
  entry: Pick<EntryRecord, 'operation' | 'payload' | 'detail'>,
  rules: CollectionRules,
): string | null {
  switch (entry.operation) {
    case 'delete':
      return null;
    case 'command':
      return applyCommand(text, entry, rules);
    default:
      return isPatch(entry) ? mergePatch(text, entry.payload) : entry.payload;
  }
}

function isPatch(entry: Pick<EntryRecord, 'detail'>): boolean {
  return entry.detail !== null && detailOf(entry as EntryRecord).isPatch === true;
}

function applyCommand(
  text: string | null,
  entry: Pick<EntryRecord, 'payload' | 'detail'>,
  rules: CollectionRules,
): string | null {
  if (rules.applyCommand === undefined || text === null) return text;
  const name = detailOf(entry as EntryRecord).command ?? '';
  const args = entry.payload === null ? undefined : decodeValue(entry.payload);
  return encodeValue(rules.applyCommand(decodeValue(text), name, args));
}

/** The text of a value with the fields of a patch laid over it. */
export function mergePatch(text: string | null, patch: string | null): string {
  const fields = patch === null ? {} : (decodeValue(patch) as object);
  const value = text === null ? {} : (decodeValue(text) as object);
  return encodeValue({ ...value, ...fields });
}

const MAX_LANE = 1_000_000;

/** All entries of a lane, in order. */
export async function laneEntries(
  uow: UnitOfWork,
  row: RowRecord,
): Promise<readonly EntryRecord[]> {
  if (row.depth === 0 || row.head === null) return [];
  const head = await findEntry(uow, row.partition, row.head);
  const key = laneKey(row.partition, row.collection, row.id);
  const behind =
    row.depth === 1 ? [] : await uow.scanEntries({ index: 'lane', prefix: [key], limit: MAX_LANE });
  return head === undefined ? behind : [head, ...behind];
}

/** What the app should see: the server's value with everything that waits laid over it. */
export async function localValue(
  uow: UnitOfWork,
  row: RowRecord,
  rules: CollectionRules,
): Promise<string | null> {
  let text = row.shadow;
  for (const entry of await laneEntries(uow, row)) text = applyMutation(text, entry, rules);
  return text;
}

/** Stores what the app should see after the lane or the shadow changed; an empty row goes. */
export async function settleRow(
  uow: UnitOfWork,
  row: RowRecord,
  rules: CollectionRules,
): Promise<void> {
  if (row.depth > 0) {
    uow.putRow({ ...row, value: await localValue(uow, row, rules) });
  } else if (row.shadow === null) {
    uow.deleteRow(row);
  } else {
    uow.putRow({ ...row, value: row.shadow, shadow: null });
  }
}
