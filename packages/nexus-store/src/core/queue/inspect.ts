import { LOWEST_RANK, type PriorityRank } from '../model/priority.ts';
import { claimStates, isLeaseOver, LONGEST_WAIT_MS, positionsOf } from './leases.ts';
import { unitOf } from './lookup.ts';
import { effectiveRank } from './place.ts';
import { parkedRange, readyRange } from './position.ts';
import type { EntryPlace, EntryRecord } from './records.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/** Questions about the queue that change nothing. */

const PAGE = 256;
/** Mostly what waits comes right behind what is known to be settled. */
const FIRST_PAGE = 8;
/** A few milliseconds at most. */
const PASS_STEP = 1_000;
const RANKS = [0, 1, 2, 3] as const;

/** Entries whose time to live is over and that nobody is sending, oldest first; some of them. */
export async function expiredEntries(
  uow: UnitOfWork,
  partition: number,
  now: number,
): Promise<readonly EntryRecord[]> {
  const found: EntryRecord[] = [];
  for (let from: readonly number[] = []; ;) {
    const range = { index: 'expiry', prefix: [partition], to: [now], limit: PAGE };
    const [leased, page] = await Promise.all([
      uow.leasedPositions(),
      uow.scanEntries({ ...range, from, fromOpen: true }),
    ]);
    for (const entry of page) if (await mayExpire(uow, entry, leased)) found.push(entry);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE || found.length > 0) return found;
    from = [last.expiresAt as number, last.seq];
  }
}

/** An ambiguous entry may be on the server: it is sent until the server says so. */
async function mayExpire(
  uow: UnitOfWork,
  entry: EntryRecord,
  leased: ReadonlySet<number>,
): Promise<boolean> {
  if (entry.state !== null) return false;
  const unit = await unitOf(uow, entry);
  return unit.every((member) => !leased.has(member.position) && member.ambiguous !== 1);
}

/** Entries that wait for a time, soonest first, after the place `from` (`notBefore`, `seq`). */
export function scanDue(
  uow: UnitOfWork,
  partition: number,
  from: readonly number[],
  limit: number,
): Promise<readonly EntryRecord[]> {
  return uow.scanEntries({ index: 'due', prefix: [partition], from, fromOpen: true, limit });
}

/** Where the entries of a queue stand: what may be sent, what waits for a time, what is under way. */
export interface Standing {
  /** The best priority of what may be sent now, as far as the queue goes; null if nothing may. */
  readonly readyRank: PriorityRank | null;
  /** Epoch milliseconds when the next delay or lease ends; null if nothing waits for a time. */
  readonly dueAt: number | null;
  /** Entries that are being sent: those under a claim that is not over. */
  readonly claimed: number;
  /**
   * Epoch milliseconds when the entry was made that is the oldest of all that are neither dead nor in
   * conflict; null if there is none.
   */
  readonly oldestAt: number | null;
  /** How much that does not wait was looked through to find it; if it is much, see `passSettled`. */
  readonly passed: number;
}

/** A few records, whatever the queue holds, asked for all at once: mostly one journey to the storage. */
export async function readStanding(
  uow: UnitOfWork,
  partition: number,
  now: number,
): Promise<Standing> {
  const [leases, leased, [due], [parked], heads] = await Promise.all([
    uow.leases(),
    uow.leasedPositions(),
    uow.scanPlaces({ index: 'due', prefix: [partition], limit: 1 }),
    scanParked(uow, partition, 0, Infinity, 1),
    Promise.all(RANKS.map(async (rank) => (await scanReady(uow, partition, rank, 1))[0])),
  ]);
  const times: number[] =
    due === undefined ? [] : [Math.min(due.notBefore ?? now, now + LONGEST_WAIT_MS)];
  let claimed = 0;
  for (const lease of leases.values()) {
    if (lease.partition !== partition) continue;
    const isOver = isLeaseOver(lease, now);
    times.push(isOver ? now : lease.until);
    if (!isOver) claimed += positionsOf(lease).length;
  }
  const oldest = await oldestOf(uow, partition, heads, parked);
  return {
    readyRank: await bestFree(uow, partition, heads, leased),
    dueAt: times.length === 0 ? null : Math.min(...times),
    claimed,
    oldestAt: oldest.entry?.enqueuedAt ?? null,
    passed: oldest.passed,
  };
}

type Heads = readonly (EntryPlace | undefined)[];

/** @param heads the first entry of each priority, claimed or not */
async function bestFree(
  uow: UnitOfWork,
  partition: number,
  heads: Heads,
  leased: ReadonlySet<number>,
): Promise<PriorityRank | null> {
  for (const rank of RANKS) {
    const head = heads[rank];
    if (head === undefined) continue;
    if (!leased.has(head.position) || (await hasFree(uow, partition, rank, leased))) return rank;
  }
  return null;
}

/** Mostly what is claimed comes first, and something free comes right behind it. */
async function hasFree(
  uow: UnitOfWork,
  partition: number,
  rank: PriorityRank,
  leased: ReadonlySet<number>,
): Promise<boolean> {
  const { from, to } = readyRange(partition, rank, rank);
  let count = 0;
  let last = from;
  for (const position of leased) {
    if (position < from || position >= to) continue;
    count += 1;
    last = Math.max(last, position);
  }
  if ((await scanReady(uow, partition, rank, 1, last)).length > 0) return true;
  const all = await scanReady(uow, partition, rank, count + 1);
  return all.some(({ position }) => !leased.has(position));
}

