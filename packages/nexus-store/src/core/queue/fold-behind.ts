import { foldedPayload, isFresh, laterExpiry } from './coalesce.ts';
import type { CollectionRules } from './collection-rules.ts';
import { noteDeparture } from './departures.ts';
import { nameOf } from './entry-view.ts';
import { settleRowOf, valueBefore } from './fold.ts';
import { isEntrySize, type QueueLimits } from './limits.ts';
import { dependentsOf, findEntry, rowOf } from './lookup.ts';
import {
  detailOf,
  laneKey,
  withDetail,
  type EntryDetail,
  type EntryRecord,
  type StoredOperation,
} from './records.ts';
import { recountBytes, removeEntries, reprioritiseEntry } from './removal.ts';
import type { UnitOfWork } from './unit-of-work.ts';
import { recount } from './urgency.ts';
import { bestRank } from './wants.ts';

/**
 * A dead letter that somebody retries is fresh again: no server has it. What was written behind it
 * meanwhile, most often to put right what was refused, folds into it as it would if it were made now.
 * Otherwise the refused value would go first, be refused once more, and hold the corrected one back.
 *
 * @returns false if it met its delete, and nothing is left of either
 */
export async function foldBehind(
  uow: UnitOfWork,
  entry: EntryRecord,
  rules: CollectionRules,
  limits: QueueLimits,
): Promise<boolean> {
  if (!rules.coalesce) return true;
  let current: EntryRecord | undefined = entry;
  while (current !== undefined && (await isFresh(uow, current))) {
    const next = await nextInLane(uow, current);
    if (next === undefined || !(await mayFold(uow, next))) return true;
    const folded = await foldedWith(uow, current, next, rules, limits);
    if (folded === undefined) return true;
    if (folded === 'vanished') {
      await vanish(uow, current, next, rules);
      return false;
    }
    current = await takeIn(uow, current, next, folded);
  }
  return true;
}

async function nextInLane(
  uow: UnitOfWork,
  { partition, collection, entity, seq, operation }: EntryRecord,
): Promise<EntryRecord | undefined> {
  if (operation === 'item') return undefined;
  const prefix = [laneKey(partition, collection, entity)];
  const range = { index: 'lane', prefix, from: [seq], fromOpen: true, limit: 1 };
  return (await uow.scanEntries(range))[0];
}

/**
 * The edge of a transaction stays, what waits for others besides goes when they have gone, and what was made on
 * another row than the earlier entry is now sent with is sent with its own.
 */
async function mayFold(uow: UnitOfWork, next: EntryRecord): Promise<boolean> {
  const { group, after = [], pinned } = detailOf(next);
  const isApart = group !== undefined || after.length > 0 || pinned !== undefined;
  return !isApart && (await isFresh(uow, next));
}

/** What folding changes of the earlier entry. */
interface Folded {
  readonly operation: StoredOperation;
  readonly payload: string | null;
  readonly expiresAt: number | null;
  readonly detail: { readonly [K in keyof EntryDetail]?: EntryDetail[K] | undefined };
}

/** The table of design.md for two entries that both wait; undefined if they are to go one by one. */
async function foldedWith(
  uow: UnitOfWork,
  entry: EntryRecord,
  next: EntryRecord,
  rules: CollectionRules,
  limits: QueueLimits,
): Promise<Folded | 'vanished' | undefined> {
  // After a delete comes a create: both go, in order.
  if (next.operation === 'create') return undefined;
  if (entry.operation === 'delete') {
    return next.operation === 'delete' ? foldedIn(entry, next) : undefined;
  }
  if (next.operation === 'delete') return foldedDelete(uow, entry, next, rules);
  const { isPatch, schemaVersion } = detailOf(next);
  const isWhole = next.operation !== 'command' && isPatch !== true;
  // Fields of two schemas do not belong in one payload.
  if (!isWhole && schemaVersion !== detailOf(entry).schemaVersion) return undefined;
  const { operation, payload } = next;
  const folded = foldedPayload(entry, { operation, payload, detail: detailOf(next) }, rules);
  // Two that fit may not fit together.
  if (folded === undefined || !isEntrySize(folded, limits)) return undefined;
  return {
    operation: entry.operation,
    payload: folded,
    expiresAt: laterExpiry(entry.expiresAt, next.expiresAt),
    detail: isWhole ? { isPatch: undefined, schemaVersion } : {},
  };
}

