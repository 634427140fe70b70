import { LOWEST_RANK } from '../model/priority.ts';
import { unitOf } from './lookup.ts';
import { place } from './place.ts';
import { readyRange } from './position.ts';
import { detailOf, withDetail, type EntryRecord, type Suspicion } from './records.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/** How many of those that are ready, and of those that wait, are looked at when suspicions fade. Others fade later, or are tried alone. */
const FADE_LIMIT = 256;

export function suspicionOf(entry: EntryRecord): Suspicion | undefined {
  return entry.detail === null ? undefined : detailOf(entry).suspicion;
}

export function isSuspect(entry: EntryRecord): boolean {
  return suspicionOf(entry) !== undefined;
}

/**
 * One more request failed that carried this entry alone.
 *
 * @param blame what speaks against it by now
 * @param isProven others worked before it
 */
export function moreSuspicion(entry: EntryRecord, blame: number, isProven: boolean): Suspicion {
  const known = suspicionOf(entry);
  return {
    failures: (known?.failures ?? 0) + 1,
    ...(blame > 0 && { blame }),
    ...((isProven || known?.isProven === true) && { isProven: true }),
  };
}

/** Whose turn it is: the one that has failed least, the best of several. Suspects share the probes fairly. */
export function leastSuspected(
  units: readonly (readonly EntryRecord[])[],
): readonly EntryRecord[] | undefined {
  const failuresOf = ([first]: readonly EntryRecord[]): number =>
    (first === undefined ? undefined : suspicionOf(first))?.failures ?? 0;
  let least: readonly EntryRecord[] | undefined;
  for (const unit of units) {
    if (least === undefined || failuresOf(unit) < failuresOf(least)) least = unit;
  }
  return least;
}

/**
 * An entry under suspicion was taken: the way failed, and not the entry, and so it may have been with the others.
 * Those wait no longer. What is proven stays.
 */
export async function fadeSuspicions(uow: UnitOfWork, partition: number): Promise<void> {
  await uow.sendChanges();
  const { from, to } = readyRange(partition, 0, LOWEST_RANK);
  const [ready, waiting, leased] = await Promise.all([
    uow.scanEntries({ from: [from], to: [to], toOpen: true, limit: FADE_LIMIT }),
    uow.scanEntries({ index: 'due', prefix: [partition], limit: FADE_LIMIT }),
    uow.leasedPositions(),
  ]);
  const seen = new Set<number>();
  for (const entry of [...ready, ...waiting]) {
    if (!isSuspect(entry) || leased.has(entry.position) || seen.has(entry.seq)) continue;
    for (const member of await unitOf(uow, entry)) {
      seen.add(member.seq);
      if (suspicionOf(member)?.isProven === true) continue;
      const clear = { ...withDetail(member, { suspicion: undefined }), notBefore: null };
      uow.putEntry(clear);
      if (member.notBefore !== null) await place(uow, clear);
    }
  }
}
