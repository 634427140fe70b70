import { durationMs } from '../model/duration.ts';
import { UsageError } from '../model/errors.ts';
import type { Clock, Timers } from '../ports/runtime.ts';
import type { SyncOptions } from './sync-options.ts';

/** A send begins only if at least this much is left, whatever sends took lately. */
const LEAST_SEND_MS = 2_000;
/** Nor in less than this, however short the window: no answer would come, and its fate would be unknown. */
const LEAST_TRIP_MS = 100;
/** What is under way is cut off this long before the end, so that its fate is stored in time. */
export const CLOSING_MS = 500;
/** After an abort a remote gets this long to come back, or half of a shorter closing time. */
const ABORT_GRACE_MS = 250;
/** In a window shorter than this `low` entries wait for a longer one. */
const SHORT_WINDOW_MS = 10_000;
/** Platforms take no longer timers; a window that long is watched by looking at the clock. */
const LONGEST_TIMER_MS = 2_000_000_000;

export type WindowEnd = 'deadline' | 'aborted' | 'paused';

/**
 * The time one run may take. A deadline is an instant of wall time, but the run is measured on the
 * monotonic clock, so that a clock step in the middle neither cuts it short nor lets it overrun.
 */
export class RunWindow {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #controller = new AbortController();
  readonly #unlink: (() => void)[] = [];
  #closesAt = Infinity;
  #lengthMs = Infinity;
  #graceMs = ABORT_GRACE_MS;
  #cancelTimer = (): void => {};
  #end: WindowEnd | undefined;

  /** @throws UsageError `usage/invalid-argument` */
  constructor(clock: Clock, timers: Timers, options: SyncOptions) {
    this.#clock = clock;
    this.#timers = timers;
    this.join(options);
  }

  /**
   * Somebody else counts on this run: the tightest of all limits holds, and any of the signals ends it.
   *
   * @throws UsageError `usage/invalid-argument`
   */
  join(options: SyncOptions): void {
    const lengthMs = lengthOf(options, this.#clock.now());
    const closesAt = this.#clock.elapsed() + lengthMs - closingMs(lengthMs);
    if (closesAt < this.#closesAt) this.#closeAt(closesAt, lengthMs);
    this.#graceMs = Math.min(this.#graceMs, closingMs(lengthMs) / 2);
    const { signal } = options;
    if (signal === undefined) return;
    const onAbort = (): void => this.close('aborted');
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    this.#unlink.push(() => signal.removeEventListener('abort', onAbort));
  }

  #closeAt(closesAt: number, lengthMs: number): void {
    this.#closesAt = closesAt;
    this.#lengthMs = lengthMs;
    this.#cancelTimer();
    if (this.#end !== undefined || lengthMs > LONGEST_TIMER_MS) return;
    this.#cancelTimer = this.#timers.after(Math.max(0, this.leftMs), () => this.close('deadline'));
  }

  /** Aborts when the window ends, for whatever reason. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get end(): WindowEnd | undefined {
    return this.#end;
  }

  /** Milliseconds in which something may be under way; Infinity without a deadline. */
  get leftMs(): number {
    return this.#closesAt - this.#clock.elapsed();
  }

  get isShort(): boolean {
    return this.leftMs < SHORT_WINDOW_MS;
  }

  /** How long a remote may take to come back after an abort; then its answer no longer counts. */
  get graceMs(): number {
    return this.#graceMs;
  }

  /**
   * True if a send that may take `sendMs` still ends in time. Half of the window is enough whatever sends
   * took lately: a run that never begins would never learn that they got faster. Nor would one in a
   * window shorter than twice the usual reserve ever send.
   */
  fits(sendMs: number): boolean {
    const openMs = this.#lengthMs - closingMs(this.#lengthMs);
    const reserveMs = Math.min(Math.max(LEAST_SEND_MS, sendMs), openMs / 2);
    return this.#end === undefined && this.leftMs > Math.max(LEAST_TRIP_MS, reserveMs);
  }

  close(end: WindowEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#cancelTimer();
    this.#controller.abort(end);
  }

  /** Lets go of the timer and the callers' signals. */
  dispose(): void {
    this.#cancelTimer();
    for (const unlink of this.#unlink) unlink();
  }
}

/** The end of a window that is kept free: the usual time, or a quarter of a short one. */
function closingMs(lengthMs: number): number {
  return Math.min(CLOSING_MS, lengthMs / 4);
}

function lengthOf({ deadline, budget }: SyncOptions, now: number): number {
  if (deadline !== undefined && Number.isNaN(deadline)) {
    throw new UsageError('usage/invalid-argument', 'deadline must be epoch milliseconds, not NaN');
  }
  const untilDeadline = deadline === undefined ? Infinity : deadline - now;
  const budgetMs = budget === undefined ? Infinity : durationMs(budget, 'budget');
  return Math.max(0, Math.min(untilDeadline, budgetMs));
}

const REMEMBERED_SENDS = 20;

/** How long sends took lately that were answered. */
export class SendTimes {
  readonly #times: number[] = [];

  record(ms: number): void {
    this.#times.push(ms);
    if (this.#times.length > REMEMBERED_SENDS) this.#times.shift();
  }

  /** What nine of ten of the last sends stayed under; 0 without any. */
  get p90Ms(): number {
    if (this.#times.length === 0) return 0;
    const sorted = [...this.#times].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.9))] as number;
  }
}
