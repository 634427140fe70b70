import type { EntityId } from '../model/entry.ts';
import { coalesce } from './coalesce.ts';
import type { CollectionRules } from './collection-rules.ts';
import { addDependencies } from './dependencies.ts';
import { applyChange } from './fold.ts';
import { appendEntry } from './lanes.ts';
import { checkEntrySize, checkRoom, type QueueLimits } from './limits.ts';
import { tailOf } from './lookup.ts';
import type { Enqueued, NewMutation } from './mutation.ts';
import { knowsRow, seenNow } from './pins.ts';
import { readyPosition } from './position.ts';
import {
  emptyRow,
  entryBytes,
  type EntryDetail,
  type EntryRecord,
  type Pin,
  type RowRecord,
} from './records.ts';
import type { UnitOfWork } from './unit-of-work.ts';
import { isLinked } from './wants.ts';

export { closeGroup } from './groups.ts';
export { DEFAULT_LIMITS, type QueueLimits } from './limits.ts';
export type { Enqueued, NewMutation } from './mutation.ts';

/**
 * Applies a mutation to the local row and puts it in the queue, in the transaction of the caller.
 * Returns no promise where none is needed: shared commits hold hundreds of writes.
 *
 * @throws QueueError `queue/full`, `queue/entry-too-large`; nothing was changed
 * @throws StoreError `store/exists`, `store/not-found`; nothing was changed
 */
export function enqueueMutation(
  uow: UnitOfWork,
  mutation: NewMutation,
  rules: CollectionRules,
  limits: QueueLimits,
): Enqueued | Promise<Enqueued> {
  const { partition, collection, entity } = mutation;
  const atHand = uow.rowAtHand(partition, collection, entity);
  if (atHand === false) {
    return uow
      .row(partition, collection, entity)
      .then((row) => enqueueAt(uow, row, mutation, rules, limits));
  }
  return enqueueAt(uow, atHand, mutation, rules, limits);
}

/** The same, for those who have the row of the entity as it is now. */
export function enqueueAt(
  uow: UnitOfWork,
  row: RowRecord | undefined,
  mutation: NewMutation,
  rules: CollectionRules,
  limits: QueueLimits,
): Enqueued | Promise<Enqueued> {
  checkEntrySize(mutation.payload, limits);
  if (row === undefined || row.depth === 0) return append(uow, row, mutation, rules, limits);
  return coalesce(uow, row, mutation, rules, limits).then(
    (folded) => folded ?? append(uow, row, mutation, rules, limits),
  );
}

/** Puts an item that belongs to no entity in the queue. */
export function enqueueItem(
  uow: UnitOfWork,
  mutation: NewMutation,
  limits: QueueLimits,
): number | Promise<number> {
  checkEntrySize(mutation.payload, limits);
  checkRoom(uow.counters(mutation.partition), growthOf(mutation), mutation.priority, limits);
  const seq = uow.takeSeq();
  const pending = appendAs(uow, undefined, mutation, seq);
  return pending === undefined ? seq : pending.then(() => seq);
}

function append(
  uow: UnitOfWork,
  row: RowRecord | undefined,
  mutation: NewMutation,
  rules: CollectionRules,
  limits: QueueLimits,
): Enqueued | Promise<Enqueued> {
  checkRoom(uow.counters(mutation.partition), growthOf(mutation), mutation.priority, limits);
  const seq = uow.takeSeq();
  if (isAlone(row, mutation)) return appendAlone(uow, row, mutation, rules, seq);
  if (row === undefined || row.depth === 0) return appendMutation(uow, row, mutation, rules, seq);
  return tailOf(uow, row).then((tail) => {
    const pinned = tail === undefined ? undefined : pinBehind(tail, row, mutation);
    const made =
      pinned === undefined ? mutation : { ...mutation, detail: { ...mutation.detail, pinned } };
    return appendMutation(uow, row, made, rules, seq);
  });
}

/** What is made behind something that others' changes have overtaken was made on what can be seen now. */
function pinBehind(tail: EntryRecord, row: RowRecord, { operation }: NewMutation): Pin | undefined {
  const hasBase = operation === 'update' || operation === 'delete';
  return hasBase && !knowsRow(tail, row) ? seenNow(row) : undefined;
}

