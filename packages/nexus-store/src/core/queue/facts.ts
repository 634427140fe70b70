import type { UnitOfWork } from './unit-of-work.ts';

/**
 * A small fact of the table `meta`. Of a damaged one as much is known as of one that was never written, so
 * only facts for which that does no harm are read so.
 *
 * @param isUsable true for what the fact can be
 */
export async function readFact<T>(
  uow: UnitOfWork,
  name: string,
  isUsable: (value: unknown) => boolean,
): Promise<T | undefined> {
  const record = await uow.get('meta', [name]);
  if (record === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(record['value'] as string);
    if (isUsable(value)) return value as T;
  } catch {
    // As damaged as one that says what it cannot be.
  }
  uow.noteDamage('meta', [name]);
  return undefined;
}

export function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isList(value: unknown): boolean {
  return Array.isArray(value);
}
