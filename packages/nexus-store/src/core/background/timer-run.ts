import type { RunResult, StopReason, WakeUp } from '../ports/platform-scheduler.ts';
import type { Timers } from '../ports/runtime.ts';
import { abortWith } from './abort-with.ts';

/** A run that is told to stop gets this long to say how it ended. */
const CLOSING_MS = 1_000;

/** What a run is made of. */
export interface TimerRunOptions {
  readonly id: string;
  readonly runId: string;
  readonly attempt: number;
  /** Epoch milliseconds. */
  readonly now: number;
  readonly maxRunMs: number;
  readonly appState: WakeUp['appState'];
  /** Called once, with the first completion or at the end of the window. */
  readonly onEnd: (result: RunResult) => void;
}

/** One wake-up, from its begin to its one end. */
export class TimerRun {
  readonly wakeUp: WakeUp;
  readonly #timers: Timers;
  readonly #controller = new AbortController();
  readonly #onEnd: (result: RunResult) => void;
  #cancelTimer: () => void;
  #isEnded = false;

  constructor(timers: Timers, options: TimerRunOptions) {
    const { id, runId, attempt, now, maxRunMs, appState } = options;
    this.#timers = timers;
    this.#onEnd = options.onEnd;
    this.wakeUp = {
      id,
      runId,
      attempt,
      reason: 'scheduled',
      appState,
      deadline: now + maxRunMs,
      signal: this.#controller.signal,
      complete: (result) => this.#end(result),
    };
    const workMs = Math.max(maxRunMs - CLOSING_MS, maxRunMs / 2);
    this.#cancelTimer = timers.after(workMs, () => this.#stop('timeout', maxRunMs - workMs));
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** The device no longer meets what the request asked for. */
  loseConstraint(): void {
    if (!this.#isEnded && !this.#controller.signal.aborted) this.#stop('constraint', CLOSING_MS);
  }

  /** Nobody waits for it any more; what it reports later changes nothing. */
  cancel(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#cancelTimer();
    abortWith(this.#controller, 'cancelled' satisfies StopReason);
  }

  #stop(reason: StopReason, closingMs: number): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#timers.after(closingMs, () => this.#end('retry'));
    abortWith(this.#controller, reason);
  }

  #end(result: RunResult): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#cancelTimer();
    this.#onEnd(result);
  }
}
