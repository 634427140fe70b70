import {
  BackgroundSyncConfig,
  type BackgroundSyncConfigOptions,
} from '../../core/background/background-sync-config.ts';
import type { JournalRecord } from '../../core/background/journal.ts';
import {
  FUNCTION,
  OBJECT,
  oneOf,
  requireKind,
  requireOptions,
  type Kinds,
} from '../../core/model/arguments.ts';
import type { Duration } from '../../core/model/duration.ts';
import { durationMs } from '../../core/model/duration.ts';
import { priorityOfRank, type SyncPriority } from '../../core/model/priority.ts';
import type { Storage } from '../../core/ports/storage.ts';
import { StoreBackend } from '../../core/store/store-backend.ts';
import type { DayProfile } from '../device/day-profiles.ts';
import type { RunRecord } from '../device/device-model.ts';
import { MemoryServer } from '../memory-server.ts';
import { FINITE, PROFILE, SPAN } from '../option-kinds.ts';
import { createSeededRandom } from '../seeded-random.ts';
import { simulateAndroid, type AndroidDevice } from '../simulate-android.ts';
import { simulateIos, type IosDevice } from '../simulate-ios.ts';
import { Delays, type DelaysByPriority } from './delays.ts';
import { FieldApp, type FieldLife } from './field-app.ts';
import { PhoneRemote } from './phone-remote.ts';
import { RadioMeter } from './radio.ts';
import { RecordedProfile, type TimelinePoint } from './recorded-profile.ts';
import { DEFAULT_HABIT, HABIT, drawRank, nextSaveMs, type WritingHabit } from './writing-habit.ts';

export interface SimulateDeviceOptions {
  readonly platform: 'android' | 'ios';
  readonly profile: DayProfile;
  /**
   * A handle on one and the same database at each call, a call for each process of the app:
   * `() => memoryStorage({ database })`.
   */
  readonly openStorage: () => Storage & { kill?(): void };
  readonly config?: BackgroundSyncConfigOptions;
  /** @defaultValue `'7d'` */
  readonly duration?: Duration;
  /** @defaultValue `1` */
  readonly seed?: number;
  /** @defaultValue a save a minute while the app is in front, one in twenty of them critical */
  readonly habit?: WritingHabit;
}

/** One write of the simulated person. */
export interface SimulatedSave {
  readonly id: string;
  readonly priority: SyncPriority;
  /** Epoch milliseconds, when `save` resolved. */
  readonly savedAt: number;
  /** Null: still in the queue at the end. */
  readonly arrivedAt: number | null;
}

/** What a device lived through. Plain data, for JSON and plots. */
export interface DeviceSimulation {
  readonly platform: 'android' | 'ios';
  readonly profile: string;
  readonly seed: number;
  readonly from: number;
  readonly until: number;
  readonly delays: DelaysByPriority;
  readonly saves: readonly SimulatedSave[];
  /** Writes that are neither on the server nor in the queue. Empty, or something is broken. */
  readonly lost: readonly string[];
  /** Writes that the server applied more than once. Empty, or something is broken. */
  readonly appliedTwice: readonly string[];
  readonly wakeUpsPerDay: number;
  readonly radioOnSecondsPerDay: number;
  readonly requestsSent: number;
  readonly runs: readonly RunRecord[];
  readonly timeline: readonly TimelinePoint[];
  readonly journal: readonly JournalRecord[];
}

const OPTIONS: Kinds<SimulateDeviceOptions> = {
  platform: oneOf('android', 'ios'),
  profile: PROFILE,
  openStorage: FUNCTION,
  config: OBJECT,
  duration: SPAN,
  seed: FINITE,
  habit: HABIT,
};

const DAY_MS = 86_400_000;

/**
 * Lets one device with the real store, queue and background service live through its days.
 *
 * @throws UsageError `usage/invalid-argument`, naming the option
 */
export async function simulateDevice(options: SimulateDeviceOptions): Promise<DeviceSimulation> {
  requireOptions('simulateDevice', options, OPTIONS);
  const { platform, seed = 1 } = options;
  // These have no default.
  for (const name of ['platform', 'profile', 'openStorage'] as const)
    requireKind(`simulateDevice: ${name}`, options[name], OPTIONS[name]);
  // Now, and not in the middle of a simulated day.
  BackgroundSyncConfig.from(options.config);
  const lengthMs = durationMs(options.duration ?? '7d', 'duration');
  const profile = new RecordedProfile(options.profile);
  const field = new FieldWork(options, seed);
  const start: FieldApp['start'] = (context) => field.app.start(context);
  const device =
    platform === 'android'
      ? simulateAndroid({ seed, profile, start })
      : simulateIos({ seed, profile, start });
  field.attach(device);
  const from = device.runtime.clock.now();
  await device.advance(lengthMs);
  const until = device.runtime.clock.now();
  const waiting = await field.waiting();
  const saves = field.saves();
  const days = (until - from) / DAY_MS;
  return {
    platform,
    profile: profile.name,
    seed,
    from,
    until,
    delays: field.delays.summary(),
    saves,
    lost: saves
      .filter(({ id, arrivedAt }) => arrivedAt === null && !waiting.ids.has(id))
      .map(({ id }) => id),
    appliedTwice: field.appliedTwice(),
    wakeUpsPerDay: device.runs.length / days,
    radioOnSecondsPerDay: field.radio.onMs / 1_000 / days,
    requestsSent: field.requests,
    runs: device.runs,
    timeline: profile.timeline(from, until),
    journal: waiting.journal,
  };
}

