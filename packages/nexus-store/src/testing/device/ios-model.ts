import type { DeviceFacts } from '../../core/ports/device-state.ts';
import type {
  PendingRequest,
  RunResult,
  ScheduleRequest,
  SchedulerCapabilities,
  ScheduleResult,
  StopReason,
} from '../../core/ports/platform-scheduler.ts';
import type { SeededRandom } from '../seeded-random.ts';
import type { VirtualTime } from '../virtual-time.ts';
import { nextRunAt, updateRefusal } from './android-rules.ts';
import { unmetConstraint } from './conditions.ts';
import type { DeviceConditions, UnmetConstraint } from './conditions.ts';
import { DeviceModel, runRecord } from './device-model.ts';
import type { HostRun, ModelHost, RunRecord } from './device-model.ts';
import { launchChance, lookIndex, nextLookElapsed, UsageHistory } from './ios-opportunity.ts';
import type { Opportunity } from './ios-opportunity.ts';
import { EXPIRATION_GRACE_MS, iosCapabilities, iosWindowMs } from './ios-rules.ts';
import { mapIosRequest, PROCESSING_WINDOW_MS } from './ios-rules.ts';
import type { IosRequest, IosTaskKind } from './ios-rules.ts';
import { IosSubmission } from './ios-submission.ts';
import type { IosAppSetup } from './ios-submission.ts';

export interface IosModelOptions extends IosAppSetup {
  readonly random: SeededRandom;
  readonly conditions?: Partial<DeviceConditions>;
  /**
   * How long a processing task may run.
   *
   * @unit milliseconds
   * @defaultValue `300_000`
   */
  readonly processingWindowMs?: number;
  /**
   * `learned`: iOS chooses the moment by the use of the app. `always`: at once when nothing forbids it.
   *
   * @defaultValue `'learned'`
   */
  readonly opportunities?: 'learned' | 'always';
}

/** Why iOS launches nothing for a request that is due. */
export type IosBlocker =
  | 'force-quit'
  | 'background-refresh-off'
  | 'low-power-mode'
  | 'before-first-unlock'
  | 'in-foreground'
  | 'device-in-use'
  | 'opportunity'
  | UnmetConstraint;

/** What the native module keeps of a request. */
interface IosWork {
  readonly id: string;
  request: IosRequest;
  lastEnqueuedAt: number;
  attempts: number;
  periods: number;
  /** `earliestBeginDate` of the submitted request, epoch milliseconds. */
  dueAt: number;
  notBeforeElapsed: number;
  run: IosRun | undefined;
  again: ScheduleRequest | undefined;
  /** The last look at which the system decided about it. */
  look: number;
}

interface IosRun extends HostRun {
  readonly work: IosWork;
  readonly taskKind: IosTaskKind;
  readonly requiresCharging: boolean;
  readonly startedElapsed: number;
  stopReason: StopReason | undefined;
  /** Monotonic: when the run ends though the app has not completed it. */
  endsElapsed: number;
}

/** BGTaskScheduler, and the native module over it, on one device. */
export class IosModel extends DeviceModel {
  readonly capabilities: SchedulerCapabilities;
  readonly #submission: IosSubmission;
  readonly #processingWindowMs: number;
  readonly #opportunity: Opportunity;
  readonly #works = new Map<string, IosWork>();
  readonly #usage: UsageHistory;
  #isForceQuit = false;
  #isUnlocked = true;

