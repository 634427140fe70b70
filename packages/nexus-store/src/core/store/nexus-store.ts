import { durationMs, type Duration } from '../model/duration.ts';
import type { Entry, EntityId, EntryId, EntryRef } from '../model/entry.ts';
import { UsageError } from '../model/errors.ts';
import type { Live } from '../model/live.ts';
import type { PriorityRank, SyncPriority } from '../model/priority.ts';
import type { SyncReport } from '../model/sync-report.ts';
import { decodeValue, encodeValue } from '../model/value-codec.ts';
import type { CollectionRules } from '../queue/collection-rules.ts';
import type { CancelResult, RetryResult } from '../queue/control.ts';
import { entryIdOf } from '../queue/entry-view.ts';
import { requireRank } from '../queue/priority-sync-queue.ts';
import type { ConflictStrategy } from '../sync/conflict-strategy.ts';
import type { SyncOptions } from '../sync/sync-options.ts';
import type { SyncStatus } from '../sync/sync-status.ts';
import type { ReadPolicy, StoreConfig, WritePolicy } from './collection-config.ts';
import { applyMutationTo, requireAfter, requireId, requireTtl, type Mutation } from './mutation.ts';
import { planOf, type Page, type Plan, type Query } from './query.ts';
import { writeLocalOnly, writeRemoteFirst } from './remote-first.ts';
import { runQuery, type Found, type FoundPage } from './run-query.ts';
import { validate } from './standard-schema.ts';
import type { StoreBackend } from './store-backend.ts';
import { WatchedValue } from './watchers.ts';
import type { Settled, Write } from './write.ts';

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
  /** How long it may wait before it becomes a dead letter instead. */
  readonly ttl?: Duration;
  /** Entries that the server must have first, such as the parent of this child. */
  readonly after?: readonly EntryRef[];
}

export type DeleteOptions = WriteOptions;

