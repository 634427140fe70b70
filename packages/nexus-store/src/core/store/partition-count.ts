import { numbersIn } from '../queue/partitions.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';

/** Partitions are numbered from 0 (nobody signed in) in the order in which they were first used. */
export async function partitionCount(uow: UnitOfWork): Promise<number> {
  const record = await uow.get('meta', ['partitions']);
  if (record === undefined) return 1;
  return 1 + Object.keys(numbersIn(record['value'] as string)).length;
}
