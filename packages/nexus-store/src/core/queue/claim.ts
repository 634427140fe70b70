import type { PriorityRank } from '../model/priority.ts';
import { LOWEST_RANK } from '../model/priority.ts';
import { unitOf } from './lookup.ts';
import { place, placeAll } from './place.ts';
import { rankOfPosition, readyRange } from './position.ts';
import { isLeaseOver, LONGEST_WAIT_MS } from './leases.ts';
import { entryBytes, rowKey, type EntryRecord, type RowRecord } from './records.ts';
import type { UnitOfWork } from './unit-of-work.ts';

export {
  deadEntries,
  entriesInOrder,
  expiredEntries,
  hasReady,
  listEntries,
  nextDueAt,
  oldestPending,
  peekEntry,
} from './inspect.ts';

/** What a runner asks for. */
export interface ClaimRequest {
  readonly partition: number;
  readonly owner: string;
  readonly leaseMs: number;
  /** At most this many entries; a transaction is never cut, so it may be more. */
  readonly limit: number;
  /** At most this much by `entryBytes`, but always one entry or transaction. Default: no limit. */
  readonly maxBytes?: number;
  readonly now: number;
  /** Nothing less urgent than this is claimed. Default: everything. */
  readonly worst?: PriorityRank;
  /** Claims of this runner whose requests are under way: whatever the clock says, it knows of them. */
  readonly held?: ReadonlySet<number>;
  /** Of a runner that is known to be gone nobody waits for its leases. Default: none is. */
  readonly isGone?: (owner: string) => boolean;
  /** Leave out `low` entries once an urgent one (`critical`, `high`) is in the claim. Default: no. */
  readonly deferLow?: boolean;
  /** Heads that waited this long compete one class higher (never as critical). Default: off. */
  readonly agingMs?: number | null;
}

/** Entries taken for a bounded time. Only who presents the fence may settle them. */
export interface Claim {
  readonly fence: number;
  readonly partition: number;
  readonly owner: string;
  readonly until: number;
  readonly entries: readonly EntryRecord[];
  /** The rows of the entries as they were then, by seq: what the entries are made on. */
  readonly rows: ReadonlyMap<number, RowRecord>;
}

/** How many due entries one claim promotes, oldest first: bounds its work. */
const PROMOTE_LIMIT = 256;

/**
 * Takes the best entries that may be sent. Several reads of a few records each and one write,
 * whatever the queue holds: what waits for its lane, for a time or for a decision stands elsewhere.
 */
export async function claimEntries(
  uow: UnitOfWork,
  request: ClaimRequest,
): Promise<Claim | undefined> {
  await takeOverExpired(uow, request);
  await promoteDue(uow, request.partition, request.now);
  const entries = await chooseEntries(uow, request);
  if (entries.length === 0) return undefined;
  const fence = uow.takeFence();
  const until = request.now + request.leaseMs;
  const { partition, owner, leaseMs } = request;
  const positions = JSON.stringify(entries.map((entry) => entry.position));
  await uow.putLease({ fence, partition, owner, until, leaseMs, positions });
  return { fence, partition, owner, until, entries, rows: await rowsOf(uow, entries) };
}

async function rowsOf(
  uow: UnitOfWork,
  entries: readonly EntryRecord[],
): Promise<ReadonlyMap<number, RowRecord>> {
  const rows = new Map<number, RowRecord>();
  const owned = entries.filter(({ operation }) => operation !== 'item');
  await uow.preloadRows(owned.map(rowKey));
  for (const { seq, partition, collection, entity } of owned) {
    const row = uow.rowAtHand(partition, collection, entity);
    if (row !== false && row !== undefined) rows.set(seq, row);
  }
  return rows;
}

/**
 * The runner of an expired lease is gone or late. What it was sending has an unknown outcome: it is
 * frozen as it is, and sent again with the same key.
 */
