import { QueueError, StorageError, UsageError } from '../model/errors.ts';
import type { Entry, EntryId } from '../model/entry.ts';
import type { SyncEvent } from '../model/events.ts';
import type { Live } from '../model/live.ts';
import { priorityOfRank, type PriorityRank, type SyncPriority } from '../model/priority.ts';
import { STORAGE_SCHEMA } from '../model/storage-schema.ts';
import type { SyncReport } from '../model/sync-report.ts';
import type { Remote } from '../ports/remote.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { Storage } from '../ports/storage.ts';
import { listEntries } from '../queue/claim.ts';
import { DEFAULT_RULES, type CollectionRules } from '../queue/collection-rules.ts';
import {
  cancelEntry,
  changeEntryPriority,
  discardEntry,
  resolveConflict,
  retryEntry,
  type CancelResult,
  type RetryResult,
} from '../queue/control.ts';
import { DEFAULT_LIMITS, type QueueLimits } from '../queue/enqueue.ts';
import { entryIdOf, entryView, seqOfEntryId } from '../queue/entry-view.ts';
import { effectiveRank, findEntry } from '../queue/lanes.ts';
import { ANONYMOUS, partitionNumber, principalPartition } from '../queue/partitions.ts';
import { requireRank } from '../queue/priority-sync-queue.ts';
import { detailOf, type EntryRecord } from '../queue/records.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import { Writer } from '../queue/writer.ts';
import { AutoSync } from '../sync/auto-sync.ts';
import { decisionOf } from '../sync/conflict-decisions.ts';
import type { Resolution } from '../sync/conflict-strategy.ts';
import { Engine } from '../sync/engine.ts';
import { GATE_SHUT, readGate, writeGate } from '../sync/gate.ts';
import type { Principal, SyncContext, SyncedCollection } from '../sync/sync-context.ts';
import { engineOptions, type SyncOptions, type SyncSettings } from '../sync/sync-options.ts';
import type { SyncStatus } from '../sync/sync-status.ts';
import { exportDeadLetters, type DeadLetterFilter } from './dead-letters.ts';
import { EntryFates } from './entry-fates.ts';
import { erasePartition } from './erase-partition.ts';
import { maintainFieldIndexes } from './field-indexes.ts';
import type { Mutation, MutationSetting } from './mutation.ts';
import { offlineRemote } from './offline-remote.ts';
import { StatusKeeper } from './status-keeper.ts';
import { runTransaction, type TransactionStores } from './transaction.ts';
import { Watchers } from './watchers.ts';

export interface BackendOptions extends SyncSettings {
  readonly storage: Storage;
  /** Where writes go. Absent: everything stays here, queued. */
  readonly remote?: Remote;
  /**
   * Send by itself, soon after a write and when a retry is due, while this backend is open. Without it
   * only `sync` and background runs send.
   *
   * @defaultValue `true`
   */
  readonly autoSync?: boolean;
  readonly limits?: Partial<QueueLimits>;
  /** This context has no screen: conflict handlers are told so. */
  readonly headless?: boolean;
}

/** What a store tells the backend of its collection. */
export interface RegisteredCollection extends SyncedCollection {
  readonly rules: CollectionRules;
  readonly indexes: readonly string[];
}

/** What `signOut` does with writes that were not sent. */
export type PendingOnSignOut = 'keep' | 'flush' | 'discard';

const FLUSH_BUDGET_MS = 10_000;
const LIST_LIMIT = 1_000_000;

/**
 * A storage joined with a remote, and the one queue between them that all its stores share, so that
 * priority is global. Opens the database at first use.
 */
export class StoreBackend {
  readonly runtime: Runtime;
  readonly limits: QueueLimits;
  readonly writer: Writer;
  readonly watchers: Watchers = new Watchers();
  readonly #storage: Storage;
  readonly #collections = new Map<string, RegisteredCollection>();
  readonly #listeners = new Set<(event: SyncEvent) => void>();
  readonly #fates: EntryFates;
  readonly #engine: Engine;
  readonly #auto: AutoSync;
  readonly #status: StatusKeeper;
  readonly #remote: Remote;
  #principal: Principal = { partition: ANONYMOUS, id: null };
  #opening: Promise<void> | undefined;
  #isOpen = false;
  #isClosed = false;

