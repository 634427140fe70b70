import { reviveEntry } from '../queue/control.ts';
import { findEntry, place } from '../queue/lanes.ts';
import { rowOf } from '../queue/lookup.ts';
import { detailOf, type EntryRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import type { Refund } from './outcome-policy.ts';
import type { SyncContext } from './sync-context.ts';

/** Followers of one buried entry that are looked at. */
const MAX_FOLLOWERS = 1_000;

/**
 * Gives entries the attempt back that the endpoint cost them, and brings the buried ones back to life.
 *
 * @returns how many were brought back
 */
export async function refundEntries(
  context: SyncContext,
  uow: UnitOfWork,
  partition: number,
  refunds: readonly Refund[],
): Promise<number> {
  let revived = 0;
  for (const { seq, expiresAt } of refunds) {
    const entry = await findEntry(uow, partition, seq);
    if (entry === undefined || entry.state === 'conflict') continue;
    const attempts = Math.max(0, entry.attempts - 1);
    if (entry.state !== 'dead') {
      const refunded = { ...entry, attempts, notBefore: null };
      uow.putEntry(refunded);
      await place(uow, refunded);
    } else if (detailOf(entry).isDetached !== true) {
      await revive(context, uow, entry, attempts, expiresAt);
      revived += 1;
    } else {
      revived += await putBack(context, uow, entry, attempts, expiresAt);
    }
  }
  return revived;
}

/** Unlike someone who retries on purpose, a refund changes nothing else. */
async function revive(
  { runtime, limits, rulesOf }: SyncContext,
  uow: UnitOfWork,
  { partition, seq }: EntryRecord,
  attempts: number,
  expiresAt: number | null,
): Promise<void> {
  await reviveEntry(uow, partition, seq, () => runtime.ids.uuid(), limits, rulesOf);
  const again = await findEntry(uow, partition, seq);
  if (again !== undefined) uow.putEntry({ ...again, attempts, expiresAt });
}

/**
 * An entry that left its lane goes back to its place, with those that left it along with it, if the entity
 * is as it was then. Otherwise newer writes have gone on without it, and people decide: it stays a dead
 * letter.
 */
async function putBack(
  context: SyncContext,
  uow: UnitOfWork,
  entry: EntryRecord,
  attempts: number,
  expiresAt: number | null,
): Promise<number> {
  if (!(await isUntouched(uow, entry))) return 0;
  const followers = await followersOf(uow, entry);
  await revive(context, uow, entry, attempts, expiresAt);
  let count = 1;
  for (const follower of followers) {
    if (!(await isUntouched(uow, follower))) break;
    const { left } = detailOf(follower);
    await revive(context, uow, follower, follower.attempts, left?.expiresAt ?? null);
    count += 1;
  }
  return count;
}

/** True if nothing newer waits in its lane, and the server's row is the one it was made on. */
async function isUntouched(uow: UnitOfWork, entry: EntryRecord): Promise<boolean> {
  const { left } = detailOf(entry);
  if (left === undefined || (await uow.leasedPositions()).has(entry.position)) return false;
  const row = await rowOf(uow, entry);
  return (row?.tail ?? 0) < entry.seq && (row?.version ?? null) === left.version;
}

/** The later entries of its lane that left it for its sake, in order. */
async function followersOf(uow: UnitOfWork, entry: EntryRecord): Promise<EntryRecord[]> {
  const { partition, seq, collection, entity } = entry;
  const range = { index: 'parked', prefix: [partition, 'dead'], from: [seq], fromOpen: true };
  const dead = await uow.scanEntries({ ...range, limit: MAX_FOLLOWERS });
  return dead.filter(
    (other) =>
      other.collection === collection &&
      other.entity === entity &&
      detailOf(other).left?.cause === seq,
  );
}
