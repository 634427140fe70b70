import type { EntityId } from '../model/entry.ts';
import { isSame } from '../model/same-value.ts';

/** What a conflict handler decides. */
export type Resolution<T> =
  /** Send ours again, on top of theirs. */
  | { readonly use: 'local' }
  /** Give ours up. */
  | { readonly use: 'remote' }
  /** Send this value; null deletes. */
  | { readonly use: 'merged'; readonly value: T | null }
  /** Not now: the lane waits until someone resolves it. What a handler says that needs a screen. */
  | { readonly use: 'later' };

/** What a conflict handler knows. Values are its own copies; null means that the entity does not exist there. */
export interface ConflictContext<T> {
  readonly id: EntityId;
  /** What the mutation was made on. */
  readonly base: T | null;
  readonly local: T | null;
  readonly remote: T | null;
  /** No screen is there: a background run. */
  readonly headless: boolean;
  /** Aborts when the run ends; a late answer is not used. */
  readonly signal: AbortSignal;
}

/**
 * What to do when the server's row is not the one a mutation was made on.
 *
 * - `merge-fields` (default): three-way, field by field against the base. Where both changed the same
 *   field, ours wins (`prefer: 'remote'` for theirs).
 * - `client-wins`: ours again on top of theirs. `server-wins`: ours is given up, with an event.
 * - a function decides. `manual`: the lane waits for `resolveConflict`.
 */
export type ConflictStrategy<T> =
  | 'server-wins'
  | 'client-wins'
  | 'merge-fields'
  | 'manual'
  | { readonly strategy: 'merge-fields'; readonly prefer: 'local' | 'remote' }
  | ((context: ConflictContext<T>) => Resolution<T> | Promise<Resolution<T>>);

/** A conflict is resolved so many times before it is left to people. */
export const MAX_ROUNDS = 10;

export async function resolve<T>(
  strategy: ConflictStrategy<T>,
  context: ConflictContext<T>,
): Promise<Resolution<T>> {
  if (typeof strategy === 'function') return strategy(context);
  if (typeof strategy === 'object') return mergeFields(context, strategy.prefer);
  switch (strategy) {
    case 'server-wins':
      return { use: 'remote' };
    case 'client-wins':
      return { use: 'local' };
    case 'manual':
      return { use: 'later' };
    case 'merge-fields':
      return mergeFields(context, 'local');
  }
}

function mergeFields<T>(
  { base, local, remote }: ConflictContext<T>,
  prefer: 'local' | 'remote',
): Resolution<T> {
  // One side deleted it: there are no fields to merge.
  if (!isRecord(local) || !isRecord(remote)) return { use: prefer };
  const before: Record<string, unknown> = isRecord(base) ? base : {};
  const merged: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(remote), ...Object.keys(local)])) {
    const isOurs = !isSame(local[key], before[key]);
    const isTheirs = !isSame(remote[key], before[key]);
    const from = isOurs && (!isTheirs || prefer === 'local') ? local : remote;
    if (Object.hasOwn(from, key)) {
      Object.defineProperty(merged, key, {
        value: from[key],
        writable: true,
        enumerable: true,
        configurable: true,
      });
    }
  }
  return { use: 'merged', value: merged as T };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
