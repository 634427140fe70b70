import { abortWith } from '../../core/background/abort-with.ts';
import type { DeviceState } from '../../core/ports/device-state.ts';
import type { PlatformScheduler, StopReason, WakeUp } from '../../core/ports/platform-scheduler.ts';
import type { VirtualProcess, VirtualRuntime } from '../virtual-runtime.ts';
import type { Alarm } from '../virtual-time.ts';
import type { DeviceModel, HostRun, ModelHost, RunRecord } from './device-model.ts';

/** What a fresh process of the app finds. All of it dies with the process. */
export interface AppContext {
  /** The clock, timers and chance of this process. */
  readonly runtime: VirtualProcess;
  readonly scheduler: PlatformScheduler;
  readonly state: DeviceState;
  /** `user`: the app was opened. `system`: it was started for a wake-up, without a screen. */
  readonly startedBy: 'user' | 'system';
}

/** What the entry file of the app does in every fresh JavaScript context. */
export type StartApp = (app: AppContext) => void | Promise<void>;

/** Runs an app's JavaScript on a device: one process at a time, with its inbox, timers and listeners. */
export class SimulatedApp implements ModelHost {
  readonly #runtime: VirtualRuntime;
  readonly #start: StartApp | undefined;
  readonly #graceMs: number;
  readonly #aborts = new Map<HostRun, AbortController>();
  readonly runs: RunRecord[] = [];
  #model: DeviceModel | undefined;
  #process: AppProcess | undefined;
  #suspendAlarm: Alarm | undefined;
  #lastFacts = '';
  #errors: unknown[] = [];

  /** @param graceMs how long a process that left the screen, and has no run, goes on before it is frozen */
  constructor(runtime: VirtualRuntime, start: StartApp | undefined, graceMs: number) {
    this.#runtime = runtime;
    this.#start = start;
    this.#graceMs = graceMs;
  }

  /** The model and its host need each other; the host comes first. */
  attach(model: DeviceModel): void {
    this.#model = model;
  }

