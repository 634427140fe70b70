import { assert } from '../model/errors.ts';
import { LOWEST_RANK, type PriorityRank } from '../model/priority.ts';
import { findEntry, leaderSeq, rowOf } from './lookup.ts';
import { isReady, parkedPosition, rankOfPosition, readyPosition } from './position.ts';
import { detailOf, laneDetailOf, type EntryDetail, type EntryRecord } from './records.ts';
import type { UnitOfWork } from './unit-of-work.ts';
import { bestRank, bestWanted, wantOf } from './wants.ts';

/**
 * Moves an entry to where its state says it belongs: among those that may be sent, or parked. A
 * transaction stands in the queue with its first entry; the others stay parked. A claimed entry stays
 * where it is, since its claim names its position, and is placed when the claim ends.
 */
export async function place(uow: UnitOfWork, entry: EntryRecord): Promise<void> {
  const leased = await uow.leasedPositions();
  if (leased.has(entry.position)) return;
  const detail = detailOf(entry);
  if (detail.group !== undefined) {
    const leader = await findEntry(uow, entry.partition, leaderSeq(detail));
    if (leader !== undefined) await placeGroup(uow, leader, leased);
    return;
  }
  const waits = entry.behind !== null || isHeldBack(entry, detail);
  const position = waits
    ? parkedPosition(entry.partition, entry.seq)
    : readyPosition(entry.partition, await wantAtHead(uow, entry), entry.seq);
  uow.moveEntry(entry, position);
}

/** The same for the entry of a seq, if it is still there. */
export async function placeSeq(uow: UnitOfWork, partition: number, seq: number): Promise<void> {
  const entry = await findEntry(uow, partition, seq);
  if (entry !== undefined) await place(uow, entry);
}

/** The same for many entries; each transaction among them is placed once. */
export async function placeAll(uow: UnitOfWork, entries: readonly EntryRecord[]): Promise<void> {
  const groups = new Set<string>();
  for (const entry of entries) {
    const { group } = detailOf(entry);
    if (group !== undefined && groups.has(group)) continue;
    if (group !== undefined) groups.add(group);
    await place(uow, entry);
  }
}

/** Puts the heads of the entries' lanes, or entries without a lane, where they belong in the queue. */
export async function placeHeads(uow: UnitOfWork, entries: readonly EntryRecord[]): Promise<void> {
  const heads: EntryRecord[] = [];
  for (const entry of entries) {
    const row = await rowOf(uow, entry);
    const isInLane = row !== undefined && row.head !== null && detailOf(entry).isDetached !== true;
    const seq = isInLane ? (row.head as number) : entry.seq;
    const head = await findEntry(uow, entry.partition, seq);
    assert(head !== undefined, 'the head of a lane exists');
    heads.push(head);
  }
  await placeAll(uow, heads);
}

function isHeldBack(entry: EntryRecord, detail: EntryDetail): boolean {
  return entry.notBefore !== null || entry.state !== null || (detail.after?.length ?? 0) > 0;
}

/** How urgent a head is: the best of its lane, and of what waits for it beyond. */
async function wantAtHead(uow: UnitOfWork, entry: EntryRecord): Promise<PriorityRank> {
  const row = await rowOf(uow, entry);
  const lane = row === undefined ? null : laneDetailOf(row);
  return lane === null ? wantOf(entry) : bestRank(bestWanted(lane.wants), wantOf(entry));
}

async function placeGroup(
  uow: UnitOfWork,
  leader: EntryRecord,
  leased: ReadonlySet<number>,
): Promise<void> {
  const { members, isDamaged } = detailOf(leader);
  // A claim finds that nobody knows who belongs to it, and makes dead letters of them.
  if (isDamaged === true && members === undefined) return place(uow, leader);
  // Until `closeGroup` nobody knows who belongs to it.
  if (members === undefined || leased.has(leader.position)) return;
  const { partition, seq } = leader;
  const want = await wantOfGroup(uow, leader, members, leased);
  uow.moveEntry(
    leader,
    want === undefined ? parkedPosition(partition, seq) : readyPosition(partition, want, seq),
  );
}

/** How urgent a transaction is; undefined while one of its entries may not be sent. */
async function wantOfGroup(
  uow: UnitOfWork,
  leader: EntryRecord,
  members: readonly number[],
  leased: ReadonlySet<number>,
): Promise<PriorityRank | undefined> {
  let want: PriorityRank = LOWEST_RANK;
  // Last first: where lanes free up in order, the one that still waits is found at once.
  for (const seq of members.toReversed()) {
    const member = await findEntry(uow, leader.partition, seq);
    if (member === undefined) continue;
    const row = await rowOf(uow, member);
    // Entries of one transaction lie together: a lane that begins inside it holds nothing older.
    const isAtHead = row === undefined || (row.head !== null && row.head >= leader.seq);
    if (!isAtHead || isHeldBack(member, detailOf(member)) || leased.has(member.position)) {
      return undefined;
    }
    want = bestRank(want, await wantAtHead(uow, member));
  }
  return want;
}

/** The rank at which an entry stands or would stand, for those who ask. */
export async function effectiveRank(uow: UnitOfWork, entry: EntryRecord): Promise<PriorityRank> {
  if (isReady(entry.position)) return rankOfPosition(entry.position);
  const row = await rowOf(uow, entry);
  return row?.head === entry.seq ? wantAtHead(uow, entry) : wantOf(entry);
}
