import type { RunResult, StopReason, WakeUp } from '../ports/platform-scheduler.ts';
import type { Runtime } from '../ports/runtime.ts';
import { abortWith } from './abort-with.ts';

/** Tasks end this long before the system would end the run: for their grace, the journal, the next request. */
export const CLOSING_MS = 2_000;
/** A run whose closing hangs is completed this long before the system would end it. */
const LAST_MS = 500;
/** The system that ends a run leaves about no time (a second on iOS). */
const AFTER_STOP_MS = 800;

/**
 * One wake-up: completed exactly once, and in time, whatever happens to the run. `signal` aborts when
 * the system ends it or the service is disposed of.
 */
export class WakeUpRun {
  readonly wakeUp: WakeUp;
  readonly beganAt: number;
  /** Settles when the run is completed, by whomever. */
  readonly ended: Promise<void>;
  /** Settles when nothing more may be begun: the system has ended the run, or its window is over. */
  readonly cut: Promise<void>;
  readonly #runtime: Runtime;
  readonly #controller = new AbortController();
  readonly #endsAtElapsed: number;
  readonly #cancels: (() => void)[] = [];
  readonly #onError: (error: unknown) => void;
  #stopReason: StopReason | null = null;
  #isCompleted = false;
  #settleEnded = (): void => {};
  #settleCut = (): void => {};

  constructor(
    runtime: Runtime,
    wakeUp: WakeUp,
    budgetMs: number,
    onError: (error: unknown) => void,
  ) {
    this.#runtime = runtime;
    this.#onError = onError;
    this.wakeUp = wakeUp;
    this.ended = new Promise((resolve) => {
      this.#settleEnded = resolve;
    });
    this.cut = new Promise((resolve) => {
      this.#settleCut = resolve;
    });
    const { clock } = runtime;
    this.beganAt = clock.now();
    // A deadline is wall time; the run is measured on the monotonic clock, which does not step.
    const untilDeadline = wakeUp.deadline - this.beganAt;
    const windowMs = Math.max(0, Math.min(budgetMs, untilDeadline - CLOSING_MS));
    this.#endsAtElapsed = clock.elapsed() + windowMs;
    this.#after(windowMs, () => this.#settleCut());
    this.#after(Math.max(0, Math.min(windowMs + 2 * CLOSING_MS, untilDeadline - LAST_MS)), () =>
      this.#giveUp(),
    );
    const onAbort = (): void => this.stop((wakeUp.signal.reason as StopReason) ?? 'unknown');
    wakeUp.signal.addEventListener('abort', onAbort, { once: true });
    this.#cancels.push(() => wakeUp.signal.removeEventListener('abort', onAbort));
    if (wakeUp.signal.aborted) onAbort();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What is left of the window for tasks. */
  get leftMs(): number {
    return this.#endsAtElapsed - this.#runtime.clock.elapsed();
  }

  /** Why it was ended early; null if it was not. */
  get stopReason(): StopReason | null {
    return this.#stopReason;
  }

  get isCompleted(): boolean {
    return this.#isCompleted;
  }

  /** Ends the run early: the signal first, then a moment to put things away. */
  stop(reason: StopReason): void {
    if (this.#stopReason !== null || this.#isCompleted) return;
    this.#stopReason = reason;
    this.#settleCut();
    abortWith(this.#controller, reason);
    this.#after(AFTER_STOP_MS, () => this.complete('retry'));
  }

  complete(result: RunResult): void {
    if (this.#isCompleted) return;
    this.#isCompleted = true;
    for (const cancel of this.#cancels) cancel();
    try {
      this.wakeUp.complete(result);
    } catch (error) {
      this.#onError(error);
    }
    this.#settleCut();
    this.#settleEnded();
  }

  #giveUp(): void {
    this.#stopReason ??= 'timeout';
    abortWith(this.#controller, 'timeout');
    this.complete('retry');
  }

  #after(delayMs: number, callback: () => void): void {
    this.#cancels.push(this.#runtime.timers.after(delayMs, callback));
  }
}
