import { assert, QueueError } from '../model/errors.ts';
import { noteAcknowledgements, type Acknowledgement } from './acknowledgements.ts';
import { buryEntry } from './bury.ts';
import type { Claim } from './claim.ts';
import type { RulesOf } from './collection-rules.ts';
import { completeAlone, completeEntry } from './complete.ts';
import { rebaseEntry, type ConflictDecision } from './conflict.ts';
import { nameOf } from './entry-view.ts';
import { regroup } from './groups.ts';
import { positionsOf } from './leases.ts';
import { findEntry, membersOf } from './lookup.ts';
import { place } from './place.ts';
import { parkedPosition } from './position.ts';
import { isPulledByAny } from './pulled.ts';
import { detailOf, laneKey, withDetail, type EntryRecord } from './records.ts';
import { setState } from './removal.ts';
import type { Complete, Settlement } from './settlement.ts';
import { noteUndecided, UNDECIDED } from './undecided.ts';
import type { UnitOfWork } from './unit-of-work.ts';

export { buryEntry } from './bury.ts';
export type { Settlement } from './settlement.ts';

/**
 * Settles entries of a claim; the claim goes with its last one.
 *
 * @throws QueueError `queue/claim-lost` once the claim was taken over; nothing was changed
 */
export async function settleClaim(
  uow: UnitOfWork,
  claim: Pick<Claim, 'fence' | 'owner'>,
  settlements: ReadonlyMap<number, Settlement>,
  rulesOf: RulesOf,
): Promise<void> {
  const settled = await unlease(uow, claim, settlements);
  await preload(uow, settled);
  const groups = await groupsOf(uow, settled);
  // What leaves the queue goes first: the rest of a transaction stands without it.
  const later: EntryRecord[] = [];
  const acknowledged: Acknowledgement[] = [];
  const overtaken = new Set<string>();
  for (const entry of settled) {
    const settlement = settlements.get(entry.seq) as Settlement;
    const answer = applied(entry, settlement);
    const isNews = answer !== undefined || settlement.kind === 'resolve';
    if (isNews && uow.state.hasPulled && (await isFetched(uow, entry, rulesOf)))
      acknowledged.push(acknowledgement(entry, answer));
    if (answer !== undefined) await completeNow(uow, entry, answer, rulesOf, overtaken);
    else if (settlement.kind === 'resolve') await resolveNow(uow, entry, settlement, rulesOf);
    else later.push(entry);
  }
  noteAcknowledgements(uow, acknowledged);
  await regroupAll(uow, groups);
  for (const entry of later) {
    const current = await stored(uow, entry);
    const settlement = settlements.get(entry.seq) as OtherSettlement;
    // It may have been buried with the rest of its transaction.
    if (current.state === 'dead') noteSent(uow, current, saidBy(settlement));
    else await settleEntry(uow, current, settlement, rulesOf);
  }
  if (later.length > 0) await regroupAll(uow, groups);
}

/** The entry as it is now: what was settled before it may have moved or changed it. */
async function stored(uow: UnitOfWork, entry: EntryRecord): Promise<EntryRecord> {
  const current = await findEntry(uow, entry.partition, entry.seq);
  assert(current !== undefined, 'a claimed entry stays until it is settled');
  return current;
}

/** True if a page with the entry's row may be on its way, whoever asked for it. */
async function isFetched(uow: UnitOfWork, entry: EntryRecord, rulesOf: RulesOf): Promise<boolean> {
  const { operation, partition, collection } = entry;
  return operation !== 'item' && isPulledByAny(uow, rulesOf(collection), partition, collection);
}

function acknowledgement(entry: EntryRecord, answer: Complete | undefined): Acknowledgement {
  const { partition, collection, entity, idempotencyKey } = entry;
  return { partition, collection, entity, key: answer === undefined ? '' : idempotencyKey };
}

type OtherSettlement = Exclude<Settlement, { kind: 'complete' | 'resolve' }>;

/** The answer to an entry that is done; undefined if it is not. */
function applied(entry: EntryRecord, settlement: Settlement): Complete | undefined {
  if (settlement.kind === 'complete') return settlement;
  // A pull brought its effect: a conflict, say, was one with itself.
  const isEchoed = entry.detail !== null && detailOf(entry).isEchoed === true;
  return isEchoed ? { kind: 'complete' } : undefined;
}

/**
 * @param overtaken transactions, each with an entity, whose effect on the row a pull has brought: a server
 *   applies them whole, so the row that is newer than one of their writes is newer than all of them
 */
async function completeNow(
  uow: UnitOfWork,
  entry: EntryRecord,
  answer: Complete,
  rulesOf: RulesOf,
  overtaken: Set<string>,
): Promise<void> {
  if (completeAlone(uow, entry, answer)) return;
  const current = await stored(uow, entry);
  const { group } = detailOf(current);
  const tie = `${group} ${laneKey(entry.partition, entry.collection, entry.entity)}`;
  const isPulled = await completeEntry(uow, current, answer, rulesOf, overtaken.has(tie));
  if (isPulled && group !== undefined) overtaken.add(tie);
}

async function resolveNow(
  uow: UnitOfWork,
  entry: EntryRecord,
  decision: ConflictDecision,
  rulesOf: RulesOf,
): Promise<void> {
  const current = await stored(uow, entry);
  if (current.state === 'dead') return noteSent(uow, current, 0);
  await rebaseEntry(uow, current, decision, rulesOf(entry.collection));
}

async function regroupAll(uow: UnitOfWork, groups: readonly Group[]): Promise<void> {
  for (const { partition, group, members } of groups) {
    await regroup(uow, partition, group, members);
  }
}

