import type { EntityId } from '../model/entry.ts';

/** What the queue must know of a collection to fold its mutations. Values are decoded. */
export interface CollectionRules {
  /** Fold a newer mutation into one that was not sent yet. False keeps every mutation, for audits. */
  readonly coalesce: boolean;
  /** Folds two waiting commands of one name into one. Absent: commands are never folded. */
  readonly merge?: ((previous: unknown, next: unknown, command: string) => unknown) | undefined;
  /** It threw, or gave what cannot be sent in place of both: they were not folded. */
  readonly onMergeFailed?: ((command: string, error: unknown) => void) | undefined;
  /** What a command does to the local value. Absent: the value changes only when the server says so. */
  readonly applyCommand?: ((value: unknown, command: string, args: unknown) => unknown) | undefined;
  /** It threw for a row that somebody else has changed: the row is left as it is. */
  readonly onCommandFailed?: ((command: string, error: unknown) => void) | undefined;
  /** What becomes of a lane whose head was rejected. */
  readonly onRejected: OnRejected;
  /** A pull brings what the server has, so that nothing need be guessed. Absent: nothing is known of it. */
  readonly isPulled?: boolean | undefined;
  /** This context has no store for the collection: what its commands do, say, is known elsewhere. */
  readonly isUnknown?: boolean | undefined;
  /** The id that a value names itself by. Absent: nothing is known of it. */
  readonly idOf?: ((value: unknown) => unknown) | undefined;
}

/** True if a value names itself by another id than it is kept under; one without an id does not. */
export function hasOtherId(rules: CollectionRules, value: unknown, id: EntityId): boolean {
  if (rules.idOf === undefined || value === null || value === undefined) return false;
  let own: unknown;
  try {
    own = rules.idOf(value);
  } catch {
    // What an app's own function cannot read names nobody else either.
    return false;
  }
  return own !== undefined && own !== null && own !== id;
}

/**
 * - `park`: the lane waits until someone retries or discards the dead letter; other lanes go on.
 * - `skip`: the dead letter leaves the lane, and what is behind it goes on without it; what waits
 *   behind a rejected create goes with it.
 * - `revert`: the whole lane becomes dead letters and the local value is the server's again.
 */
export type OnRejected = 'park' | 'skip' | 'revert';

export const DEFAULT_RULES: CollectionRules = { coalesce: true, onRejected: 'park' };

/** Of a collection that this context has no store for, that of a command line, say. */
export const UNKNOWN_RULES: CollectionRules = {
  ...DEFAULT_RULES,
  coalesce: false,
  isUnknown: true,
};

/** The rules of a collection by its name. */
export type RulesOf = (collection: string) => CollectionRules;
