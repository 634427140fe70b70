import { durationMs } from '../model/duration.ts';
import type { Clock, Timers } from '../ports/runtime.ts';
import type { SyncOptions } from './sync-options.ts';

/** A send begins only if this much is left beyond what sends took lately. */
const MARGIN_MS = 500;
const LEAST_SEND_MS = 2_000;
/** In a window shorter than this `low` entries wait for a longer one. */
const SHORT_WINDOW_MS = 10_000;

export type WindowEnd = 'deadline' | 'aborted' | 'paused';

/**
 * The time one run may take. A deadline is an instant of wall time, but the run is measured on the
 * monotonic clock, so that a clock step in the middle neither cuts it short nor lets it overrun.
 */
export class RunWindow {
  readonly #clock: Clock;
  readonly #endsAt: number;
  readonly #lengthMs: number;
  readonly #controller = new AbortController();
  readonly #cancelTimer: () => void;
  readonly #unlink: () => void;
  #end: WindowEnd | undefined;

  constructor(clock: Clock, timers: Timers, options: SyncOptions) {
    this.#clock = clock;
    const untilDeadline =
      options.deadline === undefined ? Infinity : options.deadline - clock.now();
    const budget = options.budget === undefined ? Infinity : durationMs(options.budget, 'budget');
    this.#lengthMs = Math.max(0, Math.min(untilDeadline, budget));
    this.#endsAt = clock.elapsed() + this.#lengthMs;
    this.#cancelTimer = Number.isFinite(this.#lengthMs)
      ? timers.after(this.#lengthMs, () => this.close('deadline'))
      : () => {};
    const onAbort = (): void => this.close('aborted');
    options.signal?.addEventListener('abort', onAbort, { once: true });
    this.#unlink = () => options.signal?.removeEventListener('abort', onAbort);
    if (options.signal?.aborted === true) this.close('aborted');
  }

  /** Aborts when the window ends, for whatever reason. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get end(): WindowEnd | undefined {
    return this.#end;
  }

  /** Milliseconds left; Infinity without a deadline. */
  get leftMs(): number {
    return this.#endsAt - this.#clock.elapsed();
  }

  get isShort(): boolean {
    return this.leftMs < SHORT_WINDOW_MS;
  }

  /** True if a send that may take `sendMs` still ends in time. */
  fits(sendMs: number): boolean {
    return this.#end === undefined && this.leftMs > Math.max(sendMs, LEAST_SEND_MS) + MARGIN_MS;
  }

  close(end: WindowEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#cancelTimer();
    this.#controller.abort(end);
  }

  /** Lets go of the timer and the caller's signal. */
  dispose(): void {
    this.#cancelTimer();
    this.#unlink();
  }
}

const REMEMBERED_SENDS = 20;

/** How long sends took lately. */
export class SendTimes {
  readonly #times: number[] = [];

  record(ms: number): void {
    this.#times.push(ms);
    if (this.#times.length > REMEMBERED_SENDS) this.#times.shift();
  }

  /** What nine of ten of the last sends stayed under; 0 without any. */
  get p90Ms(): number {
    if (this.#times.length === 0) return 0;
    const sorted = this.#times.toSorted((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.9))] as number;
  }
}