function scanReady(
  uow: UnitOfWork,
  partition: number,
  rank: PriorityRank,
  limit: number,
  after = -1,
): Promise<readonly EntryPlace[]> {
  const { from, to } = readyRange(partition, rank, rank);
  const start = Math.max(from, after);
  const fromOpen = start === after;
  return uow.scanPlaces({ from: [start], fromOpen, to: [to], toOpen: true, limit });
}

/** What waits, after one seq and before another. */
function scanParked(
  uow: UnitOfWork,
  partition: number,
  after: number,
  before: number,
  limit: number,
): Promise<readonly EntryPlace[]> {
  const range = parkedRange(partition);
  const to = Math.min(range.to, range.from + before);
  return uow.scanPlaces({
    from: [range.from + after],
    fromOpen: true,
    to: [to],
    toOpen: true,
    limit,
  });
}

/** @param parked the first that is parked, for whatever reason */
async function oldestOf(
  uow: UnitOfWork,
  partition: number,
  heads: Heads,
  parked: EntryPlace | undefined,
): Promise<{ readonly entry: EntryPlace | undefined; readonly passed: number }> {
  const [oldest] = heads.filter((head) => head !== undefined).sort((a, b) => a.seq - b.seq);
  const before = oldest?.seq ?? Infinity;
  let passed = 0;
  let limit = FIRST_PAGE;
  for (let place = parked; place !== undefined && place.seq < before;) {
    if (place.state === null) return { entry: place, passed };
    await uow.loadState();
    const after = Math.max(place.seq, uow.state.parkedFrom(partition) - 1);
    const page = await scanParked(uow, partition, after, before, limit);
    const waiting = page.findIndex(({ state }) => state === null);
    passed += waiting < 0 ? page.length : waiting;
    place = waiting >= 0 ? page[waiting] : page.length < limit ? undefined : page.at(-1);
    limit = PAGE;
  }
  return { entry: oldest, passed };
}

/**
 * Remembers that dead letters and conflicts are all that is parked in the beginning, as far as it comes.
 *
 * @returns true if there may be more of them
 */
export async function passSettled(uow: UnitOfWork, partition: number): Promise<boolean> {
  if (uow.state.isClosed(partition)) return false;
  const after = uow.state.parkedFrom(partition) - 1;
  const page = await scanParked(uow, partition, Math.max(0, after), Infinity, PASS_STEP);
  const waiting = page.findIndex(({ state }) => state === null);
  const last = (waiting < 0 ? page : page.slice(0, waiting)).at(-1);
  if (last !== undefined) uow.state.passParked(partition, last.seq + 1);
  return waiting < 0 && page.length === PASS_STEP;
}

async function firstReady(
  uow: UnitOfWork,
  partition: number,
  worst: PriorityRank,
  leased: ReadonlySet<number>,
): Promise<EntryRecord | undefined> {
  const { from, to } = readyRange(partition, 0, worst);
  const limit = leased.size + 1;
  const found = await uow.scanEntries({ from: [from], to: [to], toOpen: true, limit });
  return found.find((entry) => !leased.has(entry.position));
}

/** The entry that a claim would take first. */
export async function peekEntry(
  uow: UnitOfWork,
  partition: number,
  now: number,
): Promise<EntryRecord | undefined> {
  const states = await claimStates(uow, now);
  const leased = new Set([...states.keys()].filter((position) => states.get(position) === 'held'));
  const ready = await firstReady(uow, partition, LOWEST_RANK, leased);
  const range = { index: 'due', prefix: [partition], to: [now], limit: PAGE };
  const due = (await uow.scanEntries(range)).filter(
    ({ state, behind }) => state === null && behind === null,
  );
  const candidates = ready === undefined ? due : [ready, ...due];
  const ranked = await Promise.all(
    candidates.map(async (entry) => ({ entry, rank: await effectiveRank(uow, entry) })),
  );
  return ranked.sort((a, b) => a.rank - b.rank || a.entry.seq - b.entry.seq)[0]?.entry;
}

/** The dead letters, oldest first. Reads no more of the queue than these. */
export async function deadEntries(
  uow: UnitOfWork,
  partition: number,
  limit: number,
): Promise<readonly EntryRecord[]> {
  return uow.scanEntries({ index: 'parked', prefix: [partition, 'dead'], limit });
}

/** The same as `listEntries`, page by page, for those who stop early. */
export async function* entriesInOrder(
  uow: UnitOfWork,
  partition: number,
): AsyncGenerator<EntryRecord> {
  for (const range of [readyRange(partition, 0, LOWEST_RANK), parkedRange(partition)]) {
    for (let from = range.from; ;) {
      const page = await uow.scanEntries({
        from: [from],
        to: [range.to],
        toOpen: true,
        limit: PAGE,
      });
      yield* page;
      if (page.length < PAGE) break;
      from = (page.at(-1)?.position ?? from) + 1;
    }
  }
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
