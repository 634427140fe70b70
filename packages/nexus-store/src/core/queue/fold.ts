import { isNexusError } from '../model/errors.ts';
import { decodeValue, encodeValue } from '../model/value-codec.ts';
import type { CollectionRules } from './collection-rules.ts';
import { laneEntries, rowOf } from './lookup.ts';
import {
  detailOf,
  type EntryDetail,
  type EntryRecord,
  type RowRecord,
  type StoredOperation,
} from './records.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/** The text of an entity after a mutation; null for none. */
export function applyChange(
  text: string | null,
  operation: StoredOperation,
  payload: string | null,
  detail: EntryDetail | undefined,
  rules: CollectionRules,
): string | null {
  if (operation === 'delete') return null;
  if (operation === 'command') return applyCommand(text, detail?.command ?? '', payload, rules);
  return detail?.isPatch === true ? mergePatch(text, payload) : payload;
}

/** The text of an entity after a stored mutation; null for none. */
export function applyMutation(
  text: string | null,
  entry: Pick<EntryRecord, 'operation' | 'payload' | 'detail'>,
  rules: CollectionRules,
): string | null {
  const detail = entry.detail === null ? undefined : detailOf(entry);
  // The server's row holds its effect already.
  if (detail?.isEchoed === true) return text;
  // What it did is not known any more, or what to: what is known stays.
  if (detail?.isDamaged === true) return text;
  // Others have deleted what these fields are of: until somebody decides, they are shown with the rest of it.
  const under = text === null && detail?.isPatch === true ? deletedUnder(detail) : text;
  try {
    return applyChange(under, entry.operation, entry.payload, detail, rules);
  } catch (error) {
    if (isNexusError(error, 'storage/corrupt')) return text;
    if (entry.operation !== 'command') throw error;
    // The app's own function does not know what to do with what others have made of the row. The server does.
    rules.onCommandFailed?.(detail?.command ?? '', error);
    return text;
  }
}

/** What a pull took away under an entry. A pin that was handed on says what it was made on, not what was shown. */
function deletedUnder({ pinned }: EntryDetail): string | null {
  return pinned === undefined || pinned.isInherited === true ? null : pinned.value;
}

function applyCommand(
  text: string | null,
  command: string,
  payload: string | null,
  rules: CollectionRules,
): string | null {
  if (rules.applyCommand === undefined || text === null) return text;
  const args = payload === null ? undefined : decodeValue(payload);
  return encodeValue(rules.applyCommand(decodeValue(text), command, args));
}

/** The text of a value with the fields of a patch laid over it. */
export function mergePatch(text: string | null, patch: string | null): string {
  const fields = patch === null ? {} : (decodeValue(patch) as object);
  const value = text === null ? {} : (decodeValue(text) as object);
  return encodeValue({ ...value, ...fields });
}

interface LocalValue {
  readonly text: string | null;
  /** False where commands wait whose effect only other contexts know; the text is without it. */
  readonly isWhole: boolean;
}

/** What the app should see: the server's value with everything that waits laid over it. */
async function localValue(
  uow: UnitOfWork,
  row: RowRecord,
  rules: CollectionRules,
): Promise<LocalValue> {
  let text = row.shadow;
  let isWhole = true;
  for (const entry of await laneEntries(uow, row)) {
    if (text !== null && hasUnknownEffect(entry, rules)) isWhole = false;
    text = applyMutation(text, entry, rules);
  }
  return { text, isWhole };
}

function hasUnknownEffect(entry: EntryRecord, rules: CollectionRules): boolean {
  if (rules.isUnknown !== true || entry.operation !== 'command') return false;
  const { isEchoed, isDamaged } = detailOf(entry);
  return isEchoed !== true && isDamaged !== true;
}

/** What the app saw before this entry of the lane was made. */
export async function valueBefore(
  uow: UnitOfWork,
  row: RowRecord,
  entry: EntryRecord,
  rules: CollectionRules,
): Promise<string | null> {
  if (row.depth === 1 || row.head === entry.seq) return row.shadow;
  let text = row.shadow;
  for (const earlier of await laneEntries(uow, row)) {
    if (earlier.seq < entry.seq) text = applyMutation(text, earlier, rules);
  }
  return text;
}

/** Stores what the app should see of an entity after its lane or its shadow changed. */
export async function settleRowOf(
  uow: UnitOfWork,
  entry: EntryRecord,
  rules: CollectionRules,
): Promise<void> {
  const row = await rowOf(uow, entry);
  if (row === undefined || row.depth === 0) return;
  putValue(uow, row, (await localValue(uow, row, rules)).text);
}

/**
 * The same after the server said something of it. Where nobody here can tell what the app should see, it goes on
 * seeing what it sees, until its own context looks or the server says. Without anything waiting a row is settled
 * already: its value is the server's.
 */
export async function settleNews(
  uow: UnitOfWork,
  row: RowRecord,
  rules: CollectionRules,
): Promise<void> {
  if (row.depth === 0) return;
  const { text, isWhole } = await localValue(uow, row, rules);
  if (isWhole) putValue(uow, row, text);
}

function putValue(uow: UnitOfWork, row: RowRecord, value: string | null): void {
  if (value !== row.value) uow.putRow({ ...row, value });
}
