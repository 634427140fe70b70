import type { CollectionRules } from './collection-rules.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/** The record of `meta` that says where a pull stands. It is there before the first page is asked for. */
export function pullStateName(partition: number, collection: string): string {
  return `cursor:${partition}:${collection}`;
}

/**
 * True if a pull brings what the server has of a collection, in this context or in another one of the same
 * database: a command line or a worker sends what others fetch. It costs a record only where others have
 * fetched something and this context does not.
 */
export async function isPulledByAny(
  uow: UnitOfWork,
  rules: CollectionRules,
  partition: number,
  collection: string,
): Promise<boolean> {
  if (rules.isPulled === true) return true;
  if (!uow.state.hasPulled) return false;
  return (await uow.get('meta', [pullStateName(partition, collection)])) !== undefined;
}
