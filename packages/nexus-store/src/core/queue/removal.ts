import type { PriorityRank } from '../model/priority.ts';
import { forgetDependencies, releaseDependents } from './dependencies.ts';
import { leaveLane } from './lanes.ts';
import { findEntry } from './lookup.ts';
import { handOn, passStale } from './pins.ts';
import { detailOf, entryBytes, type EntryRecord } from './records.ts';
import type { UnitOfWork } from './unit-of-work.ts';
import { changePriority, influenced, recount } from './urgency.ts';

/** Takes entries out of queue, lanes and counters, as if settled: what waited for them goes on. */
export async function removeEntries(
  uow: UnitOfWork,
  entries: readonly EntryRecord[],
): Promise<void> {
  const [first] = entries;
  if (first === undefined) return;
  const { partition } = first;
  const waitedFor = await influenced(uow, entries);
  for (const { seq } of entries) {
    const current = await findEntry(uow, partition, seq);
    if (current === undefined) continue;
    await releaseDependents(uow, current);
    forgetDependencies(uow, current);
    // It goes first: what moves up in its lane may move the rest of its transaction.
    uow.deleteEntry(current);
    discount(uow, current);
    await leaveLane(uow, current);
    const { isDetached, pinned } = detailOf(current);
    if (isDetached === true) continue;
    await handOn(uow, current, pinned);
    await passStale(uow, current);
  }
  await recount(uow, partition, waitedFor);
}

/** Takes an entry out of the counters, by its state. */
export function discount(uow: UnitOfWork, entry: EntryRecord): void {
  const { partition, state } = entry;
  const bytes = entryBytes(entry.payload);
  if (state === null) {
    uow.countEntry(partition, entry.priority, bytes, -1, entry.collection);
    return;
  }
  const counters = uow.counters(partition);
  uow.setCounters(partition, {
    pending: counters.pending,
    dead: counters.dead - (state === 'dead' ? 1 : 0),
    conflicts: counters.conflicts - (state === 'conflict' ? 1 : 0),
    bytes: counters.bytes - bytes,
  });
}

/** Changes the state of an entry, stores it, and moves it from one counter to the other. */
export function setState(
  uow: UnitOfWork,
  entry: EntryRecord,
  state: EntryRecord['state'],
): EntryRecord {
  const changed = { ...entry, state };
  uow.putEntry(changed);
  if (entry.state === state) return changed;
  const { partition, priority, collection } = entry;
  if (entry.state === null) uow.countEntry(partition, priority, 0, -1, collection);
  if (state === null) uow.countEntry(partition, priority, 0, 1, collection);
  const counters = uow.counters(partition);
  const delta = (of: 'dead' | 'conflict'): number =>
    (state === of ? 1 : 0) - (entry.state === of ? 1 : 0);
  uow.setCounters(partition, {
    ...counters,
    dead: counters.dead + delta('dead'),
    conflicts: counters.conflicts + delta('conflict'),
  });
  return changed;
}

/** Changes an entry's priority and the counters with it. */
export async function reprioritiseEntry(
  uow: UnitOfWork,
  entry: EntryRecord,
  priority: PriorityRank,
): Promise<void> {
  if (entry.state === null) {
    uow.countEntry(entry.partition, entry.priority, 0, -1);
    uow.countEntry(entry.partition, priority, 0, 1);
  }
  await changePriority(uow, entry, priority);
}

/** An entry's payload is about to change: its size counts anew. */
export function recountBytes(uow: UnitOfWork, entry: EntryRecord, payload: string | null): void {
  const grown = entryBytes(payload) - entryBytes(entry.payload);
  if (grown === 0) return;
  const counters = uow.counters(entry.partition);
  uow.setCounters(entry.partition, { ...counters, bytes: counters.bytes + grown });
}
