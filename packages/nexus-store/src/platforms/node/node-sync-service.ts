import type {
  BackgroundSyncConfig,
  BackgroundSyncConfigOptions,
} from '../../core/background/background-sync-config.ts';
import {
  BackgroundSyncService,
  type BackgroundSyncServiceOptions,
  type ScheduleOutcome,
} from '../../core/background/background-sync-service.ts';
import {
  FLAG,
  FUNCTION,
  NAME,
  objectWith,
  requireOptions,
  type Kinds,
} from '../../core/model/arguments.ts';
import { DURATION, durationMs, type Duration } from '../../core/model/duration.ts';
import { UsageError } from '../../core/model/errors.ts';
import type { SyncReport } from '../../core/model/sync-report.ts';
import type { DeviceState } from '../../core/ports/device-state.ts';
import { BACKEND, RUNTIME } from '../../core/ports/kinds.ts';
import type { PlatformScheduler } from '../../core/ports/platform-scheduler.ts';
import type { Runtime } from '../../core/ports/runtime.ts';
import type { StoreBackend } from '../../core/store/store-backend.ts';
import { ExitDrain, type Drainable } from './exit-drain.ts';
import { ForeignCommits } from './foreign-commits.ts';
import { NodeDeviceState, nodeSources } from './node-device-state.ts';
import { DEVICE_STATE, PATH, SYSTEM_INFORMATION } from './option-kinds.ts';
import type { SystemInformationLike } from './power.ts';
import { TimerScheduler } from '../../core/background/timer-scheduler.ts';
import { uptimeMs } from './uptime.ts';

export interface NodeSyncServiceOptions extends Omit<BackgroundSyncServiceOptions, 'scheduler'> {
  /** Needed for a service without a backend only. @defaultValue the backend's */
  readonly runtime?: Runtime;
  /** @defaultValue `nodeScheduler`, over timers of this process */
  readonly scheduler?: PlatformScheduler;
  /** @defaultValue `nodeDeviceState` of this machine */
  readonly deviceState?: DeviceState;
  /**
   * The database file. With it, what other processes write is noticed and sent at once; without it,
   * within a second.
   *
   * @defaultValue none
   */
  readonly path?: string;
  /** The package `systeminformation`, for power and battery on macOS and Windows. @defaultValue none */
  readonly systemInformation?: SystemInformationLike;
  /**
   * Send what waits before the process ends: on SIGTERM, on SIGINT, and when there is nothing left to do.
   * A signal that the app handles too ends the process as the app decides.
   *
   * @defaultValue `true`
   */
  readonly drainOnExit?: boolean;
  /**
   * The longest the end of the process is held back for that.
   *
   * @defaultValue `'5s'`
   */
  readonly grace?: Duration;
}

const OPTIONS: Kinds<NodeSyncServiceOptions> = {
  backend: BACKEND,
  runtime: RUNTIME,
  id: NAME,
  scheduler: objectWith('a scheduler', 'schedule', 'cancel', 'pending'),
  deviceState: DEVICE_STATE,
  path: PATH,
  systemInformation: SYSTEM_INFORMATION,
  drainOnExit: FLAG,
  grace: DURATION,
  onPendingCount: FUNCTION,
  platformRuns: FUNCTION,
};

/** @throws UsageError `usage/invalid-argument`, naming the option */
export function requireNodeOptions(options: Partial<NodeSyncServiceOptions>): void {
  requireOptions('background sync in Node', options, OPTIONS);
}

/** A run that is told to stop has put everything back by then. */
const CUT_OFF_MS = 200;

/** One for all services of the process, so that a signal is answered once. */
let exitDrain: ExitDrain | undefined;

/**
 * Background sync in a Node process or the main process of Electron: runs from timers while the process
 * lives, notices what other processes write to the same database, and sends what waits before the
 * process ends. Several processes on one file share the work; what one has claimed no other sends.
 */
export class NodeSyncService extends BackgroundSyncService {
  readonly #runtime: Runtime;
  readonly #backend: StoreBackend | undefined;
  readonly #device: DeviceState;
  readonly #ownScheduler: TimerScheduler | undefined;
  readonly #foreign: ForeignCommits | undefined;
  readonly #graceMs: number;
  readonly #drainsOnExit: boolean;
  readonly #ends: (() => void)[] = [];
  #isStarted = false;
  /** Something was written since the last drain, or was there before. */
  #hasNews = true;

