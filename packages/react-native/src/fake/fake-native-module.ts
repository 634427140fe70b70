import type { DeviceFacts, ScheduleRequest, ScheduleResult, StopReason, WakeUp } from 'nexus-store';
import type { AppContext } from 'nexus-store/testing';
import {
  TASK_NAME,
  type NativePending,
  type NativeRun,
  type NativeRunRecord,
  type NativeStop,
  type NativeSyncModule,
  type NativeVerdict,
  type Subscription,
} from '../native-module.ts';
import type { FakeTaskManager } from './fake-task-manager.ts';
import { hostResult } from './host-result.ts';

/** What native code keeps beyond the process. */
export interface NativeMemory {
  /** The task is registered with expo-task-manager. */
  isRegistered: boolean;
  log: NativeRunRecord[];
}

export interface FakeNativeOptions {
  readonly platform: 'android' | 'ios';
  readonly app: AppContext;
  readonly tasks: FakeTaskManager;
  readonly memory: NativeMemory;
  readonly forceRun: (id: string) => boolean;
  /** @defaultValue what the simulated system can */
  readonly supportsExpedited?: boolean;
}

/** RUN_LIMIT_MS and GRACE_MS of RunLife.kt. */
const RUN_LIMIT_MS = 540_000;
const GRACE_MS = 5_000;
const LOG_LIMIT = 100;

/**
 * The native module in one process of a simulated device: what the system does comes from the simulator,
 * what the module adds (the task, its own limit, verdicts, the log) is done here as Kotlin and Swift do it.
 */
export class FakeNativeModule implements NativeSyncModule {
  readonly platform: 'android' | 'ios';
  readonly supportsExpedited: boolean;
  readonly keptAwake: boolean[] = [];
  /** Verdicts as they came from JavaScript, one for each answer. */
  readonly verdicts: (string | null)[] = [];
  readonly #options: FakeNativeOptions;
  readonly #listeners = new Set<(stop: NativeStop) => void>();
  setKeepAwake?: (isWanted: boolean) => Promise<void>;

  constructor(options: FakeNativeOptions) {
    this.#options = options;
    this.platform = options.platform;
    this.supportsExpedited =
      options.supportsExpedited ?? options.app.scheduler.capabilities.expedited;
    if (this.platform === 'ios')
      this.setKeepAwake = async (isWanted) => void this.keptAwake.push(isWanted);
    options.app.scheduler.onWakeUp((wakeUp) => this.#run(wakeUp));
  }

  async schedule(request: ScheduleRequest): Promise<ScheduleResult> {
    const { app, memory } = this.#options;
    memory.isRegistered = true;
    const isPlain = this.platform === 'android' && !this.supportsExpedited && request.expedited;
    const { expedited, ...plain } = structuredClone(request);
    const answer = await app.scheduler.schedule(isPlain ? plain : structuredClone(request));
    if (!isPlain || !answer.ok) return structuredClone(answer);
    // RequestMapping.kt below Android 12: plain work, declared.
    const lost = { field: 'expedited', asked: expedited, got: false };
    return { ...answer, weakened: [...answer.weakened, lost] };
  }

  cancel(id: string): Promise<boolean> {
    return this.#options.app.scheduler.cancel(id);
  }

  async pending(): Promise<readonly NativePending[]> {
    const pending = await this.#options.app.scheduler.pending();
    return pending.map((request) => ({ nextAt: null, attempt: null, ...request }));
  }

  /** What the real modules do not tell is null here too. */
  async deviceFacts(): Promise<Partial<DeviceFacts>> {
    const facts = await this.#options.app.state.read();
    const untold =
      this.platform === 'ios' ? { isConnected: null, isMetered: null, isRoaming: null } : {};
    return { ...facts, ...untold, isDeviceIdle: null, isStorageLow: null };
  }

  async runLog(): Promise<readonly NativeRunRecord[]> {
    return structuredClone(this.#options.memory.log);
  }

  async forceRun(id: string): Promise<boolean> {
    return this.#options.forceRun(id);
  }

  addListener(event: 'onStop', listener: (stop: NativeStop) => void): Subscription;
  addListener(event: 'onDeviceChange', listener: () => void): Subscription;
  addListener(event: string, listener: (stop: NativeStop) => void): Subscription {
    if (event === 'onDeviceChange') {
      const changed = listener as () => void;
      return { remove: this.#options.app.state.onChange(changed) };
    }
    this.#listeners.add(listener);
    return { remove: () => this.#listeners.delete(listener) };
  }

  #run(wakeUp: WakeUp): void {
    const { app, memory, tasks } = this.#options;
    const { id, runId, attempt, appState } = wakeUp;
    this.#began({ runId, id, attempt });
    let stopReason: StopReason | null = null;
    let cancelTimer = (): void => {};
    let isEnded = false;
    const end = (verdict: string | null): void => {
      if (isEnded) return;
      isEnded = true;
      cancelTimer();
      const result = hostResult(verdict, attempt, false);
      this.#ended(runId, result, stopReason);
      wakeUp.complete(result);
    };
    const stop = (reason: StopReason): void => {
      stopReason ??= reason;
      for (const listener of [...this.#listeners]) listener({ runId, reason });
    };
    wakeUp.signal.addEventListener('abort', () => {
      cancelTimer();
      stop(wakeUp.signal.reason as StopReason);
    });
    let { deadline } = wakeUp;
    if (this.platform === 'android') {
      deadline = Math.min(deadline, app.runtime.clock.now() + RUN_LIMIT_MS);
      cancelTimer = app.runtime.timers.after(RUN_LIMIT_MS, () => {
        stop('timeout');
        cancelTimer = app.runtime.timers.after(GRACE_MS, () => end(null));
      });
    }
    if (!memory.isRegistered) return end(null);
    const reason = wakeUp.reason === 'forced' ? 'forced' : 'scheduled';
    const state = appState === 'unknown' ? 'headless' : appState;
    const run: NativeRun = { id, runId, attempt, reason, appState: state, deadline };
    void tasks.execute(TASK_NAME, run).then((answer) => {
      const verdict = (answer as NativeVerdict | null)?.result ?? null;
      this.verdicts.push(verdict);
      end(verdict);
    });
  }

  #began(run: Pick<NativeRunRecord, 'runId' | 'id' | 'attempt'>): void {
    const { app, memory } = this.#options;
    const beganAt = app.runtime.clock.now();
    memory.log.push({ ...run, beganAt, endedAt: null, result: null, stopReason: null });
    memory.log = memory.log.slice(-LOG_LIMIT);
  }

  #ended(runId: string, result: NativeRunRecord['result'], stopReason: StopReason | null): void {
    const { app, memory } = this.#options;
    if (!app.runtime.isAlive) return;
    const endedAt = app.runtime.clock.now();
    memory.log = memory.log.map((record) =>
      record.runId === runId && record.endedAt === null
        ? { ...record, endedAt, result, stopReason }
        : record,
    );
  }
}
