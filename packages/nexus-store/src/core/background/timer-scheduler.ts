import { durationMs, type Duration } from '../model/duration.ts';
import { unmetConstraints, type UnmetConstraint } from './unmet-constraints.ts';
import { UNKNOWN_DEVICE, type DeviceFacts, type DeviceState } from '../ports/device-state.ts';
import type {
  PendingRequest,
  PlatformScheduler,
  RunResult,
  ScheduleRequest,
  ScheduleResult,
  SchedulerCapabilities,
  WakeUp,
} from '../ports/platform-scheduler.ts';
import type { Runtime } from '../ports/runtime.ts';
import { constraintsToldBy, type TellingDeviceState } from './telling-device-state.ts';
import { contradictionIn, keptRequest } from './timer-request.ts';
import { TimerRun } from './timer-run.ts';
import { TimerWork } from './timer-work.ts';
import { WallSteps } from './wall-steps.ts';

export interface TimerSchedulerOptions {
  /**
   * What the device says of itself. Constraints that it tells nothing about are declared as weakened.
   *
   * @defaultValue none: constraints hold nothing back
   */
  readonly deviceState?: DeviceState | TellingDeviceState;
  /**
   * The longest one run may take. A second before it ends its signal aborts.
   *
   * @defaultValue `'10m'`
   */
  readonly maxRun?: Duration;
  /**
   * The longest time between two looks at the clocks while something is due later: so long may it take
   * to notice that the machine slept, or that the clock was set.
   *
   * @defaultValue `'15s'`
   */
  readonly tick?: Duration;
  /**
   * Milliseconds since the machine was started, its sleep included, whatever the clock is set to. Without
   * it sleep cannot be told from a clock that was set forward, and counts as no time.
   */
  readonly uptimeMs?: () => number;
}

const MIN_INTERVAL_MS = 1_000;
/** `setTimeout` takes no more than 2^31 - 1. */
const LONGEST_TIMER_MS = 2_000_000_000;
/** A device that does not answer holds nothing back. */
const LONGEST_READ_MS = 5_000;
/** "Not connected" is a hint, and may be wrong for a server that is near: after so long it is tried. */
const LONGEST_OFFLINE_MS = 15 * 60_000;

/**
 * Wake-ups from timers, for as long as the process lives. Instants are kept in wall time, so that sleep
 * counts; when somebody sets the clock, what is to come keeps its distance.
 */
export class TimerScheduler implements PlatformScheduler {
  readonly capabilities: SchedulerCapabilities;
  readonly #runtime: Runtime;
  readonly #device: DeviceState | undefined;
  readonly #steps: WallSteps;
  readonly #tickMs: number;
  readonly #works = new Map<string, TimerWork>();
  #handler: ((wakeUp: WakeUp) => void) | undefined;
  #held: TimerRun[] = [];
  #cancelTimer: (() => void) | undefined;
  #stopListening: (() => void) | undefined;
  #isLooking = false;
  #mustLookAgain = false;
  #isDisposed = false;