async function takeOverExpired(uow: UnitOfWork, request: ClaimRequest): Promise<void> {
  for (const lease of (await uow.leases()).values()) {
    if (lease.partition !== request.partition) continue;
    const isFree = isLeaseOver(lease, request.now) || request.isGone?.(lease.owner) === true;
    if (!isFree || request.held?.has(lease.fence) === true) continue;
    const positions = JSON.parse(lease.positions) as number[];
    await uow.deleteLease(lease.fence);
    const entries = (await uow.entriesAt(positions)).filter((entry) => entry !== undefined);
    const marked = entries.map(afterLostLease);
    for (const entry of marked) uow.putEntry(entry);
    await placeAll(uow, marked);
  }
}

/** An item has no key and no server that could tell: taking it counts as an attempt instead. */
function afterLostLease(entry: EntryRecord): EntryRecord {
  return entry.operation === 'item'
    ? { ...entry, attempts: entry.attempts + 1 }
    : { ...entry, ambiguous: 1 };
}

/** Entries whose time has come go back among those that may be sent. */
async function promoteDue(uow: UnitOfWork, partition: number, now: number): Promise<void> {
  const range = { index: 'due', prefix: [partition], limit: PROMOTE_LIMIT };
  const due = await uow.scanEntries({ ...range, to: [now] });
  // A wait longer than any that is ever asked for means that the clock was moved back.
  const impossible = await uow.scanEntries({ ...range, from: [now + LONGEST_WAIT_MS] });
  for (const entry of [...due, ...impossible]) {
    const ready = { ...entry, notBefore: null };
    uow.putEntry(ready);
    await place(uow, ready);
  }
}

interface Candidate {
  readonly rank: number;
  readonly entry: EntryRecord;
}

async function chooseEntries(uow: UnitOfWork, request: ClaimRequest): Promise<EntryRecord[]> {
  const leased = await uow.leasedPositions();
  const candidates = await candidatesFor(uow, request, request.limit + leased.size);
  const isUrgent = request.deferLow === true && (candidates[0]?.rank ?? LOWEST_RANK) <= 1;
  const { maxBytes = Infinity } = request;
  const chosen: EntryRecord[] = [];
  let bytes = 0;
  for (const { rank, entry } of candidates) {
    if (chosen.length >= request.limit || (isUrgent && rank === LOWEST_RANK)) break;
    if (leased.has(entry.position)) continue;
    const unit = await unitOf(uow, entry);
    // A transaction is never cut, and nothing less urgent goes in its place: it waits for a claim of
    // its own.
    if (chosen.length > 0 && chosen.length + unit.length > request.limit) break;
    for (const { payload } of unit) bytes += entryBytes(payload);
    if (chosen.length > 0 && bytes > maxBytes) break;
    for (const member of unit) chosen.push(member);
  }
  return chosen;
}

/** Heads in the order to send them, claimed ones included. */
async function candidatesFor(
  uow: UnitOfWork,
  request: ClaimRequest,
  limit: number,
): Promise<readonly Candidate[]> {
  const { partition, now, agingMs = null, worst = LOWEST_RANK } = request;
  if (agingMs === null) {
    const { from, to } = readyRange(partition, 0, worst);
    const entries = await uow.scanEntries({ from: [from], to: [to], toOpen: true, limit });
    return entries.map((entry) => ({ rank: rankOfPosition(entry.position), entry }));
  }
  const ranked: Candidate[] = [];
  for (const own of [0, 1, 2, 3] as const) {
    const { from, to } = readyRange(partition, own, own);
    for (const entry of await uow.scanEntries({ from: [from], to: [to], toOpen: true, limit })) {
      const isOld = own >= 2 && entry.enqueuedAt + agingMs <= now;
      ranked.push({ rank: isOld ? own - 1 : own, entry });
    }
  }
  return ranked
    .filter(({ rank }) => rank <= worst)
    .sort((a, b) => a.rank - b.rank || a.entry.seq - b.entry.seq);
}