export interface ReadOptions {
  readonly policy?: ReadPolicy;
}

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
  readonly #config: StoreConfig<T>;
  readonly #idOf: (value: T) => unknown;
  readonly #rank: PriorityRank;
  readonly #ttl: number | null;
  readonly #rules: CollectionRules;
  readonly #schemaVersion: number;
  #pendingCount: Live<number> | undefined;

  /**
   * @throws UsageError `usage/invalid-argument`, `usage/unknown-priority`
   * @throws QueueError `queue/duplicate-name` if the backend has a store for the collection
   */
  constructor(options: StoreOptions<T>) {
    const { backend, collection, ...config } = options;
    if (typeof collection !== 'string' || collection === '') {
      throw new UsageError('usage/invalid-argument', 'a store needs the name of its collection');
    }
    this.backend = backend;
    this.collection = collection;
    this.#config = config;
    const id = config.id ?? ('id' as keyof T & string);
    this.#idOf =
      typeof id === 'function' ? id : (value) => (value as Record<string, unknown> | null)?.[id];
    this.#rank = requireRank(config.priority ?? 'normal');
    this.#ttl = config.ttl === undefined ? null : durationMs(config.ttl, 'ttl');
    this.#schemaVersion = requireSchemaVersion(config.schemaVersion ?? 1);
    this.#rules = rulesOf(config);
    backend.register({
      name: collection,
      conflict: (config.conflict ?? 'merge-fields') as ConflictStrategy<unknown>,
      schemaVersion: this.#schemaVersion,
      migrate: config.migrate,
      isPulled: config.pull ?? true,
      rules: this.#rules,
      indexes: config.indexes ?? [],
    });
  }

  // ---- reading -----------------------------------------------------------------------------------

  /** The entity, or undefined. */
  async get(id: Id, options: ReadOptions = {}): Promise<T | undefined> {
    await this.#fetchFor(options);
    const text = await this.readText(id);
    if (text !== null) return this.decode(text);
    if ((options.policy ?? this.#config.readPolicy ?? 'cache-first') !== 'cache-first')
      return undefined;
    if (!(await this.#tryFetch())) return undefined;
    const fetched = await this.readText(id);
    return fetched === null ? undefined : this.decode(fetched);
  }

  /** All entities, or those a query selects, in the order of their ids if it gives none. */
  async getAll(query: Query<T> = {}, options: ReadOptions = {}): Promise<T[]> {
    await this.#fetchFor(options);
    const { items } = await this.#find(planOf(query));
    return items.map(({ value }) => value as T);
  }

  /** One page of a query, with the cursor of the next. */
  async getPage(
    query: Query<T> & { readonly limit: number },
    options: ReadOptions = {},
  ): Promise<Page<T>> {
    await this.#fetchFor(options);
    const { items, cursor } = await this.#find(planOf(query));
    return { items: items.map(({ value }) => value as T), cursor };
  }

  /** The entity as it changes. */
  watch(id: Id, options: ReadOptions = {}): Live<T | undefined> {
    const key = requireId(id, 'watch');
    const read = async () => {
      const text = await this.readText(key as Id);
      return { value: text === null ? undefined : this.decode(text), texts: [text] };
    };
    this.#fetchBehind(options);
    return new WatchedValue<T | undefined>(
      this.backend.watchers,
      { collection: this.collection, id: key },
      undefined,
      read,
      this.#logError,
    );
  }

  /** The entities of a query as they change. An entity that did not change stays the same object. */
  watchAll(query: Query<T> = {}, options: ReadOptions = {}): Live<readonly T[]> {
    const plan = planOf(query);
    let before = new Map<EntityId, Found>();
    const read = async () => {
      const { items } = await this.#find(plan);
      const kept = items.map((item) => {
        const known = before.get(item.id);
        return known?.text === item.text ? known : item;
      });
      before = new Map(kept.map((item) => [item.id, item]));
      return { value: kept.map(({ value }) => value as T), texts: kept.map(({ text }) => text) };
    };
    this.#fetchBehind(options);
    return new WatchedValue<readonly T[]>(
      this.backend.watchers,
      { collection: this.collection },
      [],
      read,
      this.#logError,
    );
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
  async save(value: T, options?: WriteOptions): Promise<Write<T>> {
    const { mutation, stored } = await this.prepareSave(value, options);
    return this.#write(mutation, stored, options);
  }

  /** Stores several entities in one transaction here. On the server each stands for itself. */
  async saveAll(values: readonly T[], options?: WriteOptions): Promise<readonly Write<T>[]> {
    const prepared = await Promise.all(values.map((value) => this.prepareSave(value, options)));
    const seqs = await this.#enqueueAll(prepared.map(({ mutation }) => mutation));
    return prepared.map(({ stored }, index) => this.#handle(stored, seqs[index] ?? null));
  }

  /**
   * Changes some fields of an entity.
   *
   * @throws StoreError `store/not-found`
   */
  async patch(id: Id, fields: Partial<T>, options?: WriteOptions): Promise<Write<Partial<T>>> {
    return this.#write(this.preparePatch(id, fields, options), fields, options);
  }

  async delete(id: Id, options?: DeleteOptions): Promise<Write<undefined>> {
    return this.#write(this.prepareDelete(id, options), undefined, options);
  }

  /** Deletes all entities, or those a query selects, in one transaction here. Returns how many. */
  async deleteAll(query: Query<T> = {}, options?: DeleteOptions): Promise<number> {
    const { items } = await this.#find(planOf(query));
    await this.#enqueueAll(items.map(({ id }) => this.prepareDelete(id as Id, options)));
    return items.length;
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
    return this.#write(this.prepareCommand(id, command, args, options), undefined, options);
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
    this.#pendingCount ??= new WatchedValue<number>(
      this.backend.watchers,
      { collection: this.collection },
      0,
      async () => {
        const value = await this.backend.pendingCountOf(this.collection);
        return { value, texts: [String(value)] };
      },
      this.#logError,
    );
    return this.#pendingCount;
  }

  /** The writes of this collection that wait, in the order they would be sent. */
  pendingChanges(): Promise<readonly Entry[]> {
    return this.backend.pendingChanges({ collection: this.collection });
  }

  retryPendingChange(id: EntryId): Promise<RetryResult> {
    return this.backend.retry(id);
  }

  cancelPendingChange(id: EntryId): Promise<CancelResult> {
    return this.backend.cancel(id);
  }

  // ---- for transactions --------------------------------------------------------------------------

  /** @internal */
  async prepareSave(
    value: T,
    options: WriteOptions = {},
  ): Promise<{ mutation: Mutation; stored: T }> {
    const stored =
      this.#config.schema === undefined ? value : await validate(this.#config.schema, value);
    const id = requireId(this.#idOf(stored), `save in ${this.collection}`);
    return { mutation: this.#mutation('save', id, encodeValue(stored), options), stored };
  }

  /** @internal */
  preparePatch(id: Id, fields: Partial<T>, options: WriteOptions = {}): Mutation {
    if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
      throw new UsageError(
        'usage/invalid-argument',
        'patch needs an object with the changed fields',
      );
    }
    return this.#mutation(
      'patch',
      requireId(id, `patch in ${this.collection}`),
      encodeValue(fields),
      options,
    );
  }

  /** @internal */
  prepareDelete(id: Id, options: DeleteOptions = {}): Mutation {
    return this.#mutation('delete', requireId(id, `delete in ${this.collection}`), null, options);
  }

  /** @internal */
  prepareCommand(id: Id, command: string, args: unknown, options: WriteOptions = {}): Mutation {
    if (typeof command !== 'string' || command === '') {
      throw new UsageError('usage/invalid-argument', 'a command needs a name');
    }
    const payload = encodeValue(args);
    return {
      ...this.#mutation(
        'command',
        requireId(id, `command in ${this.collection}`),
        payload,
        options,
      ),
      command,
    };
  }

  /** @internal */
  async readText(id: Id): Promise<string | null> {
    const key = requireId(id, `get in ${this.collection}`);
    if (!this.backend.isOpen) await this.backend.open();
    const row = await this.backend.writer.read((uow) =>
      uow.row(this.backend.partition, this.collection, key),
    );
    return row?.value ?? null;
  }

  /** @internal */
  decode(text: string): T {
    return decodeValue(text) as T;
  }

  // ---- inside ------------------------------------------------------------------------------------

  #mutation(
    kind: Mutation['kind'],
    id: EntityId,
    payload: string | null,
    options: WriteOptions,
  ): Mutation {
    return {
      collection: this.collection,
      id,
      kind,
      payload,
      rank: options.priority === undefined ? this.#rank : requireRank(options.priority),
      ttl: options.ttl === undefined ? this.#ttl : requireTtl(options.ttl),
      after: requireAfter(options.after),
      command: null,
      schemaVersion: this.#schemaVersion,
      rules: this.#rules,
    };
  }

  async #write<V>(
    mutation: Mutation,
    value: V,
    options: WriteOptions | undefined,
  ): Promise<Write<V>> {
    if (!this.backend.isOpen) await this.backend.open();
    const policy = options?.policy ?? this.#config.writePolicy ?? 'queue';
    if (policy === 'queue') return this.#handle(value, await this.#enqueue(mutation));
    if (policy === 'remote-first') await writeRemoteFirst(this.backend, mutation);
    else await writeLocalOnly(this.backend, mutation);
    return this.#handle(value, null);
  }

  async #enqueue(mutation: Mutation): Promise<number | null> {
    const { backend } = this;
    const { partition } = backend;
    const { seq, effect } = await backend.writer.write(
      (uow) => applyMutationTo(uow, mutation, backend.mutationSetting(partition)),
      {
        cost: costOf(mutation),
        rows: [{ partition, collection: this.collection, id: mutation.id }],
      },
    );
    backend.onEnqueued(mutation.rank);
    if (backend.hasListeners && seq !== null && (effect === 'appended' || effect === 'merged')) {
      backend.emitEnqueued(mutation, seq, effect);
    }
    return seq;
  }

  async #enqueueAll(mutations: readonly Mutation[]): Promise<(number | null)[]> {
    if (mutations.length === 0) return [];
    const { backend } = this;
    if (!backend.isOpen) await backend.open();
    const { partition } = backend;
    const seqs = await backend.writer.write(
      async (uow) => {
        const setting = backend.mutationSetting(partition);
        const made: (number | null)[] = [];
        for (const mutation of mutations)
          made.push((await applyMutationTo(uow, mutation, setting)).seq);
        return made;
      },
      {
        cost: mutations.length,
        rows: mutations.map(({ collection, id }) => ({ partition, collection, id })),
      },
    );
    backend.onEnqueued(
      mutations.reduce<PriorityRank>((best, { rank }) => (rank < best ? rank : best), 3),
    );
    return seqs;
  }

  #handle<V>(value: V, seq: number | null): Write<V> {
    return new StoredWrite(this.backend, value, seq === null ? null : { id: entryIdOf(seq) });
  }

  async #find(plan: Plan): Promise<FoundPage> {
    if (!this.backend.isOpen) await this.backend.open();
    const { partition } = this.backend;
    return this.backend.writer.read((uow) =>
      runQuery(uow, partition, this.collection, this.#config.indexes ?? [], plan),
    );
  }

  /** What a read policy asks of the server before the read. */
  async #fetchFor(options: ReadOptions): Promise<void> {
    const policy = options.policy ?? this.#config.readPolicy ?? 'cache-first';
    if (policy === 'network-only') await this.backend.fetch(this.collection);
    if (policy === 'network-first') await this.#tryFetch();
    if (policy === 'stale-while-revalidate') void this.#tryFetch();
  }

  #fetchBehind(options: ReadOptions): void {
    const policy = options.policy ?? this.#config.readPolicy ?? 'cache-first';
    if (policy !== 'cache-only' && policy !== 'cache-first') void this.#tryFetch();
  }

  /** True if the server was asked. */
  async #tryFetch(): Promise<boolean> {
    if (!this.backend.remote.capabilities.pull || this.#config.pull === false) return false;
    try {
      await this.backend.fetch(this.collection);
      return true;
    } catch {
      // Offline is no failure of a read that has something here to show.
      return false;
    }
  }

  readonly #logError = (error: unknown): void => {
    this.backend.runtime.logger.log('error', 'a watched value could not be read', {
      collection: this.collection,
      error: String(error),
    });
  };
}

