import { LOWEST_RANK, type PriorityRank } from '../model/priority.ts';
import { isLeaseOver, LONGEST_WAIT_MS } from './leases.ts';
import { unitOf } from './lookup.ts';
import { effectiveRank } from './place.ts';
import { parkedPosition, parkedRange, readyRange } from './position.ts';
import type { EntryRecord } from './records.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/** Questions about the queue that change nothing. */

const PAGE = 256;

/** Entries whose time to live is over and that nobody is sending, oldest first; some of them. */
export async function expiredEntries(
  uow: UnitOfWork,
  partition: number,
  now: number,
): Promise<readonly EntryRecord[]> {
  const leased = await uow.leasedPositions();
  const found: EntryRecord[] = [];
  for (let from: readonly number[] = []; ;) {
    const range = { index: 'expiry', prefix: [partition], to: [now], limit: PAGE };
    const page = await uow.scanEntries({ ...range, from, fromOpen: true });
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

/** When the next entry becomes due or a lease ends; null if nothing waits for a time. */
export async function nextDueAt(
  uow: UnitOfWork,
  partition: number,
  now: number,
): Promise<number | null> {
  const [due] = await uow.scanEntries({ index: 'due', prefix: [partition], limit: 1 });
  const times: number[] =
    due === undefined ? [] : [Math.min(due.notBefore ?? now, now + LONGEST_WAIT_MS)];
  for (const lease of (await uow.leases()).values()) {
    if (lease.partition === partition) times.push(isLeaseOver(lease, now) ? now : lease.until);
  }
  return times.length === 0 ? null : Math.min(...times);
}

/** True if something may be sent now, apart from what is claimed and what is due. */
export async function hasReady(
  uow: UnitOfWork,
  partition: number,
  worst: PriorityRank,
): Promise<boolean> {
  return (await firstReady(uow, partition, worst, await uow.leasedPositions())) !== undefined;
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
  const leased = new Set<number>();
  for (const lease of (await uow.leases()).values()) {
    if (isLeaseOver(lease, now)) continue;
    for (const position of JSON.parse(lease.positions) as number[]) leased.add(position);
  }
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
  const [oldest] = candidates.sort((a, b) => a.seq - b.seq);
  return (await oldestWaiting(uow, partition, oldest?.seq)) ?? oldest ?? null;
}

/** @param before only what was made before this seq is of interest */
async function oldestWaiting(
  uow: UnitOfWork,
  partition: number,
  before: number | undefined,
): Promise<EntryRecord | undefined> {
  const range = parkedRange(partition);
  const to = before === undefined ? range.to : parkedPosition(partition, before);
  for (let from = range.from; ;) {
    const page = await uow.scanEntries({
      from: [from],
      fromOpen: true,
      to: [to],
      toOpen: true,
      limit: PAGE,
    });
    const found = page.find((entry) => entry.state === null);
    if (found !== undefined || page.length < PAGE) return found;
    from = page.at(-1)?.position as number;
  }
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
