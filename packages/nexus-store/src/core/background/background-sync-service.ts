import { NexusError, UsageError } from '../model/errors.ts';
import type { Live } from '../model/live.ts';
import { UNKNOWN_DEVICE, type DeviceFacts } from '../ports/device-state.ts';
import type { PlatformScheduler } from '../ports/platform-scheduler.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { StoreBackend } from '../store/store-backend.ts';
import { askedToWaitUntil, readGate } from '../sync/gate.ts';
import { INITIAL_STATUS } from '../sync/sync-status.ts';
import { AppEdges } from './app-edges.ts';
import { Badge } from './badge.ts';
import {
  BackgroundSyncConfig,
  type BackgroundSyncConfigOptions,
} from './background-sync-config.ts';
import {
  requireInitializeOptions,
  requireServiceOptions,
  type BackgroundSyncServiceOptions,
} from './background-sync-service-options.ts';
import type { BackgroundSyncStatus } from './background-sync-status.ts';
import type { BackgroundSyncTask } from './background-sync-task.ts';
import { explain } from './explain.ts';
import type { Explanation } from './explanation.ts';
import type { JournalRecord } from './journal.ts';
import { noOpScheduler } from './no-op-scheduler.ts';
import { watchPending, watchPendingOnceOpen } from './pending-watch.ts';
import { PlatformLog } from './platform-log.ts';
import { registeredProviders } from './provider-registry.ts';
import { RegisteredTasks } from './registered-tasks.ts';
import { takeInbox } from './scheduler-inbox.ts';
import { ServiceMemory } from './service-memory.ts';
import type { ServiceState } from './service-state.ts';
import { StoredJournal } from './stored-journal.ts';
import { TransientJournal } from './transient-journal.ts';
import { unmetConstraints } from './unmet-constraints.ts';
import { JOIN_MS } from './wake-up-policy.ts';
import {
  WakeUpRequests,
  type AskFacts,
  type EndingRun,
  type ScheduleOutcome,
} from './wake-up-requests.ts';
import { WakeUpRunner } from './wake-up-runner.ts';

export type { BackgroundSyncServiceOptions } from './background-sync-service-options.ts';
export type { ScheduleOutcome } from './wake-up-requests.ts';

/** In front the app sends by itself: what is gone by then needs no wake-up. */
const IN_FRONT_JOIN_MS = 5_000;
/** What a system that takes an app off the screen is sure to leave it. */
const LEAVING_MS = 25_000;

const services = new WeakMap<StoreBackend, BackgroundSyncService>();

/**
 * Keeps data in sync while the app is in the background: asks the system for wake-ups by a policy, and
 * does what there is to do within each. Best effort about when, never about whether: what was not sent
 * stays in the queue. One class over a small platform port; the platform decides when, this decides
 * what.
 */
export class BackgroundSyncService {
  static #instance: BackgroundSyncService | undefined;

  readonly #runtime: Runtime;
  readonly #scheduler: PlatformScheduler;
  readonly #backend: StoreBackend | undefined;
  readonly #badge: Badge | undefined;
  readonly #tasks = new RegisteredTasks();
  readonly #memory: ServiceMemory;
  readonly #requests: WakeUpRequests;
  readonly #runner: WakeUpRunner;
  readonly #edges: AppEdges;
  readonly #letGoOfInbox: () => void;
  readonly #platformLog: PlatformLog;
  #unlisten: (() => void) | undefined;
  #config: BackgroundSyncConfig | undefined;
  #isCancelled = false;
  #isDisposed = false;
  #grewDuringRun = false;
  #isInFront = false;

