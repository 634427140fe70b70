import { LOWEST_RANK, type PriorityRank } from '../model/priority.ts';
import { findEntry, unitOf } from './lookup.ts';
import { placeSeq } from './place.ts';
import { detailOf, withDetail, type EntryRecord } from './records.ts';
import { boostUnit, recount } from './urgency.ts';
import type { UnitOfWork } from './unit-of-work.ts';
import { bestRank, wantOf } from './wants.ts';

/** Closes a transaction: its first entry learns who belongs to it, and the whole is placed. */
export async function closeGroup(
  uow: UnitOfWork,
  partition: number,
  members: readonly number[],
): Promise<void> {
  const seqs = [...new Set(members)].sort((a, b) => a - b);
  const first = await findEntry(uow, partition, seqs[0] ?? 0);
  if (first === undefined) return;
  uow.putEntry(withDetail(first, { members: seqs }));
  const unit = await unitOf(uow, first);
  if (unit.length > 1) {
    const want = unit.reduce<PriorityRank>(
      (best, next) => bestRank(best, wantOf(next)),
      LOWEST_RANK,
    );
    await boostUnit(uow, unit, want);
  }
  await placeSeq(uow, partition, first.seq);
}

/** After entries of a transaction went without the others: those left stand together as before. */
export async function regroup(
  uow: UnitOfWork,
  partition: number,
  group: string,
  members: readonly number[],
): Promise<void> {
  const left: EntryRecord[] = [];
  for (const seq of members) {
    const member = await findEntry(uow, partition, seq);
    if (member !== undefined && detailOf(member).group === group) left.push(member);
  }
  const [first] = left;
  if (first === undefined) return;
  if (left.length < members.length) {
    const seqs = left.map(({ seq }) => seq);
    for (const member of left) {
      const isFirst = member.seq === first.seq;
      uow.putEntry(withDetail(member, { leader: first.seq, members: isFirst ? seqs : undefined }));
    }
    await recount(uow, partition, [first.seq]);
  }
  await placeSeq(uow, partition, first.seq);
}