  constructor(time: VirtualTime, host: ModelHost, options: IosModelOptions) {
    super(time, host, options.conditions);
    this.#submission = new IosSubmission(options);
    this.#processingWindowMs = options.processingWindowMs ?? PROCESSING_WINDOW_MS;
    this.capabilities = iosCapabilities(this.#processingWindowMs);
    this.#usage = new UsageHistory(time.now);
    const { random } = options;
    const phaseMs = random.integer(900) * 1_000;
    this.#opportunity = { mode: options.opportunities ?? 'learned', random, phaseMs };
  }

  schedule(request: ScheduleRequest): ScheduleResult {
    const existing = this.#works.get(request.id);
    const isUpdate = existing !== undefined && (request.existing ?? 'update') === 'update';
    const { now } = this.time;
    const mapping = mapIosRequest(request, isUpdate ? existing.lastEnqueuedAt : now);
    if (!mapping.ok) return { ok: false, code: 'schedule/invalid', message: mapping.message };
    const { native, weakened } = mapping;
    if (existing && request.existing === 'keep') return { ok: true, effect: 'kept', weakened: [] };
    const message = isUpdate ? updateRefusal(existing.request.work, native.work) : undefined;
    if (message !== undefined) return { ok: false, code: 'schedule/invalid', message };
    const others = this.#othersPending(request.id, native.taskKind);
    const { isBackgroundAllowed } = this.conditions;
    const refusal = this.#submission.refusal(
      request.id,
      native.taskKind,
      others,
      isBackgroundAllowed,
    );
    if (refusal) return refusal;
    if (isUpdate) {
      const effect = this.#update(existing, request, native);
      return { ok: true, effect, weakened };
    }
    if (existing) this.#remove(existing);
    this.#works.set(request.id, submitted(request.id, native, now));
    this.refresh();
    return { ok: true, effect: existing ? 'replaced' : 'added', weakened };
  }

  cancel(id: string): boolean {
    const work = this.#works.get(id);
    if (!work) return false;
    this.#remove(work);
    this.refresh();
    return true;
  }