  constructor(runtime: Runtime, options: BackgroundSyncServiceOptions) {
    requireServiceOptions(options);
    const { scheduler, backend, id = 'nexus-store.sync' } = options;
    this.#runtime = runtime;
    this.#scheduler = scheduler;
    this.#backend = backend;
    const log = (message: string, error: unknown): void => this.#log(message, error);
    this.#badge =
      options.onPendingCount &&
      new Badge(options.onPendingCount, (error) => log('the badge could not be set', error));
    const journal =
      backend === undefined
        ? new TransientJournal()
        : new StoredJournal(backend.writer, () => backend.open());
    this.#memory = new ServiceMemory(journal, (error) => log('a status listener failed', error));
    this.#platformLog = new PlatformLog(runtime, {
      runs: options.platformRuns,
      memory: this.#memory,
      maxRunMs: scheduler.capabilities.maxRunMs,
      log,
    });
    this.#edges = new AppEdges(runtime, options.deviceState, {
      onFront: () => this.#onFront(),
      onNetwork: () => backend?.wake(),
      onLeave: () => void this.#onLeave().catch((error) => log('leaving the front failed', error)),
      onFacts: (facts) => this.#onFacts(facts),
      log,
    });
    this.#requests = new WakeUpRequests(runtime, {
      id,
      scheduler,
      memory: this.#memory,
      facts: () => this.#askFacts(),
      onTooManyCritical: (allowance) =>
        backend?.emit({ type: 'critical-allowance-exceeded', allowance }),
      log,
    });
    this.#runner = new WakeUpRunner(runtime, {
      id,
      memory: this.#memory,
      backend,
      tasks: () => this.#tasks.all(),
      config: (state) => this.#configOf(state),
      device: () => this.#edges.read(),
      askForNext: (config, ending) => this.#askForNext(config, ending),
      onIdle: () => this.#onIdle(),
      emit: (event) => backend?.emit(event),
      log,
    });
    if (backend !== undefined) services.set(backend, this);
    // Now, and not in `initialize`: a headless start delivers its wake-up to whoever listens at once.
    this.#letGoOfInbox = takeInbox(scheduler, (wakeUp) => void this.#runner.receive(wakeUp));
  }

  // ---- the convenience of one service for the app ------------------------------------------------

  /**
   * Makes the app's one background service for a store's backend, on the platform whose package was
   * imported, and initialises it. Again for the same backend, it takes the new configuration.
   *
   * @throws UsageError `usage/invalid-argument`, naming the field
   */
  static async initialize(options: {
    readonly store: { readonly backend: StoreBackend };
    readonly config?: BackgroundSyncConfig | BackgroundSyncConfigOptions;
  }): Promise<BackgroundSyncService> {
    requireInitializeOptions(options);
    const config = BackgroundSyncConfig.from(options.config);
    const { backend } = options.store;
    const known = services.get(backend);
    const service = known ?? createFor(backend);
    const before = BackgroundSyncService.#instance;
    BackgroundSyncService.#instance = service;
    // Not awaited: of another backend, and perhaps of a process that is no more.
    if (before !== undefined && before !== service) void before.dispose().catch(() => {});
    await service.initialize(config);
    return service;
  }

  /** @throws UsageError `usage/invalid-argument` before `BackgroundSyncService.initialize` */
  static get instance(): BackgroundSyncService {
    if (BackgroundSyncService.#instance === undefined) {
      throw new UsageError(
        'usage/invalid-argument',
        'call BackgroundSyncService.initialize({ store, config }) first',
      );
    }
    return BackgroundSyncService.#instance;
  }

  // ---- the interface of the specification --------------------------------------------------------

  /** False where the platform has no background sync. Every call resolves all the same. */
  get isSupported(): boolean {
    return this.#scheduler.capabilities.kinds.length > 0;
  }

  get isInitialized(): boolean {
    return this.#config !== undefined;
  }

  get status(): BackgroundSyncStatus {
    return this.#memory.status.current;
  }

  get statusStream(): Live<BackgroundSyncStatus> {
    return this.#memory.status;
  }

  get config(): BackgroundSyncConfig | null {
    return this.#config ?? null;
  }

  /**
   * Takes the configuration and asks for the wake-ups that what waits deserves. May be called again
   * with another configuration.
   *
   * @throws UsageError `usage/invalid-argument`, naming the field
   */
  async initialize(
    config: BackgroundSyncConfig | BackgroundSyncConfigOptions = {},
  ): Promise<ScheduleOutcome> {
    const next = BackgroundSyncConfig.from(config);
    this.#config = next;
    this.#isCancelled = false;
    // At once: the app may leave the front while the database is still being opened.
    const watching = this.#edges.start();
    if (!this.isSupported) {
      // Nothing is opened: where nothing wakes the app there may be no database either, as on a server.
      this.#listen();
      await watching;
      return { ok: !next.enabled, weakened: [], refused: [] };
    }
    const stored = await this.#memory.load();
    const options = { ...next };
    if (JSON.stringify(stored.config) !== JSON.stringify(options))
      await this.#memory.change((state) => ({ ...state, config: options }));
    this.#listen();
    // Not awaited: a headless run has better things to do with its window.
    void this.#platformLog.adopt();
    await watching;
    if (next.enabled) return this.scheduleSync();
    await this.cancelSync();
    return { ok: true, weakened: [], refused: [] };
  }

  /**
   * Adds work to every background run. Call it at module scope, so that a headless start has it too.
   *
   * @throws UsageError `usage/invalid-argument` if the id is taken
   */
  registerTask(task: BackgroundSyncTask): void {
    this.#tasks.add(task);
  }

  /** Asks the system for the wake-ups that what waits deserves. Done by itself after writes; may be called by hand. */
  scheduleSync(): Promise<ScheduleOutcome> {
    this.#isCancelled = false;
    return this.#ask();
  }

  /**
   * Takes back what was asked of the system, and ends a run at work. What waits in the queue stays
   * there; nothing more is asked until `scheduleSync` or `initialize`.
   */
  async cancelSync(): Promise<void> {
    this.#isCancelled = true;
    if (!this.isSupported) return;
    await this.#requests.cancel();
    await this.#beIdle();
  }

  /**
   * How often the server would like to be asked, as its header `Sync-Interval` says:
   * `httpRemote({ onSyncInterval: (ms) => background.hintInterval(ms) })`. Periodic runs keep at least
   * this distance, never a shorter one than the configuration's; it is forgotten after a week without
   * a new one. Null takes it back. (`Retry-After` needs no hint: the queue keeps to it by itself.)
   *
   * @param intervalMs milliseconds
   */
  async hintInterval(intervalMs: number | null): Promise<void> {
    if (!this.isSupported) return;
    if (!(await this.#memory.setHint(intervalMs, this.#runtime.clock.now()))) return;
    if (!this.#runner.isRunning) this.#askSoon();
  }

  /** What the last wake-ups did, oldest first; also those of earlier processes. */
  async history(): Promise<readonly JournalRecord[]> {
    await this.#platformLog.adopt();
    return this.#memory.records();
  }

  /** Why something has not synced, in words. */
  async explain(): Promise<Explanation> {
    const backend = this.#backend;
    const now = this.#runtime.clock.now();
    if (backend !== undefined) await backend.queueFacts();
    const gate = await backend?.writer.read(readGate);
    const loaded = await this.#memory.load();
    const state = this.#memory.seen ?? loaded;
    return explain({
      now,
      isSupported: this.isSupported,
      // A process that only looks knows what the app has configured.
      config: this.#config ?? (state.config === null ? null : this.#configOf(state)),
      isCancelled: this.#isCancelled,
      hasRemote: backend?.hasRemote !== false,
      status: backend?.status.current ?? INITIAL_STATUS,
      askedToWaitUntil: gate === undefined ? null : askedToWaitUntil(gate, now),
      device: (await this.#edges.read()) ?? UNKNOWN_DEVICE,
      state,
      history: await this.history(),
    });
  }

  /** Ends the runs at work and stops listening. Requests stay with the system: the next process takes them up. */
  async dispose(): Promise<void> {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    if (this.#backend !== undefined && services.get(this.#backend) === this)
      services.delete(this.#backend);
    if (BackgroundSyncService.#instance === this) BackgroundSyncService.#instance = undefined;
    this.#edges.stop();
    this.#platformLog.stop();
    this.#unlisten?.();
    await this.#runner.stop();
    await this.#requests.stop();
    this.#letGoOfInbox();
    this.#memory.status.close();
  }

  // ---- asking the system -------------------------------------------------------------------------

  /** True while there is somebody to ask, and a wish to. */
  get #mayAsk(): boolean {
    return (
      this.#config?.enabled === true && this.isSupported && !this.#isCancelled && !this.#isDisposed
    );
  }

  async #ask(): Promise<ScheduleOutcome> {
    const config = this.#config;
    if (config === undefined || !this.#mayAsk) {
      const isFine = config !== undefined && this.isSupported;
      return { ok: isFine, weakened: [], refused: [] };
    }
    return this.#requests.ask(config);
  }

  #askSoon(delayMs: number = this.#isInFront ? IN_FRONT_JOIN_MS : JOIN_MS): void {
    if (this.#config === undefined || !this.#mayAsk) return;
    this.#requests.askSoon(() => this.#ask(), delayMs);
  }

  async #askForNext(config: BackgroundSyncConfig, ending: EndingRun): Promise<void> {
    this.#grewDuringRun = false;
    // A process that was woken before `initialize` asks with what was last given.
    const mayAsk = config.enabled && this.isSupported && !this.#isCancelled && !this.#isDisposed;
    if (mayAsk) await this.#requests.ask(config, ending);
  }

  #onIdle(): void {
    if (this.#isCancelled) void this.#beIdle().catch(() => {});
    else if (this.#grewDuringRun) this.#askSoon(0);
  }

  async #beIdle(): Promise<void> {
    if (this.#runner.isRunning) return;
    this.#memory.moveTo('idle');
    await this.#memory.change((state) => ({ ...state, status: 'idle' }));
  }

  async #askFacts(): Promise<AskFacts> {
    const [device, queue] = await Promise.all([this.#edges.read(), this.#backend?.queueFacts()]);
    const reason = this.#backend?.status.current.blockedBy?.reason;
    const isHeldByOthers = reason !== undefined && reason !== 'offline';
    return {
      ...(queue ?? { pending: [0, 0, 0, 0], nextAttemptAt: null }),
      isInFront: device?.appState === 'foreground',
      isOffline: device?.isConnected === false && !isHeldByOthers,
      running: this.#runner.running,
    };
  }

  #configOf(state: ServiceState | undefined): BackgroundSyncConfig {
    if (this.#config !== undefined) return this.#config;
    try {
      return new BackgroundSyncConfig(state?.config ?? {});
    } catch {
      return new BackgroundSyncConfig(); // written by another version
    }
  }

  // ---- listening ---------------------------------------------------------------------------------

  #listen(): void {
    const backend = this.#backend;
    if (backend === undefined || this.#unlisten !== undefined) return;
    const watch = this.isSupported ? watchPending : watchPendingOnceOpen;
    this.#unlisten = watch(backend, {
      onGrown: () => {
        if (this.#runner.isRunning) this.#grewDuringRun = true;
        else this.#askSoon();
      },
      onCalm: () => {
        // A wake-up that was asked for is no longer needed.
        const { asked } = this.#memory.seen ?? { asked: {} };
        if (Object.keys(asked).length > 0 && !this.#runner.isRunning) this.#askSoon();
      },
      onCount: (count) => void this.#badge?.set(count),
    });
  }

  #onFacts(facts: DeviceFacts): void {
    this.#isInFront = facts.appState === 'foreground' && facts.isConnected !== false;
    if (this.#config === undefined || !this.isSupported) return;
    this.#memory
      .noteUnmet(unmetConstraints(this.#config.constraints, facts), this.#runtime.clock.now())
      .catch((error: unknown) => this.#log('the state could not be stored', error));
  }

  /** What waits goes now, without asking the system; what the system refused is asked again. */
  #onFront(): void {
    this.#backend?.wake();
    this.#requests.forget();
    if ((this.#memory.seen?.refusal ?? null) !== null) this.#askSoon();
  }

  /** The last moments in front are the best chance of all: ask for wake-ups, in case they do not suffice, and drain. */
  async #onLeave(): Promise<void> {
    await this.#ask();
    const backend = this.#backend;
    if (backend === undefined || this.#config?.enabled !== true) return;
    if (this.#isCancelled || this.#isDisposed) return;
    const { critical, high, normal } = backend.status.current.pending;
    if (critical + high + normal === 0) return;
    const budget = Math.min(this.#config.budget, LEAVING_MS);
    await backend.sync({ budget, reason: 'leaving-foreground' });
    await this.#ask();
  }

  #log(message: string, error: unknown): void {
    const code = error instanceof NexusError ? error.code : undefined;
    this.#runtime.logger.log('error', message, { error: String(error), code });
  }
}

function createFor(backend: StoreBackend): BackgroundSyncService {
  const provider = registeredProviders().find((candidate) => candidate.detect());
  return (
    provider?.create(backend.runtime, { backend }) ??
    new BackgroundSyncService(backend.runtime, { backend, scheduler: noOpScheduler })
  );
}
