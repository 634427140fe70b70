import { QueueError } from '../model/errors.ts';
import { UNKNOWN_RULES, type CollectionRules } from '../queue/collection-rules.ts';
import type { SyncedCollection } from '../sync/sync-context.ts';

/** What a store tells its backend of its collection. */
export interface RegisteredCollection extends SyncedCollection {
  readonly rules: CollectionRules;
  /** Fields with an index of their own. */
  readonly indexes: readonly string[];
}

/** The collections of a backend by name. */
export class CollectionRegistry {
  readonly #collections = new Map<string, RegisteredCollection>();

  /** @throws QueueError `queue/duplicate-name` if there is a store for the collection */
  register(collection: RegisteredCollection): void {
    if (this.#collections.has(collection.name)) {
      throw new QueueError(
        'queue/duplicate-name',
        `this backend has a store for ${collection.name} already`,
      );
    }
    this.#collections.set(collection.name, collection);
  }

  get(name: string): RegisteredCollection | undefined {
    return this.#collections.get(name);
  }

  all(): readonly RegisteredCollection[] {
    return [...this.#collections.values()];
  }

  readonly rulesOf = (name: string): CollectionRules =>
    this.#collections.get(name)?.rules ?? UNKNOWN_RULES;
}