function foldedIn({ operation, payload, expiresAt }: EntryRecord, next: EntryRecord): Folded {
  return {
    operation,
    payload,
    expiresAt: laterExpiry(expiresAt, next.expiresAt),
    detail: {},
  };
}

async function foldedDelete(
  uow: UnitOfWork,
  entry: EntryRecord,
  next: EntryRecord,
  rules: CollectionRules,
): Promise<Folded | 'vanished' | undefined> {
  if (entry.operation === 'command') return undefined;
  // Others were promised that this is there before they are sent.
  if ((await dependentsOf(uow, entry)).length > 0) return undefined;
  const row = await rowOf(uow, entry);
  const isNew = row !== undefined && (await valueBefore(uow, row, entry, rules)) === null;
  // A pull may have brought a row of this id: then there is something to delete.
  if (entry.operation === 'create' && isNew) return 'vanished';
  const expiresAt = laterExpiry(entry.expiresAt, next.expiresAt);
  return { operation: 'delete', payload: null, expiresAt, detail: { isPatch: undefined } };
}

async function vanish(
  uow: UnitOfWork,
  entry: EntryRecord,
  next: EntryRecord,
  rules: CollectionRules,
): Promise<void> {
  await removeEntries(uow, [entry, next]);
  await settleRowOf(uow, entry, rules);
  for (const gone of [entry, next]) {
    uow.notify({ type: 'entry-vanished', ...nameOf(gone) });
    await noteDeparture(uow, gone.seq, { outcome: 'vanished' });
  }
}

/** The later entry goes; the earlier one keeps its place and stands for both. */
async function takeIn(
  uow: UnitOfWork,
  entry: EntryRecord,
  next: EntryRecord,
  folded: Folded,
): Promise<EntryRecord | undefined> {
  const { partition, seq } = entry;
  const hasInherited = await inheritDependents(uow, next, entry);
  await removeEntries(uow, [next]);
  await noteDeparture(uow, next.seq, { outcome: 'moved', to: seq });
  const current = (await findEntry(uow, partition, seq)) ?? entry;
  recountBytes(uow, current, folded.payload);
  const { operation, payload, expiresAt, detail } = folded;
  const changed = withDetail({ ...current, operation, payload, expiresAt }, detail);
  uow.putEntry(changed);
  const priority = bestRank(entry.priority, next.priority);
  if (priority !== entry.priority) await reprioritiseEntry(uow, changed, priority);
  if (hasInherited) await recount(uow, partition, [seq]);
  return findEntry(uow, partition, seq);
}

/** Who comes after the one comes after the other instead. */
async function inheritDependents(
  uow: UnitOfWork,
  from: EntryRecord,
  to: EntryRecord,
): Promise<boolean> {
  const dependents = await dependentsOf(uow, from);
  for (const dependent of dependents) {
    const edge = { prerequisite: to.seq, dependent: dependent.seq };
    uow.delete('dependencies', [from.seq, dependent.seq]);
    uow.put('dependencies', [edge.prerequisite, edge.dependent], edge);
    const { after = [] } = detailOf(dependent);
    const moved = new Set(after.map((seq) => (seq === from.seq ? to.seq : seq)));
    uow.putEntry(withDetail(dependent, { after: [...moved] }));
  }
  if (dependents.length === 0) return false;
  const current = (await findEntry(uow, to.partition, to.seq)) ?? to;
  uow.putEntry(withDetail(current, { hasDependents: true }));
  return true;
}