  /** @throws TypeError if the app has no process: nobody could have called this */
  get process(): AppProcess {
    if (!this.#process) throw new TypeError('the app has no process: launch it first');
    return this.#process;
  }

  /** Throws what went wrong in the app since the last call. */
  throwErrors(): void {
    const [first, ...others] = this.#errors;
    this.#errors = [];
    if (others.length > 0)
      throw new AggregateError([first, ...others], 'the app failed repeatedly');
    if (first !== undefined) throw first;
  }

  processStarted(by: 'user' | 'system'): void {
    const model = this.#model as DeviceModel;
    this.#process = new AppProcess(model, this.#runtime.createProcess(), by, this.#fail);
    if (!this.#start) return;
    const process = this.#process;
    // A failure of a process that was killed meanwhile is nobody's.
    const fail = (error: unknown): void => {
      if (process.runtime.isAlive) this.#fail(error);
    };
    guarded(() => this.#start?.(process), fail);
  }

  processEnded(): void {
    this.#process?.end();
    this.#process = undefined;
    this.#aborts.clear();
    this.#cancelSuspend();
  }

  runBegan(run: HostRun): void {
    const abort = new AbortController();
    this.#aborts.set(run, abort);
    this.#updateSuspension(); // the system thaws the process before it calls it
    this.process.deliver(run, abort.signal);
  }

  runStopped(run: HostRun, reason: StopReason): void {
    const abort = this.#aborts.get(run);
    if (abort !== undefined) guarded(() => abortWith(abort, reason), this.#fail);
  }

  runEnded(record: RunRecord): void {
    this.runs.push(record);
    for (const run of this.#aborts.keys()) if (run.runId === record.runId) this.#aborts.delete(run);
  }

  deviceChanged(): void {
    this.#updateSuspension();
    if (!this.#process?.hasListeners) return;
    const facts = JSON.stringify((this.#model as DeviceModel).facts());
    if (facts === this.#lastFacts) return;
    this.#lastFacts = facts;
    this.#process.notify();
  }

  readonly #fail = (error: unknown): void => {
    this.#errors.push(error);
  };

  #updateSuspension(): void {
    const process = this.#process;
    if (!process) return;
    if (this.#model?.process === 'foreground' || this.#aborts.size > 0) {
      this.#cancelSuspend();
      process.runtime.resume();
      return;
    }
    this.#suspendAlarm ??= this.#runtime.time.schedule(this.#graceMs, () =>
      process.runtime.suspend(),
    );
  }

  #cancelSuspend(): void {
    if (this.#suspendAlarm) this.#runtime.time.cancel(this.#suspendAlarm);
    this.#suspendAlarm = undefined;
  }
}

/** One life of the app: an inbox, a scheduler, the device's state. */
export class AppProcess implements AppContext {
  readonly runtime: VirtualProcess;
  readonly startedBy: 'user' | 'system';
  readonly scheduler: PlatformScheduler;
  readonly state: DeviceState;
  readonly #fail: (error: unknown) => void;
  readonly #listeners = new Set<() => void>();
  #handler: ((wakeUp: WakeUp) => void) | undefined;
  #held: WakeUp[] = [];

  constructor(
    model: DeviceModel,
    runtime: VirtualProcess,
    startedBy: 'user' | 'system',
    fail: (error: unknown) => void,
  ) {
    this.runtime = runtime;
    this.startedBy = startedBy;
    this.#fail = fail;
    // What a dead process still asks for is not done and not answered.
    const ask = async <T>(answer: () => T): Promise<T> =>
      runtime.isAlive ? answer() : new Promise<T>(() => {});
    this.scheduler = {
      capabilities: model.capabilities,
      onWakeUp: (handler) => this.#bind(handler),
      schedule: (request) => ask(() => model.schedule(request)),
      cancel: (id) => ask(() => model.cancel(id)),
      pending: () => ask(() => model.pending()),
    };
    this.state = {
      read: () => ask(() => model.facts()),
      onChange: (listener) => {
        const own = (): void => listener();
        this.#listeners.add(own);
        return () => this.#listeners.delete(own);
      },
    };
  }

  get hasListeners(): boolean {
    return this.#listeners.size > 0;
  }

  notify(): void {
    for (const listener of [...this.#listeners]) guarded(listener, this.#fail);
  }

  deliver(run: HostRun, signal: AbortSignal): void {
    const { id, runId, attempt, reason, appState, deadline } = run;
    const complete: WakeUp['complete'] = (result) => run.finish(result);
    const wakeUp: WakeUp = { id, runId, attempt, reason, appState, deadline, signal, complete };
    if (this.#handler) this.#call(this.#handler, wakeUp);
    else this.#held.push(wakeUp);
  }

  end(): void {
    this.runtime.kill();
    this.#listeners.clear();
    this.#held = [];
  }

  #bind(handler: (wakeUp: WakeUp) => void): void {
    if (this.#handler) throw new TypeError('onWakeUp was called before in this process');
    this.#handler = handler;
    const held = this.#held;
    this.#held = [];
    for (const wakeUp of held) this.#call(handler, wakeUp);
  }

  /** An uncaught throw is a failure: WorkerWrapper, "uncaught throw → FAILED". */
  #call(handler: (wakeUp: WakeUp) => void, wakeUp: WakeUp): void {
    guarded(
      () => handler(wakeUp),
      (error) => {
        this.#fail(error);
        wakeUp.complete('failure');
      },
    );
  }
}

/** Calls what belongs to the app; what it throws, at once or later, goes to `fail`. */
function guarded(call: () => unknown, fail: (error: unknown) => void): void {
  try {
    const result = call();
    if (result instanceof Promise) result.catch(fail);
  } catch (error) {
    fail(error);
  }
}
