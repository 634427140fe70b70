import type { EntityId } from '../model/entry.ts';
import { QueueError, StoreError } from '../model/errors.ts';
import type { PriorityRank } from '../model/priority.ts';
import { decodeValue, encodeValue } from '../model/value-codec.ts';
import type { CollectionRules } from './collection-rules.ts';
import { applyMutation, mergePatch, settleRow } from './fold.ts';
import {
  appendEntry,
  bestRank,
  changePriority,
  findEntry,
  forgetDependencies,
  leaveLane,
  lowerPredecessors,
  placeHeadOf,
  releaseDependents,
} from './lanes.ts';
import { nameOf } from './entry-view.ts';
import {
  detailOf,
  emptyRow,
  entryBytes,
  withDetail,
  type EntryDetail,
  type EntryRecord,
  type RowRecord,
  type StoredOperation,
} from './records.ts';
import type { Counters, UnitOfWork } from './unit-of-work.ts';

/** A mutation on its way into the queue. */
export interface NewMutation {
  readonly partition: number;
  readonly collection: string;
  readonly entity: EntityId;
  readonly operation: StoredOperation;
  /** Encoded; null for a delete. */
  readonly payload: string | null;
  readonly priority: PriorityRank;
  readonly idempotencyKey: string;
  readonly enqueuedAt: number;
  readonly expiresAt: number | null;
  /** Seqs of earlier entries that must be settled first. */
  readonly after?: readonly number[];
  readonly detail?: EntryDetail;
}

/** The most that one queue may hold. */
export interface QueueLimits {
  readonly maxEntries: number;
  readonly maxBytes: number;
  readonly maxEntryBytes: number;
}

export const DEFAULT_LIMITS: QueueLimits = {
  maxEntries: 100_000,
  maxBytes: 50_000_000,
  maxEntryBytes: 10_000_000,
};

/** The share of the limits that only critical writes may use. */
const CRITICAL_RESERVE = 0.1;

export interface Enqueued {
  /** The entry that carries the mutation now; null if it vanished with the one it met, or was nothing. */
  readonly seq: number | null;
  readonly effect: 'appended' | 'merged' | 'vanished' | 'nothing';
}

/**
 * Applies a mutation to the local row and puts it in the queue, in the transaction of the caller.
 *
 * @throws QueueError `queue/full`, `queue/entry-too-large`; nothing was changed
 * @throws StoreError `store/exists`, `store/not-found`; nothing was changed
 */
export async function enqueueMutation(
  uow: UnitOfWork,
  mutation: NewMutation,
  rules: CollectionRules,
  limits: QueueLimits,
): Promise<Enqueued> {
  const { partition, collection, entity } = mutation;
  const atHand = uow.rowAtHand(partition, collection, entity);
  const row =
    (atHand === false ? await uow.row(partition, collection, entity) : atHand) ??
    emptyRow(partition, collection, entity);
  checkLimits(uow.counters(partition), mutation, limits);
  if (row.depth > 0) {
    const folded = await coalesce(uow, row, mutation, rules);
    if (folded !== undefined) return folded;
  }
  // The first waiting mutation keeps what the server has, to revert to and to compare with.
  const shadow = row.depth === 0 ? row.value : row.shadow;
  const next = {
    ...row,
    shadow,
    value: applyMutation(
      row.value,
      { operation: mutation.operation, payload: mutation.payload, detail: textOf(mutation) },
      rules,
    ),
  };
  const seq = await append(uow, next, mutation);
  return { seq, effect: 'appended' };
}

/** Puts an item that belongs to no entity in the queue. */
export async function enqueueItem(
  uow: UnitOfWork,
  mutation: NewMutation,
  limits: QueueLimits,
): Promise<number> {
  checkLimits(uow.counters(mutation.partition), mutation, limits);
  return append(uow, undefined, mutation);
}

function textOf(mutation: NewMutation): string | null {
  return mutation.detail === undefined ? null : JSON.stringify(mutation.detail);
}

/**
 * Checked in the write's own transaction, so that neither row nor entry is written beyond a limit.
 * What shrinks or only replaces is counted as if it grew: the margin is one entry.
 */
function checkLimits(counters: Counters, mutation: NewMutation, limits: QueueLimits): void {
  const bytes = entryBytes(mutation.payload);
  if (bytes > limits.maxEntryBytes) {
    throw new QueueError(
      'queue/entry-too-large',
      `the value takes ${bytes} bytes as text, more than maxEntryBytes (${limits.maxEntryBytes}): store large data beside the queue and save a reference`,
    );
  }
  const share = mutation.priority === 0 ? 1 : 1 - CRITICAL_RESERVE;
  const [critical, high, normal, low] = counters.pending;
  const entries = critical + high + normal + low + counters.dead + counters.conflicts;
  const isFull = entries + 1 > Math.floor(limits.maxEntries * share);
  if (isFull || counters.bytes + bytes > limits.maxBytes * share) {
    throw new QueueError(
      'queue/full',
      `the queue holds ${entries} entries of ${counters.bytes} bytes (limits ${limits.maxEntries} and ${limits.maxBytes}, the last tenth for critical writes): sync, discard dead letters, or raise the limits`,
    );
  }
}

