import type { PriorityRank } from '../model/priority.ts';
import { detachAll } from './bury.ts';
import type { RulesOf } from './collection-rules.ts';
import { rebaseEntry, type ConflictDecision } from './conflict.ts';
import { noteDeparture } from './departures.ts';
import { nameOf } from './entry-view.ts';
import { settleRowOf } from './fold.ts';
import { foldBehind } from './fold-behind.ts';
import { regroup } from './groups.ts';
import { claimStates } from './leases.ts';
import type { QueueLimits } from './limits.ts';
import { dependentsOf, findEntry, laneEntries, membersOf, rowOf } from './lookup.ts';
import { placeSeq } from './place.ts';
import { isReady } from './position.ts';
import { reattach } from './reattach.ts';
import { detailOf, keyAgain, withDetail, type EntryRecord } from './records.ts';
import { removeEntries, reprioritiseEntry, setState } from './removal.ts';
import { disband, wholeUnit } from './set-aside.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/** What became of a wish to cancel. Only `cancelled` changed something. */
export type CancelResult = 'cancelled' | 'claimed' | 'ambiguous' | 'has-dependents' | 'not-found';

/**
 * - `blocked`: it is in the queue again, but waits for its lane or for what it comes after.
 * - `vanished`: it was a create that never took effect, and the entity was deleted since: nothing is left.
 */
export type RetryResult = 'queued' | 'blocked' | 'vanished' | 'not-found';

/**
 * Takes an entry that was certainly not applied out of the queue, and gives the app the value back
 * that it had without it. A transaction is cancelled whole.
 *
 * @param now epoch milliseconds; what a runner held that is gone or late by then may have been applied
 */
export async function cancelEntry(
  uow: UnitOfWork,
  partition: number,
  seq: number,
  rulesOf: RulesOf,
  now: number,
): Promise<CancelResult> {
  const entry = await findEntry(uow, partition, seq);
  if (entry === undefined) return 'not-found';
  const { entries: unit, isTorn } = await wholeUnit(uow, entry);
  const claims = await claimStates(uow, now);
  // A transaction is claimed by all its positions, an entry by its own.
  const isHeld = ({ position }: EntryRecord): boolean => claims.get(position) === 'held';
  const mayBeApplied = ({ ambiguous, position }: EntryRecord): boolean =>
    ambiguous === 1 || claims.get(position) === 'over';
  if (unit.some(isHeld)) return 'claimed';
  if (unit.some(mayBeApplied)) return 'ambiguous';
  for (const member of unit) {
    if (await isNeeded(uow, member, unit)) return 'has-dependents';
  }
  if (isTorn) await disband(uow, unit);
  await revertEntries(uow, unit, rulesOf);
  for (const member of unit) {
    uow.notify({ type: 'entry-cancelled', ...nameOf(member) });
    await noteDeparture(uow, member.seq, { outcome: 'cancelled' });
  }
  return 'cancelled';
}

/** Gives entries up: they leave the queue, and the app sees what it would see without them. */
async function revertEntries(
  uow: UnitOfWork,
  entries: readonly EntryRecord[],
  rulesOf: RulesOf,
): Promise<void> {
  await removeEntries(uow, entries);
  for (const entry of entries) {
    if (detailOf(entry).isDetached !== true)
      await settleRowOf(uow, entry, rulesOf(entry.collection));
  }
}

/** True if an entry outside the unit cannot go without this one. */
async function isNeeded(
  uow: UnitOfWork,
  entry: EntryRecord,
  unit: readonly EntryRecord[],
): Promise<boolean> {
  const own = new Set(unit.map(({ seq }) => seq));
  if ((await dependentsOf(uow, entry)).some((dependent) => !own.has(dependent.seq))) return true;
  if (entry.operation !== 'create' && entry.operation !== 'delete') return false;
  const row = await rowOf(uow, entry);
  if (row === undefined || row.tail === null || detailOf(entry).isDetached === true) return false;
  // What comes after a create was made on what it creates, and after a delete comes a create.
  return !own.has(row.tail) && row.tail > entry.seq;
}

/**
 * Sends a dead letter again, or a waiting entry without its delay. Attempts start anew. What was written
 * behind a dead letter meanwhile is folded into it.
 */
export async function retryEntry(
  uow: UnitOfWork,
  partition: number,
  seq: number,
  newKey: () => string,
  limits: QueueLimits,
  rulesOf: RulesOf,
): Promise<RetryResult> {
  const entry = await findEntry(uow, partition, seq);
  const result = await reviveEntry(uow, partition, seq, newKey, limits, rulesOf);
  if (entry?.state !== 'dead') return result;
  const { isDetached, group } = detailOf(entry);
  const again = await findEntry(uow, partition, seq);
  // What left its lane comes back as a mutation made now; nothing folds across the edge of a transaction.
  if (isDetached === true || group !== undefined || again === undefined) return result;
  if (!(await foldBehind(uow, again, rulesOf(again.collection), limits))) return 'vanished';
  return resultOf(uow, partition, seq);
}

