import { LIST, NAME, oneOf, requireKind, requireOptions, type Kinds } from '../model/arguments.ts';
import { QueueError } from '../model/errors.ts';
import { UNKNOWN_RULES, type CollectionRules } from '../queue/collection-rules.ts';
import type { ConflictStrategy } from '../sync/conflict-strategy.ts';
import type { SyncedCollection } from '../sync/sync-context.ts';

/** A collection that this context fetches, or has a store for. */
export interface KnownCollection extends SyncedCollection {
  /** Fields with an index of their own. */
  readonly indexes: readonly string[];
}

/** What a store tells its backend of its collection. */
export interface RegisteredCollection extends KnownCollection {
  readonly conflict: ConflictStrategy<unknown>;
  readonly rules: CollectionRules;
}

/** What a context does with collections that it has no store for. Their writes are sent like all others. */
export interface WithoutStore {
  /** Names of collections to fetch changes of. */
  readonly pull?: readonly string[];
  /**
   * How their conflicts are decided.
   *
   * @defaultValue by a context of the app with a store for the collection, as that store says, when it syncs next
   */
  readonly conflict?: 'merge-fields' | 'client-wins' | 'server-wins';
}

const WITHOUT_STORE: Kinds<WithoutStore> = {
  pull: LIST,
  conflict: oneOf('merge-fields', 'client-wins', 'server-wins'),
};

/** @throws UsageError `usage/invalid-argument`, naming the option */
export function requireWithoutStore(options: WithoutStore | undefined): void {
  if (options === undefined) return;
  requireOptions('createBackend: withoutStore', options, WITHOUT_STORE);
  for (const name of options.pull ?? [])
    requireKind('createBackend: withoutStore: pull', name, NAME);
}

/** The collections of a backend by name. */
export class CollectionRegistry {
  readonly #collections = new Map<string, RegisteredCollection>();
  /** Those that are fetched without a store. */
  readonly #others = new Map<string, KnownCollection>();
  readonly #strategyOfOthers: ConflictStrategy<unknown> | undefined;

  constructor({ pull = [], conflict }: WithoutStore = {}) {
    this.#strategyOfOthers = conflict;
    for (const name of pull) this.#others.set(name, fetchedOnly(name));
  }

  /** @throws QueueError `queue/duplicate-name` if there is a store for the collection */
  register(collection: RegisteredCollection): void {
    if (this.#collections.has(collection.name)) {
      throw new QueueError(
        'queue/duplicate-name',
        `this backend has a store for ${collection.name} already`,
      );
    }
    this.#collections.set(collection.name, collection);
    this.#others.delete(collection.name);
  }

  get(name: string): KnownCollection | undefined {
    return this.#collections.get(name) ?? this.#others.get(name);
  }

  all(): readonly KnownCollection[] {
    return [...this.#collections.values(), ...this.#others.values()];
  }

  /** How conflicts are decided; undefined: by a context that has the store. */
  strategyOf(name: string): ConflictStrategy<unknown> | undefined {
    const collection = this.#collections.get(name);
    return collection === undefined ? this.#strategyOfOthers : collection.conflict;
  }

  readonly rulesOf = (name: string): CollectionRules =>
    this.#collections.get(name)?.rules ?? UNKNOWN_RULES;
}

function fetchedOnly(name: string): KnownCollection {
  return {
    name,
    schemaVersion: 1,
    migrate: undefined,
    isPulled: true,
    indexes: [],
  };
}
