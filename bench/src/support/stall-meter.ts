/**
 * The longest time in which the event loop took no turn. A loop of its own, because the histogram of
 * `perf_hooks` has a resolution of a millisecond at best.
 */
export class StallMeter {
  #lastAt = performance.now();
  #isRunning = true;
  #longestMs = 0;

  constructor() {
    setImmediate(this.#tick);
  }

  /** Begins anew: what happened so far does not count. */
  restart(): void {
    this.#lastAt = performance.now();
    this.#longestMs = 0;
  }

  /** Ends the measurement. The turn under way counts. */
  stop(): number {
    this.#measure();
    this.#isRunning = false;
    return this.#longestMs;
  }

  readonly #tick = (): void => {
    if (!this.#isRunning) return;
    this.#measure();
    setImmediate(this.#tick);
  };

  #measure(): void {
    const now = performance.now();
    this.#longestMs = Math.max(this.#longestMs, now - this.#lastAt);
    this.#lastAt = now;
  }
}
