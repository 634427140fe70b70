import { withDefaults } from '../model/arguments.ts';
import { StorageError, UsageError } from '../model/errors.ts';
import type { SyncEvent } from '../model/events.ts';
import type { PriorityRank } from '../model/priority.ts';
import { NO_LINK, type ContextLink } from '../ports/context-link.ts';
import type { Remote } from '../ports/remote.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { Storage } from '../ports/storage.ts';
import { DEFAULT_LIMITS, type QueueLimits } from '../queue/enqueue.ts';
import { openStorage } from '../queue/open-storage.ts';
import {
  ANONYMOUS,
  knownPartition,
  partitionsToErase,
  userPartition,
} from '../queue/partitions.ts';
import type { UnitOfWork } from '../queue/unit-of-work.ts';
import { followClock } from '../queue/waits.ts';
import { Writer } from '../queue/writer.ts';
import { AutoSync } from '../sync/auto-sync.ts';
import { Engine } from '../sync/engine.ts';
import type { Principal, SyncContext } from '../sync/sync-context.ts';
import { engineOptions } from '../sync/sync-options.ts';
import { requireBackendOptions, type BackendOptions } from './backend-options.ts';
import { CollectionRegistry, type RegisteredCollection } from './collection-registry.ts';
import { DamageReports } from './damage-reports.ts';
import { EntryFates } from './entry-fates.ts';
import { EntityTurns } from './entity-turns.ts';
import { Eraser } from './eraser.ts';
import { EventHub } from './event-hub.ts';
import { FieldIndexes } from './field-indexes.ts';
import { JoinedRows } from './joined-rows.ts';
import type { MutationSetting } from './mutation.ts';
import { offlineRemote } from './offline-remote.ts';
import { readSession } from './session.ts';
import { ServerCalls } from './server-calls.ts';
import { StatusKeeper, type StatusReading } from './status-keeper.ts';
import { Watchers } from './watchers.ts';

/**
 * The parts of a backend and how they are joined. Stores, transactions and the public `StoreBackend`
 * work through it; apps never see it.
 */
export class BackendCore {
  readonly runtime: Runtime;
  readonly remote: Remote;
  readonly hasRemote: boolean;
  readonly limits: QueueLimits;
  readonly storage: Storage;
  readonly writer: Writer;
  readonly context: SyncContext;
  readonly engine: Engine;
  readonly auto: AutoSync;
  readonly calls: ServerCalls;
  readonly status: StatusKeeper;
  readonly fates: EntryFates;
  readonly eraser: Eraser;
  readonly directWrites: EntityTurns = new EntityTurns();
  readonly watchers: Watchers = new Watchers();
  readonly watchedRows: JoinedRows;
  readonly collections: CollectionRegistry;
  readonly events: EventHub;
  readonly #indexes: FieldIndexes;
  /** Whose rows are seen and whose entries are sent. Changed by `Principals`, and by `refresh` after another context has. */
  principal: Principal = { partition: ANONYMOUS, id: null };
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #isOpen = false;
  #toErase: readonly number[] = [];
  #isHeadless: boolean;
  /** The other contexts that have this database open. */
  link: ContextLink = NO_LINK;

  constructor(runtime: Runtime, options: BackendOptions) {
    requireBackendOptions(options);
    this.runtime = runtime;
    this.#isHeadless = options.headless ?? false;
    this.limits = withDefaults(DEFAULT_LIMITS, options.limits);
    this.storage = options.storage;
    this.remote = options.remote ?? offlineRemote;
    this.hasRemote = options.remote !== undefined;
    this.events = new EventHub(runtime.logger);
    this.collections = new CollectionRegistry(options.withoutStore);
    this.#indexes = new FieldIndexes(this.collections);
    const damage = new DamageReports(runtime.logger, (event) => this.emit(event));
    this.writer = new Writer(runtime, options.storage, {
      beforeCommit: (uow) => this.#indexes.maintain(uow),
      afterCommit: (uow) => this.#afterCommit(uow),
      onDamage: (table, key) => damage.note(table, key),
    });
    this.watchedRows = new JoinedRows(this.writer);
    this.context = this.#contextOf(options);
    this.fates = new EntryFates(this.writer);
    const { timers, logger } = runtime;
    this.eraser = new Eraser({ writer: this.writer, timers, logger });
    this.engine = new Engine(this.context, () => this.status.refresh());
    const isAuto = (options.autoSync ?? true) && this.hasRemote;
    this.auto = new AutoSync(runtime, isAuto, {
      begin: (isForEntries) => this.calls.onDue(isForEntries),
      isRunning: () => this.engine.isRunning,
    });
    this.status = this.#statusKeeper();
    this.calls = new ServerCalls(this, isAuto);
  }

