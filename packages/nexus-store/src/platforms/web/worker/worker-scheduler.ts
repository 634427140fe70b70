import { TimerRun } from '../../../core/background/timer-run.ts';
import { TimerScheduler } from '../../../core/background/timer-scheduler.ts';
import type { DeviceState } from '../../../core/ports/device-state.ts';
import type {
  PendingRequest,
  PlatformScheduler,
  RunResult,
  ScheduleRequest,
  ScheduleResult,
  SchedulerCapabilities,
  WakeUp,
} from '../../../core/ports/platform-scheduler.ts';
import type { Runtime } from '../../../core/ports/runtime.ts';
import type { BrowserSync } from '../browser-sync.ts';

/** What the browser woke the worker for. */
export interface BrowserEvent {
  /** The id of the request. */
  readonly tag: string;
  readonly kind: 'sync' | 'periodic' | 'message';
  /** The browser will not try again by itself. */
  readonly isLastChance: boolean;
}

/**
 * Chromium ends a worker that is at a sync event for three minutes; others tell of no limit for messages,
 * and keep a worker without a page for about half a minute.
 */
export const LONGEST_EVENT_MS: Readonly<Record<BrowserEvent['kind'], number>> = {
  sync: 170_000,
  periodic: 170_000,
  message: 28_000,
};
/** A run in the rest of an event needs at least this long. */
const LEAST_RUN_MS = 10_000;
/** What is due later than this is worth no waiting: the browser may have the worker's memory. */
const LONGEST_WAIT_MS = 60_000;
const FIRST_PAUSE_MS = 1_000;
/** What is due within this time counts as due. */
const NEAR_MS = 5_000;
/** Outside of an event the browser takes the worker soon. */
const UNGUARDED_MS = 20_000;

/** An event under way: until it is answered the browser keeps the worker. */
interface EventWindow {
  /** Epoch milliseconds. */
  readonly endsAt: number;
}

/**
 * Wake-ups in a service worker: from the browser's events, and within one from timers, for what becomes due
 * while the browser still keeps the worker. Whatever is left then goes back to the browser: an event that
 * is answered with a failure comes again, in Chromium after five and after fifteen minutes.
 */
export class WorkerScheduler implements PlatformScheduler {
  readonly capabilities: SchedulerCapabilities;
  readonly #runtime: Runtime;
  readonly #timers: TimerScheduler;
  readonly #browser: BrowserSync;
  readonly #windows = new Set<EventWindow>();
  readonly #oneOffs = new Set<string>();
  readonly #held: WakeUp[] = [];
  /** Events that wait for the end of a run. */
  readonly #waiting = new Set<() => void>();
  /** Tags that were registered again for later, and when: monotonic milliseconds. */
  readonly #renewals = new Map<string, number>();
  readonly #soonTag: string;
  #handler: ((wakeUp: WakeUp) => void) | undefined;

  /** @param soonTag what to ask the browser for when there is more to do */
  constructor(runtime: Runtime, deviceState: DeviceState, browser: BrowserSync, soonTag: string) {
    this.#soonTag = soonTag;
    this.#runtime = runtime;
    this.#browser = browser;
    this.#timers = new TimerScheduler(runtime, { deviceState, maxRun: LONGEST_EVENT_MS.sync });
    this.capabilities = this.#timers.capabilities;
  }

