import type { Clock } from '../ports/runtime.ts';

/** Below this a difference is drift, rounding, or a clock being slewed: the wall clock is followed. */
const SMALLEST_STEP_MS = 2_000;

/**
 * Tells a wall clock that was set from time that passed. Sleep is time that passed: a monotonic clock
 * may stand still meanwhile, but the time since the machine was started does not, and does not move when
 * somebody sets the clock either.
 */
export class WallSteps {
  readonly #clock: Clock;
  readonly #uptimeMs: () => number;
  #last: { readonly wall: number; readonly elapsed: number; readonly uptime: number };

  constructor(clock: Clock, uptimeMs: () => number) {
    this.#clock = clock;
    this.#uptimeMs = uptimeMs;
    this.#last = this.#read();
  }

  /** By how many milliseconds the wall clock was set since the last call; 0 if it only went on. */
  take(): number {
    const before = this.#last;
    const now = this.#read();
    this.#last = now;
    // Whichever saw more: virtual time moves only the first, sleep only the second.
    const passed = Math.max(now.elapsed - before.elapsed, now.uptime - before.uptime);
    const step = now.wall - before.wall - passed;
    return Math.abs(step) < SMALLEST_STEP_MS ? 0 : step;
  }

  #read(): { readonly wall: number; readonly elapsed: number; readonly uptime: number } {
    return {
      wall: this.#clock.now(),
      elapsed: this.#clock.elapsed(),
      uptime: this.#uptimeMs(),
    };
  }
}
