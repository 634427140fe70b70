import { assert } from '../../core/model/errors.ts';
import type { DeviceFacts } from '../../core/ports/device-state.ts';
import type {
  PendingRequest,
  RunResult,
  ScheduleRequest,
  SchedulerCapabilities,
  ScheduleResult,
  StopReason,
  WakeUp,
} from '../../core/ports/platform-scheduler.ts';
import type { Alarm, VirtualTime } from '../virtual-time.ts';
import { DEFAULT_CONDITIONS, isBatteryLow } from './conditions.ts';
import type { DeviceConditions } from './conditions.ts';

/** What the app's process is: not there, started by the system for work, or opened by the user. */
export type ProcessState = 'none' | 'headless' | 'background' | 'foreground';

/** One run of a request, from the system's side. */
export interface HostRun {
  readonly id: string;
  readonly runId: string;
  readonly attempt: number;
  readonly reason: WakeUp['reason'];
  readonly appState: WakeUp['appState'];
  /** True if no process of the app was there when the system began the run. */
  readonly isCold: boolean;
  readonly isExpedited: boolean;
  /** Epoch milliseconds, as are all instants here. */
  readonly startedAt: number;
  readonly deadline: number;
  /** The app reports its result. Only the first report of a run that still counts changes anything. */
  finish(result: RunResult): void;
}

/** How a run ended. */
export interface RunRecord extends Omit<HostRun, 'finish'> {
  readonly endedAt: number;
  /** What the system acted on; `lost` if the process died under the run. */
  readonly result: RunResult | 'lost';
  /** Present if the system ended the run, or the app cancelled it. */
  readonly stopReason?: StopReason;
  /** The system's own name for it, such as `CONSTRAINT_CONNECTIVITY`. */
  readonly nativeStopReason?: string;
}

/** Who runs the app on a device: real JavaScript with promises, or a function of a fleet. */
export interface ModelHost {
  processStarted(by: 'user' | 'system'): void;
  processEnded(): void;
  /** The system calls the app. */
  runBegan(run: HostRun): void;
  /** The system ends a run, before `runEnded`; what the app does in this call still counts on iOS. */
  runStopped(run: HostRun, reason: StopReason): void;
  runEnded(record: RunRecord): void;
  /** Anything about the device may have changed. */
  deviceChanged(): void;
}

/** The record of a run that ended. */
export function runRecord(
  run: HostRun,
  endedAt: number,
  result: RunRecord['result'],
  stop: Pick<RunRecord, 'stopReason' | 'nativeStopReason'>,
): RunRecord {
  const { id, runId, attempt, reason, appState, isCold, isExpedited, startedAt, deadline } = run;
  return {
    ...{ id, runId, attempt, reason, appState, isCold, isExpedited, startedAt, deadline },
    ...{ endedAt, result },
    ...stop,
  };
}

/** No app: whatever is begun runs until the system ends it. */
export const NO_HOST: ModelHost = {
  processStarted: () => {},
  processEnded: () => {},
  runBegan: () => {},
  runStopped: () => {},
  runEnded: () => {},
  deviceChanged: () => {},
};

/**
 * JobScheduler calls a device idle when the screen was off this long: IdleController,
 * config_jobSchedulerInactivityIdleThreshold (general knowledge). iOS does not say; the same is used.
 */
export const IDLE_AFTER_MS: number = 31 * 60_000;

const MAX_STALLS = 10;

/**
 * A phone with one app, as a state machine over virtual time. It is synchronous and holds at most one
 * timer, so that a fleet of them is cheap; promises begin in `simulated-app.ts`.
 */
export abstract class DeviceModel {
  abstract readonly capabilities: SchedulerCapabilities;
  readonly time: VirtualTime;
  readonly host: ModelHost;
  #conditions: DeviceConditions;
  #isBatteryLow: boolean;
  #process: ProcessState = 'none';
  /** Monotonic, as are all `…Elapsed` fields: since when the screen is off; undefined while it is on. */
  #screenOffElapsed: number | undefined;
  /** When the app was last opened or left. */
  #lastUsedElapsed: number;
  #alarm: Alarm | undefined;
  #armedFor = Infinity;
  #stalls = 0;
  #isRefreshing = false;
  #isDirty = false;
  #runs = 0;

  constructor(time: VirtualTime, host: ModelHost, conditions: Partial<DeviceConditions> = {}) {
    this.time = time;
    this.host = host;
    this.#conditions = { ...DEFAULT_CONDITIONS, ...conditions };
    this.#isBatteryLow = isBatteryLow(false, this.#conditions);
    this.#screenOffElapsed = this.#conditions.isScreenOn ? undefined : time.elapsed;
    this.#lastUsedElapsed = time.elapsed;
  }

  abstract schedule(request: ScheduleRequest): ScheduleResult;
  abstract cancel(id: string): boolean;
  abstract pending(): readonly PendingRequest[];
  abstract facts(): DeviceFacts;

  get conditions(): DeviceConditions {
    return this.#conditions;
  }

  get isBatteryLow(): boolean {
    return this.#isBatteryLow;
  }

  get process(): ProcessState {
    return this.#process;
  }

