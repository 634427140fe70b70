import type { CollectionRules } from './collection-rules.ts';
import { applyMutation } from './fold.ts';
import { findEntry, membersOf, rowOf, tailOf } from './lookup.ts';
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
// made on, so that the server sees the conflict, and merged from the value it was made on. A write that comes
// after such a change was made by somebody who saw it: it has a pin of its own, and what it says of the others'
// change counts.

/** What an entry was made on, as long as nothing stands before it. */
export function baseOf(entry: EntryRecord, row: RowRecord | undefined): Pin {
  const { pinned, isEchoed } = detailOf(entry);
  if (pinned !== undefined) return pinned;
  const base = { version: row?.version ?? null, value: row?.shadow ?? null };
  return isEchoed === true ? { ...base, hasOwn: true } : base;
}

/** What an entry makes of what it was made on. */
export function madeBy(entry: EntryRecord, base: Pin, rules: CollectionRules): string | null {
  return base.hasOwn === true ? base.value : effectOn(base.value, entry, rules);
}

/** True if whoever writes behind this entry, the last of its lane, sees nothing in the row that it was not made on. */
export function knowsRow(tail: EntryRecord, row: RowRecord): boolean {
  const { pinned, isStale } = detailOf(tail);
  return isStale !== true && (pinned === undefined || pinned.version === row.version);
}

/** What a write is made on that comes after others' changes, behind one that came before them. */
export function seenNow({ version, value }: RowRecord): Pin {
  return { version, value, isInherited: true };
}

/** Others have changed the row: what is written from here on knows of it, and the last of the lane does not. */
export async function markStale(uow: UnitOfWork, row: RowRecord): Promise<void> {
  if (row.tail === null || row.tail === row.head) return;
  const tail = await tailOf(uow, row);
  if (tail !== undefined) uow.putEntry(withDetail(tail, { isStale: true }));
}

/** What came last in its lane has left it: the one before it is as old. */
export async function passStale(uow: UnitOfWork, left: EntryRecord): Promise<void> {
  if (detailOf(left).isStale !== true) return;
  const row = await rowOf(uow, left);
  if (row?.tail !== undefined && (row.tail ?? Infinity) < left.seq) await markStale(uow, row);
}

/** What is kept of it with an entry that leaves its lane and may come back. A command needs none. */
export async function madeOnOf(uow: UnitOfWork, entry: EntryRecord): Promise<Pin | undefined> {
  if (entry.operation === 'item' || entry.operation === 'command') return undefined;
  const row = await rowOf(uow, entry);
  if (row === undefined) return undefined;
  const { version, value } = baseOf(entry, row);
  return { version, value };
}

/** It is back: if the row is another one by now, the server is to see that it was made on the former. */
export async function pinAgain(
  uow: UnitOfWork,
  entry: EntryRecord,
  madeOn: Pin | undefined,
): Promise<void> {
  if (madeOn === undefined) return;
  const row = await rowOf(uow, entry);
  const isOther = row !== undefined && row.version !== madeOn.version;
  const pinned = isOther ? ({ ...madeOn, isInherited: true } as const) : undefined;
  uow.putEntry(withDetail(entry, { pinned }));
}

/**
 * What follows an entry that has left the lane was made on this. What has a pin of its own keeps it. But whoever
 * wrote a whole value behind this one may not have seen what others had changed beneath it: while the row is as it
 * was then, the server is to see a conflict.
 */
export async function handOn(
  uow: UnitOfWork,
  left: EntryRecord,
  pinned: Pin | undefined,
): Promise<void> {
  const next = pinned === undefined ? undefined : await nextOf(uow, left);
  if (next === undefined || pinned === undefined) return;
  const { pinned: own, isPatch } = detailOf(next);
  const isWhole = next.operation === 'update' && isPatch !== true;
  if (own === undefined) inherit(uow, next, pinned);
  else if (isWhole && own.version === (await rowOf(uow, next))?.version)
    uow.putEntry(withDetail(next, { pinned: { ...own, version: pinned.version } }));
}

/** An entry is to be sent as it is on top of this version. What follows may have been made on just that. */
export async function unpinNext(
  uow: UnitOfWork,
  entry: EntryRecord,
  version: string | null,
): Promise<void> {
  const next = await nextOf(uow, entry);
  if (next !== undefined && detailOf(next).pinned?.version === version)
    uow.putEntry(withDetail(next, { pinned: undefined }));
}

/** What follows an entry in its lane, or followed it before it left. */
async function nextOf(uow: UnitOfWork, left: EntryRecord): Promise<EntryRecord | undefined> {
  const row = await rowOf(uow, left);
  if (row === undefined || row.head === null || row.tail === null || row.tail < left.seq)
    return undefined;
  if (row.head > left.seq) return findEntry(uow, row.partition, row.head);
  return (await followersOf(uow, row, left.seq, 1))[0];
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
  const base = baseOf(entry, row);
  const { version } = base;
  const group = isLeaving ? undefined : detailOf(entry).group;
  const mates = group === undefined ? [] : await membersOf(uow, entry);
  const followers = await followersOf(uow, row, entry.seq, mates.length + 1);
  let made = madeBy(entry, base, rules);
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