  constructor(runtime: Runtime, options: BackendOptions) {
    if (typeof options?.storage?.transact !== 'function') {
      throw new UsageError(
        'usage/invalid-argument',
        'createBackend needs a storage, such as sqliteStorage({ path })',
      );
    }
    this.runtime = runtime;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#storage = options.storage;
    this.#remote = options.remote ?? offlineRemote;
    this.writer = new Writer(runtime, options.storage, {
      beforeCommit: (uow) => maintainFieldIndexes(uow, this.#collections),
      afterCommit: (uow) => this.#afterCommit(uow),
    });
    const context = this.#context(options);
    this.#engine = new Engine(context, () => this.#status.refresh());
    this.#auto = new AutoSync(runtime, options.autoSync ?? true, () => void this.#syncQuietly());
    this.#fates = new EntryFates(this);
    this.#status = new StatusKeeper(this, this.#engine, this.#auto);
  }

  #context(options: BackendOptions): SyncContext {
    return {
      runtime: this.runtime,
      writer: this.writer,
      remote: this.#remote,
      options: engineOptions(options),
      limits: this.limits,
      rulesOf: (collection) => this.rulesOf(collection),
      isHeadless: options.headless ?? false,
      principal: () => this.#principal,
      collection: (name) => this.#collections.get(name),
      collections: () => [...this.#collections.values()],
      emit: (event) => this.emit(event),
    };
  }

  // ---- opening and closing -----------------------------------------------------------------------

  /** Opens the database. Every other call does so by itself; call it to meet failures early. */
  open(): Promise<void> {
    if (this.#isClosed)
      return Promise.reject(new StorageError('storage/closed', 'this backend was closed'));
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  /** True once `open` is done: then a write may skip waiting for it. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  async #open(): Promise<void> {
    await this.#storage.open(STORAGE_SCHEMA);
    await this.writer.write(async (uow) => {
      const record = await uow.get('meta', ['session']);
      const session =
        record === undefined ? {} : (JSON.parse(record['value'] as string) as Session);
      if (session.isPaused === true) this.#engine.pause();
      const id = session.principal ?? null;
      const partition =
        id === null ? ANONYMOUS : await partitionNumber(uow, principalPartition(id));
      this.#principal = { partition, id };
    });
    this.#isOpen = true;
    await this.#status.refreshNow();
    // What was left by the last run of the app goes on.
    if (pending(this.#status.live.current) > 0) this.#auto.now();
  }

  /** Ends the run under way and closes the database. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#auto.setEnabled(false);
    await this.#engine.stop('aborted');
    await this.#opening?.catch(() => {});
    this.#status.close();
    await this.#storage.close();
    await this.#remote.close();
  }

  // ---- stores ------------------------------------------------------------------------------------

  /** @throws QueueError `queue/duplicate-name` if a store with other settings has the collection */
  register(collection: RegisteredCollection): void {
    if (this.#collections.has(collection.name)) {
      throw new QueueError(
        'queue/duplicate-name',
        `this backend has a store for ${collection.name} already`,
      );
    }
    this.#collections.set(collection.name, collection);
  }

  rulesOf(collection: string): CollectionRules {
    return this.#collections.get(collection)?.rules ?? DEFAULT_RULES;
  }

  indexesOf(collection: string): readonly string[] {
    return this.#collections.get(collection)?.indexes ?? [];
  }

  get partition(): number {
    return this.#principal.partition;
  }

  get remote(): Remote {
    return this.#remote;
  }

  get fates(): EntryFates {
    return this.#fates;
  }

  /**
   * Several writes as one: one commit here, one group for the server, all or nothing in both places.
   * A transaction inside is a savepoint: if it throws and is caught, only its own writes are undone.
   */
  async transaction<R>(body: (tx: TransactionStores) => Promise<R> | R): Promise<R> {
    await this.open();
    return runTransaction(this, body);
  }

  // ---- sync --------------------------------------------------------------------------------------

  /**
   * Sends what is queued and fetches what changed, now. A second call joins the run under way. Never
   * rejects for what the network or the server do: the report says it.
   */
  async sync(options: SyncOptions = {}): Promise<SyncReport> {
    await this.open();
    try {
      const report = await this.#engine.sync(options);
      return report;
    } finally {
      await this.#afterRun();
    }
  }

  async #afterRun(): Promise<void> {
    if (this.#isClosed) return;
    const stamp = this.#auto.stamp;
    await this.#status.refreshNow();
    this.#auto.onRest(this.#status.nextDueAt, stamp);
    await this.#fates.check();
  }

  async #syncQuietly(): Promise<void> {
    try {
      await this.sync({ reason: 'auto' });
    } catch (error) {
      if (!this.#isClosed)
        this.runtime.logger.log('error', 'sync failed', { error: String(error) });
    }
  }

  /** Something may have changed: the network returned, the app came to the front, the server said so. */
  wake(): void {
    if (!this.#isClosed) this.#auto.now();
  }

  /** No run begins, and the run under way ends, until `resume`. Remembered across restarts. */
  async pause(): Promise<void> {
    await this.open();
    this.#engine.pause();
    await this.#saveSession({ isPaused: true });
    await this.#engine.stop('paused');
    this.#status.refresh();
  }

  async resume(): Promise<void> {
    await this.open();
    this.#engine.resume();
    await this.#saveSession({ isPaused: false });
    this.wake();
    this.#status.refresh();
  }

  get isPaused(): boolean {
    return this.#engine.isPaused;
  }

  get status(): Live<SyncStatus> {
    void this.open().catch(() => {});
    return this.#status.live;
  }

  /** How many writes wait to be sent, over all collections: for a badge. */
  get pendingChangesCount(): Live<number> {
    void this.open().catch(() => {});
    return this.#status.pendingCount;
  }

  /** Hears every edge of queue and engine. Returns how to stop. */
  on(listener: (event: SyncEvent) => void): () => void {
    const own = (event: SyncEvent): void => listener(event);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  get hasListeners(): boolean {
    return this.#listeners.size > 0;
  }

  emit(event: SyncEvent): void {
    this.#fates.onEvent(event);
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch (error) {
        this.runtime.logger.log('error', 'an event listener failed', {
          event: event.type,
          error: String(error),
        });
      }
    }
  }

  /** @internal */
  mutationSetting(partition: number, group?: string): MutationSetting {
    return {
      partition,
      now: this.runtime.clock.now(),
      limits: this.limits,
      newKey: this.#newKey,
      ...(group === undefined ? {} : { group }),
    };
  }

  readonly #newKey = (): string => this.runtime.ids.uuid();

  /** @internal */
  emitEnqueued(mutation: Mutation, seq: number, effect: 'appended' | 'merged'): void {
    const { collection, id, kind, rank } = mutation;
    const operation = kind === 'save' || kind === 'patch' ? 'update' : kind;
    this.emit({
      type: 'entry-enqueued',
      entryId: entryIdOf(seq),
      collection,
      entityId: id,
      operation,
      priority: priorityOfRank(rank),
      effect,
    });
  }

  /**
   * Fetches what changed in one collection.
   *
   * @throws RemoteError when the server cannot be asked
   */
  async fetch(collection: string): Promise<void> {
    await this.open();
    await this.#engine.pull(collection);
  }

  /** How many writes of one collection wait to be sent. */
  async pendingCountOf(collection: string): Promise<number> {
    await this.open();
    return this.writer.read(async (uow) => {
      await uow.loadState();
      return uow.counters(this.partition).pending.reduce((sum, count) => sum + count, 0);
    });
  }

  /** @internal Entries were committed: tell those who send them. */
  onEnqueued(best: PriorityRank): void {
    this.#engine.notify(best);
    this.#auto.onEnqueued(best, this.#status.heldUntil);
  }

  #afterCommit(uow: UnitOfWork): void {
    this.watchers.onChanged(uow.changedRows.values(), this.#principal.partition);
    this.#status.onCommit(uow.counters(this.#principal.partition));
    for (const notice of uow.notices) this.emit(notice);
  }

  /** Another context wrote: everyone looks again. */
  async refresh(): Promise<void> {
    await this.open();
    this.watchers.refreshAll();
    await this.#afterRun();
  }

  /** A number that changes when another context has committed. */
  foreignCommits(): Promise<number> {
    return this.#storage.foreignCommits();
  }

  // ---- the queue, for people ---------------------------------------------------------------------

  /** Everything that is queued, in the order it would be sent, then what waits. */
  async pendingChanges(
    options: { readonly collection?: string; readonly limit?: number } = {},
  ): Promise<readonly Entry[]> {
    return this.#entries(
      options.limit ?? LIST_LIMIT,
      (entry) =>
        entry.state !== 'dead' &&
        (options.collection === undefined || entry.collection === options.collection),
    );
  }

  async deadLetters(filter: DeadLetterFilter = {}): Promise<readonly Entry[]> {
    return this.#entries(
      LIST_LIMIT,
      (entry) => entry.state === 'dead' && matchesFilter(entry, filter),
    );
  }

  async #entries(
    limit: number,
    wanted: (entry: EntryRecord) => boolean,
  ): Promise<readonly Entry[]> {
    await this.open();
    return this.writer.read(async (uow) => {
      const leased = await uow.leasedPositions();
      const found = (await listEntries(uow, this.partition, LIST_LIMIT)).filter(
        (entry) => entry.operation !== 'item' && wanted(entry),
      );
      return Promise.all(
        found
          .slice(0, limit)
          .map(async (entry) =>
            entryView(entry, await effectiveRank(uow, entry), leased.has(entry.position)),
          ),
      );
    });
  }

  async entry(id: EntryId): Promise<Entry | undefined> {
    return this.#withSeq(id, undefined, (seq) =>
      this.writer.read(async (uow) => {
        const entry = await findEntry(uow, this.partition, seq);
        if (entry === undefined) return undefined;
        const leased = await uow.leasedPositions();
        return entryView(entry, await effectiveRank(uow, entry), leased.has(entry.position));
      }),
    );
  }

