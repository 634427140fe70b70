/**
 * Background sync over `react-native-background-fetch`, for apps that have it already.
 *
 * @module
 */
import {
  createStandardRuntime,
  type BackgroundSyncProvider,
  type Constraints,
  type NetworkType,
  type PendingRequest,
  type PlatformScheduler,
  type RunResult,
  type Runtime,
  type ScheduleRequest,
  type ScheduleResult,
  type SchedulerCapabilities,
  type WakeUp,
} from 'nexus-store';
import type { PhoneSenses } from '../phone-device-state.ts';
import { requestRefusal } from '../request-refusal.ts';
import { RunInbox } from '../run-inbox.ts';
import { adapterProvider } from './adapter-provider.ts';
import { readKnown, Weakened, type Known } from './weakened.ts';

/** 0 none, 1 any, 2 unmetered, 3 not roaming, 4 cellular. */
type FetchNetworkType = 0 | 1 | 2 | 3 | 4;

interface FetchConstraints {
  readonly requiredNetworkType?: FetchNetworkType;
  readonly requiresBatteryNotLow?: boolean;
  readonly requiresStorageNotLow?: boolean;
  readonly requiresCharging?: boolean;
  readonly requiresDeviceIdle?: boolean;
  readonly stopOnTerminate?: boolean;
  readonly startOnBoot?: boolean;
  readonly enableHeadless?: boolean;
}

/** The default export of `react-native-background-fetch`, by shape. */
export interface BackgroundFetchLike {
  configure(
    config: FetchConstraints & { readonly minimumFetchInterval?: number },
    onEvent: (taskId: string) => void,
    onTimeout?: (taskId: string) => void,
  ): Promise<number>;
  scheduleTask(
    config: FetchConstraints & {
      readonly taskId: string;
      readonly delay: number;
      readonly periodic?: boolean;
      readonly requiresNetworkConnectivity?: boolean;
    },
  ): Promise<boolean>;
  stop(taskId?: string): Promise<boolean>;
  finish(taskId: string): void;
  registerHeadlessTask(
    task: (event: { readonly taskId: string; readonly timeout: boolean }) => Promise<void>,
  ): void;
}

/** A place for one text beyond the process, such as AsyncStorage. */
export interface TextStore {
  getItem(key: string): Promise<string | null>;
  setItem(key: string, text: string): Promise<void>;
}

export interface BackgroundFetchOptions extends PhoneSenses {
  readonly backgroundFetch: BackgroundFetchLike;
  /** `Platform.OS` */
  readonly platform: 'android' | 'ios';
  /**
   * Where requests are remembered: the package cannot list them. Without it they end with the process, and
   * the next one asks anew.
   *
   * @defaultValue none
   */
  readonly memory?: TextStore;
  /**
   * The package wants its task ids on iOS to begin with this, and in Info.plist.
   *
   * @defaultValue `'com.transistorsoft.'`
   */
  readonly taskPrefix?: string;
  /** @defaultValue the platform's own */
  readonly runtime?: Runtime;
}

const MIN_INTERVAL_MS = 900_000;
/** Headless; and about what iOS gives. The package itself waits 60 s. */
const WINDOW_MS = 30_000;
const MEMORY_KEY = 'nexus-store.background-fetch';

const ANDROID: readonly (keyof Constraints)[] = [
  'networkType',
  'requiresCharging',
  'requiresBatteryNotLow',
  'requiresStorageNotLow',
  'requiresDeviceIdle',
];
const IOS: readonly (keyof Constraints)[] = ['networkType', 'requiresCharging'];

const NETWORK: Readonly<Record<NetworkType, FetchNetworkType>> = {
  'not-required': 0,
  connected: 1,
  unmetered: 2,
  'not-roaming': 3,
  metered: 4,
};

/**
 * The port over `react-native-background-fetch`. Call it at module scope of the entry file: it takes the
 * package's events, and its headless task on Android.
 */
export function backgroundFetchScheduler(options: BackgroundFetchOptions): PlatformScheduler {
  return new FetchScheduler(options, options.runtime ?? createStandardRuntime());
}

/** The provider for `defineBackgroundSync`: `providers: [backgroundFetch({ backgroundFetch: BackgroundFetch, platform: Platform.OS })]`. */
export function backgroundFetch(options: BackgroundFetchOptions): BackgroundSyncProvider {
  const scheduler = backgroundFetchScheduler(options);
  return adapterProvider('react-native-background-fetch', scheduler, options);
}

/** A request, and how often it was begun without an end. */
type CountedRequest = ScheduleRequest & { readonly attempts?: number };

const DEFAULT_BACKOFF: NonNullable<ScheduleRequest['backoff']> = {
  policy: 'exponential',
  initialMs: 30_000,
};
const MOST_BACKOFF_MS = 18_000_000;

