import type { UnitOfWork } from './unit-of-work.ts';

/**
 * How an entry left the queue without being applied. `moved`: it is in the queue again, as another entry.
 * What was applied leaves no mark: it is what nearly always happens.
 */
export type Departure =
  | { readonly outcome: 'cancelled' | 'vanished' | 'superseded' }
  | { readonly outcome: 'moved'; readonly to: number };

/** Marks are kept until so many more entries have been made. */
const KEPT = 20_000;
/** Old marks are looked for once in so many departures. */
const SWEEP_EVERY = 64;

/** Writes down why an entry is gone, so that other contexts do not take it for applied. */
export async function noteDeparture(
  uow: UnitOfWork,
  seq: number,
  departure: Departure,
): Promise<void> {
  const { nextSeq } = uow.state;
  const to = departure.outcome === 'moved' ? departure.to : null;
  uow.put('departures', [seq], { seq, madeBefore: nextSeq, outcome: departure.outcome, to });
  if (seq % SWEEP_EVERY === 0) await sweep(uow, nextSeq - KEPT);
}

async function sweep(uow: UnitOfWork, before: number): Promise<void> {
  if (before <= 0) return;
  const range = { index: 'age', to: [before], toOpen: true, limit: 4 * SWEEP_EVERY };
  for (const { seq } of await uow.scan('departures', range)) {
    uow.delete('departures', [seq as number]);
  }
}

/** Undefined if nothing is known: then an entry that is gone was applied. */
export async function departureOf(uow: UnitOfWork, seq: number): Promise<Departure | undefined> {
  const record = await uow.get('departures', [seq]);
  if (record === undefined) return undefined;
  const outcome = record['outcome'] as Departure['outcome'];
  return outcome === 'moved' ? { outcome, to: record['to'] as number } : { outcome };
}