  /** Sends a dead letter again, or a waiting entry without its delay. */
  async retry(id: EntryId): Promise<RetryResult> {
    const newKey = (): string => this.runtime.ids.uuid();
    const result = await this.#withSeq<RetryResult>(id, 'not-found', (seq) =>
      this.writer.write((uow) =>
        retryEntry(uow, this.partition, seq, newKey, this.limits, (name) => this.rulesOf(name)),
      ),
    );
    if (result !== 'not-found') this.wake();
    return result;
  }

  /** Sends all dead letters again that the filter lets through. Returns how many. */
  async retryAll(filter: DeadLetterFilter = {}): Promise<number> {
    let count = 0;
    for (const { id } of await this.deadLetters(filter)) {
      // A transaction comes back whole with its first entry.
      if ((await this.entry(id))?.state !== 'dead') count += 1;
      else if ((await this.retry(id)) !== 'not-found') count += 1;
    }
    return count;
  }

  /** Gives a dead letter up for good. False if it is not one. */
  discard(id: EntryId): Promise<boolean> {
    return this.#withSeq(id, false, (seq) =>
      this.writer.write((uow) =>
        discardEntry(uow, this.partition, seq, (name) => this.rulesOf(name)),
      ),
    );
  }

  /** The dead letters with payload and reason, as JSON text. */
  async export(filter: DeadLetterFilter = {}): Promise<string> {
    return exportDeadLetters(await this.deadLetters(filter), this.runtime.clock.now());
  }

  /** Takes a write that was certainly not applied out of the queue, and gives the app the old value back. */
  cancel(id: EntryId): Promise<CancelResult> {
    return this.#withSeq<CancelResult>(id, 'not-found', (seq) =>
      this.writer.write((uow) =>
        cancelEntry(uow, this.partition, seq, (name) => this.rulesOf(name)),
      ),
    );
  }

  /**
   * Changes how urgent an entry is. False if there is none.
   *
   * @throws UsageError `usage/unknown-priority`
   */
  async reprioritise(id: EntryId, priority: SyncPriority): Promise<boolean> {
    const rank = requireRank(priority);
    const changed = await this.#withSeq(id, false, (seq) =>
      this.writer.write((uow) => changeEntryPriority(uow, this.partition, seq, rank)),
    );
    if (changed) this.onEnqueued(rank);
    return changed;
  }

  /** Decides a conflict that its lane waits for. False if the entry is not one. */
  async resolveConflict(
    id: EntryId,
    resolution: Exclude<Resolution<unknown>, { use: 'later' }>,
  ): Promise<boolean> {
    const decide = (entry: EntryRecord) => {
      const remote = detailOf(entry).conflict ?? { version: null, value: null };
      return decisionOf({ runtime: this.runtime }, remote, resolution);
    };
    const resolved = await this.#withSeq(id, false, (seq) =>
      this.writer.write((uow) =>
        resolveConflict(uow, this.partition, seq, decide, (name) => this.rulesOf(name)),
      ),
    );
    if (resolved) this.wake();
    return resolved;
  }

  async #withSeq<R>(id: EntryId, missing: R, action: (seq: number) => Promise<R>): Promise<R> {
    const seq = seqOfEntryId(id);
    if (seq === null) return missing;
    await this.open();
    return action(seq);
  }

  // ---- who ---------------------------------------------------------------------------------------

  /** The stable id of the signed-in user; null if nobody is. */
  get principal(): string | null {
    return this.#principal.id;
  }

  /** From now on rows and entries are this user's. What the same user left waiting goes on. */
  async signIn(principal: string): Promise<void> {
    if (typeof principal !== 'string' || principal === '') {
      throw new UsageError(
        'usage/invalid-argument',
        'signIn needs the stable id of a user: never a token',
      );
    }
    await this.open();
    await this.#become(principal);
  }

  /**
   * Nobody is signed in any more. What was not sent is kept, unseen, until the same user returns
   * (default), sent first as far as ten seconds allow, or deleted with the user's rows.
   */
  async signOut(options: { readonly pending?: PendingOnSignOut } = {}): Promise<void> {
    await this.open();
    const { partition } = this;
    if (options.pending === 'flush')
      await this.sync({ budget: FLUSH_BUDGET_MS, reason: 'sign-out' });
    await this.#become(null);
    if (options.pending === 'discard') await this.#erase(partition);
  }

  async #become(id: string | null): Promise<void> {
    // What is under way was sent as somebody else: it ends there, and is known to be unknown.
    await this.#engine.stop('aborted');
    await this.writer.write(async (uow) => {
      const partition =
        id === null ? ANONYMOUS : await partitionNumber(uow, principalPartition(id));
      const gate = await readGate(uow);
      if (gate.block === 'unauthorised') writeGate(uow, GATE_SHUT);
      await putSession(uow, { principal: id });
      this.#principal = { partition, id };
    });
    this.watchers.refreshAll();
    await this.#status.refreshNow();
    if (pending(this.#status.live.current) > 0) this.wake();
  }

  async #erase(partition: number): Promise<void> {
    while (await this.writer.write((uow) => erasePartition(uow, partition), { cost: 400 }));
  }

  async #saveSession(change: Session): Promise<void> {
    await this.writer.write((uow) => putSession(uow, change));
  }
}

/** The record `session` of the table `meta`. */
interface Session {
  readonly principal?: string | null;
  readonly isPaused?: boolean;
}

async function putSession(uow: UnitOfWork, change: Session): Promise<void> {
  const record = await uow.get('meta', ['session']);
  const session = record === undefined ? {} : (JSON.parse(record['value'] as string) as Session);
  uow.put('meta', ['session'], {
    name: 'session',
    value: JSON.stringify({ ...session, ...change }),
  });
}

function pending(status: SyncStatus): number {
  const { critical, high, normal, low } = status.pending;
  return critical + high + normal + low;
}

function matchesFilter(entry: EntryRecord, filter: DeadLetterFilter): boolean {
  if (filter.collection !== undefined && entry.collection !== filter.collection) return false;
  const code = detailOf(entry).failure?.code;
  return filter.code === undefined || filter.code === code;
}