/** As WorkManager counts it: base × n, or base × 2^(n−1), at most five hours. */
function backoffMs(backoff: ScheduleRequest['backoff'], attempt: number): number {
  const { policy, initialMs } = backoff ?? DEFAULT_BACKOFF;
  const waitMs = policy === 'linear' ? initialMs * attempt : initialMs * 2 ** (attempt - 1);
  return Math.min(waitMs, MOST_BACKOFF_MS);
}

/** A task that runs, and what was asked of its id meanwhile. */
interface Run {
  readonly runId: string;
  readonly attempt: number;
  again: ScheduleRequest | undefined;
  isCancelled: boolean;
}

class FetchScheduler implements PlatformScheduler {
  readonly capabilities: SchedulerCapabilities;
  readonly #fetch: BackgroundFetchLike;
  readonly #options: BackgroundFetchOptions;
  readonly #runtime: Runtime;
  readonly #prefix: string;
  readonly #inbox: RunInbox;
  readonly #runs = new Map<string, Run>();
  #known: Record<string, CountedRequest> = {};
  #turn: Promise<unknown>;

  constructor(options: BackgroundFetchOptions, runtime: Runtime) {
    this.#options = options;
    this.#fetch = options.backgroundFetch;
    this.#runtime = runtime;
    this.#prefix = options.taskPrefix ?? 'com.transistorsoft.';
    this.#inbox = new RunInbox(runtime);
    const isAndroid = options.platform === 'android';
    this.capabilities = {
      kinds: ['once', 'periodic'],
      constraints: isAndroid ? ANDROID : IOS,
      networkTypes: isAndroid
        ? ['not-required', 'connected', 'unmetered', 'not-roaming', 'metered']
        : ['not-required', 'connected'],
      minIntervalMs: MIN_INTERVAL_MS,
      maxRunMs: WINDOW_MS,
      expedited: false,
      idsShareOneWorker: false,
      // The package ignores results; a retry is asked of it here.
      resultHonoured: true,
      survivesKill: options.memory !== undefined,
    };
    this.#turn = this.#start();
  }

  onWakeUp(handler: (wakeUp: WakeUp) => void): void {
    this.#inbox.bind(handler);
  }

  schedule(request: ScheduleRequest): Promise<ScheduleResult> {
    return this.#inTurn(() => this.#schedule(request));
  }

  cancel(id: string): Promise<boolean> {
    return this.#inTurn(async () => {
      if (!Object.hasOwn(this.#known, id)) return false;
      this.#endRun(id);
      await this.#forget(id);
      await this.#fetch.stop(this.#prefix + id);
      return true;
    });
  }