  #contextOf(options: BackendOptions): SyncContext {
    const isHeadless = (): boolean => this.#isHeadless;
    return {
      runtime: this.runtime,
      writer: this.writer,
      remote: this.remote,
      hasRemote: this.hasRemote,
      options: engineOptions(options),
      limits: this.limits,
      rulesOf: this.collections.rulesOf,
      get isHeadless() {
        return isHeadless();
      },
      principal: () => this.principal,
      collection: (name) => this.collections.get(name),
      collections: () => this.collections.all(),
      strategyOf: (name) => this.collections.strategyOf(name),
      link: () => this.link,
      emit: (event) => this.emit(event),
    };
  }

  #statusKeeper(): StatusKeeper {
    return new StatusKeeper({
      runtime: this.runtime,
      writer: this.writer,
      engine: this.engine,
      hasRemote: this.hasRemote,
      partition: () => this.partition,
      isOpen: () => this.#isOpen,
      calledAt: () => this.auto.dueAt,
      onRest: (rest) => this.auto.onRest(rest, this.engine.pullDueInMs),
      onLooked: () => this.watchers.onLook(this.runtime.clock.now()),
    });
  }

  // ---- opening and closing -----------------------------------------------------------------------

  open(): Promise<void> {
    if (this.#closing !== undefined)
      return Promise.reject(new StorageError('storage/closed', 'this backend was closed'));
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #open(): Promise<void> {
    await openStorage(this.storage);
    const reading = (await this.writer.read((uow) => this.#load(uow))) ?? (await this.#loadAnew());
    for (const { name } of this.collections.all()) await this.#indexes.prepare(this.writer, name);
    this.#isOpen = true;
    this.status.adopt(reading);
    if (this.#closing !== undefined) return;
    this.eraser.resume(this.#toErase);
    // What was left by the last run of the app goes on.
    if (reading.rest.remaining > 0 && !this.engine.isHalted) this.auto.now();
    this.calls.listen();
  }

  /**
   * What a backend must know before its first call, in one transaction: a wake-up is short. Undefined if
   * something has to be written first.
   */
  async #load(uow: UnitOfWork): Promise<StatusReading | undefined> {
    const [session, , toErase] = await Promise.all([
      readSession(uow),
      this.#indexes.load(uow),
      partitionsToErase(uow),
    ]);
    const { isPaused = false, principal: id = null } = session;
    if (isPaused) this.engine.pause();
    const partition = await userPartition(uow, id);
    this.principal = { partition, id };
    this.#toErase = toErase;
    const reading = await this.status.read(uow, partition);
    await followClock(uow, partition, this.runtime.clock.now());
    return uow.hasChanges ? undefined : reading;
  }

  /** The clock was moved back while nobody ran: what waits is moved with it. */
  async #loadAnew(): Promise<StatusReading> {
    await this.writer.write((uow) => this.#load(uow));
    return this.writer.read((uow) => this.status.read(uow, this.partition));
  }

  get isOpen(): boolean {
    return this.#isOpen && this.#closing === undefined;
  }

  /** True once nothing has to be waited for before a collection is used. */
  isReady(collection: string): boolean {
    return this.#isOpen && this.#indexes.isReady(collection);
  }

  /** The fields of a collection that a query can go by, as the transaction finds the database. */
  usableIndexes(uow: UnitOfWork, collection: string): Promise<readonly string[]> {
    return this.#indexes.usable(uow, this.writer, collection);
  }

  /** Opens the database, and brings the collection's indexes in order. */
  async ready(collection: string): Promise<void> {
    await this.open();
    await this.#indexes.prepare(this.writer, collection);
  }

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.auto.setEnabled(false);
    await this.#opening?.catch(() => {});
    this.calls.stopListening();
    await this.engine.close();
    this.watchers.close();
    this.status.close();
    this.events.close();
    this.fates.close();
    this.eraser.close();
    try {
      await this.storage.close();
    } finally {
      await this.remote.close();
    }
  }

  // ---- collections and users ---------------------------------------------------------------------

  register(collection: RegisteredCollection): void {
    this.collections.register(collection);
    if (!this.#isOpen || this.isClosed) return;
    // The database is open and does not know this one's indexes yet.
    this.#indexes.prepare(this.writer, collection.name).catch(() => {});
    // Others may have left conflicts to it.
    this.status.refresh();
  }

  get partition(): number {
    return this.principal.partition;
  }

  /** The user has changed: everyone looks again, as the new one. */
  async onPrincipal(): Promise<void> {
    this.watchers.startAnew();
    const rest = await this.status.refreshNow(true);
    if (this.isClosed) return;
    this.calls.listen();
    this.auto.onRest(rest, this.engine.pullDueInMs);
    if (rest.remaining > 0 && !rest.isBlocked) this.auto.now();
  }

  mutationSetting(partition: number, group?: string): MutationSetting {
    return {
      partition,
      group,
      now: this.runtime.clock.now(),
      limits: this.limits,
      newKey: this.newKey,
      isHeard: this.events.hasListeners,
    };
  }

  readonly newKey = (): string => this.runtime.ids.uuid();

  // ---- events ------------------------------------------------------------------------------------

  emit(event: SyncEvent): void {
    this.fates.onEvent(event);
    this.engine.onEvent(event);
    this.events.emit(event);
  }

  /** Entries were committed: tell those who send them. */
  onEnqueued(best: PriorityRank): void {
    this.engine.notify(best);
    this.auto.onEnqueued(best);
  }

  /** People changed what may be sent: a run under way looks again. */
  onChanged(): void {
    this.engine.notify(0);
    this.status.refresh();
  }

  #afterCommit(uow: UnitOfWork): void {
    const { partition } = this;
    this.watchers.onCommit(uow, partition);
    this.status.onCommit({
      counters: uow.counters(partition),
      collections: uow.state.collections(partition),
    });
    for (const notice of uow.notices) this.emit(notice);
    if (uow.metClosed) this.#followSoon();
    if (uow.hasChanges) this.link.committed();
  }

  // ---- other contexts ----------------------------------------------------------------------------

  /** There is no screen, and nothing keeps this context alive: only runs that are asked for send. */
  beHeadless(): void {
    this.#isHeadless = true;
    this.auto.setEnabled(false);
    this.calls.mayListen(false);
  }

  /** Another context wrote: everyone looks again. */
  async refresh(): Promise<void> {
    await this.open();
    try {
      await this.#followSession();
      this.watchers.refreshAll();
      this.auto.onRest(await this.status.refreshNow(true), this.engine.pullDueInMs);
      this.engine.notify(0);
      await this.fates.check();
    } catch (error) {
      // Entries may have come that no timer knows of: the queue is looked at again soon.
      this.status.refresh();
      throw error;
    }
  }

  /** Who is signed in, and whether anything may be sent, is one answer for all contexts. */
  async #followSession(): Promise<void> {
    const [{ principal: id = null, isPaused = false }, known] = await this.writer.read(
      async (uow) => {
        const session = await readSession(uow);
        return [session, await knownPartition(uow, session.principal ?? null)] as const;
      },
    );
    if (isPaused !== this.engine.isPaused) {
      if (isPaused) this.engine.pause();
      else this.engine.resume();
      this.calls.setListening(!isPaused);
      if (isPaused) await this.engine.stop('paused');
    }
    // The same user has another number after everything of theirs was discarded.
    if (id === this.principal.id && known === this.principal.partition) return;
    await this.engine.exclusively(async () => {
      const partition = known ?? (await this.writer.write((uow) => userPartition(uow, id)));
      this.principal = { partition, id };
    });
    await this.onPrincipal();
  }

  /** Somebody here worked for a user whom another context has signed out. */
  #followSoon(): void {
    this.refresh().catch((error: unknown) => {
      if (!this.isClosed) this.logError('the session could not be read', error);
    });
  }

  logError(message: string, error: unknown): void {
    this.runtime.logger.log('error', message, { error: String(error) });
  }
}

const CORES = new WeakMap<object, BackendCore>();

export function setCore(backend: object, core: BackendCore): void {
  CORES.set(backend, core);
}

/** @throws UsageError `usage/invalid-argument` for anything that is not a backend */
export function coreOf(backend: object): BackendCore {
  const core = typeof backend === 'object' && backend !== null ? CORES.get(backend) : undefined;
  if (core !== undefined) return core;
  throw new UsageError(
    'usage/invalid-argument',
    'a store needs the backend that createBackend made',
  );
}