async function append(
  uow: UnitOfWork,
  row: RowRecord | undefined,
  mutation: NewMutation,
): Promise<number> {
  const seq = uow.takeSeq();
  let entry: EntryRecord = {
    position: 0,
    seq,
    partition: mutation.partition,
    collection: mutation.collection,
    entity: row === undefined ? seq : mutation.entity,
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
    detail: textOf(mutation),
  };
  if (mutation.after !== undefined) entry = await withDependencies(uow, entry, mutation.after);
  uow.countEntry(entry.partition, entry.priority, entryBytes(entry.payload), 1);
  await appendEntry(uow, row, entry);
  return seq;
}

async function withDependencies(
  uow: UnitOfWork,
  entry: EntryRecord,
  after: readonly number[],
): Promise<EntryRecord> {
  const group = detailOf(entry).group;
  const open: number[] = [];
  for (const seq of new Set(after)) {
    const earlier = await findEntry(uow, entry.partition, seq);
    // Settled already, or part of the same transaction and so sent together.
    if (earlier === undefined || (group !== undefined && detailOf(earlier).group === group))
      continue;
    if (detailOf(earlier).isDetached === true) continue;
    open.push(seq);
    uow.putEntry(withDetail(earlier, { hasDependents: true }));
    uow.put('dependencies', [seq, entry.seq], { prerequisite: seq, dependent: entry.seq });
  }
  return open.length === 0 ? entry : withDetail(entry, { after: open, waits: open.length });
}

// ---- coalescing ----------------------------------------------------------------------------------

/** Never attempted, or definitely not applied: only such an entry may be changed. */
export async function isFresh(uow: UnitOfWork, entry: EntryRecord): Promise<boolean> {
  if (entry.state !== null || entry.ambiguous === 1) return false;
  return !(await uow.leasedPositions()).has(entry.position);
}

/** Folds the mutation into the last one of the lane, as the table in design.md says; undefined to append. */
async function coalesce(
  uow: UnitOfWork,
  row: RowRecord,
  mutation: NewMutation,
  rules: CollectionRules,
): Promise<Enqueued | undefined> {
  const tail = await findEntry(uow, row.partition, row.tail as number);
  if (tail === undefined) return undefined;
  if (mutation.operation === 'create' && tail.operation !== 'delete' && row.value !== null) {
    throw new StoreError(
      'store/exists',
      `${mutation.collection} ${String(mutation.entity)} exists already`,
    );
  }
  if (mutation.operation === 'delete' && tail.operation === 'delete')
    return { seq: tail.seq, effect: 'nothing' };
  if (!rules.coalesce || tail.operation === 'delete') return undefined;
  if (detailOf(tail).group !== mutation.detail?.group) return undefined;
  if (mutation.after !== undefined || !(await isFresh(uow, tail))) return undefined;
  if (mutation.operation === 'delete') return foldDelete(uow, row, tail, mutation, rules);
  return foldUpdate(uow, row, tail, mutation, rules);
}

async function foldDelete(
  uow: UnitOfWork,
  row: RowRecord,
  tail: EntryRecord,
  mutation: NewMutation,
  rules: CollectionRules,
): Promise<Enqueued | undefined> {
  if (tail.operation === 'create') {
    if (detailOf(tail).group !== undefined) return undefined;
    await removeEntry(uow, tail);
    const left = (await uow.row(row.partition, row.collection, row.id)) as RowRecord;
    await settleRow(uow, left, rules);
    uow.notify({ type: 'entry-vanished', ...nameOf(tail) });
    return { seq: null, effect: 'vanished' };
  }
  if (tail.operation === 'command') return undefined;
  uow.putRow({ ...row, value: null });
  await replace(
    uow,
    withDetail({ ...tail, operation: 'delete' }, { isPatch: undefined }),
    tail,
    mutation,
    null,
  );
  return { seq: tail.seq, effect: 'merged' };
}

async function foldUpdate(
  uow: UnitOfWork,
  row: RowRecord,
  tail: EntryRecord,
  mutation: NewMutation,
  rules: CollectionRules,
): Promise<Enqueued | undefined> {
  const payload = foldedPayload(tail, mutation, rules);
  if (payload === undefined) return undefined;
  const isWhole = mutation.detail?.isPatch !== true && mutation.operation !== 'command';
  const next =
    isWhole && detailOf(tail).isPatch === true ? withDetail(tail, { isPatch: undefined }) : tail;
  const step = {
    operation: mutation.operation,
    payload: mutation.payload,
    detail: textOf(mutation),
  };
  uow.putRow({ ...row, value: applyMutation(row.value, step, rules) });
  await replace(uow, next, tail, mutation, payload);
  return { seq: tail.seq, effect: 'merged' };
}

