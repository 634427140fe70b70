import { assert } from '../model/errors.ts';
import { LOWEST_RANK, type PriorityRank } from '../model/priority.ts';
import {
  isReady,
  parkedPosition,
  positionsOfSeq,
  rankOfPosition,
  readyPosition,
} from './position.ts';
import {
  detailOf,
  emptyRow,
  laneDetailOf,
  laneKey,
  withDetail,
  type EntryDetail,
  type EntryRecord,
  type LaneDetail,
  type RowRecord,
} from './records.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/**
 * Which entry may be sent, and how urgently. Entries of one lane go in the order they were made, so
 * only the head of a lane may be sent; a transaction goes when all its entries are at the head of
 * theirs; `after` adds a dependency. A head is as urgent as the most urgent of all that wait for it.
 *
 * What a head's whole lane wants is kept as four counts in its row, so appending to a lane of any
 * length touches only its head. Ties between lanes (`after`, transactions) carry a `boost` from each
 * entry to those it waits for. A boost only ever improves while entries come, so each entry is raised
 * three times at most; when one is taken away from the middle, `lowerAfterRemoval` counts anew.
 */

type Wants = [number, number, number, number];

export function bestRank(a: PriorityRank, b: PriorityRank): PriorityRank {
  return a < b ? a : b;
}

/** How urgent an entry makes everything it waits for. */
export function wantOf(entry: EntryRecord, detail: EntryDetail = detailOf(entry)): PriorityRank {
  return bestRank(entry.priority, detail.boost ?? LOWEST_RANK);
}

/** True if the entry has ties beyond its lane. */
function isLinked(detail: EntryDetail): boolean {
  return detail.group !== undefined || detail.after !== undefined;
}

function bestWanted(wants: LaneDetail['wants']): PriorityRank {
  const best = wants.findIndex((count) => count > 0);
  return (best < 0 ? LOWEST_RANK : best) as PriorityRank;
}

function counted(wants: LaneDetail['wants'], rank: PriorityRank, sign: 1 | -1): Wants {
  const result = [...wants] as Wants;
  result[rank] += sign;
  return result;
}

export async function findEntry(
  uow: UnitOfWork,
  partition: number,
  seq: number,
): Promise<EntryRecord | undefined> {
  const found = await uow.entriesAt(positionsOfSeq(partition, seq));
  return found.find((entry) => entry !== undefined);
}

export async function rowOf(uow: UnitOfWork, entry: EntryRecord): Promise<RowRecord | undefined> {
  if (entry.operation === 'item') return undefined;
  return uow.row(entry.partition, entry.collection, entry.entity);
}

async function laneOf(uow: UnitOfWork, row: RowRecord): Promise<LaneDetail> {
  const lane = laneDetailOf(row);
  if (lane !== null) return lane;
  const wants: Wants = [0, 0, 0, 0];
  if (row.head !== null) {
    const head = await findEntry(uow, row.partition, row.head);
    assert(head !== undefined, 'the head of a lane exists');
    wants[wantOf(head)] += 1;
  }
  return { wants };
}

/**
 * Puts a new entry at the end of its lane and where it belongs in the queue.
 *
 * @param row the entity's row as it will be, with the lane as it was
 */
