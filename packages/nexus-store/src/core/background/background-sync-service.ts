import { NexusError, UsageError, type ScheduleErrorCode } from '../model/errors.ts';
import { LiveValue, type Live } from '../model/live.ts';
import { UNKNOWN_DEVICE, type DeviceFacts, type DeviceState } from '../ports/device-state.ts';
import type {
  PlatformScheduler,
  RunResult,
  StopReason,
  WakeUp,
  WeakenedField,
} from '../ports/platform-scheduler.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { StoreBackend } from '../store/store-backend.ts';
import { INITIAL_STATUS } from '../sync/sync-status.ts';
import {
  BackgroundSyncConfig,
  weakenedBy,
  type BackgroundSyncConfigOptions,
} from './background-sync-config.ts';
import { BackgroundSyncStatus, path, transition } from './background-sync-status.ts';
import type { BackgroundSyncTask } from './background-sync-task.ts';
import { runTasks, type TaskResult } from './budgeted-run.ts';
import { explain, type Explanation } from './explain.ts';
import {
  StoredJournal,
  TransientJournal,
  type Journal,
  type JournalRecord,
  type ServiceState,
} from './journal.ts';
import { noOpScheduler } from './no-op-scheduler.ts';
import { registeredProviders } from './provider-registry.ts';
import { storeSyncTask, type StoreSyncTask } from './store-sync-task.ts';
import { unmetConstraints, type UnmetConstraint } from './unmet-constraints.ts';
import { planWakeUps, requestIds, type PolicyFacts } from './wake-up-policy.ts';

export interface BackgroundSyncServiceOptions {
  readonly scheduler: PlatformScheduler;
  /** What the device says of itself. Absent: unknown, and nothing is held back for it. */
  readonly deviceState?: DeviceState;
  /** The backend whose queue is synced. Absent: only registered tasks run. */
  readonly backend?: StoreBackend;
  /**
   * The name of the work, and on iOS the identifier in Info.plist; requests derive theirs from it.
   *
   * @defaultValue `'nexus-store.sync'`
   */
  readonly id?: string;
  /** Called with the pending count after every change: for a badge on the app's icon. */
  readonly onPendingCount?: (count: number) => void | Promise<void>;
}

/** What the system said to a request for wake-ups. */
export interface ScheduleOutcome {
  /** True if the system accepted every request. */
  readonly ok: boolean;
  /** Where the platform honours less than was asked. */
  readonly weakened: readonly WeakenedField[];
  readonly refused: readonly {
    readonly id: string;
    readonly code: ScheduleErrorCode;
    readonly message: string;
  }[];
}

