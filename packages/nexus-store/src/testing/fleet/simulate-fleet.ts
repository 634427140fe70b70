import {
  BackgroundSyncConfig,
  type BackgroundSyncConfigOptions,
} from '../../core/background/background-sync-config.ts';
import { COUNT, FUNCTION, OBJECT, requireOptions, type Kinds } from '../../core/model/arguments.ts';
import { DURATION, durationMs, type Duration } from '../../core/model/duration.ts';
import type { SyncPriority } from '../../core/model/priority.ts';
import { commuter, flakyNetwork, nightCharger, powerUser, rural } from '../device/day-profiles.ts';
import type { DayProfile } from '../device/day-profiles.ts';
import { FINITE, PROFILE, SHARE, SPAN } from '../option-kinds.ts';
import { SeededRandom } from '../seeded-random.ts';
import { VIRTUAL_START_AT } from '../virtual-runtime.ts';
import { VirtualTime } from '../virtual-time.ts';
import { Delays, type DelaysByPriority, type DelayHistogram } from './delays.ts';
import { FleetDevice } from './fleet-device.ts';
import { FleetServer, type ServerOutage } from './fleet-server.ts';
import { DEFAULT_HABIT, HABIT, type WritingHabit } from './writing-habit.ts';

export interface SimulateFleetOptions {
  /** @defaultValue `1000` */
  readonly devices?: number;
  /** @defaultValue `'1d'` */
  readonly duration?: Duration;
  /** @defaultValue `1` */
  readonly seed?: number;
  /**
   * The share of devices with iOS; the others have Android 16.
   *
   * @defaultValue `0.5`
   */
  readonly iosShare?: number;
  /** @defaultValue all five, in turn */
  readonly profiles?: readonly DayProfile[];
  readonly config?: BackgroundSyncConfigOptions;
  readonly habit?: WritingHabit;
  /**
   * People do not live by the same clock: each device's day is shifted by up to this much. With `0`
   * every rural phone finds its network in the same second of the evening.
   *
   * @defaultValue `'2h'`
   */
  readonly spread?: Duration;
  /** A time in which the server answers 503. */
  readonly outage?: {
    /** After the beginning. */
    readonly after: Duration;
    readonly length: Duration;
    /** What `Retry-After` says. @defaultValue nothing */
    readonly retryAfter?: Duration;
  };
  /** Called now and then with how many devices are done. */
  readonly onProgress?: (done: number) => void;
}

/** What a fleet lived through. Plain data, for JSON and plots. */
export interface FleetSimulation {
  readonly devices: number;
  readonly seed: number;
  readonly from: number;
  readonly until: number;
  readonly outage: ServerOutage | null;
  readonly delays: DelaysByPriority;
  readonly distributions: Readonly<
    Record<SyncPriority, ReturnType<DelayHistogram['distribution']>>
  >;
  /** Of one device, on average. */
  readonly wakeUpsPerDay: number;
  readonly radioOnSecondsPerDay: number;
  /** Requests that reached the server, minute by minute; `refused` those that it answered with 503. */
  readonly load: {
    readonly served: readonly number[];
    readonly refused: readonly number[];
    readonly meanPerMinute: number;
    readonly peakPerMinute: number;
    /** The worst minute from the end of the outage on; of all, without an outage. */
    readonly peakAfterOutagePerMinute: number;
    readonly peakToMean: number;
    readonly peakAfterOutageToMean: number;
  };
}

const OPTIONS: Kinds<SimulateFleetOptions> = {
  devices: COUNT,
  duration: SPAN,
  seed: FINITE,
  iosShare: SHARE,
  profiles: {
    said: 'a list of day profiles',
    fits: (value) => Array.isArray(value) && value.length > 0 && value.every(PROFILE.fits),
  },
  config: OBJECT,
  habit: HABIT,
  spread: DURATION,
  outage: OBJECT,
  onProgress: FUNCTION,
};

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const PROFILES: readonly DayProfile[] = [commuter, rural, nightCharger, powerUser, flakyNetwork];
const PROGRESS_EVERY = 1_000;

/**
 * Lets many devices live through a day against one server. They know nothing of each other, so they are
 * simulated one after another, each on a time of its own: a hundred thousand take about a minute.
 *
 * @throws UsageError `usage/invalid-argument`, naming the option
 */
export function simulateFleet(options: SimulateFleetOptions = {}): FleetSimulation {
  requireOptions('simulateFleet', options, OPTIONS);
  const { devices = 1_000, seed = 1, iosShare = 0.5, profiles = PROFILES } = options;
  const lengthMs = durationMs(options.duration ?? '1d', 'duration');
  const from = VIRTUAL_START_AT;
  const outage = outageOf(options, from);
  const server = new FleetServer(from, lengthMs, outage);
  const delays = new Delays();
  const config = BackgroundSyncConfig.from(options.config);
  const spreadMs = durationMs(options.spread ?? '2h', 'spread');
  let wakeUps = 0;
  let radioOnMs = 0;
  for (let index = 0; index < devices; index++) {
    const random = new SeededRandom(seed, index);
    const shiftMs = Math.floor(random.between(0, spreadMs));
    const time = new VirtualTime(from + shiftMs);
    const device = new FleetDevice(time, random, {
      platform: random.chance(iosShare) ? 'ios' : 'android',
      profile: profiles[index % profiles.length] as DayProfile,
      config,
      habit: options.habit ?? DEFAULT_HABIT,
      server,
      shiftMs,
      delays,
    });
    time.runTo(lengthMs);
    wakeUps += device.wakeUps;
    radioOnMs += device.radio.onMs;
    if ((index + 1) % PROGRESS_EVERY === 0) options.onProgress?.(index + 1);
  }
  const deviceDays = (devices * lengthMs) / DAY_MS;
  return {
    devices,
    seed,
    from,
    until: from + lengthMs,
    outage: outage ?? null,
    delays: delays.summary(),
    distributions: delays.distributions(),
    wakeUpsPerDay: wakeUps / deviceDays,
    radioOnSecondsPerDay: radioOnMs / 1_000 / deviceDays,
    load: loadOf(server, from),
  };
}

function outageOf({ outage }: SimulateFleetOptions, from: number): ServerOutage | undefined {
  if (outage === undefined) return undefined;
  const begins = from + durationMs(outage.after, 'outage.after');
  const { retryAfter } = outage;
  return {
    from: begins,
    until: begins + durationMs(outage.length, 'outage.length'),
    retryAfterMs: retryAfter === undefined ? null : durationMs(retryAfter, 'outage.retryAfter'),
  };
}

function loadOf(server: FleetServer, from: number): FleetSimulation['load'] {
  const served = [...server.served];
  const refused = [...server.refused];
  const all = served.map((count, minute) => count + (refused[minute] as number));
  const firstAfter =
    server.outage === undefined ? 0 : Math.floor((server.outage.until - from) / MINUTE_MS);
  const meanPerMinute = all.reduce((sum, count) => sum + count, 0) / Math.max(1, all.length);
  const peakPerMinute = all.reduce((most, count) => Math.max(most, count), 0);
  const peakAfterOutagePerMinute = all
    .slice(firstAfter)
    .reduce((most, count) => Math.max(most, count), 0);
  const toMean = (peak: number): number => (meanPerMinute === 0 ? 0 : peak / meanPerMinute);
  return {
    served,
    refused,
    meanPerMinute,
    peakPerMinute,
    peakAfterOutagePerMinute,
    peakToMean: toMean(peakPerMinute),
    peakAfterOutageToMean: toMean(peakAfterOutagePerMinute),
  };
}