  pending(): Promise<readonly PendingRequest[]> {
    return this.#inTurn(async () =>
      Object.keys(this.#known).map((id) => ({
        id,
        state: this.#runs.has(id) ? 'running' : 'waiting',
      })),
    );
  }

  async #start(): Promise<void> {
    const onTimeout = (taskId: string): void => this.#stop(taskId);
    this.#fetch.registerHeadlessTask(async ({ taskId, timeout }) => {
      if (timeout) onTimeout(taskId);
      else await this.#run(taskId);
    });
    await this.#options.memory
      ?.getItem(MEMORY_KEY)
      .then((text) => Object.assign(this.#known, readKnown(text) as Known));
    await this.#fetch.configure(this.#common(), (taskId) => void this.#run(taskId), onTimeout);
  }

  async #schedule(request: ScheduleRequest): Promise<ScheduleResult> {
    const message = requestRefusal(request);
    if (message !== undefined) return { ok: false, code: 'schedule/invalid', message };
    const known = this.#known[request.id];
    const policy = request.existing ?? 'update';
    if (known !== undefined && policy === 'keep') return { ok: true, effect: 'kept', weakened: [] };
    if (known !== undefined && policy === 'update' && known.kind !== request.kind)
      return { ok: false, code: 'schedule/invalid', message: 'an update keeps the kind' };
    const weakened = new Weakened();
    const config = this.#config(request, weakened);
    const run = this.#runs.get(request.id);
    if (run !== undefined && policy === 'update') {
      // Asked for at once, the package would end the run.
      run.again = request;
      await this.#remember(request);
      return { ok: true, effect: 'updated-next-run', weakened: weakened.fields };
    }
    this.#endRun(request.id);
    if (!(await this.#fetch.scheduleTask(config)))
      return { ok: false, code: 'schedule/host', message: 'the task was not scheduled' };
    await this.#remember(request);
    const changed = policy === 'replace' ? 'replaced' : 'updated-now';
    const effect = known === undefined ? 'added' : changed;
    return { ok: true, effect, weakened: weakened.fields };
  }

  #config(
    request: ScheduleRequest,
    weakened = new Weakened(),
  ): Parameters<BackgroundFetchLike['scheduleTask']>[0] {
    const isPeriodic = request.kind === 'periodic';
    const { intervalMs = 0, earliestBeginAt } = request;
    const now = this.#runtime.clock.now();
    const keptMs = isPeriodic
      ? weakened.give('intervalMs', intervalMs, Math.max(intervalMs, MIN_INTERVAL_MS))
      : 0;
    weakened.ignore('flexMs', request.flexMs);
    weakened.ignore('expedited', request.expedited);
    const { networkType = 'not-required', ...others } = this.#constraints(request, weakened);
    return {
      ...this.#common(),
      ...others,
      taskId: this.#prefix + request.id,
      delay: isPeriodic ? keptMs : Math.max(0, (earliestBeginAt ?? now) - now),
      periodic: isPeriodic,
      requiredNetworkType: NETWORK[networkType],
      requiresNetworkConnectivity: networkType !== 'not-required',
    };
  }

  #constraints(request: ScheduleRequest, weakened: Weakened): Constraints {
    const given = weakened.constraints(request.constraints, this.capabilities.constraints);
    const { networkType } = given;
    if (networkType === undefined || this.capabilities.networkTypes.includes(networkType))
      return given;
    const got = weakened.give<NetworkType>('constraints.networkType', networkType, 'connected');
    return { ...given, networkType: got };
  }

  #common(): FetchConstraints {
    const isKept = this.#options.memory !== undefined;
    return { stopOnTerminate: !isKept, startOnBoot: isKept, enableHeadless: isKept };
  }

  async #run(taskId: string): Promise<void> {
    await this.#turn.catch(() => {});
    const id = taskId.startsWith(this.#prefix) ? taskId.slice(this.#prefix.length) : taskId;
    const request = this.#known[id];
    // The package's own event, or one that was cancelled: nothing was asked.
    if (request === undefined || this.#runs.has(id)) return this.#fetch.finish(taskId);
    const { attempts = 0 } = request;
    const attempt = attempts + 1;
    const runId = this.#runtime.ids.uuid();
    const run: Run = { runId, attempt, again: undefined, isCancelled: false };
    this.#runs.set(id, run);
    const deadline = this.#runtime.clock.now() + WINDOW_MS;
    const verdict = this.#inbox.execute({
      data: { id, runId, attempt, reason: 'scheduled', appState: 'background', deadline },
    });
    await this.#inTurn(async () => {
      if (!run.isCancelled) await this.#remember({ ...request, attempts: attempt });
    });
    const { result } = await verdict;
    if (!run.isCancelled) await this.#inTurn(() => this.#settle(id, run, result));
    this.#fetch.finish(taskId);
  }

  /**
   * The host ends a one-off with its run, whatever came of it: what was asked meanwhile follows, or the same
   * again after its backoff. Periodic requests come again by themselves.
   */
  async #settle(id: string, run: Run, result: RunResult): Promise<void> {
    if (this.#runs.get(id) === run) this.#runs.delete(id);
    const request = this.#known[id];
    if (request === undefined) return;
    if (run.again !== undefined) {
      await this.#fetch.scheduleTask(this.#config(run.again));
      await this.#remember(run.again);
    } else if (request.kind === 'periodic') await this.#remember({ ...request, attempts: 0 });
    else if (result === 'retry') {
      const waitMs = backoffMs(request.backoff, run.attempt);
      const earliestBeginAt = this.#runtime.clock.now() + waitMs;
      await this.#fetch.scheduleTask(this.#config({ ...request, earliestBeginAt }));
    } else await this.#forget(id);
  }

  /** The window of a run ends. */
  #stop(taskId: string): void {
    const run = this.#runs.get(taskId.slice(this.#prefix.length));
    if (run === undefined) this.#fetch.finish(taskId);
    else this.#inbox.stop({ runId: run.runId, reason: 'timeout' });
  }

  #endRun(id: string): void {
    const run = this.#runs.get(id);
    if (run === undefined) return;
    run.isCancelled = true;
    this.#runs.delete(id);
    this.#inbox.stop({ runId: run.runId, reason: 'cancelled' });
  }

  async #remember(request: CountedRequest): Promise<void> {
    this.#known = { ...this.#known, [request.id]: request };
    await this.#options.memory?.setItem(MEMORY_KEY, JSON.stringify(this.#known));
  }

  async #forget(id: string): Promise<void> {
    const { [id]: _gone, ...rest } = this.#known;
    this.#known = rest;
    await this.#options.memory?.setItem(MEMORY_KEY, JSON.stringify(rest));
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const next = this.#turn.then(step, step);
    this.#turn = next.catch(() => {});
    return next;
  }
}
