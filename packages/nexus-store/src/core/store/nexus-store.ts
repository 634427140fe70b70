import { requireKind, requireOptions, LIST, type Kinds } from '../model/arguments.ts';
import type { Duration } from '../model/duration.ts';
import type { Entry, EntityId, EntryId, EntryRef } from '../model/entry.ts';
import type { Live } from '../model/live.ts';
import type { SyncPriority } from '../model/priority.ts';
import type { SyncReport } from '../model/sync-report.ts';
import type { CancelResult, RetryResult } from '../queue/control.ts';
import type { SyncOptions } from '../sync/sync-options.ts';
import type { SyncStatus } from '../sync/sync-status.ts';
import { CollectionAccess, requireWriteOptions, setAccess } from './collection-access.ts';
import {
  READ_POLICY,
  type ReadPolicy,
  type StoreConfig,
  type WritePolicy,
} from './collection-config.ts';
import { FetchPolicy } from './fetch-policy.ts';
import { requireId } from './mutation.ts';
import { planOf, type Page, type Query } from './query.ts';
import type { Found } from './row-source.ts';
import type { StoreBackend } from './store-backend.ts';
import { StoreWriter } from './store-writer.ts';
import { WatchedValue } from './watched-value.ts';
import type { Watch } from './watchers.ts';
import type { Write } from './write.ts';

export interface StoreOptions<T> extends StoreConfig<T> {
  readonly backend: StoreBackend;
  /** The name of the entities, here and on the server. */
  readonly collection: string;
}

export interface WriteOptions {
  /** @defaultValue the store's */
  readonly priority?: SyncPriority;
  /** @defaultValue the store's */
  readonly policy?: WritePolicy;
  /**
   * How long it may wait before it becomes a dead letter instead. Folded into another write, the longer
   * time of both counts.
   */
  readonly ttl?: Duration;
  /** Entries that the server must have first, such as the parent of this child. */
  readonly after?: readonly EntryRef[];
}

export type DeleteOptions = WriteOptions;

export interface ReadOptions {
  readonly policy?: ReadPolicy;
}

export const READ_OPTIONS: Kinds<ReadOptions> = { policy: READ_POLICY };

/**
 * One collection of entities: read and written here at once, sent by priority, fetched when the server
 * has news. Create one for each collection of a backend.
 *
 * @example
 * const notes = new NexusStore<Note>({ backend, collection: 'notes' });
 * await notes.save({ id: 'n1', text: 'Crack in the north wall' }, { priority: 'critical' });
 */
export class NexusStore<T, Id extends EntityId = string> {
  readonly backend: StoreBackend;
  readonly collection: string;
  #lastPrepared: Promise<unknown> = Promise.resolve();
  readonly #access: CollectionAccess<T>;
  readonly #fetches: FetchPolicy;
  readonly #writer: StoreWriter;

