import type { CollectionRules } from './collection-rules.ts';
import { applyMutation } from './fold.ts';
import { findEntry, membersOf, rowOf } from './lookup.ts';
import {
  detailOf,
  laneKey,
  withDetail,
  type EntryRecord,
  type Pin,
  type RowRecord,
} from './records.ts';
import type { UnitOfWork } from './unit-of-work.ts';

// A write is made on top of what its device knew. As long as that is the row, or what the write before it in
// its lane makes of the row, nothing has to be remembered. Once others have changed the row, it is pinned to
// the write that stands first, and handed on from one write to the next: each is sent with the version it was
// made on, so that the server sees the conflict, and merged from the value it was made on.

/** What an entry was made on, as long as nothing stands before it. */
export function baseOf(entry: EntryRecord, row: RowRecord | undefined): Pin {
  return detailOf(entry).pinned ?? { version: row?.version ?? null, value: row?.shadow ?? null };
}

/** What follows an entry that has left the lane was made on this. */
export async function handOn(
  uow: UnitOfWork,
  left: EntryRecord,
  pinned: Pin | undefined,
): Promise<void> {
  if (pinned === undefined) return;
  const row = await rowOf(uow, left);
  if (row === undefined || row.head === null || row.tail === null || row.tail < left.seq) return;
  const next =
    row.head > left.seq
      ? await findEntry(uow, row.partition, row.head)
      : (await followersOf(uow, row, left.seq, 1))[0];
  if (next !== undefined) inherit(uow, next, pinned);
}

/**
 * The row moves away under an entry that goes on as another one, or leaves: what follows was made on the
 * former.
 */
export async function pinFollower(
  uow: UnitOfWork,
  entry: EntryRecord,
  row: RowRecord,
  rules: CollectionRules,
  isLeaving: boolean,
): Promise<void> {
  if (row.tail === entry.seq) return;
  const { version, value } = baseOf(entry, row);
  const group = isLeaving ? undefined : detailOf(entry).group;
  const mates = group === undefined ? [] : await membersOf(uow, entry);
  const followers = await followersOf(uow, row, entry.seq, mates.length + 1);
  let made = effectOn(value, entry, rules);
  for (const follower of followers) {
    // Of a transaction only the first is sent with what it was made on.
    if (group === undefined || detailOf(follower).group !== group)
      return inherit(uow, follower, { version, value: made });
    made = effectOn(made, follower, rules);
  }
}

/** The next entries of a lane behind a seq that is not behind its head. */
function followersOf(
  uow: UnitOfWork,
  { partition, collection, id }: RowRecord,
  seq: number,
  limit: number,
): Promise<readonly EntryRecord[]> {
  const prefix = [laneKey(partition, collection, id)];
  return uow.scanEntries({ index: 'lane', prefix, from: [seq], fromOpen: true, limit });
}

/** What an entry makes of a value, whatever the row holds of it already. */
export function effectOn(
  value: string | null,
  entry: EntryRecord,
  rules: CollectionRules,
): string | null {
  const isEchoed = detailOf(entry).isEchoed === true;
  const fresh = isEchoed ? withDetail(entry, { isEchoed: undefined }) : entry;
  return applyMutation(value, fresh, rules);
}

/** The older pin stands: what it says was there before. */
function inherit(uow: UnitOfWork, entry: EntryRecord, { version, value }: Pin): void {
  if (detailOf(entry).pinned !== undefined) return;
  uow.putEntry(withDetail(entry, { pinned: { version, value, isInherited: true } }));
}
