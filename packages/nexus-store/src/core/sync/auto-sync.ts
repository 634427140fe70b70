import type { PriorityRank } from '../model/priority.ts';
import type { Runtime } from '../ports/runtime.ts';

/**
 * How long a write may wait for others before it is sent while the app is in front, by priority:
 * critical at once, high joined within a second, normal within ten, low within a minute.
 */
const DELAY_MS: readonly [number, number, number, number] = [0, 1_000, 10_000, 60_000];

/** After a run was cut off with work left, the next one begins this much later. */
const CONTINUE_MS = 1_000;

/** `setTimeout` takes at most this; a longer wait is cut into several. */
const LONGEST_TIMER_MS = 2_000_000_000;

/**
 * Calls for a run when one is due, while the app is in front: the one timer of a backend. Whenever
 * something is pending and nothing blocks it, a run is under way or this timer is set.
 */
export class AutoSync {
  readonly #runtime: Runtime;
  readonly #run: () => void;
  #isEnabled: boolean;
  #cancel: (() => void) | undefined;
  #dueAt: number | null = null;
  #enqueues = 0;

  constructor(runtime: Runtime, isEnabled: boolean, run: () => void) {
    this.#runtime = runtime;
    this.#isEnabled = isEnabled;
    this.#run = run;
  }

  /** Epoch milliseconds of the next run that is called for; null if none is. */
  get dueAt(): number | null {
    return this.#dueAt;
  }

  /** Grows with every enqueue: what was known of the queue before one is no longer true. */
  get stamp(): number {
    return this.#enqueues;
  }

  /** Entries came. */
  onEnqueued(best: PriorityRank, notBefore: number | null): void {
    this.#enqueues += 1;
    const now = this.#runtime.clock.now();
    this.#callAt(Math.max(now + DELAY_MS[best], notBefore ?? 0));
  }

  /**
   * A run ended and left this.
   *
   * @param stamp what `stamp` was before the queue was looked at
   */
  onRest(nextAttemptAt: number | null, stamp: number): void {
    if (stamp === this.#enqueues) this.#clear();
    if (nextAttemptAt === null) return;
    this.#callAt(Math.max(nextAttemptAt, this.#runtime.clock.now() + CONTINUE_MS));
  }

  /** As soon as possible: the app came to the front, the network returned. */
  now(): void {
    this.#callAt(this.#runtime.clock.now());
  }

  setEnabled(isEnabled: boolean): void {
    this.#isEnabled = isEnabled;
    if (!isEnabled) this.#clear();
  }

  #callAt(at: number): void {
    if (!this.#isEnabled || (this.#dueAt !== null && this.#dueAt <= at)) return;
    this.#clear();
    this.#dueAt = at;
    const delayMs = Math.min(Math.max(0, at - this.#runtime.clock.now()), LONGEST_TIMER_MS);
    this.#cancel = this.#runtime.timers.after(delayMs, () => {
      this.#clear();
      this.#run();
    });
  }

  #clear(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#dueAt = null;
  }
}
