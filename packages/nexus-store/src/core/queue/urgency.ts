import { LOWEST_RANK, type PriorityRank } from '../model/priority.ts';
import { dependentsOf, findEntry, rowOf, unitOf } from './lookup.ts';
import { placeHeads } from './place.ts';
import { detailOf, laneDetailOf, laneKey, withDetail, type EntryRecord } from './records.ts';
import type { UnitOfWork } from './unit-of-work.ts';
import { bestRank, bestWanted, counted, isLinked, wantOf } from './wants.ts';

/**
 * A head is as urgent as the most urgent of all that wait for it. What its own lane wants is kept as
 * four counts in the row, so a lane of any length costs the same. Ties between lanes (`after`,
 * transactions) carry a `boost` back from each entry to those it waits for.
 *
 * The boost of an entry is the best of what its dependents want and, if it has ties of its own, of
 * what waits behind it in its lane; a transaction has one boost, over all its entries. Boosts only
 * improve while entries come, so each is raised three times at most; when an entry goes from the
 * middle, or wants less, those it waited for are counted anew.
 */

/** The nearest entry of the lane before this one that has ties beyond the lane. */
async function previousLinked(uow: UnitOfWork, entry: EntryRecord): Promise<number | undefined> {
  const detail = detailOf(entry);
  if (detail.isDetached === true) return undefined;
  if (isLinked(detail)) return detail.previousLinked;
  const row = await rowOf(uow, entry);
  let seq = row === undefined ? undefined : laneDetailOf(row)?.lastLinked;
  while (seq !== undefined && seq >= entry.seq) {
    const linked = await findEntry(uow, entry.partition, seq);
    seq = linked === undefined ? undefined : detailOf(linked).previousLinked;
  }
  return seq;
}

/** What a unit waits for, as far as ties between lanes go. Settled ones may be named. */
async function predecessors(uow: UnitOfWork, unit: readonly EntryRecord[]): Promise<Set<number>> {
  const found = new Set<number>();
  for (const member of unit) {
    const linked = await previousLinked(uow, member);
    if (linked !== undefined) found.add(linked);
    for (const seq of detailOf(member).after ?? []) found.add(seq);
  }
  for (const { seq } of unit) found.delete(seq);
  return found;
}

/** All whose urgency may depend on these entries directly: predecessors, and their transactions. */
export async function influenced(
  uow: UnitOfWork,
  entries: readonly EntryRecord[],
): Promise<Set<number>> {
  const found = new Set<number>();
  const seen = new Set<number>();
  for (const entry of entries) {
    if (seen.has(entry.seq)) continue;
    const unit = await unitOf(uow, entry);
    for (const { seq } of unit) {
      seen.add(seq);
      found.add(seq);
    }
    for (const seq of await predecessors(uow, unit)) found.add(seq);
  }
  for (const { seq } of entries) found.delete(seq);
  return found;
}

/** Passes what an entry wants on to everything it waits for. */
export async function raisePredecessors(uow: UnitOfWork, entry: EntryRecord): Promise<void> {
  await raise(uow, entry.partition, await influenced(uow, [entry]), wantOf(entry));
}

async function raise(
  uow: UnitOfWork,
  partition: number,
  seqs: Iterable<number>,
  want: PriorityRank,
): Promise<void> {
  const work = [...seqs];
  for (let seq = work.pop(); seq !== undefined; seq = work.pop()) {
    const entry = await findEntry(uow, partition, seq);
    if (entry === undefined || wantOf(entry) <= want) continue;
    const unit = await unitOf(uow, entry);
    work.push(...(await predecessors(uow, unit)));
    await setBoost(uow, unit, want);
  }
}

/** Gives the entries of a new transaction one boost, and passes it on to all they wait for. */
export async function boostUnit(
  uow: UnitOfWork,
  unit: readonly EntryRecord[],
  want: PriorityRank,
): Promise<void> {
  await setBoost(uow, unit, want);
  const partition = unit[0]?.partition ?? 0;
  await raise(uow, partition, await predecessors(uow, unit), want);
}

