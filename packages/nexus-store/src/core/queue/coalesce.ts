import { StoreError } from '../model/errors.ts';
import type { CollectionRules } from './collection-rules.ts';
import { noteDeparture } from './departures.ts';
import { nameOf } from './entry-view.ts';
import { applyChange, mergePatch, settleRowOf, valueBefore } from './fold.ts';
import { checkEntrySize, checkRoom, type QueueLimits } from './limits.ts';
import { dependentsOf, findEntry, tailOf } from './lookup.ts';
import { mergedArgs } from './merged-args.ts';
import type { Enqueued, NewMutation } from './mutation.ts';
import { knowsRow, seenNow } from './pins.ts';
import { detailOf, entryBytes, withDetail, type EntryRecord, type RowRecord } from './records.ts';
import { recountBytes, removeEntries, reprioritiseEntry } from './removal.ts';
import type { UnitOfWork } from './unit-of-work.ts';
import { bestRank } from './wants.ts';

/**
 * What becomes of a mutation whose entity has one waiting, as the table in design.md says. Only a
 * fresh entry is ever changed; nothing merges across the edge of a transaction.
 */

/** Never attempted, or definitely not applied: only such an entry may be changed. */
export async function isFresh(uow: UnitOfWork, entry: EntryRecord): Promise<boolean> {
  if (entry.state !== null || entry.ambiguous === 1) return false;
  return !(await uow.leasedPositions()).has(entry.position);
}

/**
 * Folds the mutation into the last one of the lane; undefined if it is to be appended.
 *
 * @throws StoreError `store/exists`, `store/not-found`
 */
export async function coalesce(
  uow: UnitOfWork,
  row: RowRecord,
  mutation: NewMutation,
  rules: CollectionRules,
  limits: QueueLimits,
): Promise<Enqueued | undefined> {
  const tail = await tailOf(uow, row);
  if (tail === undefined || !(await isFresh(uow, tail))) return undefined;
  checkExistence(tail, row, mutation);
  if (!rules.coalesce || mutation.after !== undefined) return undefined;
  if (detailOf(tail).group !== mutation.detail?.group) return undefined;
  if (tail.operation === 'delete') {
    return mutation.operation === 'delete' ? repeatDelete(uow, tail, mutation) : undefined;
  }
  if (mutation.operation === 'delete') return foldDelete(uow, row, tail, mutation, rules, limits);
  // It would be sent, and merged, as if its author had not seen what others have changed since.
  if (mutation.operation !== 'command' && !knowsRow(tail, row)) return undefined;
  return foldUpdate(uow, row, tail, mutation, rules, limits);
}

function checkExistence(tail: EntryRecord, row: RowRecord, mutation: NewMutation): void {
  const { collection, entity, operation } = mutation;
  const isDeleted = tail.operation === 'delete';
  if (operation === 'create' && !isDeleted && row.value !== null) {
    throw new StoreError('store/exists', `${collection} ${String(entity)} exists already`);
  }
  if (isDeleted && (operation === 'update' || operation === 'command')) {
    throw new StoreError('store/not-found', `${collection} ${String(entity)} was deleted`);
  }
}

/** The second delete is nothing, unless it is more urgent or may take longer. */
async function repeatDelete(
  uow: UnitOfWork,
  tail: EntryRecord,
  mutation: NewMutation,
): Promise<Enqueued> {
  const { seq } = tail;
  const expiresAt = laterExpiry(tail.expiresAt, mutation.expiresAt);
  const isLonger = expiresAt !== tail.expiresAt;
  const changed = isLonger ? { ...tail, expiresAt } : tail;
  if (isLonger) uow.putEntry(changed);
  if (tail.priority <= mutation.priority) return { seq, effect: isLonger ? 'merged' : 'nothing' };
  await reprioritiseEntry(uow, changed, mutation.priority);
  return { seq, effect: 'merged' };
}

/** Of two that become one; null is for ever. Neither may die of the limit that the other was given. */
export function laterExpiry(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.max(a, b);
}

