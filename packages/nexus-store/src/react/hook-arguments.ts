import { objectWith, OBJECT, requireKind, type Kind } from '../core/model/arguments.ts';
import type { EntityId } from '../core/model/entry.ts';
import { BACKEND } from '../core/ports/kinds.ts';
import { requireId } from '../core/store/mutation.ts';

/** What `defineBackgroundSync` gives, or a service. */
export const BACKGROUND: Kind = objectWith('a background sync', 'scheduleSync', 'explain');

const STORE: Kind = {
  said: 'a NexusStore',
  fits: (value) => OBJECT.fits(value) && BACKEND.fits((value as { backend?: unknown }).backend),
};

/** @throws UsageError `usage/invalid-argument` */
export function requireStore(hook: string, store: unknown): void {
  requireKind(`${hook}: store`, store, STORE);
}

/**
 * The id of what a hook is to show; undefined as long as nobody knows which, as while a route is read.
 *
 * @throws UsageError `usage/missing-id` for anything else that is no id: a slip that would load for ever
 */
export function askedId(hook: string, id: unknown): EntityId | undefined {
  return id === null || id === undefined ? undefined : requireId(id, hook);
}
