import type { DayEvent, DayProfile } from '../device/day-profiles.ts';
import type { NetworkKind } from '../device/conditions.ts';

const DAY_MS = 86_400_000;

/** What a device was like from an instant on. */
export interface TimelinePoint {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly network: NetworkKind;
  readonly isCharging: boolean;
  readonly isPowerSaving: boolean;
  readonly batteryLevel: number;
  readonly isInFront: boolean;
}

/** A profile that remembers which days it gave: what a device lived through can be told afterwards. */
export class RecordedProfile implements DayProfile {
  readonly name: string;
  readonly #profile: DayProfile;
  readonly #days: (readonly DayEvent[])[] = [];

  constructor(profile: DayProfile) {
    this.name = profile.name;
    this.#profile = profile;
  }

  *days(
    random: Parameters<DayProfile['days']>[0],
    weekday: number,
  ): Generator<readonly DayEvent[], void> {
    const days = this.#profile.days(random, weekday);
    for (;;) {
      const { done, value } = days.next();
      if (done) return;
      this.#days.push(value);
      yield value;
    }
  }

  /** Every change between two instants; the first point is how it stood at `from`. */
  timeline(from: number, until: number): readonly TimelinePoint[] {
    const midnight = Math.floor(from / DAY_MS) * DAY_MS;
    let point: TimelinePoint = {
      at: from,
      network: 'unmetered',
      isCharging: false,
      isPowerSaving: false,
      batteryLevel: 80,
      isInFront: false,
    };
    const points: TimelinePoint[] = [];
    this.#days.forEach((events, day) => {
      for (const event of events) {
        const at = midnight + day * DAY_MS + event.at;
        if (at >= until) return;
        const next = { ...after(point, event), at: Math.max(at, from) };
        if (at >= from && points.length === 0) points.push(point);
        if (at >= from && JSON.stringify(next) !== JSON.stringify({ ...point, at: next.at }))
          points.push(next);
        point = next;
      }
    });
    return points.length === 0 ? [point] : points;
  }
}

function after(point: TimelinePoint, event: DayEvent): TimelinePoint {
  if (event.kind === 'app') return { ...point, isInFront: event.action === 'open' };
  const { network, isCharging, isPowerSaving, batteryLevel } = { ...point, ...event.change };
  return { ...point, network, isCharging, isPowerSaving, batteryLevel };
}
