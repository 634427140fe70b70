import { dependentsOf, findEntry } from './lookup.ts';
import { place } from './place.ts';
import { detailOf, withDetail, type EntryDetail, type EntryRecord } from './records.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/**
 * Notes what a new entry must follow. Settled entries, dead letters that left their lane, and entries
 * of the same transaction need no waiting.
 *
 * @returns what to add to the entry's detail; undefined if it waits for nothing
 */
export async function addDependencies(
  uow: UnitOfWork,
  partition: number,
  dependent: number,
  after: readonly number[],
  group: string | undefined,
): Promise<Pick<EntryDetail, 'after'> | undefined> {
  const open: number[] = [];
  for (const seq of new Set(after)) {
    const earlier = await findEntry(uow, partition, seq);
    if (earlier === undefined) continue;
    const detail = detailOf(earlier);
    if (detail.isDetached === true || (group !== undefined && detail.group === group)) continue;
    open.push(seq);
    uow.putEntry(withDetail(earlier, { hasDependents: true }));
    uow.put('dependencies', [seq, dependent], { prerequisite: seq, dependent });
  }
  return open.length === 0 ? undefined : { after: open };
}

/** Those who waited for this entry beyond its lane wait no more. */
export async function releaseDependents(uow: UnitOfWork, entry: EntryRecord): Promise<void> {
  for (const dependent of await dependentsOf(uow, entry)) {
    uow.delete('dependencies', [entry.seq, dependent.seq]);
    const current = await findEntry(uow, dependent.partition, dependent.seq);
    if (current === undefined) continue;
    const { after = [] } = detailOf(current);
    const freed = withDetail(current, { after: after.filter((seq) => seq !== entry.seq) });
    uow.putEntry(freed);
    await place(uow, freed);
  }
}

/** An entry that waits for others goes: nobody is told that it left. */
export function forgetDependencies(uow: UnitOfWork, entry: EntryRecord): void {
  for (const seq of detailOf(entry).after ?? []) uow.delete('dependencies', [seq, entry.seq]);
}
