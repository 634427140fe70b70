import { detailOf, type EntryRecord, type Suspicion } from './records.ts';

export function suspicionOf(entry: EntryRecord): Suspicion | undefined {
  return entry.detail === null ? undefined : detailOf(entry).suspicion;
}

export function isSuspect(entry: EntryRecord): boolean {
  return suspicionOf(entry) !== undefined;
}

/** One more request failed that carried this entry alone. */
export function moreSuspicion(entry: EntryRecord, isProven: boolean): Suspicion {
  const known = suspicionOf(entry);
  const failures = (known?.failures ?? 0) + 1;
  return isProven || known?.isProven === true ? { failures, isProven: true } : { failures };
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
