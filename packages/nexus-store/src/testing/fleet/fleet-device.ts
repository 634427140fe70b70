import type { BackgroundSyncConfig } from '../../core/background/background-sync-config.ts';
import { planWakeUps, requestIds } from '../../core/background/wake-up-policy.ts';
import { AndroidModel } from '../device/android-model.ts';
import type { DayProfile } from '../device/day-profiles.ts';
import type { DeviceModel, HostRun, ModelHost } from '../device/device-model.ts';
import { IosModel } from '../device/ios-model.ts';
import { ProfilePlayer } from '../device/profile-player.ts';
import type { SeededRandom } from '../seeded-random.ts';
import type { Alarm, VirtualTime } from '../virtual-time.ts';
import type { Delays } from './delays.ts';
import { FleetQueue } from './fleet-queue.ts';
import type { FleetServer } from './fleet-server.ts';
import { RadioMeter } from './radio.ts';
import { drawRank, nextSaveMs, type WritingHabit } from './writing-habit.ts';

export interface FleetDeviceOptions {
  readonly platform: 'android' | 'ios';
  readonly profile: DayProfile;
  readonly config: BackgroundSyncConfig;
  readonly habit: WritingHabit;
  readonly server: FleetServer;
  /** How far the device's day is ahead of the server's clock. */
  readonly shiftMs: number;
  readonly delays: Delays;
}

/** What `AutoSync` waits in front, by priority. */
const IN_FRONT_DELAY_MS: readonly [number, number, number, number] = [0, 1_000, 10_000, 60_000];
/** One request there and back, and what a run takes around it. */
const REQUEST_MS = 500;
const BATCH = 50;
const HOUR_MS = 3_600_000;
const ID = 'sync';
const IDS = requestIds(ID);
const NOBODY: ReadonlySet<string> = new Set();

/**
 * One device of a fleet: the system's rules, the queue's gate and the policy for wake-ups, all of them
 * the real functions, without promises, storage or a process in between. What the service does between
 * them is retold here in a few lines; `simulateDevice` runs the service itself.
 */
export class FleetDevice implements ModelHost {
  readonly radio: RadioMeter = new RadioMeter();
  wakeUps = 0;
  readonly #options: FleetDeviceOptions;
  readonly #time: VirtualTime;
  readonly #random: SeededRandom;
  readonly #queue: FleetQueue;
  readonly #model: DeviceModel;
  #isInFront = false;
  #isConnected = true;
  #isSyncing = false;
  #autoAlarm: Alarm | undefined;
  #saveAlarm: Alarm | undefined;
  #asked: Record<string, number> = {};
  #criticalAskedAt: number[] = [];

