/**
 * A mobile radio stays on for about this long after the last byte before it falls back to idle (LTE
 * inactivity timers of about ten seconds; general knowledge).
 */
const TAIL_MS = 10_000;

/** Adds up how long the radio is on: the union of all requests, each with its tail. */
export class RadioMeter {
  #onMs = 0;
  #until = 0;

  /** A request was under way. Requests are told by the time they ended, or nearly so. */
  note(from: number, until: number): void {
    const end = until + TAIL_MS;
    this.#onMs += Math.max(0, end - Math.max(from, this.#until));
    if (end > this.#until) this.#until = end;
  }

  get onMs(): number {
    return this.#onMs;
  }
}