/** The same, and what was written behind it meanwhile stays as it is. */
export async function reviveEntry(
  uow: UnitOfWork,
  partition: number,
  seq: number,
  newKey: () => string,
  limits: QueueLimits,
  rulesOf: RulesOf,
): Promise<RetryResult> {
  const entry = await findEntry(uow, partition, seq);
  if (entry === undefined || entry.state === 'conflict') return 'not-found';
  const leased = await uow.leasedPositions();
  const isDetached = detailOf(entry).isDetached === true;
  // Its transaction failed while it was on the wire: the answer, or the end of its claim, comes first.
  if (isDetached && leased.has(entry.position)) return 'blocked';
  uow.notify({ type: 'entry-retried', ...nameOf(entry) });
  if (isDetached) {
    const again = await reattach(uow, entry, newKey, limits, rulesOf);
    return resultOf(uow, partition, again);
  }
  const unit = await unitToRenew(uow, entry);
  for (const member of unit) {
    if (!leased.has(member.position) && member.state !== 'conflict') renew(uow, member, newKey);
  }
  const { group } = detailOf(unit[0] ?? entry);
  if (group === undefined) await placeSeq(uow, partition, seq);
  else await regroup(uow, partition, group, await membersOf(uow, entry));
  return resultOf(uow, partition, unit[0]?.seq ?? seq);
}

/** What is tried again together. Those that nobody can put together any more are tried one by one. */
async function unitToRenew(uow: UnitOfWork, entry: EntryRecord): Promise<readonly EntryRecord[]> {
  const { entries, isTorn } = await wholeUnit(uow, entry);
  if (!isTorn) return entries;
  if (entry.state !== 'dead') return [entry];
  await disband(uow, [entry]);
  const alone = await findEntry(uow, entry.partition, entry.seq);
  return alone === undefined ? [] : [alone];
}

async function resultOf(
  uow: UnitOfWork,
  partition: number,
  seq: number | null,
): Promise<RetryResult> {
  const entry = seq === null ? undefined : await findEntry(uow, partition, seq);
  if (entry === undefined) return 'blocked';
  const isClaimed = (await uow.leasedPositions()).has(entry.position);
  return isClaimed || isReady(entry.position) ? 'queued' : 'blocked';
}

/** Stores an entry as if it had never failed. */
function renew(uow: UnitOfWork, entry: EntryRecord, newKey: () => string): void {
  const isDead = entry.state === 'dead';
  setState(
    uow,
    {
      ...withDetail(entry, { suspicion: undefined }),
      notBefore: null,
      attempts: 0,
      idempotencyKey: isDead ? keyAgain(entry, newKey) : entry.idempotencyKey,
      expiresAt: isDead ? null : entry.expiresAt,
    },
    null,
  );
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
  const { entries: unit, isTorn } = await wholeUnit(uow, entry);
  if (isTorn) await disband(uow, unit);
  for (const member of unit) await orphan(uow, member, unit, rulesOf);
  await revertEntries(uow, unit, rulesOf);
  for (const member of unit) {
    uow.notify({ type: 'entry-discarded', ...nameOf(member) });
    await noteDeparture(uow, member.seq, { outcome: 'cancelled' });
  }
  return true;
}

/** What was made on a create that is given up can never be sent: it becomes dead letters of its own. */
async function orphan(
  uow: UnitOfWork,
  created: EntryRecord,
  unit: readonly EntryRecord[],
  rulesOf: RulesOf,
): Promise<void> {
  const row = await rowOf(uow, created);
  const { isDetached, failure } = detailOf(created);
  if (created.operation !== 'create' || row === undefined || isDetached === true) return;
  const own = new Set(unit.map(({ seq }) => seq));
  const lane = await laneEntries(uow, row);
  const later = lane.filter(({ seq }) => seq > created.seq && !own.has(seq));
  const end = later.findIndex(({ operation }) => operation === 'create' || operation === 'delete');
  const orphans = end < 0 ? later : later.slice(0, end);
  const reason = { code: 'queue/base-discarded', at: failure?.at ?? created.enqueuedAt };
  await detachAll(uow, orphans, reason, rulesOf);
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
  const { group } = detailOf(entry);
  const members = await membersOf(uow, entry);
  // Someone decided: the handlers may be asked anew.
  const fresh = withDetail(entry, { rounds: undefined });
  await rebaseEntry(uow, fresh, decide(entry), rulesOf(entry.collection));
  if (group !== undefined) await regroup(uow, partition, group, members);
  return true;
}
