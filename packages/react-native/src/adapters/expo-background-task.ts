/**
 * Background sync over `expo-background-task`, for apps that have it already: one periodic hint. What it
 * cannot do is declared as weakened, and checked in JavaScript when a run begins.
 *
 * @module
 */
import {
  createStandardRuntime,
  type BackgroundSyncProvider,
  type PendingRequest,
  type PlatformScheduler,
  type Runtime,
  type ScheduleRequest,
  type ScheduleResult,
  type SchedulerCapabilities,
  type WakeUp,
} from 'nexus-store';
import type { NativeVerdict, Subscription } from '../native-module.ts';
import type { PhoneSenses } from '../phone-device-state.ts';
import { requestRefusal } from '../request-refusal.ts';
import { RunInbox } from '../run-inbox.ts';
import { adapterProvider } from './adapter-provider.ts';
import { readKnown, Weakened, wholeMinutes, type Known } from './weakened.ts';

/** `expo-background-task`, by shape. */
export interface ExpoBackgroundTask {
  registerTaskAsync(name: string, options?: { readonly minimumInterval?: number }): Promise<void>;
  unregisterTaskAsync(name: string): Promise<void>;
  /** 1 restricted, 2 available. */
  getStatusAsync(): Promise<number | null>;
  addExpirationListener(listener: () => void): Subscription;
}

/** `expo-task-manager`, by shape. */
export interface ExpoTaskManager {
  defineTask(name: string, executor: (body: { readonly data: unknown }) => Promise<unknown>): void;
  isTaskRegisteredAsync(name: string): Promise<boolean>;
  getTaskOptionsAsync<Options>(name: string): Promise<Options>;
}

export interface ExpoBackgroundTaskOptions extends PhoneSenses {
  /** `import * as BackgroundTask from 'expo-background-task'` */
  readonly backgroundTask: ExpoBackgroundTask;
  /** `import * as TaskManager from 'expo-task-manager'` */
  readonly taskManager: ExpoTaskManager;
  /** @defaultValue the platform's own */
  readonly runtime?: Runtime;
}

const TASK = 'nexus-store.expo-background-task';
/** BackgroundTaskResult of `expo-background-task`. */
const RESULT = { success: 1, failed: 2 } as const;
const RESTRICTED = 1;
const MIN_INTERVAL_MS = 900_000;
const MINUTE_MS = 60_000;
/** Neither system tells: Android gives ten minutes, iOS some. The package itself has no limit. */
const WINDOW_MS = 180_000;

/** What is registered: `requests` is ours, and comes back with the options. */
interface TaskOptions {
  readonly minimumInterval: number;
  readonly requests?: string;
}

const CAPABILITIES: SchedulerCapabilities = {
  kinds: ['periodic'],
  // The package asks for a connection always.
  constraints: ['networkType'],
  networkTypes: ['connected'],
  minIntervalMs: MIN_INTERVAL_MS,
  maxRunMs: WINDOW_MS,
  expedited: false,
  idsShareOneWorker: true,
  resultHonoured: false,
  survivesKill: true,
};

/**
 * The port over `expo-background-task`. One registration for all requests, with the smallest interval.
 * Call it at module scope of the entry file: it defines the task.
 */
export function expoBackgroundTaskScheduler(options: ExpoBackgroundTaskOptions): PlatformScheduler {
  return new ExpoScheduler(options, options.runtime ?? createStandardRuntime());
}

/** The provider for `defineBackgroundSync`: `providers: [expoBackgroundTask({ backgroundTask, taskManager })]`. */
export function expoBackgroundTask(options: ExpoBackgroundTaskOptions): BackgroundSyncProvider {
  return adapterProvider('expo-background-task', expoBackgroundTaskScheduler(options), options);
}