  /**
   * @throws UsageError `usage/invalid-argument`, `usage/unknown-priority`
   * @throws QueueError `queue/duplicate-name` if the backend has a store for the collection
   */
  constructor(options: StoreOptions<T>) {
    this.#access = new CollectionAccess(options);
    this.backend = options.backend;
    this.collection = options.collection;
    this.#fetches = new FetchPolicy(this.#access as CollectionAccess<unknown>);
    this.#writer = new StoreWriter(this.#access as CollectionAccess<unknown>);
    setAccess(this, this.#access);
  }

  // ---- reading -----------------------------------------------------------------------------------

  /**
   * The entity, or undefined.
   *
   * @throws RemoteError with the policy `network-only`, when the server cannot be asked
   */
  async get(id: Id, options: ReadOptions = {}): Promise<T | undefined> {
    requireOptions('get', options, READ_OPTIONS);
    await this.#fetches.beforeRead(options.policy);
    const found = await this.#access.read(id);
    if (found !== undefined || !(await this.#fetches.afterMiss(options.policy))) return found;
    return this.#access.read(id);
  }

  /** All entities, or those a query selects, in the order of their ids if it gives none. */
  async getAll(query: Query<T> = {}, options: ReadOptions = {}): Promise<T[]> {
    const items = await this.#page(query, options);
    return [...items.items];
  }

  /** One page of a query, with the cursor of the next. */
  async getPage(
    query: Query<T> & { readonly limit: number },
    options: ReadOptions = {},
  ): Promise<Page<T>> {
    return this.#page(query, options);
  }

  async #page(query: Query<T>, options: ReadOptions): Promise<Page<T>> {
    const plan = planOf(query);
    requireOptions('getAll', options, READ_OPTIONS);
    await this.#fetches.beforeRead(options.policy);
    let found = await this.#access.find(plan);
    if (found.items.length === 0 && (await this.#fetches.afterMiss(options.policy)))
      found = await this.#access.find(plan);
    return { items: found.items.map(({ value }) => value as T), cursor: found.cursor };
  }

  /** The entity as it changes; undefined until it was read, and where there is none: `state` tells which. */
  watch(id: Id, options: ReadOptions = {}): Watch<T | undefined> {
    const key = requireId(id, 'watch');
    const read = async () => {
      const text = await this.#access.readWatched(key);
      return { value: text === null ? undefined : this.#access.decode(text, key), texts: [text] };
    };
    const target = { collection: this.collection, id: key };
    return this.#watched<T | undefined>(target, undefined, read, options);
  }

  /**
   * The entities of a query as they change. An entity that did not change stays the same object. Until it was
   * read the list is empty, also what a listener is given first: `state` tells that from a query that selects
   * nothing.
   */
  watchAll(query: Query<T> = {}, options: ReadOptions = {}): Watch<readonly T[]> {
    const plan = planOf(query);
    let before = new Map<EntityId, Found>();
    const read = async () => {
      const { items } = await this.#access.find(plan);
      const kept = items.map((item) => {
        const known = before.get(item.id);
        return known?.text === item.text ? known : item;
      });
      before = new Map(kept.map((item) => [item.id, item]));
      const texts = kept.flatMap(({ id, text }) => [`${typeof id} ${id}`, text]);
      return { value: kept.map(({ value }) => value as T), texts };
    };
    return this.#watched<readonly T[]>({ collection: this.collection }, [], read, options);
  }

  #watched<V>(
    target: { readonly collection: string; readonly id?: EntityId },
    initial: V,
    read: () => Promise<{ readonly value: V; readonly texts: readonly (string | null)[] }>,
    options: ReadOptions,
  ): Watch<V> {
    requireOptions('watch', options, READ_OPTIONS);
    const { watchers } = this.#access.core;
    const watched = new WatchedValue(watchers, target, initial, read, this.#logError);
    this.#fetches.behindWatch(options.policy);
    return watched;
  }

  // ---- writing -----------------------------------------------------------------------------------

  /**
   * Stores an entity, whole, and queues it for the server. Resolves when both are durable on this
   * device, in one transaction.
   *
   * @throws UsageError `usage/missing-id`, `usage/unknown-priority`, `usage/unsupported-value`
   * @throws StoreError `store/invalid-value`
   * @throws QueueError `queue/full`, `queue/entry-too-large`
   * @throws StorageError; whatever was thrown, nothing was stored
   */
  save(value: T, options?: WriteOptions): Promise<Write<T>> {
    if (!this.#isValidated) return this.#saveNow(value, options);
    return this.#inOrder(
      () => this.#access.prepareSave(value, options),
      ({ mutation, stored }) => this.#writer.write(mutation, stored),
    );
  }

  /** Not async, since ten thousand saves at once feel every promise. */
  #saveNow(value: T, options: WriteOptions | undefined): Promise<Write<T>> {
    try {
      return this.#writer.write(this.#access.saveOf(value, options), value);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Stores several entities in one transaction here. On the server each stands for itself. With the policy
   * `remote-first` they go one after the other, and the first that fails ends it: what the server took before
   * is kept.
   */
  async saveAll(values: readonly T[], options?: WriteOptions): Promise<readonly Write<T>[]> {
    requireKind('saveAll: values', values, LIST);
    requireWriteOptions('saveAll', options);
    if (!this.#isValidated) {
      return this.#writer.writeAll(
        values.map((value) => ({ mutation: this.#access.saveOf(value, options), value })),
      );
    }
    return this.#inOrder(
      () => Promise.all(values.map((value) => this.#access.prepareSave(value, options))),
      (prepared) =>
        this.#writer.writeAll(
          prepared.map(({ mutation, stored }) => ({ mutation, value: stored })),
        ),
    );
  }

  /**
   * Changes some fields of an entity.
   *
   * @throws StoreError `store/not-found`, `store/invalid-value`
   */
  async patch(id: Id, fields: Partial<T>, options?: WriteOptions): Promise<Write<Partial<T>>> {
    if (!this.#isValidated)
      return this.#writer.write(this.#access.patchOf(id, fields, options), fields);
    return this.#inOrder(
      () => this.#access.preparePatch(id, fields, options),
      (mutation) => this.#writer.write(mutation, fields),
    );
  }

  async delete(id: Id, options?: DeleteOptions): Promise<Write<undefined>> {
    const mutation = this.#access.prepareDelete(id, options);
    return this.#inOrder(
      () => mutation,
      () => this.#writer.write(mutation, undefined),
    );
  }

  /**
   * Deletes all entities, or those a query selects, in one transaction here. Returns how many. With the policy
   * `remote-first` they go one after the other, and the first that fails ends it: what the server took before
   * is gone.
   */
  async deleteAll(query: Query<T> = {}, options?: DeleteOptions): Promise<number> {
    const plan = planOf(query);
    requireWriteOptions('deleteAll', options);
    return this.#inOrder(
      () => plan,
      () =>
        this.#writer.deleteAll(plan, this.#access.policyOf(options), (id) =>
          this.#access.prepareDelete(id, options),
        ),
    );
  }

  /**
   * Queues a command: a change that the server works out, such as an increment. Commands are sent one
   * by one, in order, unless the store gives `merge`.
   */
  async command(
    id: Id,
    command: string,
    args?: unknown,
    options?: WriteOptions,
  ): Promise<Write<undefined>> {
    const mutation = this.#access.prepareCommand(id, command, args, options);
    return this.#inOrder(
      () => mutation,
      () => this.#writer.write(mutation, undefined),
    );
  }

  /** Most stores have no schema: then nothing has to be awaited before a write. */
  get #isValidated(): boolean {
    return this.#access.config.schema !== undefined;
  }

  /**
   * Writes go in the order of the calls, also those that nobody awaits. A schema may take its time with
   * one value: then what was called later waits for it.
   */
  #inOrder<P, R>(prepare: () => P | Promise<P>, write: (prepared: P) => Promise<R>): Promise<R> {
    if (!this.#isValidated) return write(prepare() as P);
    const prepared = this.#lastPrepared.then(prepare);
    const begun = prepared.then((value) => ({ result: write(value) }));
    this.#lastPrepared = begun.catch(() => {});
    return begun.then(({ result }) => result);
  }

  // ---- sync --------------------------------------------------------------------------------------

  /** Runs the backend's sync. */
  sync(options?: SyncOptions): Promise<SyncReport> {
    return this.backend.sync(options);
  }

  get syncStatus(): Live<SyncStatus> {
    return this.backend.status;
  }

  /** How many writes of this collection wait to be sent. */
  get pendingChangesCount(): Live<number> {
    const { core, collection } = this.#access;
    core.open().catch(() => {});
    return core.status.pendingCountOf(collection);
  }

  /** The writes of this collection that are queued, in the order of `backend.pendingChanges()`. */
  pendingChanges(): Promise<readonly Entry[]> {
    return this.backend.pendingChanges({ collection: this.collection });
  }

  retryPendingChange(id: EntryId): Promise<RetryResult> {
    return this.backend.retry(id);
  }

  cancelPendingChange(id: EntryId): Promise<CancelResult> {
    return this.backend.cancel(id);
  }

  readonly #logError = (error: unknown): void => {
    this.#access.core.runtime.logger.log('error', 'a watched value could not be read', {
      collection: this.collection,
      error: String(error),
    });
  };
}