  pending(): readonly PendingRequest[] {
    return Array.from(this.#works.values(), (work) => {
      const { id, dueAt } = work;
      if (work.run) return { id, state: 'running', attempt: work.attempts };
      const blocker = dueAt <= this.time.now ? this.blockedBy(id) : undefined;
      const state = blocker === undefined || blocker === 'opportunity' ? 'waiting' : 'blocked';
      return { id, state, nextAt: dueAt, attempt: work.attempts + 1 };
    });
  }

  /** What would keep a request from being launched if it were due now. */
  blockedBy(id: string): IosBlocker | undefined {
    const work = this.#works.get(id);
    if (!work) return undefined;
    const blocker = this.#blocker(work);
    return blocker ?? (this.#opportunity.mode === 'learned' ? 'opportunity' : undefined);
  }

  /** iOS tells an app little: not whether it idles, and there are no buckets. */
  facts(): DeviceFacts {
    const { conditions } = this;
    const isConnected = conditions.network !== 'none';
    return {
      isConnected,
      isMetered: isConnected ? conditions.network !== 'unmetered' : null,
      isRoaming: null,
      isCharging: conditions.isCharging,
      isBatteryLow: this.isBatteryLow,
      isStorageLow: conditions.isStorageLow,
      isDeviceIdle: null,
      isPowerSaving: conditions.isPowerSaving,
      isBackgroundAllowed: conditions.isBackgroundAllowed,
      standbyBucket: null,
      appState: this.appStateFact(),
    };
  }

  /**
   * BGTaskScheduler.register: before the app's launch ends, else NSInternalInconsistencyException; and
   * once for each identifier.
   */
  registerHandler(id: string): void {
    this.#submission.register(id);
  }

  /** The next submit fails with this code of BGTaskScheduler.Error, or any other. */
  failNextSubmit(nativeCode: number): void {
    this.#submission.failNext(nativeCode);
  }

  /** Launches a request now whatever blocks it: lldb's _simulateLaunchForTaskWithIdentifier. */
  simulateLaunch(id: string): boolean {
    const work = this.#works.get(id);
    if (!work || work.run) return false;
    this.#begin(work, 'forced');
    this.refresh();
    return true;
  }

  /** Expires a running request now: lldb's _simulateExpirationForTaskWithIdentifier. */
  simulateExpiration(id: string): boolean {
    const run = this.#works.get(id)?.run;
    if (!run) return false;
    this.#expire(run);
    this.refresh();
    return true;
  }

  /** Force-quit: "nothing launches until the user opens the app" (mobile-scheduling.md 3b). */
  swipeAway(): void {
    this.#isForceQuit = true;
    this.killApp();
    this.change({ isScreenOn: false });
  }

  /** Requests outlive it; nothing is launched before the first unlock (general knowledge). */
  reboot(): void {
    this.#isUnlocked = false;
    this.killApp();
    this.change({ isScreenOn: false });
  }

  protected override update(elapsed: number): void {
    for (const { run } of this.#works.values()) {
      if (!run) continue;
      if (run.endsElapsed <= elapsed) this.#end(run, 'retry');
      else if (run.stopReason === undefined && this.#mustExpire(run, elapsed)) this.#expire(run);
    }
    const { now } = this.time;
    for (const work of this.#works.values()) {
      if (work.run || work.dueAt > now || work.notBeforeElapsed > elapsed) continue;
      if (this.#blocker(work) === undefined && this.#isOpportune(work, elapsed)) {
        this.#begin(work, 'scheduled');
      }
    }
  }

  protected override nextChangeElapsed(elapsed: number): number {
    let next = Infinity;
    for (const work of this.#works.values()) next = Math.min(next, this.#nextOf(work, elapsed));
    return next;
  }

  protected override appOpened(): void {
    this.#isForceQuit = false;
    this.#isUnlocked = true;
    this.#usage.noteUse(this.time.now);
  }

  protected override conditionsChanged(): void {
    if (this.conditions.isScreenOn) this.#isUnlocked = true;
  }

  protected override processStarting(start: () => void): void {
    this.#submission.launch(start);
  }

  /** What the module submitted when the run began is still pending. */
  protected override processLost(): void {
    for (const { run } of this.#works.values()) if (run) this.#end(run, 'lost');
  }

  #othersPending(id: string, taskKind: IosTaskKind): number {
    let others = 0;
    for (const other of this.#works.values()) {
      if (other.id !== id && other.request.taskKind === taskKind) others++;
    }
    return others;
  }

  #update(
    work: IosWork,
    request: ScheduleRequest,
    native: IosRequest,
  ): 'updated-now' | 'updated-next-run' {
    work.request = native;
    work.dueAt = nextRunAt(native.work, work);
    const isRunning = work.run !== undefined; // and not a run that begins just because of the update
    if (isRunning) work.again = request;
    this.refresh();
    return isRunning ? 'updated-next-run' : 'updated-now';
  }

  #remove(work: IosWork): void {
    this.#works.delete(work.id);
    const { run } = work;
    if (!run) return;
    run.stopReason ??= 'cancelled';
    work.run = undefined; // what the app reports now no longer counts
    this.host.runStopped(run, 'cancelled');
    this.#end(run, 'retry');
  }

  #begin(work: IosWork, reason: HostRun['reason']): void {
    const { now, elapsed } = this.time;
    const { taskKind, work: native } = work.request;
    const windowMs = iosWindowMs(taskKind, this.#processingWindowMs);
    work.attempts++;
    work.again = undefined;
    // The launch uses the request up. The module submits the next one before the app runs, so that a
    // run which dies is followed by another.
    work.lastEnqueuedAt = now;
    work.dueAt = nextRunAt(native, work);
    const run: IosRun = {
      id: work.id,
      runId: this.nextRunId(),
      attempt: work.attempts,
      reason,
      appState: this.appStateForRun(),
      isCold: this.process === 'none',
      isExpedited: false,
      startedAt: now,
      deadline: now + windowMs,
      work,
      taskKind,
      requiresCharging: native.constraints.requiresCharging,
      startedElapsed: elapsed,
      stopReason: undefined,
      endsElapsed: Infinity,
      finish: (result) => this.#finish(run, result),
    };
    work.run = run;
    this.wakeProcess();
    this.host.runBegan(run);
  }

  #finish(run: IosRun, result: RunResult): void {
    if (run.work.run !== run) return;
    this.#end(run, result);
    this.refresh();
  }

  /** The expiration handler is called first; setTaskCompleted may still come within the grace. */
  #expire(run: IosRun): void {
    if (run.stopReason !== undefined) return;
    run.stopReason = 'expired';
    run.endsElapsed = this.time.elapsed + EXPIRATION_GRACE_MS;
    this.host.runStopped(run, 'expired');
  }

  #end(run: IosRun, result: RunRecord['result']): void {
    const { work } = run;
    const { now, elapsed } = this.time;
    work.run = undefined;
    work.notBeforeElapsed = elapsed + 1;
    if (this.#works.get(work.id) === work && result !== 'lost') this.#settle(work, result, now);
    const why = run.stopReason === undefined ? {} : { stopReason: run.stopReason };
    this.host.runEnded(runRecord(run, now, result, why));
  }

  #settle(work: IosWork, result: RunResult, now: number): void {
    const { again } = work;
    work.lastEnqueuedAt = now;
    if (result !== 'retry') {
      if (work.request.work.kind === 'once') {
        this.#works.delete(work.id);
        const mapping = again && mapIosRequest(again, now);
        if (mapping?.ok) this.#works.set(work.id, submitted(work.id, mapping.native, now));
        return;
      }
      work.attempts = 0;
      work.periods++;
    }
    work.dueAt = nextRunAt(work.request.work, work);
  }

  /** A processing task ends when the user returns, or without the power it asked for. */
  #mustExpire(run: IosRun, elapsed: number): boolean {
    if (elapsed >= run.startedElapsed + this.#windowMs(run)) return true;
    if (run.reason === 'forced' || run.taskKind !== 'processing') return false;
    const isUserBack = this.conditions.isScreenOn || this.process === 'foreground';
    return isUserBack || (run.requiresCharging && !this.conditions.isCharging);
  }

  #windowMs(run: IosRun): number {
    return iosWindowMs(run.taskKind, this.#processingWindowMs);
  }

  /** mobile-scheduling.md 3b: force-quit, refresh off and Low Power Mode; idle device for processing. */
  #blocker(work: IosWork): IosBlocker | undefined {
    const { conditions } = this;
    if (this.#isForceQuit) return 'force-quit';
    if (!conditions.isBackgroundAllowed) return 'background-refresh-off';
    if (conditions.isPowerSaving) return 'low-power-mode';
    if (!this.#isUnlocked) return 'before-first-unlock';
    if (this.process === 'foreground') return 'in-foreground';
    if (work.request.taskKind === 'processing' && !this.isIdle) return 'device-in-use';
    const { isBatteryLow, isIdle } = this;
    const { network, isCharging, isStorageLow } = conditions;
    const facts = { network, isCharging, isBatteryLow, isStorageLow, isDeviceIdle: isIdle };
    return unmetConstraint(work.request.work.constraints, facts);
  }

  #isOpportune(work: IosWork, elapsed: number): boolean {
    if (this.#opportunity.mode === 'always') return true;
    const look = lookIndex(this.#opportunity, elapsed);
    if (work.look === look) return false;
    work.look = look;
    const likelihood = this.#usage.likelihood(this.time.now);
    const { taskKind } = work.request;
    const chance = launchChance(taskKind, likelihood, this.unusedMs, this.conditions);
    return this.#opportunity.random.chance(chance);
  }

  #nextOf(work: IosWork, elapsed: number): number {
    const { run } = work;
    if (run) return Math.min(run.endsElapsed, this.#windowEnd(run));
    const due = Math.max(this.time.elapsedAt(work.dueAt), work.notBeforeElapsed);
    if (due > elapsed) return due;
    if (work.dueAt > this.time.now) return elapsed; // a drifting clock rounds: just ahead
    const blocker = this.#blocker(work);
    if (blocker === 'device-in-use') return this.nextIdleElapsed(elapsed);
    if (blocker !== undefined) return Infinity; // until something changes
    return nextLookElapsed(this.#opportunity, elapsed);
  }

  #windowEnd(run: IosRun): number {
    return run.stopReason === undefined ? run.startedElapsed + this.#windowMs(run) : Infinity;
  }
}

function submitted(id: string, request: IosRequest, now: number): IosWork {
  const work: IosWork = {
    id,
    request,
    lastEnqueuedAt: now,
    attempts: 0,
    periods: 0,
    dueAt: 0,
    notBeforeElapsed: 0,
    run: undefined,
    again: undefined,
    look: -Infinity,
  };
  work.dueAt = nextRunAt(request.work, work);
  return work;
}
