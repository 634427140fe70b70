import type { SyncFailure } from '../model/outcome.ts';
import { priorityOfRank } from '../model/priority.ts';
import type { RulesOf } from './collection-rules.ts';
import { forgetDependencies, releaseDependents } from './dependencies.ts';
import { nameOf } from './entry-view.ts';
import { settleRowOf } from './fold.ts';
import { regroup } from './groups.ts';
import { leaveLane } from './lanes.ts';
import { findEntry, laneEntries, membersOf, rowOf, unitOf } from './lookup.ts';
import { handOn, madeOnOf, passStale } from './pins.ts';
import { place } from './place.ts';
import { detailOf, withDetail, type EntryRecord, type LaneLeft } from './records.ts';
import { setState } from './removal.ts';
import { influenced, recount } from './urgency.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/**
 * Moves an entry, with its whole transaction, to the dead letters. What becomes of its lane is the
 * collection's choice. Of `entry` only its attempts and its ambiguity may be newer than what is stored.
 */
export async function buryEntry(
  uow: UnitOfWork,
  entry: EntryRecord,
  failure: SyncFailure,
  rulesOf: RulesOf,
): Promise<void> {
  const stored = await findEntry(uow, entry.partition, entry.seq);
  // It went, or was buried together with another one.
  if (stored === undefined || stored.state === 'dead') return;
  const { attempts, ambiguous } = entry;
  uow.putEntry({ ...stored, attempts, ambiguous });
  const unit = await unitOf(uow, stored);
  for (const { seq } of unit) await buryOne(uow, entry.partition, seq, failure, rulesOf);
  const { group } = detailOf(stored);
  if (group === undefined) return;
  const seqs = unit.map(({ seq }) => seq);
  await regroup(uow, entry.partition, group, seqs);
}

async function buryOne(
  uow: UnitOfWork,
  partition: number,
  seq: number,
  failure: SyncFailure,
  rulesOf: RulesOf,
): Promise<void> {
  const entry = await findEntry(uow, partition, seq);
  if (entry === undefined || entry.state === 'dead') return;
  const dead = markDead(uow, entry, failure);
  const row = await rowOf(uow, dead);
  const { onRejected } = rulesOf(dead.collection);
  if (row === undefined || onRejected === 'park') {
    // A transaction is placed once, when all of it is buried.
    if (detailOf(dead).group === undefined) await place(uow, dead);
    return;
  }
  const isWholeLane = onRejected === 'revert' || dead.operation === 'create';
  const lane = isWholeLane ? await laneEntries(uow, row) : [dead];
  await detachAll(
    uow,
    lane.filter((later) => later.seq >= seq),
    failure,
    rulesOf,
    seq,
  );
  // The app sees what the server has and what still waits: no pull would ever put this right.
  await settleRowOf(uow, dead, rulesOf(dead.collection));
}

/** Stores an entry as a dead letter, where it stands. */
function markDead(uow: UnitOfWork, entry: EntryRecord, failure: SyncFailure): EntryRecord {
  uow.notify({
    type: 'entry-buried',
    ...nameOf(entry),
    priority: priorityOfRank(entry.priority),
    failure,
  });
  const marked = { ...entry, notBefore: null, expiresAt: null };
  return setState(uow, withDetail(marked, { failure, conflict: undefined }), 'dead');
}

/**
 * Makes entries of one lane dead letters that nothing waits for, and buries what belongs to them.
 *
 * @param cause the seq of the entry whose burial takes them along, if there is one
 */
export async function detachAll(
  uow: UnitOfWork,
  entries: readonly EntryRecord[],
  failure: SyncFailure,
  rulesOf: RulesOf,
  cause?: number,
): Promise<void> {
  const groups = new Map<string, readonly number[]>();
  for (const { partition, seq } of entries) {
    const entry = await findEntry(uow, partition, seq);
    if (entry === undefined) continue;
    const { group } = detailOf(entry);
    if (group !== undefined && !groups.has(group)) groups.set(group, await membersOf(uow, entry));
    await detach(uow, entry, failure, cause);
  }
  const partition = entries[0]?.partition ?? 0;
  for (const [group, members] of groups) {
    for (const seq of members) await buryOne(uow, partition, seq, failure, rulesOf);
    await regroup(uow, partition, group, members);
  }
}

/** Takes a dead letter out of lane, transaction and dependencies. It stays readable. */
async function detach(
  uow: UnitOfWork,
  entry: EntryRecord,
  failure: SyncFailure,
  cause: number | undefined,
): Promise<void> {
  const waitedFor = await influenced(uow, [entry]);
  const left = await leftBy(uow, entry, cause);
  const madeOn = await madeOnOf(uow, entry);
  const { after, pinned } = detailOf(entry);
  await releaseDependents(uow, entry);
  forgetDependencies(uow, entry);
  await leaveLane(uow, entry);
  await handOn(uow, entry, pinned);
  await passStale(uow, entry);
  // What moved up in the lane may have moved the transaction, and this entry with it.
  const found = (await findEntry(uow, entry.partition, entry.seq)) ?? entry;
  const dead = found.state === 'dead' ? found : markDead(uow, found, failure);
  const alone = withDetail(
    { ...dead, behind: null },
    {
      isDetached: true,
      left,
      hasDependents: undefined,
      after: undefined,
      followed: after,
      group: undefined,
      members: undefined,
      leader: undefined,
      boost: undefined,
      previousLinked: undefined,
      pinned: undefined,
      isStale: undefined,
      madeOn,
      isEchoed: undefined,
    },
  );
  uow.putEntry(alone);
  await place(uow, alone);
  await recount(uow, entry.partition, waitedFor);
}

/** What puts an entry back in its lane; undefined where too much would be guessed. */
async function leftBy(
  uow: UnitOfWork,
  entry: EntryRecord,
  cause: number | undefined,
): Promise<LaneLeft | undefined> {
  const { group, pinned, isEchoed, hasDependents } = detailOf(entry);
  const hasTies = group !== undefined || hasDependents === true;
  if (cause === undefined || hasTies || pinned !== undefined || isEchoed === true) return undefined;
  const row = await rowOf(uow, entry);
  return { cause, version: row?.version ?? null, expiresAt: entry.expiresAt };
}
