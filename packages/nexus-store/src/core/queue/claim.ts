import type { PriorityRank } from '../model/priority.ts';
import { LOWEST_RANK } from '../model/priority.ts';
import { findEntry, membersOf, place } from './lanes.ts';
import { parkedRange, rankOfPosition, readyRange } from './position.ts';
import { detailOf, type EntryRecord, type LeaseRecord } from './records.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/** What a runner asks for. */
export interface ClaimRequest {
  readonly partition: number;
  readonly owner: string;
  readonly leaseMs: number;
  /** At most this many entries; a transaction is never cut, so it may be more. */
  readonly limit: number;
  readonly now: number;
  /** Nothing less urgent than this is claimed. Default: everything. */
  readonly worst?: PriorityRank;
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
}

/** How many due entries one claim promotes, and how many expired ones it buries: bounds its work. */
const PROMOTE_LIMIT = 256;

/** A wait longer than any that is ever asked for means that the clock was moved back. */
const LONGEST_WAIT_MS = 25 * 3_600_000;

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
  return { fence, partition, owner, until, entries };
}

/** True if a lease no longer protects its entries: it is over, or the clock was moved far back. */
export function isLeaseOver(lease: LeaseRecord, now: number): boolean {
  return lease.until <= now || lease.until > now + 2 * lease.leaseMs + 60_000;
}

/**
 * The runner of an expired lease is gone or late. What it was sending has an unknown outcome: it is
 * frozen as it is, and sent again with the same key.
 */
async function takeOverExpired(uow: UnitOfWork, request: ClaimRequest): Promise<void> {
  for (const lease of (await uow.leases()).values()) {
    if (lease.partition !== request.partition || !isLeaseOver(lease, request.now)) continue;
    const positions = JSON.parse(lease.positions) as number[];
    await uow.deleteLease(lease.fence);
    for (const entry of await uow.entriesAt(positions)) {
      if (entry === undefined) continue;
      const isItem = entry.operation === 'item';
      const marked: EntryRecord = isItem ? entry : { ...entry, ambiguous: 1 };
      uow.putEntry(marked);
      await place(uow, marked);
    }
  }
}

/** Entries whose time has come go back among those that may be sent. */
export async function promoteDue(uow: UnitOfWork, partition: number, now: number): Promise<void> {
  const due = await uow.scanEntries({
    index: 'due',
    prefix: [partition],
    to: [now],
    limit: PROMOTE_LIMIT,
  });
  const impossible = await uow.scanEntries({
    index: 'due',
    prefix: [partition],
    from: [now + LONGEST_WAIT_MS],
    limit: PROMOTE_LIMIT,
  });
  for (const entry of [...due, ...impossible]) {
    const ready = { ...entry, notBefore: null };
    uow.putEntry(ready);
    await place(uow, ready);
  }
}

async function chooseEntries(uow: UnitOfWork, request: ClaimRequest): Promise<EntryRecord[]> {
  const leased = await uow.leasedPositions();
  const { limit, worst = LOWEST_RANK } = request;
  const chosen: EntryRecord[] = [];
  const taken = new Set<number>();
  let hasUrgent = false;
  const take = async (entry: EntryRecord): Promise<void> => {
    if (leased.has(entry.position) || taken.has(entry.position) || chosen.length >= limit) return;
    if (request.deferLow === true && rankOfPosition(entry.position) === LOWEST_RANK && hasUrgent) return;
    const members = await unitOf(uow, entry);
    // A transaction is never cut. One that does not fit goes alone, in a claim of its own.
    if (members.length > 1 && chosen.length > 0 && chosen.length + members.length > limit) return;
    hasUrgent ||= rankOfPosition(entry.position) <= 1;
    for (const member of members) {
      chosen.push(member);
      taken.add(member.position);
    }
  };
  const candidates =
    request.agingMs == null
      ? await scanRanks(uow, request, 0, worst)
      : await agedCandidates(uow, request, worst, request.agingMs);
  for (const entry of candidates) await take(entry);
  return chosen;
}

/**
 * With aging on, a head that waited too long competes one class higher, by its age in that class.
 * Never into critical.
 */
async function agedCandidates(
  uow: UnitOfWork,
  request: ClaimRequest,
  worst: PriorityRank,
  agingMs: number,
): Promise<readonly EntryRecord[]> {
  const ranked: { rank: number; entry: EntryRecord }[] = [];
  for (const own of [0, 1, 2, 3] as const) {
    if (own > worst) break;
    for (const entry of await scanRanks(uow, request, own, own)) {
      const isOld = own >= 2 && entry.enqueuedAt + agingMs <= request.now;
      ranked.push({ rank: isOld ? own - 1 : own, entry });
    }
  }
  return ranked
    .toSorted((a, b) => a.rank - b.rank || a.entry.seq - b.entry.seq)
    .map(({ entry }) => entry);
}