class StoredWrite<T> implements Write<T> {
  readonly #backend: StoreBackend;
  readonly value: T;
  readonly entry: EntryRef | null;

  constructor(backend: StoreBackend, value: T, entry: EntryRef | null) {
    this.#backend = backend;
    this.value = value;
    this.entry = entry;
  }

  async synced(options: { readonly signal?: AbortSignal } = {}): Promise<Settled> {
    if (this.entry === null) return { outcome: 'local' };
    return this.#backend.fates.of(this.entry.id, options.signal);
  }
}

/** A commit is shared by so many ordinary writes; a large value counts for several. */
function costOf(mutation: Mutation): number {
  return 1 + Math.floor((mutation.payload?.length ?? 0) / 8192);
}

function rulesOf<T>(config: StoreConfig<T>): CollectionRules {
  const applyCommand = config.applyCommand;
  return {
    coalesce: config.coalesce ?? true,
    merge: config.merge,
    applyCommand:
      applyCommand === undefined
        ? undefined
        : (value, command, args) => applyCommand(value as T, command, args),
    onRejected: config.onRejected ?? 'park',
  };
}

function requireSchemaVersion(version: number): number {
  if (Number.isInteger(version) && version > 0) return version;
  throw new UsageError(
    'usage/invalid-argument',
    `schemaVersion must be a whole number from 1, not ${String(version)}`,
  );
}
