import { assert } from '../model/errors.ts';
import { findEntry, laneEntries, MAX_LANE, rowOf, tailOf } from './lookup.ts';
import { place, placeHeads } from './place.ts';
import { parkedPosition, readyPosition } from './position.ts';
import {
  detailOf,
  laneDetailOf,
  laneKey,
  withDetail,
  type EntryDetail,
  type EntryRecord,
  type LaneDetail,
  type RowRecord,
} from './records.ts';
import { raisePredecessors } from './urgency.ts';
import type { UnitOfWork } from './unit-of-work.ts';
import { bestWanted, counted, isLinked, wantOf, type Wants } from './wants.ts';

export { findEntry } from './lookup.ts';
export { effectiveRank, place } from './place.ts';

/**
 * Entries of one lane go in the order they were made: only the head of a lane may be sent. The row of
 * an entity knows the head, the tail and the length of its lane; those behind the head are found by
 * the index `lane`.
 */

/**
 * Puts a new entry at the end of its lane and where it belongs in the queue.
 *
 * @param row the entity's row as it will be, with the lane as it was; undefined for items
 */
export function appendEntry(
  uow: UnitOfWork,
  row: RowRecord | undefined,
  entry: EntryRecord,
  detail: EntryDetail | undefined,
): Promise<void> | undefined {
  const isIdle = row === undefined || row.depth === 0;
  if (!isIdle || (detail !== undefined && isLinked(detail))) {
    return appendBehind(uow, row, entry, detail ?? {});
  }
  // The common case: nothing waits, nothing to compare.
  const { seq } = entry;
  if (row !== undefined) uow.putRow({ ...row, head: seq, tail: seq, depth: 1, lane: null });
  uow.putEntry({ ...entry, position: readyPosition(entry.partition, entry.priority, seq) });
  return undefined;
}

async function appendBehind(
  uow: UnitOfWork,
  row: RowRecord | undefined,
  entry: EntryRecord,
  detail: EntryDetail,
): Promise<void> {
  let placed = { ...entry, position: parkedPosition(entry.partition, entry.seq) };
  let mayRaise = true;
  let isUrging = true;
  if (row !== undefined) {
    const lane = await laneOf(uow, row);
    const isTied = isLinked(detail);
    if (isTied && lane.lastLinked !== undefined)
      placed = withDetail(placed, { previousLinked: lane.lastLinked });
    if (row.depth > 0)
      placed = { ...placed, behind: laneKey(row.partition, row.collection, row.id) };
    putExtended(uow, row, lane, placed, isTied);
    isUrging = row.depth === 0 || wantOf(placed) < bestWanted(lane.wants);
    mayRaise = isTied || lane.lastLinked !== undefined;
  }
  uow.putEntry(placed);
  if (mayRaise) await raisePredecessors(uow, placed);
  if (isUrging) await placeHeads(uow, [placed]);
}

function putExtended(
  uow: UnitOfWork,
  row: RowRecord,
  lane: LaneDetail,
  entry: EntryRecord,
  isTied: boolean,
): void {
  const lastLinked = isTied ? entry.seq : lane.lastLinked;
  const next: LaneDetail = {
    wants: counted(lane.wants, wantOf(entry), 1),
    ...(lastLinked === undefined ? {} : { lastLinked }),
  };
  uow.putRow({
    ...row,
    head: row.head ?? entry.seq,
    tail: entry.seq,
    depth: row.depth + 1,
    lane: JSON.stringify(next),
  });
}

async function laneOf(uow: UnitOfWork, row: RowRecord): Promise<LaneDetail> {
  const lane = laneDetailOf(row);
  if (lane !== null) return lane;
  if (row.depth > 1) return laneDetailFor(await laneEntries(uow, row));
  const none: Wants = [0, 0, 0, 0];
  if (row.head === null) return { wants: none };
  const head = await findEntry(uow, row.partition, row.head);
  assert(head !== undefined, 'the head of a lane exists');
  return { wants: counted(none, wantOf(head), 1) };
}

function laneDetailFor(entries: readonly EntryRecord[]): LaneDetail {
  let wants: Wants = [0, 0, 0, 0];
  for (const entry of entries) wants = counted(wants, wantOf(entry), 1);
  const lastLinked = entries.findLast((entry) => isLinked(detailOf(entry)))?.seq;
  return { wants, ...(lastLinked === undefined ? {} : { lastLinked }) };
}

/**
 * The row of an entity whose lane holds what the row says it does: an entry that is gone, which only
 * damage brings about, is not waited for.
 *
 * @returns the row as it is now; its depth is 0 if nothing of the lane is left
 */
export async function soundLane(uow: UnitOfWork, row: RowRecord): Promise<RowRecord> {
  const tail = await tailOf(uow, row);
  const head = row.head === row.tail ? tail : await findEntry(uow, row.partition, row.head ?? 0);
  if (head !== undefined && tail !== undefined) return row;
  uow.noteDamage('rows', [row.partition, row.collection, row.id]);
  return mendLane(uow, row);
}