/** Writes that arrive together ask the system once. */
const JOIN_MS = 1_000;

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
  readonly #device: DeviceState | undefined;
  readonly #backend: StoreBackend | undefined;
  readonly #id: string;
  readonly #journal: Journal;
  readonly #onPendingCount: BackgroundSyncServiceOptions['onPendingCount'];
  readonly #tasks = new Map<string, BackgroundSyncTask>();
  readonly #sync: StoreSyncTask | undefined;
  readonly #status: LiveValue<BackgroundSyncStatus>;
  readonly #stops: (() => void)[] = [];
  #config: BackgroundSyncConfig | undefined;
  #state: ServiceState | undefined;
  #isDisposed = false;
  #cancelJoin: (() => void) | undefined;
  #scheduling: Promise<unknown> = Promise.resolve();
  #active = 0;

  constructor(runtime: Runtime, options: BackgroundSyncServiceOptions) {
    this.#runtime = runtime;
    this.#scheduler = options.scheduler;
    this.#device = options.deviceState;
    this.#backend = options.backend;
    this.#id = options.id ?? 'nexus-store.sync';
    this.#onPendingCount = options.onPendingCount;
    this.#journal =
      options.backend === undefined
        ? new TransientJournal()
        : new StoredJournal(options.backend.writer, () => (options.backend as StoreBackend).open());
    this.#status = new LiveValue<BackgroundSyncStatus>('idle', (error) =>
      this.#log('a status listener failed', error),
    );
    if (options.backend !== undefined) {
      this.#sync = storeSyncTask(options.backend);
      this.#tasks.set(this.#sync.taskId, this.#sync);
    }
    // Now, and not in `initialize`: a headless start delivers its wake-up to whoever listens at once.
    this.#scheduler.onWakeUp((wakeUp) => void this.#onWakeUp(wakeUp));
  }

  // ---- the convenience of one service for the app ------------------------------------------------

  /**
   * Makes the app's one background service for a store's backend, on the platform whose package was
   * imported, and initialises it.
   *
   * @throws UsageError `usage/invalid-argument`, naming the field
   */
  static async initialize(options: {
    readonly store: { readonly backend: StoreBackend };
    readonly config?: BackgroundSyncConfig | BackgroundSyncConfigOptions;
  }): Promise<BackgroundSyncService> {
    const { backend } = options.store;
    const provider = registeredProviders().find((candidate) => candidate.detect());
    const service =
      provider?.create(backend.runtime, { backend }) ??
      new BackgroundSyncService(backend.runtime, { backend, scheduler: noOpScheduler });
    BackgroundSyncService.#instance = service;
    await service.initialize(options.config);
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
    return this.#status.current;
  }

  get statusStream(): Live<BackgroundSyncStatus> {
    return this.#status;
  }

  get config(): BackgroundSyncConfig | null {
    return this.#config ?? null;
  }

  /**
   * Takes the configuration and, if writes wait already, asks for wake-ups. May be called again with
   * another configuration.
   *
   * @throws UsageError `usage/invalid-argument`, naming the field
   */
  async initialize(
    config: BackgroundSyncConfig | BackgroundSyncConfigOptions = {},
  ): Promise<ScheduleOutcome> {
    const next = BackgroundSyncConfig.from(config);
    const isFirst = this.#config === undefined;
    this.#config = next;
    const state = await this.#loadState();
    if (isFirst) {
      this.#restoreStatus(state.status);
      this.#listen();
    }
    if (!next.enabled) {
      await this.cancelSync();
      return { ok: true, weakened: [], refused: [] };
    }
    const outcome = await this.scheduleSync();
    return {
      ...outcome,
      weakened: [
        ...weakenedBy(this.#scheduler.capabilities, next),
        ...outcome.weakened.filter(({ field }) => field !== 'intervalMs'),
      ],
    };
  }

  /**
   * Adds work to every background run. Call it at module scope, so that a headless start has it too.
   *
   * @throws UsageError `usage/invalid-argument` if the id is taken
   */
  registerTask(task: BackgroundSyncTask): void {
    if (
      typeof task?.taskId !== 'string' ||
      task.taskId === '' ||
      typeof task.execute !== 'function'
    ) {
      throw new UsageError(
        'usage/invalid-argument',
        'a background task needs a taskId and execute()',
      );
    }
    const known = this.#tasks.get(task.taskId);
    if (known !== undefined && known !== task) {
      throw new UsageError(
        'usage/invalid-argument',
        `a background task named ${task.taskId} is registered already`,
      );
    }
    this.#tasks.set(task.taskId, task);
  }

  /** Asks the system for the wake-ups that what waits deserves. Done by itself after writes; may be called by hand. */
  scheduleSync(): Promise<ScheduleOutcome> {
    const next = this.#scheduling.then(() => this.#schedule());
    this.#scheduling = next.catch(() => {});
    return next;
  }

  /** Takes back what was asked of the system. What waits in the queue stays there. */
  async cancelSync(): Promise<void> {
    const ids = requestIds(this.#id);
    for (const id of [ids.periodic, ids.soon, ids.critical]) await this.#scheduler.cancel(id);
    if (this.#active === 0) await this.#moveTo('idle');
  }

  /** What the last wake-ups did, oldest first; also those of earlier processes. */
  history(): Promise<readonly JournalRecord[]> {
    return this.#journal.records();
  }

  /** Why something has not synced, in words. */
  async explain(): Promise<Explanation> {
    await this.#backend?.open();
    return explain({
      now: this.#runtime.clock.now(),
      isSupported: this.isSupported,
      config: this.#config ?? null,
      status: this.#backend?.status.current ?? INITIAL_STATUS,
      device: await this.#facts(),
      state: await this.#loadState(),
      history: await this.history(),
    });
  }

  /** Stops listening. Requests stay with the system: the next process takes them up. */
  async dispose(): Promise<void> {
    this.#isDisposed = true;
    this.#cancelJoin?.();
    for (const stop of this.#stops.splice(0)) stop();
    await this.#scheduling;
    if (BackgroundSyncService.#instance === this) BackgroundSyncService.#instance = undefined;
    this.#status.close();
  }

  // ---- asking the system -------------------------------------------------------------------------

  #listen(): void {
    const backend = this.#backend;
    if (backend === undefined) return;
    let known = backend.status.current.pending;
    this.#stops.push(
      backend.status.subscribe(({ pending, phase }) => {
        const grew =
          pending.critical > known.critical ||
          pending.high > known.high ||
          pending.normal > known.normal ||
          pending.low > known.low;
        known = pending;
        if (grew && phase !== 'closed') this.#scheduleSoon();
      }),
      backend.pendingChangesCount.subscribe((count) => void this.#showCount(count)),
    );
    if (this.#device !== undefined) {
      this.#stops.push(this.#device.onChange(() => void this.#onDeviceChange()));
    }
  }

  #scheduleSoon(): void {
    if (this.#cancelJoin !== undefined || this.#isDisposed || this.#active > 0) return;
    this.#cancelJoin = this.#runtime.timers.after(JOIN_MS, () => {
      this.#cancelJoin = undefined;
      void this.scheduleSync().catch((error: unknown) =>
        this.#log('asking for a wake-up failed', error),
      );
    });
  }

  #lastAppState: DeviceFacts['appState'] = null;

  async #onDeviceChange(): Promise<void> {
    const facts = await this.#facts();
    const before = this.#lastAppState;
    this.#lastAppState = facts.appState;
    if (this.#isDisposed || this.#config === undefined) return;
    await this.#noteUnmet(facts);
    if (facts.appState === 'foreground') {
      // In front, or with the network back: what waits goes now, without asking the system.
      if (facts.isConnected !== false) this.#backend?.wake();
    } else if (before === 'foreground') {
      await this.#onLeavingForeground();
    }
  }

  /** The last moments in front are the best chance of all: drain, and ask for wake-ups for the rest. */
  async #onLeavingForeground(): Promise<void> {
    const backend = this.#backend;
    const { pending } = backend?.status.current ?? INITIAL_STATUS;
    await this.scheduleSync();
    if (backend !== undefined && pending.critical + pending.high + pending.normal > 0) {
      await backend.sync({ budget: this.#config?.budget ?? 25_000, reason: 'leaving-foreground' });
    }
  }

  async #schedule(): Promise<ScheduleOutcome> {
    const config = this.#config;
    if (config === undefined || !config.enabled || this.#isDisposed || !this.isSupported) {
      return { ok: config !== undefined && this.isSupported, weakened: [], refused: [] };
    }
    const state = await this.#loadState();
    const status = await this.#queueFacts();
    const { clock, random } = this.#runtime;
    const now = clock.now();
    const plan = planWakeUps(this.#id, {
      now,
      config,
      capabilities: this.#scheduler.capabilities,
      ...status,
      criticalAskedAt: state.criticalAskedAt,
      random: () => random.float(),
    });
    if (plan.exceedsCriticalAllowance) {
      this.#backend?.emit({
        type: 'critical-allowance-exceeded',
        allowance: config.criticalPerHour,
      });
    }
    const weakened: WeakenedField[] = [];
    const refused: { id: string; code: ScheduleErrorCode; message: string }[] = [];
    let usedCritical = false;
    for (const request of plan.requests) {
      const result = await this.#scheduler.schedule(request);
      if (!result.ok) refused.push({ id: request.id, code: result.code, message: result.message });
      else {
        weakened.push(...result.weakened);
        if (request.id === requestIds(this.#id).critical && result.effect !== 'kept')
          usedCritical = true;
      }
    }
    const [first] = refused;
    await this.#saveState({
      criticalAskedAt: [...state.criticalAskedAt, ...(usedCritical ? [now] : [])]
        .filter((at) => at > now - 3_600_000)
        .slice(-100),
      refusal: first === undefined ? null : { code: first.code, message: first.message, at: now },
    });
    if (refused.length < plan.requests.length && this.#active === 0)
      await this.#moveTo('scheduled');
    return { ok: refused.length === 0, weakened, refused };
  }

  async #queueFacts(): Promise<Pick<PolicyFacts, 'pending' | 'nextAttemptAt'>> {
    return (await this.#backend?.queueFacts()) ?? { pending: [0, 0, 0, 0], nextAttemptAt: null };
  }

  // ---- being woken -------------------------------------------------------------------------------

  async #onWakeUp(wakeUp: WakeUp): Promise<void> {
    this.#active += 1;
    const run = new WakeUpRun(wakeUp);
    try {
      await this.#run(run);
    } catch (error) {
      this.#log('a background run failed', error);
      run.complete('retry');
    } finally {
      this.#active -= 1;
    }
  }

  async #run(run: WakeUpRun): Promise<void> {
    const { wakeUp } = run;
    const state = await this.#loadState();
    if (this.#config === undefined) this.#restoreStatus(state.status);
    const config = this.#config ?? new BackgroundSyncConfig();
    const device = await this.#facts();
    const unmet = this.#unmetAtStart(config, device);
    await this.#noteUnmet(device);
    let record = newRecord(wakeUp, this.#runtime.clock.now(), device, unmet);
    const id = await this.#journal.begin(record);
    await this.#moveTo('running');
    this.#backend?.emit({ type: 'wake-up-began', requestId: wakeUp.id, reason: wakeUp.reason });
    const tasks = unmet.length > 0 ? [] : await this.#runTasks(run, config);
    const result = this.#resultOf(run, tasks, unmet, config);
    const report = this.#sync?.takeReport() ?? null;
    record = {
      ...record,
      endedAt: this.#runtime.clock.now(),
      pushed: report?.pushed ?? 0,
      pulled: report?.pulled ?? 0,
      remaining: report?.remaining ?? null,
      stoppedBy: unmet.length > 0 ? 'constraint' : (report?.stoppedBy ?? null),
      stopReason:
        run.stopReason ?? (tasks.some(({ outcome }) => outcome === 'cut-off') ? 'timeout' : null),
      result,
      tasks,
      error: tasks.find(({ error }) => error !== undefined)?.error ?? null,
    };
    await this.#journal.update(id, record);
    const isDone = unmet.length === 0 && tasks.every(({ outcome }) => outcome === 'done');
    await this.#moveTo(isDone ? 'completed' : 'failed');
    this.#backend?.emit({
      type: 'wake-up-ended',
      requestId: wakeUp.id,
      result,
      pushed: record.pushed,
    });
    // Before the host hears of the end: once it does, it may take the process.
    await this.#askForNext();
    run.complete(result);
  }

  async #askForNext(): Promise<void> {
    if (this.#config === undefined) return;
    const active = this.#active;
    this.#active = 0;
    try {
      await this.scheduleSync();
    } catch (error) {
      this.#log('asking for the next wake-up failed', error);
    } finally {
      this.#active = active;
    }
  }

  #runTasks(run: WakeUpRun, config: BackgroundSyncConfig): Promise<readonly TaskResult[]> {
    const { wakeUp } = run;
    return runTasks(this.#runtime, [...this.#tasks.values()], {
      deadline: wakeUp.deadline,
      budgetMs: config.budget,
      signal: wakeUp.signal,
      reason: wakeUp.reason,
      attempt: wakeUp.attempt,
    });
  }

  /** Constraints that the host cannot enforce are checked here. Connectivity is a hint: a wake-up always tries once. */
  #unmetAtStart(config: BackgroundSyncConfig, device: DeviceFacts): readonly UnmetConstraint[] {
    return unmetConstraints(config.constraints, device).filter(
      (constraint) => constraint !== 'connectivity',
    );
  }

  /**
   * What the host is told. The queue owns its retries, so `retry` is for runs that were cut off with
   * work left, for lost constraints, and for an app's own tasks, as often as the policy allows.
   */
  #resultOf(
    run: WakeUpRun,
    tasks: readonly TaskResult[],
    unmet: readonly UnmetConstraint[],
    config: BackgroundSyncConfig,
  ): RunResult {
    if (unmet.length > 0 || run.stopReason !== undefined) return 'retry';
    if (tasks.some(({ outcome }) => outcome === 'cut-off')) return 'retry';
    const own = tasks.filter(({ taskId }) => taskId !== this.#sync?.taskId);
    if (own.every(({ outcome }) => outcome === 'done')) return 'success';
    return run.wakeUp.attempt < config.retryPolicy.maxAttempts ? 'retry' : 'failure';
  }

  // ---- state -------------------------------------------------------------------------------------

  async #facts(): Promise<DeviceFacts> {
    try {
      return (await this.#device?.read()) ?? UNKNOWN_DEVICE;
    } catch (error) {
      this.#log('the device state could not be read', error);
      return UNKNOWN_DEVICE;
    }
  }

  async #noteUnmet(device: DeviceFacts): Promise<void> {
    const state = await this.#loadState();
    const now = this.#runtime.clock.now();
    const unmet =
      this.#config === undefined ? [] : unmetConstraints(this.#config.constraints, device);
    const unmetSince = Object.fromEntries(
      unmet.map((constraint) => [constraint, state.unmetSince[constraint] ?? now]),
    );
    if (JSON.stringify(unmetSince) !== JSON.stringify(state.unmetSince))
      await this.#saveState({ unmetSince });
  }

  async #loadState(): Promise<ServiceState> {
    this.#state ??= await this.#journal.readState();
    return this.#state;
  }

  async #saveState(change: Partial<ServiceState>): Promise<void> {
    this.#state = { ...(await this.#loadState()), ...change };
    await this.#journal.writeState(this.#state);
  }

  /** A process that was killed while it ran left `running` behind: that run has failed. */
  #restoreStatus(stored: string): void {
    const status = Object.hasOwn(BackgroundSyncStatus, stored)
      ? (stored as BackgroundSyncStatus)
      : 'idle';
    if (this.#status.current !== 'idle' || this.#active > 1) return;
    this.#status.set(status === 'running' ? 'failed' : status);
  }

  async #moveTo(to: BackgroundSyncStatus): Promise<void> {
    for (const step of path(this.#status.current, to))
      this.#status.set(transition(this.#status.current, step));
    await this.#saveState({ status: to });
  }

  async #showCount(count: number): Promise<void> {
    try {
      await this.#onPendingCount?.(count);
    } catch (error) {
      this.#log('the badge could not be set', error);
    }
  }

  #log(message: string, error: unknown): void {
    const code = error instanceof NexusError ? error.code : undefined;
    this.#runtime.logger.log('error', message, { error: String(error), code });
  }
}

