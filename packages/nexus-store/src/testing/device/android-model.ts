import type { DeviceFacts } from '../../core/ports/device-state.ts';
import type {
  PendingRequest,
  RunResult,
  ScheduleRequest,
  ScheduleResult,
  WeakenedField,
} from '../../core/ports/platform-scheduler.ts';
import type { VirtualTime } from '../virtual-time.ts';
import type { AndroidVersion, StandbyBucket } from './android-quota.ts';
import { AndroidRestrictions } from './android-restrictions.ts';
import {
  ANDROID_CAPABILITIES,
  backoffMs,
  mapAndroidRequest,
  MAX_WORK_MS,
} from './android-rules.ts';
import { mayRunExpedited, nextRunAt, portStopReason } from './android-rules.ts';
import { stopReasonOfBlocker, updateRefusal } from './android-rules.ts';
import type { AndroidBlocker, AndroidStopReason, WorkRequest } from './android-rules.ts';
import type { DeviceConditions } from './conditions.ts';
import { DeviceModel, runRecord } from './device-model.ts';
import type { HostRun, ModelHost, RunRecord } from './device-model.ts';

export interface AndroidModelOptions {
  readonly version: AndroidVersion;
  readonly conditions?: Partial<DeviceConditions>;
  /** Some vendors treat a swipe from the recent apps as a force-stop (mobile-scheduling.md 3a "Doze"). */
  readonly isSwipeForceStop?: boolean;
}

/** One row of WorkManager's database. */
interface Work {
  readonly id: string;
  request: WorkRequest;
  lastEnqueuedAt: number;
  attempts: number;
  periods: number;
  generation: number;
  /** Epoch milliseconds, by `nextRunAt`. */
  dueAt: number;
  /** Monotonic: a run never begins in the instant in which the last one ended. */
  notBeforeElapsed: number;
  run: AndroidRun | undefined;
  /** A one-off that was scheduled again while it runs. */
  again: ScheduleRequest | undefined;
}

interface AndroidRun extends HostRun {
  readonly work: Work;
  /** As it was when the run began: an update counts from the next run. */
  readonly request: WorkRequest;
  readonly startedElapsed: number;
}

/** WorkManager over JobScheduler on one device. */
export class AndroidModel extends DeviceModel {
  readonly capabilities: typeof ANDROID_CAPABILITIES = ANDROID_CAPABILITIES;
  readonly #works = new Map<string, Work>();
  readonly #restrictions: AndroidRestrictions;
  readonly #isSwipeForceStop: boolean;

  constructor(time: VirtualTime, host: ModelHost, options: AndroidModelOptions) {
    super(time, host, options.conditions);
    this.#isSwipeForceStop = options.isSwipeForceStop ?? false;
    this.#restrictions = new AndroidRestrictions(this, options.version);
  }

  get standbyBucket(): StandbyBucket {
    return this.#restrictions.bucket;
  }

  get dozePhase(): AndroidRestrictions['dozePhase'] {
    return this.#restrictions.dozePhase;
  }

