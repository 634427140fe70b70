import { parkedPosition, positionsOfSeq } from './position.ts';
import {
  detailOf,
  laneKey,
  type EntryDetail,
  type EntryRecord,
  type RowRecord,
} from './records.ts';
import type { UnitOfWork } from './unit-of-work.ts';

export const MAX_LANE = 1_000_000;
const MAX_DEPENDENTS = 1_000_000;

export function findEntry(
  uow: UnitOfWork,
  partition: number,
  seq: number,
): Promise<EntryRecord | undefined> {
  return uow.entryAtAny(positionsOfSeq(partition, seq));
}

/** The entry made last of an entity's lane. */
export function tailOf(uow: UnitOfWork, row: RowRecord): Promise<EntryRecord | undefined> {
  const tail = row.tail as number;
  // Who waits behind another stands in one place only.
  if (tail !== row.head) return uow.entryAt(parkedPosition(row.partition, tail));
  return findEntry(uow, row.partition, tail);
}

export async function rowOf(uow: UnitOfWork, entry: EntryRecord): Promise<RowRecord | undefined> {
  if (entry.operation === 'item') return undefined;
  return uow.row(entry.partition, entry.collection, entry.entity);
}

/** All entries of a lane, in order. */
export async function laneEntries(
  uow: UnitOfWork,
  row: RowRecord,
): Promise<readonly EntryRecord[]> {
  if (row.depth === 0 || row.head === null) return [];
  const head = await findEntry(uow, row.partition, row.head);
  const key = laneKey(row.partition, row.collection, row.id);
  const behind =
    row.depth === 1 ? [] : await uow.scanEntries({ index: 'lane', prefix: [key], limit: MAX_LANE });
  return head === undefined ? behind : [head, ...behind];
}

/** A transaction is named after its first entry, `g<seq>`; another may stand for it since. */
export function leaderSeq(detail: EntryDetail): number {
  return detail.leader ?? Number((detail.group ?? '').slice(1));
}

/** The seqs of the entry's transaction; empty if it has none, or if it is still being made. */
export async function membersOf(uow: UnitOfWork, entry: EntryRecord): Promise<readonly number[]> {
  if (entry.detail === null) return [];
  const detail = detailOf(entry);
  if (detail.group === undefined) return [];
  if (detail.members !== undefined) return detail.members;
  const leader = await findEntry(uow, entry.partition, leaderSeq(detail));
  return leader === undefined ? [] : (detailOf(leader).members ?? []);
}

/** What is sent together: the entry, or all entries of its transaction that are left, in order. */
export async function unitOf(uow: UnitOfWork, entry: EntryRecord): Promise<EntryRecord[]> {
  const found: EntryRecord[] = [];
  for (const seq of await membersOf(uow, entry)) {
    const member = await findEntry(uow, entry.partition, seq);
    if (member !== undefined) found.push(member);
  }
  return found.length === 0 ? [entry] : found;
}

/** Those who wait for this entry beyond its lane. */
export async function dependentsOf(uow: UnitOfWork, entry: EntryRecord): Promise<EntryRecord[]> {
  if (entry.detail === null || detailOf(entry).hasDependents !== true) return [];
  const edges = await uow.scan('dependencies', { prefix: [entry.seq], limit: MAX_DEPENDENTS });
  const found: EntryRecord[] = [];
  for (const edge of edges) {
    const dependent = await findEntry(uow, entry.partition, edge['dependent'] as number);
    if (dependent !== undefined) found.push(dependent);
  }
  return found;
}
