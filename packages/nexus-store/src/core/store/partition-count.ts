import type { UnitOfWork } from '../queue/unit-of-work.ts';

/** Partitions are numbered from 0 (nobody signed in) in the order in which they were first used. */
export async function partitionCount(uow: UnitOfWork): Promise<number> {
  const record = await uow.get('meta', ['partitions']);
  if (record === undefined) return 1;
  const { numbers } = JSON.parse(record['value'] as string) as { numbers: Record<string, number> };
  return 1 + Object.keys(numbers).length;
}