/** True if nothing waits for the entity and the write waits for nothing: its place is known at once. */
function isAlone(row: RowRecord | undefined, { after, detail }: NewMutation): boolean {
  if (row !== undefined && row.depth > 0) return false;
  if (after !== undefined && after.length > 0) return false;
  return detail === undefined || !isLinked(detail);
}

/** Most writes are such, and many share a commit: each record is made once, as it will be stored. */
function appendAlone(
  uow: UnitOfWork,
  row: RowRecord | undefined,
  mutation: NewMutation,
  rules: CollectionRules,
  seq: number,
): Enqueued {
  const { partition, collection, entity, operation, payload, priority, detail } = mutation;
  const before = row === undefined ? null : row.value;
  uow.countEntry(partition, priority, entryBytes(payload), 1, collection);
  uow.putRow({
    partition,
    collection,
    id: entity,
    value: applyChange(before, operation, payload, detail, rules),
    shadow: before,
    version: row === undefined ? null : row.version,
    head: seq,
    tail: seq,
    depth: 1,
    lane: null,
    fetchedAt: row === undefined ? null : row.fetchedAt,
  });
  const position = readyPosition(partition, priority, seq);
  uow.putEntry(entryOf(entity, mutation, seq, position, detail));
  return { seq, effect: 'appended' };
}

/** Appends under a seq that is the latest of its lane. */
export function appendMutation(
  uow: UnitOfWork,
  row: RowRecord | undefined,
  mutation: NewMutation,
  rules: CollectionRules,
  seq: number,
): Enqueued | Promise<Enqueued> {
  const pending = appendAs(uow, withMutation(row, mutation, rules), mutation, seq);
  const result: Enqueued = { seq, effect: 'appended' };
  return pending === undefined ? result : pending.then(() => result);
}

function growthOf(mutation: NewMutation): { entries: 1; bytes: number } {
  return { entries: 1, bytes: entryBytes(mutation.payload) };
}

/** The row as the app should see it. The first waiting mutation keeps what the server has. */
function withMutation(
  row: RowRecord | undefined,
  mutation: NewMutation,
  rules: CollectionRules,
): RowRecord {
  const { partition, collection, entity, detail } = mutation;
  const before = row ?? emptyRow(partition, collection, entity);
  return {
    partition,
    collection,
    id: entity,
    value: applyChange(before.value, mutation.operation, mutation.payload, detail, rules),
    shadow: before.depth === 0 ? before.value : before.shadow,
    version: before.version,
    head: before.head,
    tail: before.tail,
    depth: before.depth,
    lane: before.lane,
    fetchedAt: before.fetchedAt,
  };
}

function appendAs(
  uow: UnitOfWork,
  row: RowRecord | undefined,
  mutation: NewMutation,
  seq: number,
): Promise<void> | undefined {
  const { partition, after } = mutation;
  uow.countEntry(
    partition,
    mutation.priority,
    entryBytes(mutation.payload),
    1,
    mutation.collection,
  );
  if (after === undefined || after.length === 0) {
    const { detail } = mutation;
    return appendEntry(
      uow,
      row,
      entryOf(entityIn(row, mutation, seq), mutation, seq, 0, detail),
      detail,
    );
  }
  return addDependencies(uow, partition, seq, after, mutation.detail?.group).then((ties) => {
    const detail = ties === undefined ? mutation.detail : { ...mutation.detail, ...ties };
    return appendEntry(
      uow,
      row,
      entryOf(entityIn(row, mutation, seq), mutation, seq, 0, detail),
      detail,
    );
  });
}

/** An item has no entity: its seq stands for one. */
function entityIn(row: RowRecord | undefined, mutation: NewMutation, seq: number): EntityId {
  return row === undefined ? seq : mutation.entity;
}

function entryOf(
  entity: EntityId,
  mutation: NewMutation,
  seq: number,
  position: number,
  detail: EntryDetail | undefined,
): EntryRecord {
  return {
    position,
    seq,
    partition: mutation.partition,
    collection: mutation.collection,
    entity,
    operation: mutation.operation,
    payload: mutation.payload,
    priority: mutation.priority,
    attempts: 0,
    idempotencyKey: mutation.idempotencyKey,
    enqueuedAt: mutation.enqueuedAt,
    ambiguous: null,
    behind: null,
    notBefore: null,
    expiresAt: mutation.expiresAt,
    state: null,
    detail: detail === undefined ? null : JSON.stringify(detail),
  };
}
