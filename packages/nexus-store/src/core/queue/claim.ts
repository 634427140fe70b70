import type { PriorityRank } from '../model/priority.ts';
import { LOWEST_RANK } from '../model/priority.ts';
import { unitOf } from './lookup.ts';
import { setAside } from './set-aside.ts';
import { place, placeAll } from './place.ts';
import { rankOfPosition, readyRange } from './position.ts';
import { isSuspect, leastSuspected } from './suspicion.ts';
import { isLeaseOver, LONGEST_WAIT_MS, positionsIn } from './leases.ts';
import {
  entryBytes,
  isDamaged,
  rowKey,
  type EntryRecord,
  type LeaseRecord,
  type RowRecord,
} from './records.ts';
import type { UnitOfWork } from './unit-of-work.ts';

export { deadEntries, entriesInOrder, expiredEntries, listEntries, peekEntry } from './inspect.ts';

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
  /** How many entries those claims hold, about. Default: none. */
  readonly heldEntries?: number;
  /** Of a runner that is known to be gone nobody waits for its leases. Default: none is. */
  readonly isGone?: (owner: string) => boolean;
  /** Leave out `low` entries once an urgent one (`critical`, `high`) is in the claim. Default: no. */
  readonly deferLow?: boolean;
  /** Heads that waited this long compete one class higher (never as critical). Default: off. */
  readonly agingMs?: number | null;
  /**
   * Entries that something is held against (`Suspicion`). `alone`: in their turn, each in a claim of its own.
   * `last`: the same, once nothing else is left. `never`: not now. Default: `alone`.
   */
  readonly suspects?: 'alone' | 'last' | 'never';
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
const RANKS = [0, 1, 2, 3] as const;
/** Nothing of a partition is left out. */
const MAX_ENTRIES = 1_000_000;

/** What a claim looks at. */
export interface ClaimReading {
  /** Entries whose time has come. */
  readonly due: readonly EntryRecord[];
  readonly ready: ReadyEntries;
}

/** The beginnings of the ranges of entries that may be sent, claimed ones included. */
interface ReadyEntries {
  readonly ranges: readonly (readonly EntryRecord[])[];
  /** How many were asked for of each. */
  readonly limit: number;
}

/** Asks for all that a claim looks at side by side: mostly one journey to the storage. */
export async function readForClaim(uow: UnitOfWork, request: ClaimRequest): Promise<ClaimReading> {
  await uow.sendChanges();
  const [, due, ready] = await Promise.all([
    uow.leases(),
    scanDue(uow, request),
    scanReady(uow, request, request.limit + (request.heldEntries ?? 0)),
  ]);
  return { due, ready };
}

/**
 * Takes the best entries that may be sent. Several reads of a few records each and one write,
 * whatever the queue holds: what waits for its lane, for a time or for a decision stands elsewhere.
 *
 * @param read what `readForClaim` found, if nothing was changed since
 */
