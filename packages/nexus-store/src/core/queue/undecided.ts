import { isList, readFact } from './facts.ts';
import { placeAll } from './place.ts';
import { detailOf, withDetail, type EntryRecord } from './records.ts';
import { setState } from './removal.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/**
 * The failure of an entry that met a conflict in a context that does not know how the app decides it, such as a
 * command line. It is parked like one that waits for people; the next run of a context that knows sends it
 * again, and decides by what is answered then. The record `undecided:<partition>` names the collections, each
 * with the first seq to look at, so that nobody reads conflicts that do wait for people.
 */
export const UNDECIDED = 'store/undecided';

/** True for the collections whose conflicts this context decides. */
export type Decides = (collection: string) => boolean;

/** So many are looked at with one claim. */
const PAGE = 256;

type Undecided = readonly (readonly [collection: string, fromSeq: number])[];

/** An entry was parked with `UNDECIDED`. */
export async function noteUndecided(uow: UnitOfWork, entry: EntryRecord): Promise<void> {
  const { partition, collection, seq } = entry;
  const known = await read(uow, partition);
  const from = known.find(([name]) => name === collection)?.[1];
  if (from !== undefined && from <= seq) return;
  store(uow, partition, [...known.filter(([name]) => name !== collection), [collection, seq]]);
}

/** True if conflicts wait that this context decides. */
export async function hasUndecided(
  uow: UnitOfWork,
  partition: number,
  decides: Decides,
): Promise<boolean> {
  if (uow.counters(partition).conflicts === 0) return false;
  return (await read(uow, partition)).some(([collection]) => decides(collection));
}

/** Puts conflicts that others left to this context back among what is sent, some at a time. */
export async function reopenUndecided(
  uow: UnitOfWork,
  partition: number,
  decides: Decides,
): Promise<void> {
  while (await hasUndecided(uow, partition, decides)) {
    if (await reopenSome(uow, partition, decides)) return;
  }
}

/** False if what was looked at waits for people. */
async function reopenSome(uow: UnitOfWork, partition: number, decides: Decides): Promise<boolean> {
  const known = await read(uow, partition);
  const ours = new Map(known.filter(([collection]) => decides(collection)));
  const page = await uow.scanEntries({
    index: 'parked',
    prefix: [partition, 'conflict'],
    from: [Math.min(...ours.values())],
    limit: PAGE,
  });
  const seen = page.length < PAGE ? Infinity : (page.at(-1) as EntryRecord).seq;
  const left = known.map(([name, from]) => [
    name,
    ours.has(name) ? Math.max(from, seen + 1) : from,
  ]);
  store(uow, partition, left.filter(([, from]) => Number.isFinite(from)) as unknown as Undecided);
  const reopened = page.filter((entry) => ours.has(entry.collection) && isUndecided(entry));
  const pending = reopened.map((entry) =>
    setState(uow, withDetail(entry, { conflict: undefined }), null),
  );
  await placeAll(uow, pending);
  return pending.length > 0;
}

export function forgetUndecided(uow: UnitOfWork, partition: number): void {
  uow.delete('meta', [nameOf(partition)]);
}

function isUndecided(entry: EntryRecord): boolean {
  return detailOf(entry).failure?.code === UNDECIDED;
}

async function read(uow: UnitOfWork, partition: number): Promise<Undecided> {
  // Of a damaged one the conflicts wait for people.
  return (await readFact<Undecided>(uow, nameOf(partition), isList)) ?? [];
}

function store(uow: UnitOfWork, partition: number, undecided: Undecided): void {
  const name = nameOf(partition);
  if (undecided.length === 0) uow.delete('meta', [name]);
  else uow.put('meta', [name], { name, value: JSON.stringify(undecided) });
}

function nameOf(partition: number): string {
  return `undecided:${partition}`;
}
