import type { PriorityRank } from '../model/priority.ts';
import { rebaseEntry, type ConflictDecision } from './conflict.ts';
import type { RulesOf } from './collection-rules.ts';
import {
  enqueueMutation,
  removeEntry,
  reprioritiseEntry,
  setState,
  type QueueLimits,
} from './enqueue.ts';
import { dependentsOf, findEntry, membersOf, place, placeHeadOf, rowOf } from './lanes.ts';
import { isReady } from './position.ts';
import { nameOf } from './entry-view.ts';
import { detailOf, withDetail, type EntryRecord } from './records.ts';
import { revertEntry } from './settle.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/** What became of a wish to cancel. Only `cancelled` changed something. */
export type CancelResult = 'cancelled' | 'claimed' | 'ambiguous' | 'has-dependents' | 'not-found';

/** `blocked`: it is in the queue again, but waits for its lane or for what it comes after. */
export type RetryResult = 'queued' | 'blocked' | 'not-found';

async function unitOf(uow: UnitOfWork, entry: EntryRecord): Promise<EntryRecord[]> {
  const found: EntryRecord[] = [];
  for (const seq of await membersOf(uow, entry)) {
    const member = await findEntry(uow, entry.partition, seq);
    if (member !== undefined) found.push(member);
  }
  return found.length === 0 ? [entry] : found;
}

/**
 * Takes an entry that was certainly not applied out of the queue, and gives the app the value back
 * that it had without it. A transaction is cancelled whole.
 */
export async function cancelEntry(
  uow: UnitOfWork,
  partition: number,
  seq: number,
  rulesOf: RulesOf,
): Promise<CancelResult> {
  const entry = await findEntry(uow, partition, seq);
  if (entry === undefined) return 'not-found';
  const unit = await unitOf(uow, entry);
  const leased = await uow.leasedPositions();
  // A transaction is claimed by all its positions, an entry by its own.
  if (unit.some((member) => leased.has(member.position))) return 'claimed';
  if (unit.some((member) => member.ambiguous === 1)) return 'ambiguous';
  for (const member of unit) {
    if (await isNeeded(uow, member, unit)) return 'has-dependents';
  }
  for (const member of unit.toReversed()) {
    const current = await findEntry(uow, partition, member.seq);
    if (current !== undefined) await revertEntry(uow, current, rulesOf);
    uow.notify({ type: 'entry-cancelled', ...nameOf(member) });
  }
  return 'cancelled';
}

/** True if an entry outside the unit cannot go without this one. */
async function isNeeded(
  uow: UnitOfWork,
  entry: EntryRecord,
  unit: readonly EntryRecord[],
): Promise<boolean> {
  const own = new Set(unit.map(({ seq }) => seq));
  if ((await dependentsOf(uow, entry)).some((dependent) => !own.has(dependent.seq))) return true;
  if (entry.operation !== 'create' || detailOf(entry).isDetached === true) return false;
  const row = await rowOf(uow, entry);
  // What comes after a create in its lane was made on what it creates.
  return row !== undefined && row.tail !== null && !own.has(row.tail) && row.tail > entry.seq;
}

/** Sends a dead letter again, or a waiting entry without its delay. Attempts start anew. */
export async function retryEntry(
  uow: UnitOfWork,
  partition: number,
  seq: number,
  newKey: () => string,
  limits: QueueLimits,
  rulesOf: RulesOf,
): Promise<RetryResult> {
  const entry = await findEntry(uow, partition, seq);
  if (entry === undefined || entry.state === 'conflict') return 'not-found';
  if (detailOf(entry).isDetached === true) return reattach(uow, entry, newKey, limits, rulesOf);
  const leased = await uow.leasedPositions();
  for (const member of await unitOf(uow, entry)) {
    if (leased.has(member.position)) continue;
    const alive = setState(uow, { ...member, notBefore: null }, null);
    const isRejected = member.state === 'dead' && member.ambiguous !== 1;
    const again: EntryRecord = {
      ...alive,
      attempts: 0,
      // The server may have kept its refusal under the old key. One whose fate is unknown keeps it.
      idempotencyKey: isRejected ? newKey() : member.idempotencyKey,
      ambiguous: isRejected ? 0 : member.ambiguous,
      expiresAt: member.state === 'dead' ? null : member.expiresAt,
    };
    uow.putEntry(again);
    await place(uow, again);
  }
  uow.notify({ type: 'entry-retried', ...nameOf(entry) });
  const [first] = await unitOf(uow, (await findEntry(uow, partition, seq)) ?? entry);
  return first !== undefined && isReady(first.position) ? 'queued' : 'blocked';
}

/** A dead letter that left its lane comes back at the lane's end, as a mutation made now. */
async function reattach(
  uow: UnitOfWork,
  entry: EntryRecord,
  newKey: () => string,
  limits: QueueLimits,
  rulesOf: RulesOf,
): Promise<RetryResult> {
  await removeEntry(uow, entry);
  const { partition, collection, entity, operation, payload, priority, enqueuedAt } = entry;
  const { isPatch, command, schemaVersion } = detailOf(entry);
  const detail = {
    ...(isPatch === undefined ? {} : { isPatch }),
    ...(command === undefined ? {} : { command }),
    ...(schemaVersion === undefined ? {} : { schemaVersion }),
  };
  const result = await enqueueMutation(
    uow,
    {
      partition,
      collection,
      entity,
      operation,
      payload,
      priority,
      enqueuedAt,
      idempotencyKey: entry.ambiguous === 1 ? entry.idempotencyKey : newKey(),
      expiresAt: null,
      ...(Object.keys(detail).length === 0 ? {} : { detail }),
    },
    { ...rulesOf(collection), coalesce: false },
    limits,
  );
  const again = result.seq === null ? undefined : await findEntry(uow, partition, result.seq);
  return again !== undefined && isReady(again.position) ? 'queued' : 'blocked';
}

/** Gives a dead letter up for good, with its transaction. False if it is not one. */
export async function discardEntry(
  uow: UnitOfWork,
  partition: number,
  seq: number,
  rulesOf: RulesOf,
): Promise<boolean> {
  const entry = await findEntry(uow, partition, seq);
  if (entry === undefined || entry.state !== 'dead') return false;
  for (const member of (await unitOf(uow, entry)).toReversed()) {
    const current = await findEntry(uow, partition, member.seq);
    if (current !== undefined) await revertEntry(uow, current, rulesOf);
    uow.notify({ type: 'entry-discarded', ...nameOf(member) });
  }
  return true;
}

/** Changes how urgent an entry is. False if there is none that waits. */
export async function changeEntryPriority(
  uow: UnitOfWork,
  partition: number,
  seq: number,
  priority: PriorityRank,
): Promise<boolean> {
  const entry = await findEntry(uow, partition, seq);
  if (entry === undefined || entry.state === 'dead') return false;
  if (entry.priority === priority) return true;
  await reprioritiseEntry(uow, entry, priority);
  return true;
}

/** Decides a parked conflict. False if the entry is not one. */
export async function resolveConflict(
  uow: UnitOfWork,
  partition: number,
  seq: number,
  decide: (entry: EntryRecord) => ConflictDecision,
  rulesOf: RulesOf,
): Promise<boolean> {
  const entry = await findEntry(uow, partition, seq);
  if (entry === undefined || entry.state !== 'conflict') return false;
  const decision = decide(entry);
  await rebaseEntry(
    uow,
    withDetail(entry, { rounds: undefined }),
    decision,
    rulesOf(entry.collection),
  );
  const again = await findEntry(uow, partition, seq);
  if (again !== undefined) await placeHeadOf(uow, again);
  return true;
}