  constructor(time: VirtualTime, random: SeededRandom, options: FleetDeviceOptions) {
    this.#options = options;
    this.#time = time;
    this.#random = random;
    this.#queue = new FleetQueue(random);
    this.#model =
      options.platform === 'android'
        ? new AndroidModel(time, this, { version: 16 })
        : new IosModel(time, this, { random });
    // The app was installed some time ago: its periodic request is anywhere in its interval.
    const { capabilities } = this.#model;
    const intervalMs = Math.max(options.config.minInterval, capabilities.minIntervalMs);
    const [request] = this.#plan(false).requests;
    if (request?.kind === 'periodic')
      this.#model.schedule({
        ...request,
        earliestBeginAt: time.now + Math.floor(random.between(0, intervalMs)),
      });
    new ProfilePlayer(this.#model, options.profile, random);
  }

  processStarted(): void {}

  processEnded(): void {
    this.#cancelAuto();
    this.#isSyncing = false;
  }

  runStopped(): void {}

  runEnded(): void {}

  runBegan(run: HostRun): void {
    this.wakeUps += 1;
    delete this.#asked[run.id];
    this.#sync(() => {
      this.#ask(run.id);
      run.finish('success');
    });
  }

  deviceChanged(): void {
    const model = this.#model as DeviceModel | undefined;
    if (model === undefined) return; // it is being made
    const isInFront = model.process === 'foreground';
    const isConnected = model.conditions.network !== 'none';
    const wasInFront = this.#isInFront;
    const wasConnected = this.#isConnected;
    this.#isInFront = isInFront;
    this.#isConnected = isConnected;
    if (isInFront !== wasInFront) this.#onFrontChanged(isInFront);
    else if (isConnected && !wasConnected && isInFront && this.#queue.size > 0) this.#auto(0);
  }

  #onFrontChanged(isInFront: boolean): void {
    if (isInFront) {
      this.#planSave();
      if (this.#queue.size > 0) this.#auto(0);
      return;
    }
    if (this.#saveAlarm !== undefined) this.#time.cancel(this.#saveAlarm);
    this.#cancelAuto();
    this.#ask();
    const [critical, high, normal] = this.#queue.counts;
    if (critical + high + normal > 0) this.#sync(() => this.#ask());
  }

  #planSave(): void {
    this.#saveAlarm = this.#time.schedule(nextSaveMs(this.#options.habit, this.#random), () => {
      const rank = drawRank(this.#options.habit, this.#random);
      this.#queue.waiting[rank].push(this.#time.now);
      this.#options.delays.of(rank).noteSaved();
      const { now } = this.#time;
      const heldMs = (this.#queue.nextAttemptAt(now) ?? now) - now;
      this.#auto(Math.max(IN_FRONT_DELAY_MS[rank], heldMs));
      if (!this.#isConnected && rank <= 1) this.#ask();
      this.#planSave();
    });
  }

  /** Syncs in front after a while; the earlier of two calls counts. */
  #auto(delayMs: number): void {
    const due = this.#time.elapsed + delayMs;
    if (this.#autoAlarm !== undefined && this.#autoAlarm.due <= due) return;
    this.#cancelAuto();
    this.#autoAlarm = this.#time.schedule(delayMs, () => {
      this.#autoAlarm = undefined;
      this.#sync(() => this.#afterAuto());
    });
  }

  #cancelAuto(): void {
    if (this.#autoAlarm !== undefined) this.#time.cancel(this.#autoAlarm);
    this.#autoAlarm = undefined;
  }

  #afterAuto(): void {
    const { now } = this.#time;
    const next = this.#queue.nextAttemptAt(now);
    if (this.#isInFront && next !== null) this.#auto(Math.max(1_000, next - now));
    if (Object.keys(this.#asked).length > 0) this.#ask();
  }

  /** One sync; a second joins it, and has nothing to do. */
  #sync(done: () => void): void {
    const { now } = this.#time;
    const { server, shiftMs } = this.#options;
    if (this.#isSyncing || !this.#queue.mayTry(now)) return done();
    if (this.#model.conditions.network === 'none') {
      this.#queue.noteFailure(now, true, null);
      return done();
    }
    this.#isSyncing = true;
    const pushes = Math.ceil(this.#queue.size / BATCH);
    this.#time.schedule(REQUEST_MS * (pushes + 1), () => {
      // A process that died meanwhile had its request all the same; its answer is lost.
      const at = this.#time.now;
      this.radio.note(now, at);
      const isServed = server.request(at - shiftMs, pushes + 1);
      if (!this.#isSyncing) return;
      this.#isSyncing = false;
      if (isServed) this.#arrive(at);
      else this.#queue.noteFailure(at, false, server.outage?.retryAfterMs ?? null);
      done();
    });
  }

  #arrive(at: number): void {
    this.#queue.noteSuccess();
    this.#queue.waiting.forEach((saves, rank) => {
      for (const savedAt of saves) this.#options.delays.of(rank).noteArrived(at - savedAt);
      saves.length = 0;
    });
  }

  /** Asks for what the policy wants; the periodic request stands since the beginning. */
  #ask(endingId?: string): void {
    const { now } = this.#time;
    const plan = this.#plan(true, endingId);
    for (const id of plan.cancels) {
      this.#model.cancel(id);
      delete this.#asked[id];
    }
    for (const request of plan.requests) {
      if (request.kind === 'periodic') continue;
      const result = this.#model.schedule(request);
      if (!result.ok || (result.effect === 'kept' && this.#asked[request.id] !== undefined))
        continue;
      this.#asked[request.id] = request.earliestBeginAt ?? now;
      const isNewRun = result.effect === 'added' || result.effect === 'updated-next-run';
      if (request.id === IDS.critical && isNewRun) this.#criticalAskedAt.push(now);
    }
  }

  #plan(isStarted: boolean, endingId?: string): ReturnType<typeof planWakeUps> {
    const { now } = this.#time;
    this.#criticalAskedAt = this.#criticalAskedAt.filter((at) => at > now - HOUR_MS);
    return planWakeUps(ID, {
      now,
      config: this.#options.config,
      capabilities: this.#model.capabilities,
      pending: this.#queue.counts,
      nextAttemptAt: isStarted ? this.#queue.nextAttemptAt(now) : null,
      isInFront: this.#isInFront,
      isOffline: !this.#isConnected && (this.#queue.isHeldByWay || this.#queue.mayTry(now)),
      wasCutOff: false,
      notBefore: null,
      criticalAskedAt: this.#criticalAskedAt,
      hintedIntervalMs: null,
      asked: this.#asked,
      isRunAtWork: false,
      running: endingId === undefined ? NOBODY : new Set([endingId]),
      random: () => this.#random.float(),
    });
  }
}
