import type { UnitOfWork } from '../queue/unit-of-work.ts';
import type { Writer } from '../queue/writer.ts';
import type { CollectionRegistry } from './collection-registry.ts';
import { buildIndexes, dropIndex, maintainPlaces } from './index-building.ts';
import {
  changeLists,
  NO_LISTS,
  readLists,
  type IndexLists,
  type ListChange,
} from './index-lists.ts';

const NONE: readonly string[] = [];
const UNKNOWN = -1;

/**
 * The table `fields`: values of declared fields, so that queries read a range instead of a collection.
 * Several versions of an app can have one database open, and declare different fields: what any of them
 * needs is kept true in every commit of all of them, and is only relied on while it is whole on disk.
 */
export class FieldIndexes {
  readonly #registry: CollectionRegistry;
  #lists: IndexLists = NO_LISTS;
  /** Which change of the lists these are. */
  #number = UNKNOWN;
  /** What this process brought in order, or is about to. */
  readonly #preparing = new Map<string, Promise<void>>();
  readonly #ready = new Set<string>();
  /** What is not declared here was taken away: once, lest two versions drop each other's for ever. */
  readonly #cleared = new Set<string>();

  constructor(registry: CollectionRegistry) {
    this.#registry = registry;
  }

  /** Reads what is on disk, at opening. */
  async load(uow: UnitOfWork): Promise<void> {
    const [lists] = await Promise.all([readLists(uow), uow.loadState()]);
    this.#lists = lists;
    this.#number = uow.state.indexes;
  }

  isReady(collection: string): boolean {
    return this.#ready.has(collection);
  }

  /** Builds what is declared and not on disk, and takes away what is not declared any more. */
  prepare(writer: Writer, collection: string): Promise<void> {
    let preparing = this.#preparing.get(collection);
    if (preparing === undefined) {
      preparing = this.#prepare(writer, collection).catch((error: unknown) => {
        this.#preparing.delete(collection);
        throw error;
      });
      this.#preparing.set(collection, preparing);
    }
    return preparing;
  }

  async #prepare(writer: Writer, collection: string): Promise<void> {
    const declared = this.#declaredOf(collection);
    const built = this.#lists.built.get(collection) ?? NONE;
    const kept = this.#lists.kept.get(collection) ?? NONE;
    const former = this.#lists.former.get(collection);
    const added = declared.filter((field) => !built.includes(field));
    const known = new Set([...built, ...kept, ...(former ?? NONE)]);
    const dropped = this.#cleared.has(collection)
      ? NONE
      : [...known].filter((field) => !declared.includes(field));
    this.#cleared.add(collection);
    if (added.length > 0) {
      await this.#change(writer, collection, { keep: added });
      await buildIndexes(writer, collection, added);
    }
    if (added.length > 0 || dropped.length > 0 || former !== undefined)
      await this.#change(writer, collection, { build: added, drop: dropped });
    for (const field of new Set([...dropped, ...(former ?? NONE)]))
      await dropIndex(writer, collection, field);
    this.#ready.add(collection);
  }

  async #change(writer: Writer, collection: string, change: ListChange): Promise<void> {
    try {
      await writer.write((uow) => changeLists(uow, collection, change));
    } finally {
      // Whatever became of it, the next commit looks.
      this.#number = UNKNOWN;
    }
  }

  /**
   * Of the declared fields those whose indexes are whole on disk now. Another version of the app may have
   * dropped one since it was brought in order: it is built again, and until then the collection is read.
   */
  async usable(uow: UnitOfWork, writer: Writer, collection: string): Promise<readonly string[]> {
    const declared = this.#declaredOf(collection);
    const lists = await readLists(uow);
    const whole = lists.built.get(collection) ?? NONE;
    const usable = declared.filter((field) => whole.includes(field));
    if (usable.length < declared.length && this.#ready.delete(collection)) {
      this.#lists = lists;
      this.#number = UNKNOWN;
      this.#preparing.delete(collection);
      // If it fails, the next call of the collection tries again and tells.
      this.prepare(writer, collection).catch(() => {});
    }
    return usable;
  }

  #declaredOf(collection: string): readonly string[] {
    return this.#registry.get(collection)?.indexes ?? NONE;
  }

  /** Undefined, without a promise, where nothing is to be read for it. */
  maintain(uow: UnitOfWork): Promise<void> | undefined {
    if (uow.state.indexes !== this.#number) return this.#maintainAnew(uow);
    this.#maintain(uow);
    return undefined;
  }

  /** Another context has changed the lists, or this commit does. */
  async #maintainAnew(uow: UnitOfWork): Promise<void> {
    await this.load(uow);
    this.#maintain(uow);
  }

  #maintain(uow: UnitOfWork): void {
    const { kept } = this.#lists;
    // The common case pays nothing.
    for (const fields of kept.values()) {
      if (fields.length === 0) continue;
      return maintainPlaces(uow, (collection) => kept.get(collection) ?? NONE);
    }
  }
}