/** Makes the row say what its lane holds. The value that the app sees stays, and what the server has. */
export async function mendLane(uow: UnitOfWork, row: RowRecord): Promise<RowRecord> {
  const { partition, collection, id } = row;
  const prefix = [laneKey(partition, collection, id)];
  const first = row.head === null ? undefined : await findEntry(uow, partition, row.head);
  const behind = await uow.scanEntries({ index: 'lane', prefix, limit: MAX_LANE });
  const left = [...(first === undefined ? [] : [first]), ...behind].filter(
    ({ seq }, index, all) => all.findIndex((other) => other.seq === seq) === index,
  );
  const head = left[0];
  const mended = {
    ...row,
    head: head?.seq ?? null,
    tail: left.at(-1)?.seq ?? null,
    depth: left.length,
    lane: left.length === 0 ? null : JSON.stringify(laneDetailFor(left)),
  };
  uow.putRow(mended);
  if (head !== undefined) {
    const freed = { ...head, behind: null };
    uow.putEntry(freed);
    await place(uow, freed);
  }
  return mended;
}

/**
 * Takes an entry out of its lane; what comes next in the lane moves up. What the app sees follows only
 * if the lane empties: see `settleRowOf`.
 */
export async function leaveLane(uow: UnitOfWork, entry: EntryRecord): Promise<void> {
  const row = await rowOf(uow, entry);
  if (row === undefined || detailOf(entry).isDetached === true) return;
  // Its row was lost, and this is a later one: it has never stood in this lane.
  if (entry.behind === null && row.head !== entry.seq) return;
  assert(row.depth > 0, 'an entry in a lane is counted in it');
  if (row.depth === 1) {
    emptyLane(uow, row);
    return;
  }
  const lane = await laneOf(uow, row);
  const wants = counted(lane.wants, wantOf(entry), -1);
  const left = { ...row, depth: row.depth - 1, lane: JSON.stringify({ ...lane, wants }) };
  if (row.head === entry.seq) await promoteNext(uow, left);
  else await closeGap(uow, left, entry);
}

/** Nothing waits: the app sees what the server has, and a row without a value goes. */
function emptyLane(uow: UnitOfWork, row: RowRecord): void {
  if (row.shadow === null) uow.deleteRow(row);
  else {
    const value = row.shadow;
    uow.putRow({ ...row, value, shadow: null, head: null, tail: null, depth: 0, lane: null });
  }
}

async function promoteNext(uow: UnitOfWork, row: RowRecord): Promise<void> {
  const next = await secondOf(uow, row);
  if (next === undefined) {
    uow.noteDamage('rows', [row.partition, row.collection, row.id]);
    const mended = await mendLane(uow, { ...row, head: null });
    if (mended.depth === 0) emptyLane(uow, mended);
    return;
  }
  const lane = laneDetailOf(row);
  const needsDetail = row.depth > 1 || (lane?.lastLinked ?? 0) >= next.seq;
  uow.putRow({ ...row, head: next.seq, lane: needsDetail ? row.lane : null });
  const head = { ...next, behind: null };
  uow.putEntry(head);
  await place(uow, head);
}

/** The entry behind the head. */
async function secondOf(uow: UnitOfWork, row: RowRecord): Promise<EntryRecord | undefined> {
  if (row.depth === 1) return uow.entryAt(parkedPosition(row.partition, row.tail as number));
  const prefix = [laneKey(row.partition, row.collection, row.id)];
  return (await uow.scanEntries({ index: 'lane', prefix, limit: 1 }))[0];
}

async function closeGap(uow: UnitOfWork, row: RowRecord, entry: EntryRecord): Promise<void> {
  const lane = laneDetailOf(row) as LaneDetail;
  let changed = row;
  if (row.tail === entry.seq) {
    const [before] = await uow.scanEntries({
      index: 'lane',
      prefix: [laneKey(row.partition, row.collection, row.id)],
      to: [entry.seq],
      toOpen: true,
      reverse: true,
      limit: 1,
    });
    changed = { ...changed, tail: before?.seq ?? row.head };
  }
  const { previousLinked, ...detail } = detailOf(entry);
  if (lane.lastLinked === entry.seq) {
    const { wants } = lane;
    const next = previousLinked === undefined ? { wants } : { wants, lastLinked: previousLinked };
    changed = { ...changed, lane: JSON.stringify(next) };
  }
  uow.putRow(changed);
  if (isLinked(detail) && lane.lastLinked !== entry.seq) await mendChain(uow, row, entry);
  // Its head may be less urgent without it.
  if (wantOf(entry) <= bestWanted(lane.wants)) await placeHeads(uow, [entry]);
}

/** The next entry with ties looks past the one that goes. */
async function mendChain(uow: UnitOfWork, row: RowRecord, gone: EntryRecord): Promise<void> {
  const { previousLinked } = detailOf(gone);
  for (const later of await laneEntries(uow, row)) {
    if (later.seq <= gone.seq || detailOf(later).previousLinked !== gone.seq) continue;
    uow.putEntry(withDetail(later, { previousLinked }));
    return;
  }
}
