/**
 * Time that moves only when told, with timers in a binary heap. It knows no promises: a fleet of
 * simulated devices runs on it directly, and `createVirtualRuntime` lets microtasks settle in between.
 *
 * Timers fire by due time, then by insertion. A timer fires at most once and never during `schedule`.
 */
export class VirtualTime {
  readonly #heap: Alarm[] = [];
  readonly #rate: number;
  #elapsed = 0;
  #order = 0;
  /** Wall time was `#wallBase` when the monotonic clock stood at `#elapsedBase`. */
  #wallBase: number;
  #elapsedBase = 0;

  /**
   * @param startAt wall time at the beginning, epoch milliseconds
   * @param driftPpm how much faster than the monotonic clock the wall clock runs, in millionths
   */
  constructor(startAt: number, driftPpm = 0) {
    this.#wallBase = startAt;
    this.#rate = 1 + driftPpm / 1_000_000;
  }

  /** Monotonic milliseconds since the beginning. */
  get elapsed(): number {
    return this.#elapsed;
  }

  /** Wall time, whole epoch milliseconds. */
  get now(): number {
    return Math.floor(this.#wallBase + (this.#elapsed - this.#elapsedBase) * this.#rate);
  }

  get pending(): number {
    return this.#heap.length;
  }

  /** When the next timer is due on the monotonic clock; Infinity if there is none. */
  get nextDue(): number {
    return this.#heap[0]?.due ?? Infinity;
  }

  /** Calls `callback` once after `delayMs`; a negative delay counts as none. */
  schedule(delayMs: number, callback: () => void): Alarm {
    const due = this.#elapsed + (delayMs > 0 ? delayMs : 0);
    const alarm = { due, order: this.#order++, callback, index: this.#heap.length };
    this.#heap.push(alarm);
    this.#rise(alarm);
    return alarm;
  }

  /** The same at a wall-clock instant, as the wall clock stands and runs now. */
  scheduleAt(at: number, callback: () => void): Alarm {
    return this.schedule(this.elapsedAt(at) - this.#elapsed, callback);
  }

  cancel(alarm: Alarm): void {
    if (alarm.index < 0) return;
    const hole = alarm.index;
    alarm.index = -1;
    const last = this.#heap.pop() as Alarm;
    if (last === alarm) return;
    this.#heap[hole] = last;
    last.index = hole;
    this.#rise(last);
    this.#sink(last);
  }

  /** Fires the next timer if it is due no later than `until` (monotonic). False if there was none. */
  step(until: number = Infinity): boolean {
    const next = this.#heap[0];
    if (next === undefined || next.due > until) return false;
    this.cancel(next);
    if (next.due > this.#elapsed) this.#elapsed = next.due;
    next.callback();
    return true;
  }

  /** Fires everything due until `until` (monotonic) and stands there afterwards. */
  runTo(until: number): void {
    while (this.step(until));
    this.moveTo(until);
  }

  /** Moves the clocks without firing anything; never back. */
  moveTo(elapsed: number): void {
    if (Number.isFinite(elapsed) && elapsed > this.#elapsed) this.#elapsed = elapsed;
  }

  /** Moves the wall clock only. The monotonic clock and every timer stay as they are. */
  jumpWallClock(ms: number): void {
    this.#wallBase += (this.#elapsed - this.#elapsedBase) * this.#rate + ms;
    this.#elapsedBase = this.#elapsed;
  }

  /** What the monotonic clock will show when the wall clock shows `at`. */
  elapsedAt(at: number): number {
    return this.#elapsedBase + (at - this.#wallBase) / this.#rate;
  }

  #rise(alarm: Alarm): void {
    const heap = this.#heap;
    let index = alarm.index;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above] as Alarm;
      if (!isBefore(alarm, parent)) break;
      heap[index] = parent;
      parent.index = index;
      index = above;
    }
    heap[index] = alarm;
    alarm.index = index;
  }

  #sink(alarm: Alarm): void {
    const heap = this.#heap;
    let index = alarm.index;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      const right = child + 1;
      if (right < heap.length && isBefore(heap[right] as Alarm, heap[child] as Alarm))
        child = right;
      const lesser = heap[child] as Alarm;
      if (!isBefore(lesser, alarm)) break;
      heap[index] = lesser;
      lesser.index = index;
      index = child;
    }
    heap[index] = alarm;
    alarm.index = index;
  }
}

/** A timer of `VirtualTime`; `index` is its place in the heap, negative once it fired or was cancelled. */
export interface Alarm {
  readonly due: number;
  readonly order: number;
  readonly callback: () => void;
  index: number;
}

function isBefore(a: Alarm, b: Alarm): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order);
}