/** After something that waited went or wants less: counts anew what these entries want. */
export async function recount(
  uow: UnitOfWork,
  partition: number,
  seqs: Iterable<number>,
): Promise<void> {
  const work = new Set(seqs);
  while (work.size > 0) {
    // Last first: an entry only ever waits for earlier ones.
    const seq = [...work].reduce((latest, next) => Math.max(latest, next));
    work.delete(seq);
    const entry = await findEntry(uow, partition, seq);
    if (entry === undefined || detailOf(entry).isDetached === true) continue;
    const unit = await unitOf(uow, entry);
    for (const member of unit) work.delete(member.seq);
    const boost = await boostFor(uow, unit);
    // All of it: entries of a transaction that lost its first one were counted one by one meanwhile.
    if (unit.every((member) => boost === (detailOf(member).boost ?? LOWEST_RANK))) continue;
    for (const predecessor of await predecessors(uow, unit)) work.add(predecessor);
    await setBoost(uow, unit, boost);
  }
}

/** The best that anything waiting for this unit wants. */
async function boostFor(uow: UnitOfWork, unit: readonly EntryRecord[]): Promise<PriorityRank> {
  const own = new Set(unit.map(({ seq }) => seq));
  let best: PriorityRank = LOWEST_RANK;
  for (const member of unit) {
    if (best === 0) break;
    if (unit.length > 1) best = bestRank(best, member.priority);
    for (const dependent of await dependentsOf(uow, member)) {
      if (!own.has(dependent.seq)) best = bestRank(best, wantOf(dependent));
    }
    if (isLinked(detailOf(member))) best = bestRank(best, await wantBehind(uow, member, own));
  }
  return best;
}

const LANE_PAGE = 64;

/** What the entries of the lane behind this one want, those of its own transaction left out. */
async function wantBehind(
  uow: UnitOfWork,
  entry: EntryRecord,
  own: ReadonlySet<number>,
): Promise<PriorityRank> {
  const row = await rowOf(uow, entry);
  if (row === undefined || row.tail === entry.seq) return LOWEST_RANK;
  const lane = laneDetailOf(row);
  if (row.head === entry.seq && lane !== null && own.size === 1) {
    return bestWanted(counted(lane.wants, wantOf(entry), -1));
  }
  const prefix = [laneKey(entry.partition, entry.collection, entry.entity)];
  let best: PriorityRank = LOWEST_RANK;
  for (let from = entry.seq; ;) {
    const range = { index: 'lane', prefix, from: [from], fromOpen: true, limit: LANE_PAGE };
    const page = await uow.scanEntries(range);
    for (const later of page) {
      if (own.has(later.seq)) continue;
      best = bestRank(best, wantOf(later));
      // An entry with ties wants on behalf of all behind it.
      if (best === 0 || isLinked(detailOf(later))) return best;
    }
    if (page.length < LANE_PAGE) return best;
    from = page.at(-1)?.seq as number;
  }
}

/** Changes what a unit wants on behalf of others, and its lanes' counts and heads with it. */
async function setBoost(
  uow: UnitOfWork,
  unit: readonly EntryRecord[],
  rank: PriorityRank,
): Promise<void> {
  const boost = rank === LOWEST_RANK ? undefined : rank;
  for (const member of unit) await replaceEntry(uow, member, withDetail(member, { boost }));
  await placeHeads(uow, unit);
}

/** Stores an entry whose urgency changed, and the counts of its lane with it. */
async function replaceEntry(
  uow: UnitOfWork,
  before: EntryRecord,
  after: EntryRecord,
): Promise<void> {
  uow.putEntry(after);
  const row = await rowOf(uow, before);
  if (row === undefined || row.lane === null || detailOf(before).isDetached === true) return;
  const lane = laneDetailOf(row);
  if (lane === null) return;
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
  await replaceEntry(uow, entry, changed);
  if (priority < entry.priority) {
    await raisePredecessors(uow, changed);
  } else {
    await recount(uow, entry.partition, [entry.seq, ...(await influenced(uow, [changed]))]);
  }
  await placeHeads(uow, [changed]);
}