  onWakeUp(handler: (wakeUp: WakeUp) => void): void {
    this.#handler = handler;
    this.#timers.onWakeUp((wakeUp) => this.#onTimer(wakeUp));
    for (const wakeUp of this.#held.splice(0)) handler(wakeUp);
  }

  async schedule(request: ScheduleRequest): Promise<ScheduleResult> {
    const result = await this.#timers.schedule(request);
    if (!result.ok) return result;
    const { id, kind, intervalMs = 0 } = request;
    if (kind === 'once') {
      this.#oneOffs.add(id);
    } else {
      this.#oneOffs.delete(id);
      void this.#browser.periodic(id, intervalMs);
    }
    return result;
  }

  async cancel(id: string): Promise<boolean> {
    if (!this.#oneOffs.delete(id)) await this.#browser.cancel(id);
    const wasPending = await this.#timers.cancel(id);
    this.#lookAgain();
    return wasPending;
  }

  pending(): Promise<readonly PendingRequest[]> {
    return this.#timers.pending();
  }

  dispose(): void {
    this.#timers.dispose();
  }

  /**
   * Runs for an event, and again for what becomes due while it lasts. Settles when the event may be
   * answered.
   *
   * @param nextAttemptAt when the queue wants to be sent again, epoch milliseconds; null: never by itself
   * @throws {Error} if there is more to do, later: the browser is to send the event again
   */
  async handle(
    event: BrowserEvent,
    nextAttemptAt: () => Promise<number | null> = async () => null,
  ): Promise<void> {
    const { clock } = this.#runtime;
    const endsAt = clock.now() + LONGEST_EVENT_MS[event.kind];
    const window: EventWindow = { endsAt };
    this.#windows.add(window);
    let pauseMs = FIRST_PAUSE_MS;
    // A registration that was renewed for later comes at once all the same.
    let at: number | null = this.#isRenewal(event) ? Infinity : 0;
    try {
      // Before anything can go wrong: if the worker is stopped in this event, another one comes all the same.
      if (event.kind === 'sync' && event.isLastChance && at === 0) await this.#renew(event.tag);
      while (at !== null && at <= Math.min(endsAt - LEAST_RUN_MS, clock.now() + LONGEST_WAIT_MS)) {
        const beganAt = clock.elapsed();
        const result = await this.#runAt(at, event, endsAt);
        // What is due again after a short run will hardly have changed by the next one.
        if (clock.elapsed() - beganAt < FIRST_PAUSE_MS * 5) pauseMs *= 2;
        const earliest = clock.now() + pauseMs;
        const next = result === 'retry' ? Infinity : await this.#nextAt(nextAttemptAt);
        at = next === null ? null : Math.max(next, earliest);
      }
      if (at !== null) await this.#handBack(event, at);
    } finally {
      this.#windows.delete(window);
    }
  }

  #isRenewal({ kind, tag }: BrowserEvent): boolean {
    const renewedAt = this.#renewals.get(tag) ?? -Infinity;
    this.#renewals.delete(tag);
    return kind === 'sync' && this.#runtime.clock.elapsed() - renewedAt < NEAR_MS;
  }

  /** Waits for the moment and runs; lets a timer's run do it if there is one. */
  async #runAt(at: number, event: BrowserEvent, endsAt: number): Promise<RunResult> {
    if (await this.#wait(at)) return 'success';
    return this.#run(event, endsAt);
  }

  /** The run of the event itself. It stands for the timers of one-offs that are due. */
  async #run({ tag }: BrowserEvent, deadline: number): Promise<RunResult> {
    const soonAt = this.#runtime.clock.now() + NEAR_MS;
    for (const { id, state, nextAt = 0 } of await this.#waitingOneOffs())
      if (state !== 'running' && nextAt <= soonAt) await this.#timers.cancel(id);
    return new Promise((resolve) => {
      const run = this.#newRun(tag, 1, deadline, resolve);
      this.#deliver(run.wakeUp);
    });
  }

  /** Resolves at that moment, with false; or when a timer's run has ended, with true. */
  async #wait(at: number): Promise<boolean> {
    const { clock, timers } = this.#runtime;
    let hasRun = false;
    for (;;) {
      const isRunning = (await this.#waitingOneOffs()).some(({ state }) => state === 'running');
      if (!isRunning && (hasRun || at <= clock.now())) return hasRun;
      hasRun ||= isRunning;
      await new Promise<void>((resolve) => {
        const end = (): void => {
          cancel();
          this.#waiting.delete(end);
          resolve();
        };
        const cancel = isRunning ? () => {} : timers.after(Math.max(1, at - clock.now()), end);
        this.#waiting.add(end);
      });
    }
  }

  /** When there is more to do; null if there is not. */
  async #nextAt(nextAttemptAt: () => Promise<number | null>): Promise<number | null> {
    const oneOffs = await this.#waitingOneOffs();
    const queued = await nextAttemptAt();
    const times = oneOffs.map(({ nextAt = 0 }) => nextAt);
    if (queued !== null) times.push(queued);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** What is left is the browser's again. */
  async #handBack({ tag, kind, isLastChance }: BrowserEvent, at: number): Promise<void> {
    const isDue = at <= this.#runtime.clock.now() + NEAR_MS;
    const isSync = kind === 'sync';
    // Its own repetition is minutes away; a new registration comes at once.
    if (isDue) {
      const isTaken = await this.#browser.once(isSync ? tag : this.#soonTag);
      if (isTaken || !isSync) return;
    }
    if (isSync && !isLastChance) throw new Error('nexus-store: more is to be sent later');
    if (!isSync) await this.#renew(this.#soonTag);
  }

  /** Asks for events of a later time: the first comes at once, and is sent away for minutes. */
  async #renew(tag: string): Promise<void> {
    this.#renewals.set(tag, this.#runtime.clock.elapsed());
    await this.#browser.once(tag);
  }

  async #waitingOneOffs(): Promise<readonly PendingRequest[]> {
    const pending = await this.#timers.pending();
    return pending.filter(({ id }) => this.#oneOffs.has(id));
  }

  /** A timer fell due: its run ends with the event that keeps the worker, or soon. */
  #onTimer(wakeUp: WakeUp): void {
    const now = this.#runtime.clock.now();
    const ends = [...this.#windows].map(({ endsAt }) => endsAt);
    // Another event of the browser would keep the worker for this run; it joins it.
    if (ends.length === 0) void this.#browser.once(wakeUp.id);
    const deadline = Math.min(wakeUp.deadline, Math.max(now + UNGUARDED_MS, ...ends));
    const run = this.#newRun(wakeUp.id, wakeUp.attempt, deadline, (result) => {
      wakeUp.complete(result);
      this.#lookAgain();
    });
    wakeUp.signal.addEventListener('abort', () => {
      // When its own time is over, so is that of the event.
      if (wakeUp.signal.reason === 'constraint') run.loseConstraint();
      else if (wakeUp.signal.reason === 'cancelled') run.cancel();
      this.#lookAgain();
    });
    this.#deliver(run.wakeUp);
  }

  #newRun(
    id: string,
    attempt: number,
    deadline: number,
    onEnd: (result: RunResult) => void,
  ): TimerRun {
    const now = this.#runtime.clock.now();
    return new TimerRun(this.#runtime.timers, {
      id,
      runId: this.#runtime.ids.uuid(),
      attempt,
      now,
      maxRunMs: Math.max(0, deadline - now),
      appState: 'headless',
      onEnd,
    });
  }

  #lookAgain(): void {
    for (const end of [...this.#waiting]) end();
  }

  #deliver(wakeUp: WakeUp): void {
    if (this.#handler === undefined) this.#held.push(wakeUp);
    else this.#handler(wakeUp);
  }
}
