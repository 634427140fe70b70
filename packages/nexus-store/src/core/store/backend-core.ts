import { withDefaults } from '../model/arguments.ts';
import { StorageError, UsageError } from '../model/errors.ts';
import type { SyncEvent } from '../model/events.ts';
import { isNexusError } from '../model/errors.ts';
import type { PriorityRank } from '../model/priority.ts';
import { NO_LINK, type ContextLink } from '../ports/context-link.ts';
import type { SyncReport } from '../model/sync-report.ts';
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
import { HintListener } from '../sync/hint-listener.ts';
import type { Principal, SyncContext } from '../sync/sync-context.ts';
import { engineOptions, requireSyncOptions, type SyncOptions } from '../sync/sync-options.ts';
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
  readonly status: StatusKeeper;
  readonly fates: EntryFates;
  readonly eraser: Eraser;
  readonly directWrites: EntityTurns = new EntityTurns();
  readonly watchers: Watchers = new Watchers();
  readonly watchedRows: JoinedRows;
  readonly collections: CollectionRegistry;
  readonly events: EventHub;
  readonly #indexes: FieldIndexes;
  readonly #hints: HintListener | undefined;
  /** Whose rows are seen and whose entries are sent. Changed by `Principals` only. */
  principal: Principal = { partition: ANONYMOUS, id: null };
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #isOpen = false;
  #toErase: readonly number[] = [];
  #isHeadless: boolean;
  #mayListen = true;
  #hasSaidWithoutRemote = false;
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
      begin: (isForEntries) => this.#onDue(isForEntries),
      isRunning: () => this.engine.isRunning,
    });
    this.status = this.#statusKeeper();
    this.#hints = isAuto && this.remote.capabilities.hints ? this.#hintListener() : undefined;
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

  #hintListener(): HintListener {
    return new HintListener({
      runtime: this.runtime,
      remote: this.remote,
      backoff: this.context.options.backoff,
      principal: () => this.principal.id,
      askedToWaitMs: () => this.engine.askedToWaitMs(),
      onHints: (collections) => this.#onHints(collections),
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
    this.#listen();
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
    this.#hints?.stop();
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
    this.#listen();
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

  // ---- sync --------------------------------------------------------------------------------------

  async sync(options: SyncOptions): Promise<SyncReport> {
    requireSyncOptions(options);
    await this.open();
    if (!this.hasRemote && options.reason === undefined) this.#sayWithoutRemote();
    this.auto.onRunBegan();
    try {
      const report = await this.#runFor(options);
      await this.#afterRun();
      return report;
    } catch (error) {
      if (error instanceof UsageError) this.status.refresh();
      else if (!this.isClosed) this.auto.onRunFailed();
      throw error;
    }
  }

  /** A run that began for a user whom another context has signed out goes on for who is there now. */
  async #runFor(options: SyncOptions): Promise<SyncReport> {
    try {
      return await this.engine.sync(options);
    } catch (error) {
      if (!isNexusError(error, 'store/signed-out')) throw error;
      await this.refresh();
      return this.engine.sync(options);
    }
  }

  /** Once: whoever calls `sync` by hand expects something to be sent. */
  #sayWithoutRemote(): void {
    if (this.#hasSaidWithoutRemote) return;
    this.#hasSaidWithoutRemote = true;
    const message = 'sync sends nothing: this backend was made without a remote';
    this.runtime.logger.log('warn', message, {});
  }

  async #afterRun(): Promise<void> {
    if (this.isClosed) return;
    try {
      const rest = await this.status.refreshNow();
      this.auto.onRunEnded(rest, this.engine.pullDueInMs);
      this.status.refresh();
      await this.fates.check();
    } catch (error) {
      if (this.isClosed) return;
      this.#log('what is left could not be read', error);
      this.auto.onRunFailed();
    }
  }

  async #onDue(isForEntries: boolean): Promise<void> {
    // Another context has sent them meanwhile.
    const isDone = isForEntries && this.link !== NO_LINK && this.status.pendingCount.current === 0;
    if (!isDone) await this.#syncQuietly();
  }

  async #syncQuietly(reason = 'auto'): Promise<void> {
    try {
      await this.sync({ reason });
    } catch (error) {
      if (!this.isClosed) this.#log('sync failed', error);
    }
  }

  #onHints(collections: ReadonlySet<string> | null): void {
    if (this.isClosed || this.engine.isHalted) return;
    if (collections === null) {
      void this.#syncQuietly('hint');
      return;
    }
    for (const name of collections) {
      if (this.collections.get(name)?.isPulled === true) void this.tryFetch(name);
    }
  }

  /** Fetches a collection if the server can be asked. True if it was. */
  async tryFetch(collection: string): Promise<boolean> {
    try {
      await this.open();
      await this.engine.fetch(collection);
      return true;
    } catch (error) {
      // Offline is no failure of those who have something here to show.
      const isRemote = isNexusError(error) && error.code.startsWith('remote/');
      if (!isRemote && !this.isClosed) this.#log('a fetch failed', error);
      return false;
    }
  }

  /** Something may have changed: the network returned, the app came to the front. */
  wake(): void {
    if (this.isClosed || this.engine.isHalted) return;
    this.auto.now();
    this.#hints?.wake();
  }

  /** Sync is paused: nothing is listened to either. */
  setListening(isListening: boolean): void {
    if (isListening && this.#mayListen && !this.isClosed) this.#hints?.start();
    else this.#hints?.stop();
  }

  #listen(): void {
    if (!this.engine.isPaused) this.setListening(true);
  }

  /** Whether the server's hints are worth a connection here, such as in a tab that nobody sees. */
  mayListen(isAllowed: boolean): void {
    if (isAllowed === this.#mayListen) return;
    this.#mayListen = isAllowed;
    if (!isAllowed) this.#hints?.stop();
    else if (this.isOpen) this.#listen();
  }

  /** There is no screen, and nothing keeps this context alive: only runs that are asked for send. */
  beHeadless(): void {
    this.#isHeadless = true;
    this.auto.setEnabled(false);
    this.mayListen(false);
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
      this.setListening(!isPaused);
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
      if (!this.isClosed) this.#log('the session could not be read', error);
    });
  }

  #log(message: string, error: unknown): void {
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