export async function claimEntries(
  uow: UnitOfWork,
  request: ClaimRequest,
  read?: ClaimReading,
): Promise<Claim | undefined> {
  let { due, ready } = read ?? (await readForClaim(uow, request));
  if (await takeOverExpired(uow, request)) ({ due, ready } = await readForClaim(uow, request));
  for (const entry of due) await promote(uow, entry);
  const leased = await uow.leasedPositions();
  const isFree = (entry: EntryRecord): boolean => !leased.has(entry.position);
  const isShort = ready.ranges.some(
    (range) => range.length >= ready.limit && range.filter(isFree).length < request.limit,
  );
  if (due.length > 0 || isShort) {
    ready = await scanReady(uow, request, request.limit + leased.size);
  }
  let { entries, damaged } = await choosePastSuspects(uow, request, ready);
  const tried = new Set<EntryRecord['seq'] | undefined>();
  while (damaged.some(([head]) => !tried.has(head?.seq))) {
    for (const unit of damaged) {
      tried.add(unit[0]?.seq);
      await setAside(uow, unit, request.now);
    }
    ready = await scanReady(uow, request, request.limit + leased.size);
    ({ entries, damaged } = await choosePastSuspects(uow, request, ready));
  }
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
 * frozen as it is, and sent again with the same key. False if there was none.
 */
async function takeOverExpired(uow: UnitOfWork, request: ClaimRequest): Promise<boolean> {
  let isAny = false;
  for (const lease of (await uow.leases()).values()) {
    if (lease.partition !== request.partition) continue;
    const isFree =
      isLeaseOver(lease, request.now) ||
      request.isGone?.(lease.owner) === true ||
      positionsIn(lease) === undefined;
    if (!isFree || request.held?.has(lease.fence) === true) continue;
    const positions = positionsIn(lease);
    await uow.deleteLease(lease.fence);
    const entries =
      positions === undefined
        ? await anyClaimed(uow, lease)
        : (await uow.entriesAt(positions)).filter((entry) => entry !== undefined);
    const marked = entries.map(afterLostLease);
    for (const entry of marked) uow.putEntry(entry);
    await placeAll(uow, marked);
    isAny = true;
  }
  return isAny;
}

/** Of a damaged lease nobody knows what it claimed: it may have been any entry that could be sent. */
async function anyClaimed(
  uow: UnitOfWork,
  { fence, partition }: LeaseRecord,
): Promise<readonly EntryRecord[]> {
  uow.noteDamage('leases', [fence]);
  const leased = await uow.leasedPositions();
  const { from, to } = readyRange(partition, 0, LOWEST_RANK);
  const range = { from: [from], to: [to], toOpen: true, limit: MAX_ENTRIES };
  return (await uow.scanEntries(range)).filter(({ position }) => !leased.has(position));
}

/** An item has no key and no server that could tell: taking it counts as an attempt instead. */
function afterLostLease(entry: EntryRecord): EntryRecord {
  return entry.operation === 'item'
    ? { ...entry, attempts: entry.attempts + 1 }
    : { ...entry, ambiguous: 1 };
}

/** Entries whose time has come, soonest first; some of them. */
async function scanDue(
  uow: UnitOfWork,
  { partition, now }: ClaimRequest,
): Promise<readonly EntryRecord[]> {
  const range = { index: 'due', prefix: [partition], limit: PROMOTE_LIMIT };
  const [due, impossible] = await Promise.all([
    uow.scanEntries({ ...range, to: [now] }),
    // A wait longer than any that is ever asked for means that the clock was moved back.
    uow.scanEntries({ ...range, from: [now + LONGEST_WAIT_MS] }),
  ]);
  return [...due, ...impossible];
}

/** An entry whose time has come goes back among those that may be sent. */
async function promote(uow: UnitOfWork, entry: EntryRecord): Promise<void> {
  const ready = { ...entry, notBefore: null };
  uow.putEntry(ready);
  await place(uow, ready);
}

/** One range in the order to send them, or one for each priority where age counts as well. */
async function scanReady(
  uow: UnitOfWork,
  { partition, worst = LOWEST_RANK, agingMs = null }: ClaimRequest,
  limit: number,
): Promise<ReadyEntries> {
  const spans =
    agingMs === null
      ? [readyRange(partition, 0, worst)]
      : RANKS.map((own) => readyRange(partition, own, own));
  const ranges = await Promise.all(
    spans.map(({ from, to }) => uow.scanEntries({ from: [from], to: [to], toOpen: true, limit })),
  );
  return { ranges, limit };
}

interface Candidate {
  readonly rank: number;
  readonly entry: EntryRecord;
}

interface Choice {
  readonly entries: readonly EntryRecord[];
  /** Entries and transactions that cannot be sent as they were made. */
  readonly damaged: readonly (readonly EntryRecord[])[];
  /** Only suspects were found so far, and there is more to look at. */
  readonly isCut: boolean;
}

/** Reads on while it finds suspects only: there are as many as probes have failed, and mostly none. */
async function choosePastSuspects(
  uow: UnitOfWork,
  request: ClaimRequest,
  from: ReadyEntries,
): Promise<Choice> {
  for (let ready = from; ;) {
    const choice = await chooseEntries(uow, request, ready);
    if (!choice.isCut) return choice;
    ready = await scanReady(uow, request, ready.limit * 2);
  }
}

async function chooseEntries(
  uow: UnitOfWork,
  request: ClaimRequest,
  ready: ReadyEntries,
): Promise<Choice> {
  const leased = await uow.leasedPositions();
  const { maxBytes = Infinity, suspects = 'alone' } = request;
  const candidates = candidatesOf(request, ready);
  const isPassed = ({ entry }: Candidate): boolean => suspects !== 'alone' && isSuspect(entry);
  const best = candidates.find((candidate) => !isPassed(candidate))?.rank ?? LOWEST_RANK;
  const isUrgent = request.deferLow === true && best <= 1;
  const chosen: EntryRecord[] = [];
  const damaged: (readonly EntryRecord[])[] = [];
  const passed: (readonly EntryRecord[])[] = [];
  let bytes = 0;
  for (const candidate of candidates) {
    const { rank, entry } = candidate;
    if (chosen.length >= request.limit || (isUrgent && rank === LOWEST_RANK)) break;
    if (leased.has(entry.position)) continue;
    const unit = await unitOf(uow, entry);
    if (unit.some(isDamaged)) {
      damaged.push(unit);
      continue;
    }
    if (isPassed(candidate)) {
      passed.push(unit);
      continue;
    }
    const isLoner = isSuspect(entry);
    if (isLoner && chosen.length > 0) break;
    // A transaction is never cut, and nothing less urgent goes in its place: it waits for a claim of
    // its own.
    if (chosen.length > 0 && chosen.length + unit.length > request.limit) break;
    for (const { payload } of unit) bytes += entryBytes(payload);
    if (chosen.length > 0 && bytes > maxBytes) break;
    for (const member of unit) chosen.push(member);
    if (isLoner) break;
  }
  if (chosen.length > 0 || passed.length === 0) return { entries: chosen, damaged, isCut: false };
  const isCut = ready.ranges.some((range) => range.length >= ready.limit);
  const turn = isCut || suspects === 'never' ? [] : (leastSuspected(passed) ?? []);
  return { entries: turn, damaged, isCut };
}

/** Heads in the order to send them, claimed ones included. */
function candidatesOf(request: ClaimRequest, { ranges }: ReadyEntries): readonly Candidate[] {
  const { now, agingMs = null, worst = LOWEST_RANK } = request;
  const candidates = ranges
    .flat()
    .map((entry) => ({ rank: rankOfPosition(entry.position), entry }));
  if (agingMs === null) return candidates;
  return candidates
    .map(({ rank, entry }) => {
      const isOld = rank >= 2 && entry.enqueuedAt + agingMs <= now;
      return { rank: isOld ? rank - 1 : rank, entry };
    })
    .filter(({ rank }) => rank <= worst)
    .sort((a, b) => a.rank - b.rank || a.entry.seq - b.entry.seq);
}
