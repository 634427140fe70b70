import { buryEntry } from './bury.ts';
import { DEFAULT_RULES } from './collection-rules.ts';
import { mendLane } from './lanes.ts';
import { findEntry, leaderSeq, rowOf } from './lookup.ts';
import { parkedRange } from './position.ts';
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
  const damaged = unit.filter(isDamaged);
  const mates: EntryRecord[] = [];
  for (const entry of damaged) {
    uow.noteDamage('entries', [entry.position]);
    uow.putEntry(withDetail(entry, { isDamaged: true }));
    mates.push(...(await followersOf(uow, entry)));
  }
  for (const mate of mates) {
    const alone = { group: undefined, leader: undefined, members: undefined };
    uow.putEntry(withDetail(mate, alone));
  }
  const failure = { code: 'storage/corrupt', at: now };
  for (const { partition, seq } of [...unit, ...mates]) {
    const entry = await findEntry(uow, partition, seq);
    if (entry !== undefined) await buryEntry(uow, entry, failure, () => DEFAULT_RULES);
  }
  for (const entry of damaged) await countLane(uow, entry);
}

/** What the entry wanted of its lane is not known any more. */
async function countLane(uow: UnitOfWork, entry: EntryRecord): Promise<void> {
  const row = await rowOf(uow, entry);
  if (row === undefined || row.head === null || row.depth < 2) return;
  if ((await findEntry(uow, row.partition, row.head)) !== undefined) await mendLane(uow, row);
}

/**
 * Entries of the transaction that this one stood for, if it did: nobody can put it together again. They
 * are parked, and know whom they follow.
 */
async function followersOf(
  uow: UnitOfWork,
  { partition, seq, detail }: EntryRecord,
): Promise<readonly EntryRecord[]> {
  if (detail === null || detailOf({ detail }).group !== undefined) return [];
  const { from, to } = parkedRange(partition);
  const found: EntryRecord[] = [];
  for (let start = from; ;) {
    const range = { from: [start], to: [to], toOpen: true, limit: PAGE };
    const page = await uow.scanEntries(range);
    for (const entry of page) {
      const known = detailOf(entry);
      if (known.group !== undefined && leaderSeq(known) === seq) found.push(entry);
    }
    if (page.length < PAGE) return found;
    start = (page.at(-1) as EntryRecord).position + 1;
  }
}
