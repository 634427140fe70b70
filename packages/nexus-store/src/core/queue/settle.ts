import { QueueError } from '../model/errors.ts';
import { priorityOfRank } from '../model/priority.ts';
import type { SyncFailure } from '../model/outcome.ts';
import type { Claim } from './claim.ts';
import type { RulesOf } from './collection-rules.ts';
import { rebaseEntry, type ConflictDecision, type RemoteState } from './conflict.ts';
import { removeEntry, setState } from './enqueue.ts';
import { applyMutation, laneEntries, settleRow } from './fold.ts';
import { findEntry, leaveLane, membersOf, place, releaseDependents, rowOf } from './lanes.ts';
import { nameOf } from './entry-view.ts';
import { detailOf, entryBytes, withDetail, type EntryRecord, type RowRecord } from './records.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/** What to do with one claimed entry. */
export type Settlement =
  | {
      readonly kind: 'complete';
      readonly version?: string | undefined;
      /** The server's value as text, if it sent one. */
      readonly value?: string | null | undefined;
      /** Epoch milliseconds of the answer. */
      readonly at?: number;
    }
  | {
      readonly kind: 'release';
      /** null leaves the entry as if it had not been sent. */
      readonly ambiguous: 0 | 1 | null;
      /** Epoch milliseconds; null: at once. */
      readonly notBefore: number | null;
      readonly consumesAttempt: boolean;
      readonly failure?: SyncFailure | undefined;
    }
  | { readonly kind: 'bury'; readonly failure: SyncFailure; readonly consumesAttempt: boolean }
  | {
      readonly kind: 'conflict';
      readonly failure: SyncFailure;
      readonly remote: RemoteState;
    }
  | ({ readonly kind: 'resolve' } & ConflictDecision);

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
  const lease = (await uow.leases()).get(claim.fence);
  if (lease === undefined || lease.owner !== claim.owner) throw claimLost();
  const claimed = JSON.parse(lease.positions) as number[];
  const records = await uow.entriesAt(claimed);
  const settled: EntryRecord[] = [];
  const kept: number[] = [];
  records.forEach((entry, index) => {
    if (entry !== undefined && settlements.has(entry.seq)) settled.push(entry);
    else if (entry !== undefined) kept.push(claimed[index] as number);
  });
  if (settled.length !== settlements.size) throw claimLost();
  // The lease goes first: an entry that is still leased is not moved.
  if (kept.length === 0) await uow.deleteLease(claim.fence);
  else await uow.putLease({ ...lease, positions: JSON.stringify(kept) });
  await preloadRowsOf(uow, settled);
  for (const entry of settled) {
    const current =
      (await uow.entryAt(entry.position)) ?? (await findEntry(uow, entry.partition, entry.seq));
    // A lane that was reverted with its head has nothing left to settle.
    if (current === undefined) continue;
    await settleEntry(uow, current, settlements.get(entry.seq) as Settlement, rulesOf);
  }
}

function claimLost(): QueueError {
  return new QueueError(
    'queue/claim-lost',
    'the lease ended and another runner holds the entries now',
  );
}

async function preloadRowsOf(uow: UnitOfWork, entries: readonly EntryRecord[]): Promise<void> {
  await uow.preloadRows(
    entries
      .filter((entry) => entry.operation !== 'item')
      .map(({ partition, collection, entity }) => ({ partition, collection, id: entity })),
  );
}

async function settleEntry(
  uow: UnitOfWork,
  entry: EntryRecord,
  settlement: Settlement,
  rulesOf: RulesOf,
): Promise<void> {
  switch (settlement.kind) {
    case 'complete':
      return completeEntry(uow, entry, settlement, rulesOf);
    case 'release':
      return releaseEntry(uow, entry, settlement);
    case 'bury': {
      const attempts = entry.attempts + (settlement.consumesAttempt ? 1 : 0);
      return buryEntry(uow, { ...entry, attempts }, settlement.failure, rulesOf);
    }
    case 'conflict':
      return parkConflict(uow, entry, settlement);
    case 'resolve':
      return rebaseEntry(uow, entry, settlement, rulesOf(entry.collection));
  }
}

async function completeEntry(
  uow: UnitOfWork,
  entry: EntryRecord,
  settlement: Extract<Settlement, { kind: 'complete' }>,
  rulesOf: RulesOf,
): Promise<void> {
  await releaseDependents(uow, entry);
  const row = await rowOf(uow, entry);
  uow.deleteEntry(entry);
  uow.countEntry(entry.partition, entry.priority, entryBytes(entry.payload), -1);
  if (row === undefined) return;
  const rules = rulesOf(entry.collection);
  const version = settlement.version ?? row.version;
  const fetchedAt = settlement.at ?? row.fetchedAt;
  const isLast = row.depth === 1;
  const value = settlement.value;
  if (isLast && value === undefined && entry.operation !== 'command') {
    // The common case: the app sees already what the server has now.
    const done = { ...row, version, fetchedAt, shadow: null, head: null, tail: null, depth: 0, lane: null };
    if (row.value === null) uow.deleteRow(row);
    else uow.putRow(done);
    return;
  }
  const shadow = value === undefined ? applyMutation(row.shadow, entry, rules) : value;
  // The base of what waits behind moves forward: it was made on top of what the server has now.
  uow.putRow({ ...row, version, shadow, fetchedAt });
  await leaveLane(uow, entry);
  await unpinHead(uow, entry);
  const left = (await rowOf(uow, entry)) as RowRecord;
  if (left.depth === 0 || value !== undefined) await settleRow(uow, left, rules);
}