/** The app, its server, and the person who writes. */
class FieldWork {
  readonly app: FieldApp;
  readonly delays: Delays = new Delays();
  readonly radio: RadioMeter = new RadioMeter();
  readonly #server = new MemoryServer();
  readonly #options: SimulateDeviceOptions;
  readonly #random: ReturnType<typeof createSeededRandom>;
  readonly #saved = new Map<string, { rank: number; savedAt: number }>();
  readonly #arrived = new Map<string, number>();
  #device: AndroidDevice | IosDevice | undefined;
  #begun = 0;
  requests = 0;

  constructor(options: SimulateDeviceOptions, seed: number) {
    this.#options = options;
    this.#random = createSeededRandom(seed, 'field work');
    const { openStorage, config } = options;
    this.app = new FieldApp({
      openStorage,
      remote: (runtime) =>
        new PhoneRemote(runtime, {
          server: this.#server,
          isReachable: () => this.#device?.conditions.network !== 'none',
          latencyMs: () => 150 + this.#random.exponential(350),
          onRequest: (from, until) => {
            this.requests += 1;
            this.radio.note(from, until);
          },
          onApplied: (ids, at) => {
            for (const id of ids) if (!this.#arrived.has(String(id))) this.#arrive(String(id), at);
          },
        }),
      ...(config === undefined ? {} : { config }),
    });
  }

  attach(device: AndroidDevice | IosDevice): void {
    this.#device = device;
    this.#plan();
  }

  saves(): readonly SimulatedSave[] {
    return Array.from(this.#saved, ([id, { rank, savedAt }]) => ({
      id,
      priority: priorityOfRank(rank as 0 | 1 | 2 | 3),
      savedAt,
      arrivedAt: this.#arrived.get(id) ?? null,
    }));
  }

  appliedTwice(): readonly string[] {
    const seen = new Set<unknown>();
    const twice = new Set<string>();
    for (const { entityId } of this.#server.applied) {
      if (seen.has(entityId)) twice.add(String(entityId));
      seen.add(entityId);
    }
    return [...twice];
  }

  /** What a fresh process finds in the queue and the journal at the end. */
  async waiting(): Promise<{ ids: ReadonlySet<string>; journal: readonly JournalRecord[] }> {
    const device = this.#device as AndroidDevice | IosDevice;
    if (this.app.lives.length === 0) return { ids: new Set(), journal: [] };
    const journal = await this.app.life.background.history();
    const backend = new StoreBackend(device.runtime, {
      storage: this.#options.openStorage(),
      autoSync: false,
    });
    const entries = await backend.pendingChanges();
    return { ids: new Set(entries.map(({ entityId }) => String(entityId))), journal };
  }

  #plan(): void {
    const { runtime } = this.#device as AndroidDevice | IosDevice;
    const { habit = DEFAULT_HABIT } = this.#options;
    runtime.timers.after(nextSaveMs(habit, this.#random), () => {
      if (this.#device?.app.state === 'foreground') void this.#save(habit, this.app.life);
      this.#plan();
    });
  }

  async #save(habit: WritingHabit, life: FieldLife): Promise<void> {
    const rank = drawRank(habit, this.#random);
    this.#begun += 1;
    const id = `note-${this.#begun}`;
    const savedAt = life.context.runtime.clock.now();
    // Never resolves if the process dies first: then nobody was told that it is safe.
    await life.notes.save({ id, savedAt }, { priority: priorityOfRank(rank) });
    this.#saved.set(id, { rank, savedAt });
    this.delays.of(rank).noteSaved();
    const arrivedAt = this.#arrived.get(id);
    if (arrivedAt !== undefined) this.delays.of(rank).noteArrived(arrivedAt - savedAt);
  }

  #arrive(id: string, at: number): void {
    this.#arrived.set(id, at);
    const save = this.#saved.get(id);
    if (save !== undefined) this.delays.of(save.rank).noteArrived(at - save.savedAt);
  }
}