async function foldDelete(
  uow: UnitOfWork,
  row: RowRecord,
  tail: EntryRecord,
  mutation: NewMutation,
  rules: CollectionRules,
  limits: QueueLimits,
): Promise<Enqueued | undefined> {
  if (tail.operation === 'command') return undefined;
  // Others were promised that this is there before they are sent: it is, and goes after that.
  if ((await dependentsOf(uow, tail)).length > 0) return undefined;
  if (tail.operation === 'create') {
    if (detailOf(tail).group !== undefined) return undefined;
    // A pull may have brought a row of this id: then there is something to delete.
    if ((await valueBefore(uow, row, tail, rules)) === null) return vanish(uow, tail, rules);
  }
  uow.putRow({ ...row, value: null });
  // Whoever deletes it has seen what others have changed, and nothing of what was written before is left.
  const pinned = row.head === tail.seq ? undefined : seenNow(row);
  const made = knowsRow(tail, row) ? {} : { pinned, isStale: undefined };
  const next = withDetail({ ...tail, operation: 'delete' }, { isPatch: undefined, ...made });
  return replace(uow, next, mutation, null, limits);
}

async function vanish(
  uow: UnitOfWork,
  tail: EntryRecord,
  rules: CollectionRules,
): Promise<Enqueued> {
  await removeEntries(uow, [tail]);
  await settleRowOf(uow, tail, rules);
  uow.notify({ type: 'entry-vanished', ...nameOf(tail) });
  await noteDeparture(uow, tail.seq, { outcome: 'vanished' });
  return { seq: null, effect: 'vanished' };
}

async function foldUpdate(
  uow: UnitOfWork,
  row: RowRecord,
  tail: EntryRecord,
  mutation: NewMutation,
  rules: CollectionRules,
  limits: QueueLimits,
): Promise<Enqueued | undefined> {
  const { detail, operation } = mutation;
  const isWhole = operation !== 'command' && detail?.isPatch !== true;
  const { schemaVersion } = detailOf(tail);
  // Fields of two schemas do not belong in one payload.
  if (!isWhole && schemaVersion !== detail?.schemaVersion) return undefined;
  const payload = foldedPayload(tail, mutation, rules);
  if (payload === undefined) return undefined;
  const next = isWhole
    ? withDetail(tail, { isPatch: undefined, schemaVersion: detail?.schemaVersion })
    : tail;
  const value = applyChange(row.value, operation, mutation.payload, detail, rules);
  const result = await replace(uow, next, mutation, payload, limits);
  const current = await uow.row(row.partition, row.collection, row.id);
  uow.putRow({ ...(current ?? row), value });
  return result;
}

/** The payload of both in one; undefined if they do not fold. */
export function foldedPayload(
  tail: EntryRecord,
  mutation: Pick<NewMutation, 'operation' | 'payload' | 'detail'>,
  rules: CollectionRules,
): string | null | undefined {
  if (mutation.operation !== 'command' && tail.operation !== 'command') {
    return mutation.detail?.isPatch === true
      ? mergePatch(tail.payload, mutation.payload)
      : mutation.payload;
  }
  const command = mutation.detail?.command;
  const isSame = mutation.operation === tail.operation && command === detailOf(tail).command;
  if (!isSame || command === undefined) return undefined;
  return mergedArgs(rules, tail.payload, mutation.payload, command);
}

/** Stores a folded entry: it keeps its place in order, and has the better priority of both. */
async function replace(
  uow: UnitOfWork,
  next: EntryRecord,
  mutation: NewMutation,
  payload: string | null,
  limits: QueueLimits,
): Promise<Enqueued> {
  checkEntrySize(payload, limits);
  const bytes = entryBytes(payload) - entryBytes(next.payload);
  checkRoom(uow.counters(next.partition), { entries: 0, bytes }, mutation.priority, limits);
  recountBytes(uow, next, payload);
  const changed: EntryRecord = {
    ...next,
    payload,
    expiresAt: laterExpiry(next.expiresAt, mutation.expiresAt),
    // A server may have seen the old payload under the old key.
    idempotencyKey: next.ambiguous === null ? next.idempotencyKey : mutation.idempotencyKey,
    ambiguous: null,
  };
  uow.putEntry(changed);
  const priority = bestRank(next.priority, mutation.priority);
  if (priority !== next.priority) {
    const current = await findEntry(uow, next.partition, next.seq);
    await reprioritiseEntry(uow, current ?? changed, priority);
  }
  return { seq: next.seq, effect: 'merged' };
}
