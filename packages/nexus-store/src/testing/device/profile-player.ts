import type { SeededRandom } from '../seeded-random.ts';
import type { Alarm } from '../virtual-time.ts';
import type { DayEvent, DayProfile } from './day-profiles.ts';
import type { DeviceModel } from './device-model.ts';

const DAY_MS = 86_400_000;

/** Lets a device live through the days of a profile. It holds one day and one timer. */
export class ProfilePlayer {
  readonly #device: DeviceModel;
  readonly #days: Iterator<readonly DayEvent[]>;
  #midnight: number;
  #events: readonly DayEvent[];
  #index = 0;
  #alarm: Alarm | undefined;

  /** Begins with the day in which the device is; what lies before now only sets the scene. */
  constructor(device: DeviceModel, profile: DayProfile, random: SeededRandom) {
    const { now } = device.time;
    this.#device = device;
    this.#midnight = Math.floor(now / DAY_MS) * DAY_MS;
    this.#days = profile.days(random, new Date(now).getUTCDay());
    this.#events = this.#nextDay();
    let scene = {};
    for (const event of this.#events) {
      if (this.#midnight + event.at >= now) break;
      if (event.kind === 'device') scene = { ...scene, ...event.change };
      this.#index++;
    }
    device.change(scene);
    this.#arm();
  }

  stop(): void {
    if (this.#alarm) this.#device.time.cancel(this.#alarm);
  }

  #arm(): void {
    while (this.#index >= this.#events.length) {
      this.#events = this.#nextDay();
      this.#midnight += DAY_MS;
      this.#index = 0;
    }
    const event = this.#events[this.#index++] as DayEvent;
    this.#alarm = this.#device.time.scheduleAt(this.#midnight + event.at, () => {
      applyDayEvent(this.#device, event);
      this.#arm();
    });
  }

  #nextDay(): readonly DayEvent[] {
    const { done, value } = this.#days.next();
    if (done) throw new TypeError('a profile must not run out of days');
    return value;
  }
}

export function applyDayEvent(device: DeviceModel, event: DayEvent): void {
  if (event.kind === 'device') device.change(event.change);
  else if (event.action === 'open') device.openApp();
  else if (event.action === 'leave') device.leaveApp();
  else if (event.action === 'kill') device.killApp();
  else device.swipeAway();
}