/** One wake-up, completed exactly once, whatever happens. */
class WakeUpRun {
  readonly wakeUp: WakeUp;
  stopReason: StopReason | undefined;
  #isCompleted = false;

  constructor(wakeUp: WakeUp) {
    this.wakeUp = wakeUp;
    const onAbort = (): void => {
      this.stopReason ??= (wakeUp.signal.reason as StopReason | undefined) ?? 'unknown';
    };
    if (wakeUp.signal.aborted) onAbort();
    else wakeUp.signal.addEventListener('abort', onAbort, { once: true });
  }

  complete(result: RunResult): void {
    if (this.#isCompleted) return;
    this.#isCompleted = true;
    this.wakeUp.complete(result);
  }
}

function newRecord(
  wakeUp: WakeUp,
  beganAt: number,
  device: DeviceFacts,
  unmet: readonly UnmetConstraint[],
): JournalRecord {
  return {
    runId: wakeUp.runId,
    requestId: wakeUp.id,
    reason: wakeUp.reason,
    appState: wakeUp.appState,
    attempt: wakeUp.attempt,
    beganAt,
    endedAt: null,
    device,
    unmet,
    pushed: 0,
    pulled: 0,
    remaining: null,
    stoppedBy: null,
    stopReason: null,
    result: null,
    tasks: [],
    error: null,
  };
}