/** What waited behind an applied entry is based on it now, whatever it was pinned to. */
async function unpinHead(uow: UnitOfWork, entry: EntryRecord): Promise<void> {
  const row = await rowOf(uow, entry);
  if (row?.head == null) return;
  const head = await findEntry(uow, entry.partition, row.head);
  if (head !== undefined && detailOf(head).pinned !== undefined)
    uow.putEntry(withDetail(head, { pinned: undefined }));
}

async function releaseEntry(
  uow: UnitOfWork,
  entry: EntryRecord,
  settlement: Extract<Settlement, { kind: 'release' }>,
): Promise<void> {
  const failure = settlement.failure;
  const base = failure === undefined ? entry : withDetail(entry, { failure });
  const released: EntryRecord = {
    ...base,
    // What is known to be unknown stays so until the server answers for it.
    ambiguous: entry.ambiguous === 1 ? 1 : (settlement.ambiguous ?? entry.ambiguous),
    notBefore: settlement.notBefore,
    attempts: entry.attempts + (settlement.consumesAttempt ? 1 : 0),
  };
  uow.putEntry(released);
  await place(uow, released);
}

async function parkConflict(
  uow: UnitOfWork,
  entry: EntryRecord,
  settlement: Extract<Settlement, { kind: 'conflict' }>,
): Promise<void> {
  const { failure, remote } = settlement;
  const marked = withDetail({ ...entry, ambiguous: 0 }, { failure, conflict: remote });
  uow.putEntry(marked);
  const parked = setState(uow, marked, 'conflict');
  await place(uow, parked);
  uow.notify({ type: 'entry-conflicted', ...nameOf(entry), failure });
}

/**
 * Moves an entry, with its whole transaction, to the dead letters. What becomes of its lane is the
 * collection's choice.
 */
export async function buryEntry(
  uow: UnitOfWork,
  entry: EntryRecord,
  failure: SyncFailure,
  rulesOf: RulesOf,
): Promise<void> {
  const mates = await membersOf(uow, entry);
  for (const seq of mates.length === 0 ? [entry.seq] : mates) {
    const member = seq === entry.seq ? entry : await findEntry(uow, entry.partition, seq);
    if (member !== undefined) await buryOne(uow, member, failure, rulesOf);
  }
}

async function buryOne(
  uow: UnitOfWork,
  entry: EntryRecord,
  failure: SyncFailure,
  rulesOf: RulesOf,
): Promise<void> {
  if (entry.state === 'dead') return;
  const { onRejected } = rulesOf(entry.collection);
  const marked = withDetail({ ...entry, notBefore: null }, { failure });
  uow.putEntry(marked);
  const dead = setState(uow, marked, 'dead');
  uow.notify({
    type: 'entry-buried',
    ...nameOf(entry),
    priority: priorityOfRank(entry.priority),
    failure,
  });
  const row = await rowOf(uow, dead);
  if (row === undefined || onRejected === 'park') {
    await place(uow, dead);
    return;
  }
  const isWholeLane = onRejected === 'revert' || entry.operation === 'create';
  const lane = isWholeLane ? await laneEntries(uow, row) : [dead];
  for (const waiting of lane) await detach(uow, waiting, failure);
  const left = (await rowOf(uow, dead)) as RowRecord;
  if (onRejected === 'revert') await settleRow(uow, left, rulesOf(entry.collection));
  else if (left.depth === 0) await keepLocal(uow, left);
}

/** Makes an entry a dead letter that nothing waits for. */
async function detach(uow: UnitOfWork, entry: EntryRecord, failure: SyncFailure): Promise<void> {
  const current = (await findEntry(uow, entry.partition, entry.seq)) ?? entry;
  await releaseDependents(uow, current);
  await leaveLane(uow, current);
  const marked = withDetail(
    { ...current, behind: null, notBefore: null },
    {
      failure,
      isDetached: true,
      hasDependents: undefined,
      group: undefined,
      members: undefined,
      boost: undefined,
    },
  );
  uow.putEntry(marked);
  await place(uow, setState(uow, marked, 'dead'));
}

/** After a skip the app goes on seeing what it wrote; the next pull brings the server's row. */
async function keepLocal(uow: UnitOfWork, row: RowRecord): Promise<void> {
  if (row.value === null) uow.deleteRow(row);
  else uow.putRow({ ...row, shadow: null });
}

/** Gives an entry up: it leaves the queue, and the app sees the server's value again. */
export async function revertEntry(
  uow: UnitOfWork,
  entry: EntryRecord,
  rulesOf: RulesOf,
): Promise<void> {
  await removeEntry(uow, entry);
  const row = await rowOf(uow, entry);
  if (row !== undefined && detailOf(entry).isDetached !== true)
    await settleRow(uow, row, rulesOf(entry.collection));
}