/** The payload of both in one; undefined if they do not fold. */
function foldedPayload(
  tail: EntryRecord,
  mutation: NewMutation,
  rules: CollectionRules,
): string | null | undefined {
  if (mutation.operation === 'command' || tail.operation === 'command') {
    const command = mutation.detail?.command;
    if (mutation.operation !== tail.operation || command !== detailOf(tail).command)
      return undefined;
    if (rules.merge === undefined || command === undefined) return undefined;
    return encodeValue(rules.merge(argsOf(tail.payload), argsOf(mutation.payload), command));
  }
  return mutation.detail?.isPatch === true
    ? mergePatch(tail.payload, mutation.payload)
    : mutation.payload;
}

function argsOf(payload: string | null): unknown {
  return payload === null ? undefined : decodeValue(payload);
}

/** Stores a folded entry: it keeps its place in order, and has the better priority of both. */
async function replace(
  uow: UnitOfWork,
  next: EntryRecord,
  tail: EntryRecord,
  mutation: NewMutation,
  payload: string | null,
): Promise<void> {
  const { partition } = tail;
  uow.countEntry(partition, tail.priority, entryBytes(tail.payload), -1);
  uow.countEntry(partition, tail.priority, entryBytes(payload), 1);
  const changed: EntryRecord = {
    ...next,
    payload,
    expiresAt: mutation.expiresAt,
    // A server may have seen the old payload under the old key.
    idempotencyKey: tail.ambiguous === null ? tail.idempotencyKey : mutation.idempotencyKey,
    ambiguous: null,
  };
  uow.putEntry(changed);
  const priority = bestRank(tail.priority, mutation.priority);
  if (priority !== tail.priority) await reprioritiseEntry(uow, changed, priority);
}

/** Changes an entry's priority and the counters with it. */
export async function reprioritiseEntry(
  uow: UnitOfWork,
  entry: EntryRecord,
  priority: PriorityRank,
): Promise<void> {
  const bytes = entryBytes(entry.payload);
  if (entry.state === null) {
    uow.countEntry(entry.partition, entry.priority, bytes, -1);
    uow.countEntry(entry.partition, priority, bytes, 1);
  }
  await changePriority(uow, entry, priority);
}

/** Takes an entry out of queue, lane and counters, as if settled: what waited for it goes on. */
export async function removeEntry(uow: UnitOfWork, entry: EntryRecord): Promise<void> {
  await releaseDependents(uow, entry);
  await forgetDependencies(uow, entry);
  const current = (await findEntry(uow, entry.partition, entry.seq)) ?? entry;
  await leaveLane(uow, current);
  uow.deleteEntry(current);
  discount(uow, current);
  await lowerPredecessors(uow, current);
}

/** Takes an entry out of the counters, by its state. */
function discount(uow: UnitOfWork, entry: EntryRecord): void {
  const { partition } = entry;
  const bytes = entryBytes(entry.payload);
  if (entry.state === null) {
    uow.countEntry(partition, entry.priority, bytes, -1);
    return;
  }
  const counters = uow.counters(partition);
  uow.setCounters(partition, {
    ...counters,
    bytes: counters.bytes - bytes,
    dead: counters.dead - (entry.state === 'dead' ? 1 : 0),
    conflicts: counters.conflicts - (entry.state === 'conflict' ? 1 : 0),
  });
}

/** Changes the state of an entry, and moves it from one counter to the other. */
export function setState(
  uow: UnitOfWork,
  entry: EntryRecord,
  state: EntryRecord['state'],
): EntryRecord {
  if (entry.state === state) return entry;
  const { partition, priority } = entry;
  if (entry.state === null) uow.countEntry(partition, priority, 0, -1);
  if (state === null) uow.countEntry(partition, priority, 0, 1);
  const counters = uow.counters(partition);
  const delta = (of: 'dead' | 'conflict'): number =>
    (state === of ? 1 : 0) - (entry.state === of ? 1 : 0);
  uow.setCounters(partition, {
    ...counters,
    dead: counters.dead + delta('dead'),
    conflicts: counters.conflicts + delta('conflict'),
  });
  const changed = { ...entry, state };
  uow.putEntry(changed);
  return changed;
}

/** Closes a transaction: its first entry learns who belongs to it, and the whole is placed. */
export async function closeGroup(
  uow: UnitOfWork,
  partition: number,
  members: readonly number[],
): Promise<void> {
  const first = await findEntry(uow, partition, members[0] as number);
  if (first === undefined) return;
  const leader = withDetail(first, { members });
  uow.putEntry({ ...leader, position: leader.position });
  await placeHeadOf(uow, leader);
}