class ExpoScheduler implements PlatformScheduler {
  readonly capabilities: SchedulerCapabilities = CAPABILITIES;
  readonly #task: ExpoBackgroundTask;
  readonly #manager: ExpoTaskManager;
  readonly #runtime: Runtime;
  readonly #inbox: RunInbox;
  readonly #running = new Set<string>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: ExpoBackgroundTaskOptions, runtime: Runtime) {
    this.#task = options.backgroundTask;
    this.#manager = options.taskManager;
    this.#runtime = runtime;
    this.#inbox = new RunInbox(runtime);
    this.#manager.defineTask(TASK, () => this.#run());
    this.#task.addExpirationListener(() => {
      for (const runId of this.#running) this.#inbox.stop({ runId, reason: 'expired' });
    });
  }

  onWakeUp(handler: (wakeUp: WakeUp) => void): void {
    this.#inbox.bind(handler);
  }

  schedule(request: ScheduleRequest): Promise<ScheduleResult> {
    return this.#inTurn(() => this.#schedule(request));
  }

  cancel(id: string): Promise<boolean> {
    return this.#inTurn(async () => {
      const known = await this.#known();
      if (!Object.hasOwn(known, id)) return false;
      const { [id]: _gone, ...rest } = known;
      await this.#register(rest);
      for (const runId of this.#running) this.#inbox.stop({ runId, reason: 'cancelled' });
      return true;
    });
  }

  async pending(): Promise<readonly PendingRequest[]> {
    const state = this.#running.size > 0 ? 'running' : 'waiting';
    return Object.keys(await this.#known()).map((id) => ({ id, state }));
  }

  async #schedule(request: ScheduleRequest): Promise<ScheduleResult> {
    const message = requestRefusal(request);
    if (message !== undefined) return { ok: false, code: 'schedule/invalid', message };
    if (request.kind === 'once')
      return {
        ok: false,
        code: 'schedule/unsupported',
        message: 'expo-background-task knows periodic runs only',
      };
    if ((await this.#task.getStatusAsync()) === RESTRICTED)
      return {
        ok: false,
        code: 'schedule/unavailable',
        message: 'background tasks are restricted: Expo Go, a simulator, or the settings',
      };
    const known = await this.#known();
    const isKnown = Object.hasOwn(known, request.id);
    if (isKnown && request.existing === 'keep') return { ok: true, effect: 'kept', weakened: [] };
    const weakened = this.#weakened(request);
    try {
      await this.#register({ ...known, [request.id]: request });
    } catch (error) {
      return { ok: false, code: 'schedule/host', message: String(error) };
    }
    if (!isKnown) return { ok: true, effect: 'added', weakened };
    if (request.existing === 'replace') return { ok: true, effect: 'replaced', weakened };
    const effect = this.#running.size > 0 ? 'updated-next-run' : 'updated-now';
    return { ok: true, effect, weakened };
  }

  #weakened(request: ScheduleRequest): Weakened['fields'] {
    const weakened = new Weakened();
    const { intervalMs = MIN_INTERVAL_MS } = request;
    weakened.give('intervalMs', intervalMs, wholeMinutes(intervalMs, MIN_INTERVAL_MS) * MINUTE_MS);
    weakened.ignore('flexMs', request.flexMs);
    const { networkType, ...others } = request.constraints ?? {};
    weakened.give('constraints.networkType', networkType ?? 'not-required', 'connected');
    weakened.constraints(others, []);
    weakened.ignore('backoff', request.backoff);
    return weakened.fields;
  }

  /** One registration for all. Registering again what is the same would begin its interval anew. */
  async #register(requests: Known): Promise<void> {
    const intervals = Object.values(requests).map(({ intervalMs = MIN_INTERVAL_MS }) => intervalMs);
    const isRegistered = await this.#manager.isTaskRegisteredAsync(TASK);
    if (intervals.length === 0) {
      if (isRegistered) await this.#task.unregisterTaskAsync(TASK);
      return;
    }
    const minimumInterval = wholeMinutes(Math.min(...intervals), MIN_INTERVAL_MS);
    const options: TaskOptions = { minimumInterval, requests: JSON.stringify(requests) };
    if (isRegistered) {
      const before = await this.#manager.getTaskOptionsAsync<TaskOptions | null>(TASK);
      const isSame = before?.minimumInterval === minimumInterval;
      if (isSame && sameIds(readKnown(before?.requests), requests)) return;
      // The package leaves a task that is registered as it is.
      await this.#task.unregisterTaskAsync(TASK);
    }
    await this.#task.registerTaskAsync(TASK, options);
  }

  async #known(): Promise<Known> {
    if (!(await this.#manager.isTaskRegisteredAsync(TASK))) return {};
    const options = await this.#manager.getTaskOptionsAsync<TaskOptions | null>(TASK);
    return readKnown(options?.requests);
  }

  async #run(): Promise<number> {
    const runId = this.#runtime.ids.uuid();
    const [id = 'nexus-store.sync'] = Object.keys(await this.#known().catch(() => ({})));
    this.#running.add(runId);
    const verdict: NativeVerdict = await this.#inbox.execute({
      data: {
        ...{ id, runId, attempt: 1, reason: 'scheduled', appState: 'background' },
        deadline: this.#runtime.clock.now() + WINDOW_MS,
      },
    });
    this.#running.delete(runId);
    // The package takes no notice; a later one may.
    return verdict.result === 'success' ? RESULT.success : RESULT.failed;
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const next = this.#turn.then(step);
    this.#turn = next.catch(() => {});
    return next;
  }
}

function sameIds(left: Known, right: Known): boolean {
  return Object.keys(left).sort().join() === Object.keys(right).sort().join();
}
