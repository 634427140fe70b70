import type { PriorityRank } from '../model/priority.ts';
import type { Runtime } from '../ports/runtime.ts';
import { nextAttemptAt, type Rest } from './rest.ts';

/**
 * How long a write may wait for others before it is sent while the app is in front, by priority:
 * critical at once, high joined within a second, normal within ten, low within a minute.
 */
const DELAY_MS: readonly [number, number, number, number] = [0, 1_000, 10_000, 60_000];

/** After a run left something that may be sent, the next one begins this much later. */
const CONTINUE_MS = 1_000;

/** After a run that failed here (the storage did): doubled with each, up to the cap. */
const RECOVER_MS = 1_000;
const RECOVER_CAP_MS = 300_000;

/** `setTimeout` takes at most this; a longer wait is cut into several. */
const LONGEST_TIMER_MS = 2_000_000_000;

/**
 * Calls for a run when one is due, while the app is in front: the one timer of a backend. Whenever
 * something is pending and nothing blocks it, a run is under way or this timer is set.
 *
 * Waits are kept on the monotonic clock: a step of the wall clock must not make a timer that is far away
 * look near, or a near one far.
 */
export class AutoSync {
  readonly #runtime: Runtime;
  readonly #run: (isForEntries: boolean) => Promise<void>;
  readonly #isRunning: () => boolean;
  #isEnabled: boolean;
  #isBlocked = false;
  #heldUntil: number | null = null;
  #cancel: (() => void) | undefined;
  /** On the monotonic clock. */
  #dueAt: number | null = null;
  /** The same on the wall clock, as it was last given out. */
  #toldAt: number | null = null;
  #isForEntries = true;
  #failures = 0;

  constructor(
    runtime: Runtime,
    isEnabled: boolean,
    runs: {
      /** @param isForEntries it was called for entries that waited then, and for nothing else */
      readonly begin: (isForEntries: boolean) => Promise<void>;
      readonly isRunning: () => boolean;
    },
  ) {
    this.#runtime = runtime;
    this.#isEnabled = isEnabled;
    this.#run = runs.begin;
    this.#isRunning = runs.isRunning;
  }

  /** Epoch milliseconds, whole, of the next run that is called for; null if none is. */
  get dueAt(): number | null {
    if (this.#dueAt === null) return null;
    const { clock } = this.#runtime;
    const at = Math.ceil(clock.now() + Math.max(0, this.#dueAt - clock.elapsed()));
    // The wall clock counts whole milliseconds and the other one does not: a millisecond is no news.
    if (this.#toldAt === null || Math.abs(at - this.#toldAt) > 1) this.#toldAt = at;
    return this.#toldAt;
  }

  /** Entries came. */
  onEnqueued(best: PriorityRank): void {
    if (this.#isBlocked) return;
    this.#callIn(Math.max(DELAY_MS[best], this.#heldMs()));
  }

  /**
   * What is left to do was looked at, outside of a run.
   *
   * @param pullDueInMs how soon something must be fetched; null: nothing is known of
   */
  onRest(rest: Rest, pullDueInMs: number | null): void {
    this.#note(rest);
    if (this.#isRunning() || this.#isBlocked) return;
    this.#pullIn(pullDueInMs);
    const at = nextAttemptAt(rest, this.#runtime.clock.now());
    if (at === null) return;
    const delayMs = rest.readyRank === null ? 0 : DELAY_MS[rest.readyRank];
    this.#callIn(Math.max(delayMs, this.#msUntil(at)));
  }

  /** A run ended, whoever called for it, and left this. */
  onRunEnded(rest: Rest, pullDueInMs: number | null): void {
    this.#failures = 0;
    this.#note(rest);
    if (!this.#isBlocked) this.#pullIn(pullDueInMs);
    const at = nextAttemptAt(rest, this.#runtime.clock.now());
    if (at !== null) this.#callIn(Math.max(CONTINUE_MS, this.#msUntil(at)));
  }

  /** A run could not be ended properly: nobody knows what is left, so it is tried again. */
  onRunFailed(): void {
    const delayMs = Math.min(RECOVER_CAP_MS, RECOVER_MS * 2 ** Math.min(this.#failures, 20));
    this.#failures += 1;
    this.#callIn(delayMs, false);
  }

  /** A run begins, whoever called for it: what is due is done by it. */
  onRunBegan(): void {
    this.#clear();
  }

  /** As soon as possible: the app came to the front, the network returned. */
  now(): void {
    this.#callIn(0, false);
  }

  setEnabled(isEnabled: boolean): void {
    this.#isEnabled = isEnabled;
    if (!isEnabled) this.#clear();
  }

  #note(rest: Rest): void {
    this.#heldUntil = rest.heldUntil;
    this.#isBlocked = rest.isBlocked;
    if (rest.isBlocked) this.#clear();
  }

  #pullIn(dueInMs: number | null): void {
    if (dueInMs !== null) this.#callIn(Math.max(dueInMs, this.#heldMs()), false);
  }

  #heldMs(): number {
    return this.#heldUntil === null ? 0 : this.#msUntil(this.#heldUntil);
  }

  #msUntil(at: number): number {
    return Math.max(0, at - this.#runtime.clock.now());
  }

  #callIn(delayMs: number, isForEntries = true): void {
    const { clock, timers } = this.#runtime;
    const dueAt = clock.elapsed() + delayMs;
    if (!this.#isEnabled) return;
    // One run does what several were called for.
    this.#isForEntries = isForEntries && (this.#dueAt === null || this.#isForEntries);
    if (this.#dueAt !== null && this.#dueAt <= dueAt) return;
    this.#clear();
    this.#dueAt = dueAt;
    this.#cancel = timers.after(Math.min(delayMs, LONGEST_TIMER_MS), () => {
      this.#clear();
      void this.#run(this.#isForEntries);
    });
  }

  #clear(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#dueAt = null;
    this.#toldAt = null;
  }
}