  constructor(runtime: Runtime, options: TimerSchedulerOptions = {}) {
    this.#runtime = runtime;
    this.#device = options.deviceState;
    this.#steps = new WallSteps(runtime.clock, options.uptimeMs ?? (() => 0));
    this.#tickMs = Math.min(
      Math.max(1, durationMs(options.tick ?? '15s', 'tick')),
      LONGEST_TIMER_MS,
    );
    this.capabilities = {
      kinds: ['once', 'periodic'],
      ...constraintsToldBy(options.deviceState),
      minIntervalMs: MIN_INTERVAL_MS,
      maxRunMs: Math.min(
        Math.max(1, durationMs(options.maxRun ?? '10m', 'maxRun')),
        LONGEST_TIMER_MS,
      ),
      expedited: true,
      idsShareOneWorker: false,
      resultHonoured: true,
      survivesKill: false,
    };
  }

  onWakeUp(handler: (wakeUp: WakeUp) => void): void {
    this.#handler = handler;
    for (const run of this.#held.splice(0)) if (!run.isEnded) this.#deliver(run);
  }

  async schedule(request: ScheduleRequest): Promise<ScheduleResult> {
    if (this.#isDisposed)
      return { ok: false, code: 'schedule/unavailable', message: 'the scheduler was disposed' };
    const contradiction = contradictionIn(request);
    if (contradiction !== undefined)
      return { ok: false, code: 'schedule/invalid', message: contradiction };
    const { existing = 'update', id, kind } = request;
    const known = this.#works.get(id);
    if (existing === 'update' && known !== undefined && known.request.kind !== kind) {
      const message = `${id} is ${known.request.kind} work; replace it to make it ${kind}`;
      return { ok: false, code: 'schedule/invalid', message };
    }
    if (existing === 'keep' && known !== undefined)
      return { ok: true, effect: 'kept', weakened: [] };
    this.#followClock();
    const { kept, weakened } = keptRequest(request, this.capabilities);
    if (known !== undefined && existing === 'update') {
      const effect = known.update(kept, this.#runtime.clock.now());
      this.#look();
      return { ok: true, effect, weakened };
    }
    known?.run?.cancel();
    this.#works.set(id, new TimerWork(kept, this.#runtime.clock.now()));
    this.#look();
    return { ok: true, effect: known === undefined ? 'added' : 'replaced', weakened };
  }

  async cancel(id: string): Promise<boolean> {
    const work = this.#works.get(id);
    this.#works.delete(id);
    work?.run?.cancel();
    this.#look();
    return work !== undefined;
  }

  async pending(): Promise<readonly PendingRequest[]> {
    return [...this.#works.values()].map((work) => work.pending);
  }

  /** Takes everything back, and cancels what runs. */
  dispose(): void {
    this.#isDisposed = true;
    for (const work of this.#works.values()) work.run?.cancel();
    this.#works.clear();
    this.#look();
  }

  /** Looks at clock and device now, and begins what is due. */
  #look(): void {
    this.#mustLookAgain = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    void this.#lookUntilCalm().finally(() => {
      this.#isLooking = false;
      if (this.#mustLookAgain) this.#look();
      else this.#arm();
    });
  }

  async #lookUntilCalm(): Promise<void> {
    while (this.#mustLookAgain) {
      this.#mustLookAgain = false;
      this.#followClock();
      this.#listen();
      const now = this.#runtime.clock.now();
      const wanted = [...this.#works.values()].filter(
        (work) => work.run !== undefined || work.dueAt <= now,
      );
      if (wanted.length === 0) continue;
      const asksDevice = wanted.some(({ request }) => hasConstraints(request.constraints));
      const facts = asksDevice ? await this.#facts() : UNKNOWN_DEVICE;
      for (const work of wanted) this.#judge(work, facts);
    }
  }

  /** Begins it, holds it back, or ends its run, by what the device meets. */
  #judge(work: TimerWork, facts: DeviceFacts): void {
    // Much may have happened while the device was asked.
    if (this.#works.get(work.request.id) !== work) return;
    const unmet = unmetConstraints(work.request.constraints, facts);
    if (work.run !== undefined) {
      // A connection that is lost shows in the requests themselves; what else is lost ends the run.
      if (unmet.some((constraint) => constraint !== 'connectivity')) work.run.loseConstraint();
      return;
    }
    if (work.dueAt > this.#runtime.clock.now()) return;
    work.isBlocked = this.#isHeldBack(work, unmet);
    if (!work.isBlocked) this.#begin(work, facts);
  }

  #isHeldBack(work: TimerWork, unmet: readonly UnmetConstraint[]): boolean {
    if (unmet.length === 1 && unmet[0] === 'connectivity') {
      const now = this.#runtime.clock.elapsed();
      work.offlineSince ??= now;
      return now - work.offlineSince < LONGEST_OFFLINE_MS;
    }
    work.offlineSince = undefined;
    return unmet.length > 0;
  }

  #begin(work: TimerWork, facts: DeviceFacts): void {
    const now = this.#runtime.clock.now();
    const run = new TimerRun(this.#runtime.timers, {
      id: work.request.id,
      runId: this.#runtime.ids.uuid(),
      attempt: work.attempt,
      now,
      maxRunMs: this.capabilities.maxRunMs,
      appState: facts.appState ?? 'unknown',
      onEnd: (result) => this.#onEnd(work, result),
    });
    work.begin(run, now);
    if (this.#handler === undefined) this.#held.push(run);
    else this.#deliver(run);
  }

  #deliver(run: TimerRun): void {
    try {
      this.#handler?.(run.wakeUp);
    } catch (error) {
      this.#runtime.logger.log('error', 'a wake-up handler failed', { error: String(error) });
      run.wakeUp.complete('retry');
    }
  }

  #onEnd(work: TimerWork, result: RunResult): void {
    const { id } = work.request;
    this.#followClock();
    const isWanted = work.end(result === 'retry', this.#runtime.clock.now());
    if (!isWanted && this.#works.get(id) === work) this.#works.delete(id);
    this.#look();
  }

  #followClock(): void {
    const step = this.#steps.take();
    if (step === 0) return;
    this.#runtime.logger.log('info', 'the clock was set', { stepMs: step });
    for (const work of this.#works.values()) work.shift(step);
  }

  /** One timer for everything that waits. */
  #arm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const waiting = [...this.#works.values()].filter((work) => work.run === undefined);
    if (waiting.length === 0) return;
    const now = this.#runtime.clock.now();
    const soonest = Math.min(
      ...waiting.map((work) => (work.isBlocked ? Infinity : work.dueAt - now)),
    );
    const delayMs = Math.min(Math.max(1, soonest), this.#tickMs);
    this.#cancelTimer = this.#runtime.timers.after(delayMs, () => {
      this.#cancelTimer = undefined;
      this.#look();
    });
  }

  #listen(): void {
    if (this.#works.size > 0) {
      this.#stopListening ??= this.#device?.onChange(() => this.#look());
    } else {
      this.#stopListening?.();
      this.#stopListening = undefined;
    }
  }

  async #facts(): Promise<DeviceFacts> {
    const device = this.#device;
    if (device === undefined) return UNKNOWN_DEVICE;
    let cancel: () => void = () => {};
    const silence = new Promise<DeviceFacts>((resolve) => {
      cancel = this.#runtime.timers.after(LONGEST_READ_MS, () => resolve(UNKNOWN_DEVICE));
    });
    try {
      return await Promise.race([device.read(), silence]);
    } catch (error) {
      this.#runtime.logger.log('warn', 'the device state could not be read', {
        error: String(error),
      });
      return UNKNOWN_DEVICE;
    } finally {
      cancel();
    }
  }
}

function hasConstraints(constraints: object): boolean {
  return Object.values(constraints).some((value) => value !== false && value !== 'not-required');
}
