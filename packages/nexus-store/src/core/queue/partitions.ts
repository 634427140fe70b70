import { UsageError } from '../model/errors.ts';
import { MAX_PARTITIONS } from './position.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/** The record `partitions` of the table `meta`: whose queue has which number. */
interface Partitions {
  readonly numbers: { readonly [name: string]: number };
}

/** The partition of users who never signed in. */
export const ANONYMOUS = 0;

export function principalPartition(principal: string): string {
  return `principal:${principal}`;
}

export function queuePartition(name: string): string {
  return `queue:${name}`;
}

/** The number of a named partition, given at its first use and kept for the life of the database. */
export async function partitionNumber(uow: UnitOfWork, name: string): Promise<number> {
  const record = await uow.get('meta', ['partitions']);
  const { numbers }: Partitions =
    record === undefined ? { numbers: {} } : (JSON.parse(record['value'] as string) as Partitions);
  const known = Object.hasOwn(numbers, name) ? numbers[name] : undefined;
  if (known !== undefined) return known;
  const next = Object.keys(numbers).length + 1;
  if (next >= MAX_PARTITIONS) {
    throw new UsageError(
      'usage/invalid-argument',
      `one database serves at most ${MAX_PARTITIONS - 1} principals and named queues`,
    );
  }
  const value = JSON.stringify({ numbers: { ...numbers, [name]: next } });
  uow.put('meta', ['partitions'], { name: 'partitions', value });
  return next;
}