  /** @throws UsageError `usage/invalid-argument`, naming the option */
  constructor(options: NodeSyncServiceOptions) {
    requireNodeOptions(options);
    const { backend, path, drainOnExit = true, systemInformation } = options;
    const runtime = options.runtime ?? backend?.runtime;
    if (runtime === undefined)
      throw new UsageError(
        'usage/invalid-argument',
        'NodeSyncService needs a backend or a runtime',
      );
    const graceMs = durationMs(options.grace ?? '5s', 'grace');
    const deviceOptions = {
      ...(path === undefined ? {} : { path }),
      ...(systemInformation === undefined ? {} : { systemInformation }),
    };
    const deviceState =
      options.deviceState ?? new NodeDeviceState(runtime, nodeSources(runtime, deviceOptions));
    const ownScheduler =
      options.scheduler === undefined
        ? new TimerScheduler(runtime, { deviceState, uptimeMs })
        : undefined;
    const scheduler = options.scheduler ?? (ownScheduler as TimerScheduler);
    super(runtime, { ...options, scheduler, deviceState });
    this.#runtime = runtime;
    this.#backend = backend;
    this.#device = deviceState;
    this.#ownScheduler = ownScheduler;
    this.#graceMs = graceMs;
    this.#drainsOnExit = drainOnExit;
    this.#foreign =
      backend === undefined
        ? undefined
        : new ForeignCommits(runtime, backend, path === undefined ? {} : { path });
  }

  override async initialize(
    config: BackgroundSyncConfig | BackgroundSyncConfigOptions = {},
  ): Promise<ScheduleOutcome> {
    const outcome = await super.initialize(config);
    if (!this.#isStarted) {
      this.#isStarted = true;
      await this.#start();
    }
    return outcome;
  }

  /**
   * Sends what waits now, and stops when the grace is over; for an app that ends its process in its own
   * way. Null if nothing waits that may be sent in that time.
   */
  async drain(options: { readonly grace?: Duration } = {}): Promise<SyncReport | null> {
    const graceMs = durationMs(options.grace ?? this.#graceMs, 'grace');
    this.#hasNews = false;
    const backend = this.#backend;
    if (backend === undefined) return null;
    const controller = new AbortController();
    let cancel: () => void = () => {};
    const isOver = new Promise<null>((resolve) => {
      // By a signal and not by a deadline: nobody cuts this off, so every moment may be used.
      cancel = this.#runtime.timers.after(graceMs, () => {
        controller.abort();
        // A run that was under way before has no ear for that.
        cancel = this.#runtime.timers.after(CUT_OFF_MS, () => resolve(null));
      });
    });
    try {
      return await this.#drainUntil(backend, controller.signal, isOver);
    } finally {
      cancel();
    }
  }

  async #drainUntil(
    backend: StoreBackend,
    signal: AbortSignal,
    isOver: Promise<null>,
  ): Promise<SyncReport | null> {
    let report: SyncReport | null = null;
    while (!signal.aborted && (await this.#hasWork(backend))) {
      const next = await Promise.race([backend.sync({ signal, reason: 'exit' }), isOver]);
      if (next === null) break;
      report = report === null ? next : { ...next, pushed: report.pushed + next.pushed };
      // What came while that run was ending is for another one.
      if (next.stoppedBy !== 'drained' || next.pushed === 0) break;
    }
    return report;
  }

  /** A run is under way, or something may be sent now. */
  async #hasWork(backend: StoreBackend): Promise<boolean> {
    const { nextAttemptAt } = await backend.queueFacts();
    if (backend.status.current.phase === 'pushing') return true;
    return nextAttemptAt !== null && nextAttemptAt <= this.#runtime.clock.now();
  }

  /** Stops timers and listening. What waits stays in the queue. */
  override async dispose(): Promise<void> {
    for (const end of this.#ends.splice(0)) end();
    this.#foreign?.stop();
    this.#ownScheduler?.dispose();
    await super.dispose();
  }

  async #start(): Promise<void> {
    const backend = this.#backend;
    if (backend === undefined) return;
    this.#ends.push(
      backend.on(({ type }) => {
        if (type === 'entry-enqueued') this.#hasNews = true;
      }),
      this.#device.onChange(() => void this.#onDeviceChange(backend)),
    );
    if (this.#drainsOnExit && this.config?.enabled !== false) {
      exitDrain ??= new ExitDrain(process);
      this.#ends.push(exitDrain.add(this.#drainable(backend)));
    }
    await this.#foreign?.start();
  }

  /** The network may be back: what failed for want of one is tried without its delay. */
  async #onDeviceChange(backend: StoreBackend): Promise<void> {
    if (backend.status.current.blockedBy?.reason !== 'offline') return;
    const { isConnected } = await this.#device.read();
    if (isConnected !== false) backend.wake();
  }

  #drainable(backend: StoreBackend): Drainable {
    const quietly = async (what: string, work: () => Promise<unknown>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        this.#runtime.logger.log('error', `${what} before the exit failed`, {
          error: String(error),
        });
      }
    };
    const hasNews = (): boolean => this.#hasNews && backend.pendingChangesCount.current > 0;
    return {
      drain: (graceMs) => quietly('sending', () => this.drain({ grace: graceMs })),
      close: () =>
        quietly('closing', async () => {
          await this.dispose();
          await backend.close();
        }),
      get hasNews() {
        return hasNews();
      },
      graceMs: this.#graceMs,
    };
  }
}
