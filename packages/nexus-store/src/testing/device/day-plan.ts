import type { SeededRandom } from '../seeded-random.ts';
import type { DeviceConditions, NetworkKind } from './conditions.ts';

/** One thing that happens to a device in a day. `at` counts from midnight. */
export type DayEvent =
  | { readonly at: number; readonly kind: 'device'; readonly change: Partial<DeviceConditions> }
  | {
      readonly at: number;
      readonly kind: 'app';
      readonly action: 'open' | 'leave' | 'kill' | 'swipe-away';
    };

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

// Percent an hour: a phone of today, in round figures.
const DRAIN_IDLE = 1.2;
const DRAIN_IN_USE = 18;
const CHARGE = 40;
/** Where the battery counts as low, and people turn on the saver. */
const LOW_LEVEL = 15;

/** Collects what happens in a day in any order, and works out the battery. Hours are decimal. */
export class DayPlan {
  readonly #random: SeededRandom;
  readonly #events: DayEvent[] = [];
  readonly #sessions: { readonly from: number; readonly to: number }[] = [];

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  network(hour: number, network: NetworkKind): void {
    this.#device(hour, { network });
  }

  plug(hour: number): void {
    this.#device(hour, { isCharging: true, isPowerSaving: false });
  }

  unplug(hour: number): void {
    this.#device(hour, { isCharging: false });
  }

  layDown(hour: number): void {
    this.#device(hour, { isStationary: true });
  }

  pickUp(hour: number): void {
    this.#device(hour, { isStationary: false });
  }

  /** The app is in front for `minutes`, unless it is already; it may be killed some time after. */
  session(hour: number, minutes: number, killChance: number): void {
    const from = msOf(hour);
    const to = Math.min(from + minutes * 60_000, DAY_MS - 2);
    if (this.#sessions.some((other) => from <= other.to + 1_000 && to + 1_000 >= other.from))
      return;
    this.#sessions.push({ from, to });
    this.#events.push({ at: from, kind: 'app', action: 'open' });
    this.#events.push({ at: to, kind: 'app', action: 'leave' });
    if (!this.#random.chance(killChance)) return;
    // The system takes the memory of an app that nobody looked at for a while.
    const killAt = to + this.#random.between(0.3, 2.5) * HOUR_MS;
    if (killAt < DAY_MS) this.#events.push({ at: killAt, kind: 'app', action: 'kill' });
  }

  /** The person removes the app from the list of recent ones. */
  swipeAway(hour: number): void {
    this.#events.push({ at: msOf(hour), kind: 'app', action: 'swipe-away' });
  }

  /** The events in order, with the battery's level in every change of the device. */
  finish(battery: Battery, savesPowerWhenLow: boolean): readonly DayEvent[] {
    const open = this.#sessions;
    const inSession = (at: number): boolean => open.some(({ from, to }) => from < at && at < to);
    // A kill that would hit a later session happened to another app.
    const events = this.#events
      .filter((event) => !(event.kind === 'app' && isRemoval(event) && inSession(event.at)))
      .sort((a, b) => a.at - b.at);
    const finished: DayEvent[] = [];
    for (const event of events) {
      const lowAt = battery.advance(event.at);
      if (lowAt !== undefined) finished.push(lowBattery(lowAt, savesPowerWhenLow));
      finished.push(battery.apply(event));
    }
    const lowAt = battery.advance(DAY_MS);
    if (lowAt !== undefined) finished.push(lowBattery(lowAt, savesPowerWhenLow));
    battery.startDay();
    return finished;
  }

  #device(hour: number, change: Partial<DeviceConditions>): void {
    this.#events.push({ at: msOf(hour), kind: 'device', change });
  }
}

/** The charge of a battery through the days. */
export class Battery {
  #level: number;
  #at = 0;
  #isCharging = false;
  #isInUse = false;

  constructor(level: number) {
    this.#level = level;
  }

  startDay(): void {
    this.#at = 0;
  }

  /** Lets time pass. Returns when the level became low, if it did. */
  advance(at: number): number | undefined {
    const drain = this.#isInUse ? DRAIN_IN_USE : DRAIN_IDLE;
    const perMs = (this.#isCharging ? CHARGE : -drain) / HOUR_MS;
    const before = this.#level;
    const from = this.#at;
    this.#at = at;
    this.#level = Math.min(Math.max(before + perMs * (at - from), 1), 100);
    if (before <= LOW_LEVEL || this.#level > LOW_LEVEL) return undefined;
    return from + (before - LOW_LEVEL) / -perMs;
  }

  /** Notes what an event means for the battery and puts the level into it. */
  apply(event: DayEvent): DayEvent {
    if (event.kind === 'app') {
      if (event.action === 'open') this.#isInUse = true;
      else this.#isInUse = false;
      return event;
    }
    this.#isCharging = event.change.isCharging ?? this.#isCharging;
    const batteryLevel = Math.round(this.#level * 10) / 10;
    return { ...event, change: { ...event.change, batteryLevel } };
  }
}

function isRemoval(event: DayEvent & { readonly kind: 'app' }): boolean {
  return event.action === 'kill' || event.action === 'swipe-away';
}

function lowBattery(at: number, savesPower: boolean): DayEvent {
  const change = savesPower
    ? { batteryLevel: LOW_LEVEL, isPowerSaving: true }
    : { batteryLevel: LOW_LEVEL };
  return { at, kind: 'device', change };
}

function msOf(hour: number): number {
  return Math.min(Math.max(Math.round(hour * HOUR_MS), 0), DAY_MS - 1);
}