async function scanRanks(
  uow: UnitOfWork,
  request: ClaimRequest,
  best: PriorityRank,
  worst: PriorityRank,
): Promise<readonly EntryRecord[]> {
  const { from, to } = readyRange(request.partition, best, worst);
  const limit = request.limit + (await uow.leasedPositions()).size;
  return uow.scanEntries({ from: [from], to: [to], toOpen: true, limit });
}

/** The entry, or all entries of its transaction, in the order they were made. */
async function unitOf(uow: UnitOfWork, entry: EntryRecord): Promise<readonly EntryRecord[]> {
  if (entry.detail === null || detailOf(entry).group === undefined) return [entry];
  const members: EntryRecord[] = [];
  for (const seq of await membersOf(uow, entry)) {
    const member = seq === entry.seq ? entry : await findEntry(uow, entry.partition, seq);
    if (member !== undefined) members.push(member);
  }
  return members;
}

/** Entries whose time to live is over and that nobody is sending. */
export async function expiredEntries(
  uow: UnitOfWork,
  partition: number,
  now: number,
): Promise<readonly EntryRecord[]> {
  const leased = await uow.leasedPositions();
  const expired = await uow.scanEntries({
    index: 'expiry',
    prefix: [partition],
    to: [now],
    limit: PROMOTE_LIMIT,
  });
  // An ambiguous entry may be on the server: it is sent until the server says so.
  return expired.filter(
    (entry) => !leased.has(entry.position) && entry.state === null && entry.ambiguous !== 1,
  );
}

/** When the next entry becomes due or a lease ends; null if nothing waits for a time. */
export async function nextDueAt(
  uow: UnitOfWork,
  partition: number,
  now: number,
): Promise<number | null> {
  const [due] = await uow.scanEntries({ index: 'due', prefix: [partition], limit: 1 });
  const times: number[] =
    due?.notBefore == null ? [] : [Math.min(due.notBefore, now + LONGEST_WAIT_MS)];
  for (const lease of (await uow.leases()).values()) {
    if (lease.partition === partition) times.push(isLeaseOver(lease, now) ? now : lease.until);
  }
  return times.length === 0 ? null : Math.min(...times);
}

/** True if something may be sent now, apart from what is claimed. */
export async function hasReady(
  uow: UnitOfWork,
  partition: number,
  worst: PriorityRank,
): Promise<boolean> {
  const leased = await uow.leasedPositions();
  const { from, to } = readyRange(partition, 0, worst);
  const found = await uow.scanEntries({
    from: [from],
    to: [to],
    toOpen: true,
    limit: leased.size + 1,
  });
  return found.some((entry) => !leased.has(entry.position));
}

/** The entry made first of all that are neither dead nor in conflict; null if there is none. */
export async function oldestPending(
  uow: UnitOfWork,
  partition: number,
): Promise<EntryRecord | null> {
  const candidates: EntryRecord[] = [];
  for (const rank of [0, 1, 2, 3] as const) {
    const { from, to } = readyRange(partition, rank, rank);
    candidates.push(...(await uow.scanEntries({ from: [from], to: [to], toOpen: true, limit: 1 })));
  }
  const { from, to } = parkedRange(partition);
  const parked = await uow.scanEntries({
    from: [from],
    to: [to],
    toOpen: true,
    limit: PROMOTE_LIMIT,
  });
  candidates.push(...parked.filter((entry) => entry.state === null).slice(0, 1));
  return candidates.toSorted((a, b) => a.seq - b.seq)[0] ?? null;
}

/** Everything in the queue in the order to send it, then what waits, by age. At most `limit`. */
export async function listEntries(
  uow: UnitOfWork,
  partition: number,
  limit: number,
): Promise<readonly EntryRecord[]> {
  const ready = readyRange(partition, 0, LOWEST_RANK);
  const first = await uow.scanEntries({ from: [ready.from], to: [ready.to], toOpen: true, limit });
  if (first.length >= limit) return first;
  const parked = parkedRange(partition);
  const rest = await uow.scanEntries({
    from: [parked.from],
    to: [parked.to],
    toOpen: true,
    limit: limit - first.length,
  });
  return [...first, ...rest];
}
