// Deep Doze, DeviceIdleController. The order of magnitude is documented (mobile-scheduling.md 3a
// "Doze": maintenance windows at growing gaps, about 1, 2, 4, 6 h); the constants are general knowledge.
// Light Doze is left out: its windows come so often that a sync of seconds hardly notices it.

const MINUTE_MS = 60_000;

/** Screen off, still and unplugged for this long: inactive_to + idle_after_inactive_to. */
export const DOZE_AFTER_MS: number = 60 * MINUTE_MS;
const FIRST_GAP_MS = 60 * MINUTE_MS;
const MAX_GAP_MS = 360 * MINUTE_MS;
const FIRST_WINDOW_MS = 5 * MINUTE_MS;
const MAX_WINDOW_MS = 10 * MINUTE_MS;

/** The sleep before the `index`-th maintenance window: idle_to, idle_factor, max_idle_to. */
export function dozeGapMs(index: number): number {
  return Math.min(FIRST_GAP_MS * 2 ** index, MAX_GAP_MS);
}

/** The length of the `index`-th window: idle_pending_to, idle_pending_factor, max_idle_pending_to. */
export function maintenanceMs(index: number): number {
  return Math.min(FIRST_WINDOW_MS * 2 ** index, MAX_WINDOW_MS);
}

export type DozePhase = 'awake' | 'dozing' | 'maintenance';

/** Where a device stands in Doze. Times are monotonic milliseconds. */
export class Doze {
  #phase: DozePhase = 'awake';
  #window = 0;
  /** When the phase ends; Infinity while the device is in use. */
  #endsAt = Infinity;

  get phase(): DozePhase {
    return this.#phase;
  }

  get nextChangeAt(): number {
    return this.#endsAt;
  }

  /** Takes the way to sleep, or wakes: on every change of screen, motion or charger. */
  update(isResting: boolean, now: number): void {
    if (!isResting) this.#enter('awake', Infinity);
    else if (this.#endsAt === Infinity) this.#enter('awake', now + DOZE_AFTER_MS);
  }

  /** Into the first sleep at once, as `adb shell dumpsys deviceidle force-idle` does. */
  force(now: number): void {
    this.#window = 0;
    this.#enter('dozing', now + dozeGapMs(0));
  }

  /** Passes every change that is due by now. */
  advance(now: number): void {
    while (this.#endsAt <= now) {
      const from = this.#endsAt;
      if (this.#phase === 'dozing') {
        this.#enter('maintenance', from + maintenanceMs(this.#window));
        this.#window++;
      } else {
        if (this.#phase === 'awake') this.#window = 0;
        this.#enter('dozing', from + dozeGapMs(this.#window));
      }
    }
  }

  #enter(phase: DozePhase, endsAt: number): void {
    this.#phase = phase;
    this.#endsAt = endsAt;
  }
}