export async function appendEntry(
  uow: UnitOfWork,
  row: RowRecord | undefined,
  entry: EntryRecord,
): Promise<void> {
  if (row !== undefined && row.depth === 0 && entry.detail === null) {
    // The common case, an idle entity: nothing waits, nothing to compare.
    uow.putRow({ ...row, head: entry.seq, tail: entry.seq, depth: 1, lane: null });
    uow.putEntry({ ...entry, position: readyPosition(entry.partition, entry.priority, entry.seq) });
    return;
  }
  const detail = detailOf(entry);
  const linked = isLinked(detail);
  let placed = { ...entry, position: parkedPosition(entry.partition, entry.seq) };
  if (row !== undefined) {
    const lane = await laneOf(uow, row);
    if (linked && lane.lastLinked !== undefined)
      placed = withDetail(placed, { previousLinked: lane.lastLinked });
    if (row.depth > 0)
      placed = { ...placed, behind: laneKey(row.partition, row.collection, row.id) };
    const lastLinked = linked ? entry.seq : lane.lastLinked;
    const next: LaneDetail = {
      wants: counted(lane.wants, wantOf(placed), 1),
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
  uow.putEntry(placed);
  await raisePredecessors(uow, placed);
  await placeHeadOf(uow, placed);
}

/** The nearest entry of the lane before this one that has ties beyond the lane. */
async function previousLinked(uow: UnitOfWork, entry: EntryRecord): Promise<number | undefined> {
  const detail = detailOf(entry);
  if (isLinked(detail)) return detail.previousLinked;
  const row = await rowOf(uow, entry);
  let seq = row === undefined ? undefined : laneDetailOf(row)?.lastLinked;
  while (seq !== undefined && seq >= entry.seq) {
    const linked = await findEntry(uow, entry.partition, seq);
    seq = linked === undefined ? undefined : detailOf(linked).previousLinked;
  }
  return seq;
}

/** What the entry waits for, as far as ties between lanes are concerned. Settled ones may be named. */
async function predecessors(uow: UnitOfWork, entry: EntryRecord): Promise<number[]> {
  const detail = detailOf(entry);
  const leader = detail.members ?? (await membersOf(uow, entry));
  const linked = await previousLinked(uow, entry);
  return [
    ...(linked === undefined ? [] : [linked]),
    ...(detail.after ?? []),
    ...leader.filter((seq) => seq !== entry.seq),
  ];
}

/** The seqs of the entry's transaction; empty if it has none. */
export async function membersOf(uow: UnitOfWork, entry: EntryRecord): Promise<readonly number[]> {
  const detail = detailOf(entry);
  if (detail.group === undefined) return [];
  if (detail.members !== undefined) return detail.members;
  const leader = await findEntry(uow, entry.partition, leaderSeq(detail, entry));
  return leader === undefined ? [] : (detailOf(leader).members ?? []);
}

/** A group is named after its first entry: `g<seq>`. */
export function leaderSeq(detail: EntryDetail, entry: EntryRecord): number {
  return detail.group === undefined ? entry.seq : Number(detail.group.slice(1));
}

/** Passes the urgency of an entry on to everything it waits for. */
export async function raisePredecessors(uow: UnitOfWork, entry: EntryRecord): Promise<void> {
  const work = (await predecessors(uow, entry)).map((seq) => ({ seq, want: wantOf(entry) }));
  for (let next = work.pop(); next !== undefined; next = work.pop()) {
    const { seq, want } = next;
    const earlier = await findEntry(uow, entry.partition, seq);
    if (earlier === undefined || wantOf(earlier) <= want) continue;
    const raised = await setBoost(uow, earlier, want);
    for (const before of await predecessors(uow, raised)) work.push({ seq: before, want });
    await placeHeadOf(uow, raised);
  }
}

/** Changes what an entry wants on behalf of others, and its lane's counts with it. */
async function setBoost(
  uow: UnitOfWork,
  entry: EntryRecord,
  boost: PriorityRank | undefined,
): Promise<EntryRecord> {
  const changed = withDetail(entry, { boost });
  await changeWant(uow, entry, changed);
  uow.putEntry(changed);
  return changed;
}

async function changeWant(uow: UnitOfWork, before: EntryRecord, after: EntryRecord): Promise<void> {
  const row = await rowOf(uow, before);
  if (row === undefined || row.lane === null || detailOf(before).isDetached === true) return;
  const lane = laneDetailOf(row) as LaneDetail;
  const wants = counted(counted(lane.wants, wantOf(before), -1), wantOf(after), 1);
  uow.putRow({ ...row, lane: JSON.stringify({ ...lane, wants }) });
}

/** Changes the priority of an entry, and with it what its lane and its prerequisites want. */
export async function changePriority(
  uow: UnitOfWork,
  entry: EntryRecord,
  priority: PriorityRank,
): Promise<void> {
  const changed = { ...entry, priority };
  await changeWant(uow, entry, changed);
  uow.putEntry(changed);
  if (priority > entry.priority) await lowerPredecessors(uow, changed);
  else await raisePredecessors(uow, changed);
  await placeHeadOf(uow, changed);
}

/** Puts the head of the entry's lane, or the entry itself, where it belongs in the queue. */
export async function placeHeadOf(uow: UnitOfWork, entry: EntryRecord): Promise<void> {
  const row = await rowOf(uow, entry);
  if (row === undefined || row.head === null || row.head === entry.seq) {
    await place(uow, (await findEntry(uow, entry.partition, entry.seq)) ?? entry);
    return;
  }
  const head = await findEntry(uow, entry.partition, row.head);
  assert(head !== undefined, 'the head of a lane exists');
  await place(uow, head);
}

/**
 * Moves an entry to where its state says it belongs. A transaction stands in the queue with its first
 * entry. A claimed entry stays where it is: its claim names its position.
 */
export async function place(uow: UnitOfWork, entry: EntryRecord): Promise<EntryRecord> {
  if ((await uow.leasedPositions()).has(entry.position)) return entry;
  const detail = detailOf(entry);
  if (detail.group !== undefined) {
    const leader = await findEntry(uow, entry.partition, leaderSeq(detail, entry));
    if (leader !== undefined && !(await uow.leasedPositions()).has(leader.position))
      await placeGroup(uow, leader);
    return entry;
  }
  const waits = entry.behind !== null || (detail.waits ?? 0) > 0 || isHeldBack(entry);
  if (waits) return uow.moveEntry(entry, parkedPosition(entry.partition, entry.seq));
  return uow.moveEntry(
    entry,
    readyPosition(entry.partition, await wantAtHead(uow, entry), entry.seq),
  );
}

function isHeldBack(entry: EntryRecord): boolean {
  return entry.notBefore !== null || entry.state !== null;
}

/** How urgent a head is: the best of its lane, and of what waits for it beyond. */
async function wantAtHead(uow: UnitOfWork, entry: EntryRecord): Promise<PriorityRank> {
  const row = await rowOf(uow, entry);
  const lane = row === undefined ? null : laneDetailOf(row);
  return lane === null ? wantOf(entry) : bestRank(bestWanted(lane.wants), wantOf(entry));
}

async function placeGroup(uow: UnitOfWork, leader: EntryRecord): Promise<void> {
  let isEligible = true;
  let want: PriorityRank = LOWEST_RANK;
  for (const seq of detailOf(leader).members ?? []) {
    const member = await findEntry(uow, leader.partition, seq);
    // Members are appended one by one; until the last is there, the group is not whole.
    if (member === undefined) return;
    const row = await rowOf(uow, member);
    // Entries of one transaction lie together: a lane that begins inside it holds nothing older.
    const isAtHead = row === undefined || (row.head !== null && row.head >= leader.seq);
    if (!isAtHead || (detailOf(member).waits ?? 0) > 0 || isHeldBack(member)) isEligible = false;
    want = bestRank(want, await wantAtHead(uow, member));
  }
  const { partition, seq } = leader;
  uow.moveEntry(
    leader,
    isEligible ? readyPosition(partition, want, seq) : parkedPosition(partition, seq),
  );
}

/** Takes an entry out of its lane; what comes next in the lane moves up. The entry itself stays stored. */
export async function leaveLane(uow: UnitOfWork, entry: EntryRecord): Promise<void> {
  const row = await rowOf(uow, entry);
  if (row === undefined || detailOf(entry).isDetached === true) return;
  assert(row.depth > 0, 'an entry in a lane is counted in it');
  if (row.depth === 1) {
    uow.putRow({ ...row, head: null, tail: null, depth: 0, lane: null });
    return;
  }
  const lane = await laneOf(uow, row);
  const wants = counted(lane.wants, wantOf(entry), -1);
  const left = { ...row, depth: row.depth - 1, lane: JSON.stringify({ ...lane, wants }) };
  if (row.head === entry.seq) await promoteNext(uow, left);
  else await closeGap(uow, left, entry);
}

async function promoteNext(uow: UnitOfWork, row: RowRecord): Promise<void> {
  const key = laneKey(row.partition, row.collection, row.id);
  const [next] = await uow.scanEntries({ index: 'lane', prefix: [key], limit: 1 });
  assert(next !== undefined, 'a lane has as many entries as it counts');
  const lane = laneDetailOf(row);
  const needsDetail = row.depth > 1 || (lane?.lastLinked ?? 0) >= next.seq;
  uow.putRow({ ...row, head: next.seq, lane: needsDetail ? row.lane : null });
  const head = { ...next, behind: null };
  uow.putEntry(head);
  await place(uow, head);
}

async function closeGap(uow: UnitOfWork, row: RowRecord, entry: EntryRecord): Promise<void> {
  const lane = laneDetailOf(row);
  let changed = row;
  if (row.tail === entry.seq) {
    const key = laneKey(row.partition, row.collection, row.id);
    const [before] = await uow.scanEntries({
      index: 'lane',
      prefix: [key],
      to: [entry.seq],
      toOpen: true,
      reverse: true,
      limit: 1,
    });
    changed = { ...changed, tail: before?.seq ?? row.head };
  }
  if (lane?.lastLinked === entry.seq) {
    const { lastLinked: _gone, ...rest } = lane;
    const previous = detailOf(entry).previousLinked;
    const detail = previous === undefined ? rest : { ...rest, lastLinked: previous };
    changed = { ...changed, lane: JSON.stringify(detail) };
  }
  uow.putRow(changed);
}

/** Those who waited for this entry beyond its lane wait no more. */
export async function releaseDependents(uow: UnitOfWork, entry: EntryRecord): Promise<void> {
  if (detailOf(entry).hasDependents !== true) return;
  for (const dependent of await dependentsOf(uow, entry)) {
    uow.delete('dependencies', [entry.seq, dependent.seq]);
    const waits = (detailOf(dependent).waits ?? 1) - 1;
    const freed = withDetail(dependent, { waits: waits === 0 ? undefined : waits });
    uow.putEntry(freed);
    await place(uow, freed);
  }
}

const MAX_DEPENDENTS = 1_000_000;

export async function dependentsOf(uow: UnitOfWork, entry: EntryRecord): Promise<EntryRecord[]> {
  if (detailOf(entry).hasDependents !== true) return [];
  const edges = await uow.scan('dependencies', { prefix: [entry.seq], limit: MAX_DEPENDENTS });
  const found: EntryRecord[] = [];
  for (const edge of edges) {
    const dependent = await findEntry(uow, entry.partition, edge['dependent'] as number);
    if (dependent !== undefined) found.push(dependent);
  }
  return found;
}

/** An entry that waits for others goes: nobody is told that it left. */
export async function forgetDependencies(uow: UnitOfWork, entry: EntryRecord): Promise<void> {
  for (const seq of detailOf(entry).after ?? []) uow.delete('dependencies', [seq, entry.seq]);
}

/**
 * After an entry went, or wants less, from the middle of the queue: counts anew what each entry it
 * waited for wants. Last first, since an entry only ever waits for earlier ones.
 */
export async function lowerPredecessors(uow: UnitOfWork, entry: EntryRecord): Promise<void> {
  const affected = new Map<number, EntryRecord>();
  const work = await predecessors(uow, entry);
  for (let seq = work.pop(); seq !== undefined; seq = work.pop()) {
    if (affected.has(seq)) continue;
    const earlier = await findEntry(uow, entry.partition, seq);
    if (earlier === undefined) continue;
    affected.set(seq, earlier);
    work.push(...(await predecessors(uow, earlier)));
  }
  const inOrder = [...affected.keys()].toSorted((a, b) => b - a);
  for (const seq of inOrder) {
    const current = await findEntry(uow, entry.partition, seq);
    if (current === undefined) continue;
    const boost = await boostFor(uow, current);
    if (boost === (detailOf(current).boost ?? LOWEST_RANK)) continue;
    await setBoost(uow, current, boost === LOWEST_RANK ? undefined : boost);
  }
  for (const seq of inOrder) {
    const current = await findEntry(uow, entry.partition, seq);
    if (current !== undefined) await placeHeadOf(uow, current);
  }
}

/** The best that anything waiting for this entry wants, beyond the entry's own priority. */
async function boostFor(uow: UnitOfWork, entry: EntryRecord): Promise<PriorityRank> {
  const mates = await membersOf(uow, entry);
  let best: PriorityRank = LOWEST_RANK;
  for (const seq of mates.length === 0 ? [entry.seq] : mates) {
    const member = seq === entry.seq ? entry : await findEntry(uow, entry.partition, seq);
    if (member === undefined) continue;
    if (seq !== entry.seq) best = bestRank(best, member.priority);
    for (const dependent of await dependentsOf(uow, member))
      best = bestRank(best, wantOf(dependent));
    if (isLinked(detailOf(member))) best = bestRank(best, await wantBehind(uow, member));
  }
  return best;
}

const MAX_LANE = 1_000_000;

/** What the entries of the lane behind this one want, transactions of this entry's own left out. */
async function wantBehind(uow: UnitOfWork, entry: EntryRecord): Promise<PriorityRank> {
  if (entry.operation === 'item') return LOWEST_RANK;
  const key = laneKey(entry.partition, entry.collection, entry.entity);
  const behind = await uow.scanEntries({
    index: 'lane',
    prefix: [key],
    from: [entry.seq],
    fromOpen: true,
    limit: MAX_LANE,
  });
  const group = detailOf(entry).group;
  return behind
    .filter((later) => group === undefined || detailOf(later).group !== group)
    .reduce<PriorityRank>((best, later) => bestRank(best, wantOf(later)), LOWEST_RANK);
}

/** The rank at which an entry stands or would stand, for those who ask. */
export async function effectiveRank(uow: UnitOfWork, entry: EntryRecord): Promise<PriorityRank> {
  if (isReady(entry.position)) return rankOfPosition(entry.position);
  const row = await rowOf(uow, entry);
  return row?.head === entry.seq ? wantAtHead(uow, entry) : wantOf(entry);
}

export function rowFor(entry: EntryRecord, row: RowRecord | undefined): RowRecord {
  return row ?? emptyRow(entry.partition, entry.collection, entry.entity);
}