  schedule(request: ScheduleRequest): ScheduleResult {
    const existing = this.#works.get(request.id);
    const { now } = this.time;
    const isUpdate = existing !== undefined && (request.existing ?? 'update') === 'update';
    const mapping = mapAndroidRequest(request, isUpdate ? existing.lastEnqueuedAt : now);
    if (!mapping.ok) return { ok: false, code: 'schedule/invalid', message: mapping.message };
    if (existing !== undefined && request.existing === 'keep') {
      return { ok: true, effect: 'kept', weakened: [] };
    }
    if (isUpdate) return this.#update(existing, request, mapping.native, mapping.weakened);
    if (existing) this.#remove(existing);
    this.#works.set(request.id, this.#enqueued(request.id, mapping.native, now));
    this.refresh();
    const effect = existing ? 'replaced' : 'added';
    return { ok: true, effect, weakened: mapping.weakened };
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
      const isDue = dueAt <= this.time.now;
      const state = isDue && this.blockedBy(id) !== undefined ? 'blocked' : 'waiting';
      return { id, state, nextAt: dueAt, attempt: work.attempts + 1 };
    });
  }

  /** What would keep a request from running if it were due now. */
  blockedBy(id: string): AndroidBlocker | undefined {
    const work = this.#works.get(id);
    return work && this.#blockerOf(work);
  }

  /** How often a request was updated, as `WorkInfo.generation`. */
  generation(id: string): number | undefined {
    return this.#works.get(id)?.generation;
  }

  facts(): DeviceFacts {
    const { conditions } = this;
    const network = this.#restrictions.network(false);
    return {
      isConnected: network !== 'none',
      isMetered: network === 'none' ? null : network !== 'unmetered',
      isRoaming: network === 'none' ? null : network === 'roaming',
      isCharging: conditions.isCharging,
      isBatteryLow: this.isBatteryLow,
      isStorageLow: conditions.isStorageLow,
      isDeviceIdle: this.isIdle,
      isPowerSaving: conditions.isPowerSaving,
      isBackgroundAllowed: conditions.isBackgroundAllowed,
      standbyBucket: this.standbyBucket,
      appState: this.appStateFact(),
    };
  }

  /** Puts the app into a bucket, as `adb shell am set-standby-bucket` does; `auto` by its use again. */
  setStandbyBucket(bucket: StandbyBucket | 'auto'): void {
    this.#restrictions.bucketOverride = bucket === 'auto' ? undefined : bucket;
    this.refresh();
  }

  /** Into Doze at once; it ends when the device is used, moved or charged. */
  forceDoze(): void {
    this.#restrictions.forceDoze();
    this.refresh();
  }

  /** Runs a request now whatever blocks it, as `adb shell cmd jobscheduler run -f` does. */
  runNow(id: string): boolean {
    const work = this.#works.get(id);
    if (!work || work.run) return false;
    this.#begin(work, 'forced');
    this.refresh();
    return true;
  }

  /** "Force stop" in the settings: nothing of the app runs until the user opens it. */
  forceStop(): void {
    this.#restrictions.isForceStopped = true;
    this.killApp();
    this.refresh();
  }

  swipeAway(): void {
    if (this.#isSwipeForceStop) this.forceStop();
    else this.killApp();
    this.change({ isScreenOn: false });
  }

  /**
   * WorkManager's jobs are not persisted by the system; RescheduleReceiver re-creates them at
   * BOOT_COMPLETED from its database (mobile-scheduling.md 3a "Not stored by the system").
   */
  reboot(): void {
    this.#restrictions.reboot();
    this.killApp();
    this.change({ isScreenOn: false });
  }

  /** How much of the quotas is used. */
  quotaUse(): { readonly regularMs: number; readonly expeditedMs: number } {
    return this.#restrictions.quotaUse();
  }

  protected override update(elapsed: number): void {
    for (const { run } of this.#works.values()) {
      const stop = run && this.#stopReason(run, elapsed);
      if (run && stop) this.#stop(run, stop);
    }
    const { now } = this.time;
    for (const work of this.#works.values()) {
      if (work.run || work.dueAt > now || work.notBeforeElapsed > elapsed) continue;
      if (this.#blockerOf(work) === undefined) this.#begin(work, 'scheduled');
    }
    this.#count();
  }

  protected override nextChangeElapsed(elapsed: number): number {
    if (this.#works.size === 0) return Infinity;
    let next = Math.min(this.#restrictions.nextChangeElapsed(), this.nextIdleElapsed(elapsed));
    for (const work of this.#works.values()) next = Math.min(next, this.#nextOf(work, elapsed));
    return next;
  }

  protected override conditionsChanged(): void {
    this.#restrictions.updateRest();
  }

  /** ForceStopRunnable reschedules at the next open (mobile-scheduling.md 3a "Doze"). */
  protected override appOpened(): void {
    this.#restrictions.isForceStopped = false;
  }

  /**
   * JobScheduler sees the job's service go, and WorkManager's next process start puts RUNNING rows back
   * to ENQUEUED (ForceStopRunnable.cleanUp): the attempt stays counted, the enqueue time stays.
   */
  protected override processLost(): void {
    for (const work of this.#works.values()) {
      if (work.run) this.#end(work.run, 'lost', 'UNKNOWN');
    }
    this.#count();
  }

  #enqueued(id: string, request: WorkRequest, now: number): Work {
    const work: Work = {
      id,
      request,
      lastEnqueuedAt: now,
      attempts: 0,
      periods: 0,
      generation: 0,
      dueAt: 0,
      notBeforeElapsed: 0,
      run: undefined,
      again: undefined,
    };
    work.dueAt = nextRunAt(request, work);
    return work;
  }

  /**
   * WorkerUpdater.updateWorkImpl: enqueue time, attempts and periods stay, the generation is raised by 1,
   * and a running worker is not stopped.
   */
  #update(
    work: Work,
    request: ScheduleRequest,
    native: WorkRequest,
    weakened: readonly WeakenedField[],
  ): ScheduleResult {
    const message = updateRefusal(work.request, native);
    if (message !== undefined) return { ok: false, code: 'schedule/invalid', message };
    work.request = native;
    work.generation++;
    // WorkManager alone would forget an update of a running one-off when the run succeeds. The native
    // module enqueues it behind the run instead (ExistingWorkPolicy.APPEND_OR_REPLACE).
    if (work.run && native.kind === 'once') work.again = request;
    work.dueAt = nextRunAt(native, work);
    const isRunning = work.run !== undefined; // and not a run that begins just because of the update
    this.refresh();
    if (isRunning) return { ok: true, effect: 'updated-next-run', weakened };
    return { ok: true, effect: 'updated-now', weakened: withLostFloor(request, work, weakened) };
  }

  #remove(work: Work): void {
    this.#works.delete(work.id);
    if (work.run) this.#stop(work.run, 'CANCELLED_BY_APP');
  }

  /** WorkerWrapper.trySetRunning: only ENQUEUED becomes RUNNING, and the attempt is counted. */
  #begin(work: Work, reason: HostRun['reason']): void {
    const { now, elapsed } = this.time;
    const isExpedited = this.#grantsExpedited(work);
    work.attempts++;
    work.again = undefined; // this is the run that was asked for again
    const run: AndroidRun = {
      id: work.id,
      runId: this.nextRunId(),
      attempt: work.attempts,
      reason,
      appState: this.appStateForRun(),
      isCold: this.process === 'none',
      isExpedited,
      startedAt: now,
      startedElapsed: elapsed,
      deadline: now + MAX_WORK_MS,
      work,
      request: work.request,
      finish: (result) => this.#finish(run, result),
    };
    work.run = run;
    this.#restrictions.noteRun(isExpedited);
    this.#count();
    this.wakeProcess();
    this.host.runBegan(run);
  }

  #finish(run: AndroidRun, result: RunResult): void {
    if (run.work.run !== run) return; // stopped, replaced or finished before
    this.#end(run, result);
    this.refresh();
  }

  /** The worker is told first, but what it reports then no longer counts (WorkerWrapper.interrupt). */
  #stop(run: AndroidRun, reason: AndroidStopReason): void {
    const { work } = run;
    work.run = undefined;
    this.host.runStopped(run, portStopReason(reason));
    work.run = run;
    this.#end(run, 'retry', reason);
  }

  #end(run: AndroidRun, result: RunRecord['result'], stop?: AndroidStopReason): void {
    const { work } = run;
    const { now, elapsed } = this.time;
    work.run = undefined;
    work.notBeforeElapsed = elapsed + 1;
    if (stop === undefined) this.#settle(work, result, now);
    work.dueAt = Math.max(nextRunAt(work.request, work), this.#hostBackoffUntil(work, stop, now));
    this.#count();
    const why = stop && { stopReason: portStopReason(stop), nativeStopReason: stop };
    this.host.runEnded(runRecord(run, now, result, why ?? {}));
  }

  /** WorkerWrapper.handleResult. A run that the system stopped stays as it was enqueued. */
  #settle(work: Work, result: RunRecord['result'], now: number): void {
    work.lastEnqueuedAt = now;
    if (result === 'retry') return;
    if (work.request.kind === 'periodic') {
      // WorkerWrapper.resetPeriodic, after success and failure alike: a series never ends by failing.
      work.attempts = 0;
      work.periods++;
      return;
    }
    this.#works.delete(work.id);
    const mapping = work.again && mapAndroidRequest(work.again, now);
    if (mapping?.ok) this.#works.set(work.id, this.#enqueued(work.id, mapping.native, now));
  }

  /**
   * JobScheduler holds back a job that timed out or lost its process, by the job's own backoff
   * (JobSchedulerService.getRescheduleJobForFailureLocked, general knowledge). WorkManager's rule alone
   * would run it again at once, since the enqueue lies ten minutes back.
   */
  #hostBackoffUntil(work: Work, stop: AndroidStopReason | undefined, now: number): number {
    if (stop !== 'TIMEOUT' && stop !== 'UNKNOWN') return 0;
    const { backoffPolicy, backoffDelayMs } = work.request;
    return now + backoffMs(backoffPolicy, backoffDelayMs, work.attempts);
  }

  #stopReason(run: AndroidRun, elapsed: number): AndroidStopReason | undefined {
    if (run.startedElapsed + MAX_WORK_MS <= elapsed) return 'TIMEOUT';
    if (run.reason === 'forced') return undefined;
    const blocker = this.#restrictions.blocker(run.request, run.isExpedited, true);
    return blocker && stopReasonOfBlocker(blocker);
  }

  #blockerOf(work: Work): AndroidBlocker | undefined {
    if (work.run) return this.#restrictions.blocker(work.request, work.run.isExpedited, true);
    return this.#restrictions.blocker(work.request, this.#grantsExpedited(work), false);
  }

  #grantsExpedited(work: Work): boolean {
    return mayRunExpedited(work.request, work) && this.#restrictions.grantsExpedited();
  }

  /** Tells the quotas what runs. */
  #count(): void {
    let regular = false;
    let expedited = false;
    for (const { run } of this.#works.values()) {
      if (run?.isExpedited) expedited = true;
      else if (run) regular = true;
    }
    this.#restrictions.count(regular, expedited);
  }

  #nextOf(work: Work, elapsed: number): number {
    if (work.run) {
      const exhausted = this.#restrictions.exhaustedAt(work.run.isExpedited);
      return Math.min(work.run.startedElapsed + MAX_WORK_MS, Math.max(exhausted, elapsed + 1));
    }
    const due = Math.max(this.time.elapsedAt(work.dueAt), work.notBeforeElapsed);
    if (due > elapsed) return due;
    if (work.dueAt > this.time.now) return elapsed; // a drifting clock rounds: just ahead
    if (this.#blockerOf(work) !== 'quota') return Infinity; // until something changes
    const regular = this.#restrictions.availableAt(false);
    if (!mayRunExpedited(work.request, work)) return regular;
    return Math.min(regular, this.#restrictions.availableAt(true));
  }
}

/** An earliest begin that an update cannot keep, because backoff or a period decides the next run. */
function withLostFloor(
  request: ScheduleRequest,
  work: Work,
  weakened: readonly WeakenedField[],
): readonly WeakenedField[] {
  const asked = request.earliestBeginAt;
  if (asked === undefined || work.dueAt >= asked) return weakened;
  return [...weakened, { field: 'earliestBeginAt', asked, got: work.dueAt }];
}
