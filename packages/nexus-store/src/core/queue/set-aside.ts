import { LOWEST_RANK } from '../model/priority.ts';
import { parsedObject } from '../model/stored-text.ts';
import { buryEntry } from './bury.ts';
import { DEFAULT_RULES, type RulesOf } from './collection-rules.ts';
import { mendLane } from './lanes.ts';
import { findEntry, leaderSeq, membersOf, rowOf, unitOf } from './lookup.ts';
import { isReady, parkedRange, readyRange } from './position.ts';
import { detailOf, isDamaged, withDetail, type EntryRecord } from './records.ts';
import type { UnitOfWork } from './unit-of-work.ts';

const PAGE = 256;

/**
 * Makes dead letters of an entry or a transaction that cannot be read, so that its lanes say why they wait
 * and everything else goes on. They are parked whatever the collection says of rejected entries: no server
 * has seen this, and what the app shows is all that is left of it.
 */
export async function setAside(
  uow: UnitOfWork,
  unit: readonly EntryRecord[],
  now: number,
): Promise<void> {
  const left = await stillPending(uow, unit);
  const mates = await lostMates(uow, left);
  const whole = [...left, ...mates];
  markDamaged(uow, whole, mates.length > 0);
  const failure = { code: 'storage/corrupt', at: now };
  for (const { partition, seq } of whole) {
    const entry = await findEntry(uow, partition, seq);
    if (entry !== undefined) await buryEntry(uow, entry, failure, () => DEFAULT_RULES);
  }
  await countLanes(uow, left);
}

/** As they are stored now: some may have gone with others of their transaction. */
async function stillPending(
  uow: UnitOfWork,
  entries: readonly EntryRecord[],
): Promise<readonly EntryRecord[]> {
  const found: EntryRecord[] = [];
  for (const { partition, seq } of entries) {
    const entry = await findEntry(uow, partition, seq);
    if (entry !== undefined && entry.state !== 'dead') found.push(entry);
  }
  return found;
}

/** Moves an entry whose time to live is over to the dead letters, with its whole transaction. */
export async function buryExpired(
  uow: UnitOfWork,
  expired: EntryRecord,
  now: number,
  rulesOf: RulesOf,
): Promise<void> {
  const [entry] = await stillPending(uow, [expired]);
  if (entry === undefined) return;
  const { entries, isTorn } = await wholeUnit(uow, entry);
  if (isTorn) await setAside(uow, [entry], now);
  else if (entries.some(isDamaged)) await setAside(uow, entries, now);
  else await buryEntry(uow, entry, { code: 'queue/expired', at: now }, rulesOf);
}

/** What is sent together with an entry, found also where damage hides who belongs to it. */
export interface WholeUnit {
  /** In the order they were made. */
  readonly entries: readonly EntryRecord[];
  /** Nobody finds the others from every one of them any more: see `disband`. */
  readonly isTorn: boolean;
}

/** Like `unitOf`, for those who must not leave a part of a transaction behind. Changes nothing. */
export async function wholeUnit(uow: UnitOfWork, entry: EntryRecord): Promise<WholeUnit> {
  const unit = await unitOf(uow, entry);
  const mates = await lostMates(uow, unit);
  if (mates.length === 0) return { entries: unit, isTorn: unit.some(hasLostDetail) };
  return { entries: [...unit, ...mates].sort((a, b) => a.seq - b.seq), isTorn: true };
}

/** From here on each entry of a torn transaction stands for itself, and its lane knows what it holds. */
export async function disband(uow: UnitOfWork, entries: readonly EntryRecord[]): Promise<void> {
  markDamaged(uow, entries, true);
  await countLanes(uow, entries);
}

function markDamaged(uow: UnitOfWork, entries: readonly EntryRecord[], isTorn: boolean): void {
  const alone = isTorn ? { group: undefined, leader: undefined, members: undefined } : {};
  for (const entry of entries) {
    const isHurt = isDamaged(entry);
    if (isHurt) uow.noteDamage('entries', [entry.position]);
    const next = withDetail(entry, isHurt ? { ...alone, isDamaged: true } : alone);
    if (next !== entry) uow.putEntry(next);
  }
}

/** What the damaged ones wanted of their lanes is not known any more. */
async function countLanes(uow: UnitOfWork, entries: readonly EntryRecord[]): Promise<void> {
  for (const entry of entries) {
    if (!isDamaged(entry)) continue;
    const row = await rowOf(uow, entry);
    if (row === undefined || row.head === null || row.depth < 2) continue;
    if ((await findEntry(uow, row.partition, row.head)) !== undefined) await mendLane(uow, row);
  }
}

/** Whether the entry belongs to a transaction, and to which, cannot be read any more. */
function hasLostDetail({ detail }: EntryRecord): boolean {
  return detail !== null && parsedObject(detail) === undefined;
}

/** Entries of a transaction that the unit is all of, as far as anybody can tell from its own. */
async function lostMates(
  uow: UnitOfWork,
  unit: readonly EntryRecord[],
): Promise<readonly EntryRecord[]> {
  const [only] = unit;
  if (only === undefined || unit.length > 1) return [];
  const isLost = hasLostDetail(only);
  const { group } = detailOf(only);
  if (!isLost && (group === undefined || (await membersOf(uow, only)).length > 0)) return [];
  const leader = isLost ? only.seq : leaderSeq(detailOf(only));
  const found = new Map<number, EntryRecord>();
  const isMate = (entry: EntryRecord): boolean => {
    if (entry.seq === leader) return true;
    const detail = detailOf(entry);
    if (detail.group === undefined) return false;
    return leaderSeq(detail) === leader || detail.members?.includes(only.seq) === true;
  };
  for await (const entry of candidates(uow, only)) {
    if (entry.seq === only.seq || !isMate(entry)) continue;
    for (const mate of await unitOf(uow, entry)) found.set(mate.seq, mate);
  }
  found.delete(only.seq);
  return [...found.values()];
}

/**
 * Whoever may know of the entry. Those of a transaction are parked while another one stands for them; that
 * one may be sent only while the entry waits.
 */
async function* candidates(
  uow: UnitOfWork,
  { partition, position }: EntryRecord,
): AsyncGenerator<EntryRecord> {
  const ready = isReady(position) ? [] : [readyRange(partition, 0, LOWEST_RANK)];
  for (const { from, to } of [...ready, parkedRange(partition)]) {
    for (let start = from; ;) {
      const page = await uow.scanEntries({ from: [start], to: [to], toOpen: true, limit: PAGE });
      yield* page;
      if (page.length < PAGE) break;
      start = (page.at(-1) as EntryRecord).position + 1;
    }
  }
}