  /** How long ago the app was last in front; 0 while it is. A fresh install counts as used. */
  get unusedMs(): number {
    return this.#process === 'foreground' ? 0 : this.time.elapsed - this.#lastUsedElapsed;
  }

  /** The screen has been off long enough. */
  get isIdle(): boolean {
    return this.#idleFrom() <= this.time.elapsed;
  }

  /** Changes what is given and leaves the rest. */
  change(change: Partial<DeviceConditions>): void {
    const before = this.#conditions;
    this.#conditions = { ...before, ...change };
    this.#isBatteryLow = isBatteryLow(this.#isBatteryLow, this.#conditions);
    if (this.#conditions.isScreenOn) this.#screenOffElapsed = undefined;
    else this.#screenOffElapsed ??= this.time.elapsed;
    this.conditionsChanged();
    this.refresh();
  }

  /** The user opens the app, which turns the screen on and starts a process if there is none. */
  openApp(): void {
    const isStarted = this.#process === 'none';
    this.#process = 'foreground';
    this.#lastUsedElapsed = this.time.elapsed;
    this.appOpened();
    if (isStarted) this.processStarting(() => this.host.processStarted('user'));
    this.change({ isScreenOn: true });
  }

  /** The user leaves the app and puts the phone away. */
  leaveApp(): void {
    if (this.#process === 'foreground') {
      this.#process = 'background';
      this.#lastUsedElapsed = this.time.elapsed;
      this.appLeft();
    }
    this.change({ isScreenOn: false });
  }

  /** The system takes the process, as it does for memory. Requests stay. */
  killApp(): void {
    if (this.#process === 'none') return;
    if (this.#process === 'foreground') this.#lastUsedElapsed = this.time.elapsed;
    this.#process = 'none';
    this.processLost();
    this.host.processEnded();
    this.refresh();
  }

  /** The user swipes the app out of the list of recent apps. */
  abstract swipeAway(): void;
  /** The device restarts. */
  abstract reboot(): void;

  /** The wall clock was set: instants are due at other times now (Android: RescheduleReceiver, TIME_SET). */
  clockChanged(): void {
    this.#armedFor = Infinity; // the same monotonic instant may stand for another wall time
    this.refresh();
  }

  /** Passes what is due and arms the timer for what comes next. */
  refresh(): void {
    this.#isDirty = true;
    // A run that ends as soon as it begins comes back here; the loop below sees to it.
    if (this.#isRefreshing) return;
    this.#isRefreshing = true;
    try {
      while (this.#isDirty) {
        this.#isDirty = false;
        this.update(this.time.elapsed);
      }
    } finally {
      this.#isRefreshing = false;
    }
    this.#arm();
    this.host.deviceChanged();
  }

  /** Stops and starts what must be by now. */
  protected abstract update(elapsed: number): void;
  /** The next monotonic instant at which `update` has something to do; Infinity if none. */
  protected abstract nextChangeElapsed(elapsed: number): number;
  /** The process is gone, and every run with it. */
  protected abstract processLost(): void;
  protected conditionsChanged(): void {}
  protected appOpened(): void {}
  protected appLeft(): void {}
  /** Wraps the launch of a process; it ends when `start` returns. */
  protected processStarting(start: () => void): void {
    start();
  }

  /** The name of the next run. */
  protected nextRunId(): string {
    return `run-${++this.#runs}`;
  }

  /** Starts a process for work if there is none. True if it did. */
  protected wakeProcess(): boolean {
    if (this.#process !== 'none') return false;
    this.#process = 'headless';
    this.processStarting(() => this.host.processStarted('system'));
    return true;
  }

  /** What a wake-up is told of the app, asked before its process is woken. */
  protected appStateForRun(): 'foreground' | 'background' | 'headless' {
    return this.#process === 'none' ? 'headless' : this.#process;
  }

  /** When the device becomes idle; Infinity if it is, or cannot yet. */
  protected nextIdleElapsed(elapsed: number): number {
    const from = this.#idleFrom();
    return from > elapsed ? from : Infinity;
  }

  protected appStateFact(): DeviceFacts['appState'] {
    return this.#process === 'none' ? null : this.#process;
  }

  #idleFrom(): number {
    if (this.#screenOffElapsed === undefined) return Infinity;
    return this.#screenOffElapsed + IDLE_AFTER_MS;
  }

  #arm(): void {
    const { elapsed } = this.time;
    const next = this.nextChangeElapsed(elapsed);
    if (next === this.#armedFor) return;
    if (this.#alarm) this.time.cancel(this.#alarm);
    this.#alarm = undefined;
    this.#armedFor = next;
    if (next === Infinity) return;
    // A drifting clock rounds; an instant that is not reached yet must not be asked for at once again.
    const delayMs = next > elapsed ? next - elapsed : 1;
    this.#stalls = next > elapsed ? 0 : this.#stalls + 1;
    assert(this.#stalls < MAX_STALLS, 'the device waits for something that is past');
    this.#alarm = this.time.schedule(delayMs, () => {
      this.#alarm = undefined;
      this.#armedFor = Infinity;
      this.refresh();
    });
  }
}