/** Takes the settled entries out of their claim. */
async function unlease(
  uow: UnitOfWork,
  claim: Pick<Claim, 'fence' | 'owner'>,
  settlements: ReadonlyMap<number, Settlement>,
): Promise<EntryRecord[]> {
  const lease = (await uow.leases()).get(claim.fence);
  if (lease === undefined || lease.owner !== claim.owner) throw claimLost();
  const claimed = positionsOf(lease);
  const records = await uow.entriesAt(claimed);
  const settled: EntryRecord[] = [];
  const kept: number[] = [];
  for (const entry of records) {
    if (entry === undefined) continue;
    if (settlements.has(entry.seq)) settled.push(entry);
    else kept.push(entry.position);
  }
  if (settled.length !== settlements.size) throw claimLost();
  if (kept.length === 0) await uow.deleteLease(claim.fence);
  else await uow.putLease({ ...lease, positions: JSON.stringify(kept) });
  return settled;
}

function claimLost(): QueueError {
  return new QueueError(
    'queue/claim-lost',
    'the lease ended and another runner holds the entries now',
  );
}

/** Reads rows, and what will move up in short lanes, at once instead of one by one. */
async function preload(uow: UnitOfWork, entries: readonly EntryRecord[]): Promise<void> {
  const keys = [];
  for (const { operation, partition, collection, entity } of entries) {
    if (operation !== 'item') keys.push({ partition, collection, id: entity });
  }
  if (keys.length === 0) return;
  await uow.preloadRows(keys);
  const next: number[] = [];
  for (const { partition, collection, id } of keys) {
    const row = uow.rowAtHand(partition, collection, id);
    if (row !== false && row?.depth === 2) next.push(parkedPosition(partition, row.tail as number));
  }
  if (next.length > 0) await uow.entriesAt(next);
}

interface Group {
  readonly partition: number;
  readonly group: string;
  readonly members: readonly number[];
}

/** The transactions that these entries are of. */
async function groupsOf(uow: UnitOfWork, entries: readonly EntryRecord[]): Promise<Group[]> {
  const found = new Map<string, Group>();
  for (const entry of entries) {
    if (entry.detail === null) continue;
    const { group } = detailOf(entry);
    if (group === undefined || found.has(group)) continue;
    const members = await membersOf(uow, entry);
    found.set(group, { partition: entry.partition, group, members });
  }
  return [...found.values()];
}

async function settleEntry(
  uow: UnitOfWork,
  entry: EntryRecord,
  settlement: OtherSettlement,
  rulesOf: RulesOf,
): Promise<void> {
  switch (settlement.kind) {
    case 'release':
      return releaseEntry(uow, entry, settlement);
    case 'bury': {
      const attempts = entry.attempts + (settlement.consumesAttempt ? 1 : 0);
      const ambiguous = knownAmbiguity(entry, saidBy(settlement));
      return buryEntry(uow, { ...entry, attempts, ambiguous }, settlement.failure, rulesOf);
    }
    case 'conflict':
      return parkConflict(uow, entry, settlement);
  }
}

/** What is known to be unknown stays so until the server answers for it. */
function knownAmbiguity(entry: EntryRecord, said: 0 | 1 | null): 0 | 1 | null {
  return entry.ambiguous === 1 ? 1 : (said ?? entry.ambiguous);
}

/** What an answer says of an entry's fate; null if it was not sent. */
function saidBy(settlement: OtherSettlement): 0 | 1 | null {
  switch (settlement.kind) {
    case 'release':
      return settlement.ambiguous;
    case 'bury':
      return settlement.ambiguous ?? (settlement.consumesAttempt ? 0 : null);
    case 'conflict':
      return 0;
  }
}

/** A dead letter that was on the wire as well: its key may be known to a server. */
function noteSent(uow: UnitOfWork, entry: EntryRecord, said: 0 | 1 | null): void {
  const ambiguous = knownAmbiguity(entry, said);
  if (ambiguous !== entry.ambiguous) uow.putEntry({ ...entry, ambiguous });
}

async function releaseEntry(
  uow: UnitOfWork,
  entry: EntryRecord,
  settlement: Extract<Settlement, { kind: 'release' }>,
): Promise<void> {
  const { failure, notBefore, consumesAttempt, suspicion } = settlement;
  const base = failure === undefined ? entry : withDetail(entry, { failure, suspicion });
  const released: EntryRecord = {
    ...base,
    ambiguous: knownAmbiguity(entry, settlement.ambiguous),
    notBefore,
    attempts: entry.attempts + (consumesAttempt ? 1 : 0),
  };
  uow.putEntry(released);
  await placeAlone(uow, released);
}

async function parkConflict(
  uow: UnitOfWork,
  entry: EntryRecord,
  settlement: Extract<Settlement, { kind: 'conflict' }>,
): Promise<void> {
  const { failure, remote } = settlement;
  const marked = withDetail(
    { ...entry, ambiguous: 0, notBefore: null },
    { failure, conflict: remote },
  );
  await placeAlone(uow, setState(uow, marked, 'conflict'));
  if (failure.code === UNDECIDED) await noteUndecided(uow, entry);
  uow.notify({ type: 'entry-conflicted', ...nameOf(entry), failure });
}

/** Entries of a transaction are placed at the end, all at once. */
async function placeAlone(uow: UnitOfWork, entry: EntryRecord): Promise<void> {
  if (entry.detail === null || detailOf(entry).group === undefined) await place(uow, entry);
}
