import {
  FUNCTION,
  OBJECT,
  objectWith,
  requireKind,
  type Kinds,
} from '../../core/model/arguments.ts';
import { FINITE, PROFILE, requireConditions } from '../option-kinds.ts';
import { durationMs } from '../../core/model/duration.ts';
import type { Duration } from '../../core/model/duration.ts';
import type { DeviceState } from '../../core/ports/device-state.ts';
import type { PlatformScheduler } from '../../core/ports/platform-scheduler.ts';
import { createSeededRandom } from '../seeded-random.ts';
import { createVirtualRuntime } from '../virtual-runtime.ts';
import type { VirtualRuntime } from '../virtual-runtime.ts';
import type { DeviceConditions } from './conditions.ts';
import type { DayProfile } from './day-profiles.ts';
import type { DeviceModel, ProcessState, RunRecord } from './device-model.ts';
import { ProfilePlayer } from './profile-player.ts';
import { SimulatedApp } from './simulated-app.ts';
import type { StartApp } from './simulated-app.ts';

export interface SimulatedDeviceOptions {
  /**
   * The same seed gives the same run.
   *
   * @defaultValue `1`
   */
  readonly seed?: number;
  /**
   * Wall time at the beginning.
   *
   * @unit epoch milliseconds
   * @defaultValue 2026-01-05T00:00:00Z, a Monday. The device lives in UTC.
   */
  readonly startAt?: number;
  /** Time to share with others, such as a simulated server; its seed is used too. */
  readonly runtime?: VirtualRuntime;
  /**
   * What the entry file of the app does in every fresh JavaScript context. The app is then installed but
   * not open: `app.launch()` or a profile opens it. Without it the device begins with an empty process in
   * the background, whose inbox is `device.scheduler`.
   */
  readonly start?: StartApp;
  /** @defaultValue a phone in a pocket: unplugged, 80 %, on Wi-Fi, screen off, moving */
  readonly conditions?: Partial<DeviceConditions>;
  /** The days that the device lives through. Without one nothing happens that a test does not ask for. */
  readonly profile?: DayProfile;
}

/** The kinds of what both simulated systems are given. */
export const DEVICE_OPTIONS: Kinds<SimulatedDeviceOptions> = {
  seed: FINITE,
  startAt: FINITE,
  runtime: objectWith('a virtual runtime', 'advance', 'createProcess'),
  start: FUNCTION,
  conditions: OBJECT,
  profile: PROFILE,
};

/** What the user and the system do to the app. */
export interface AppControls {
  readonly state: ProcessState;
  /** Opens the app: the same as `foreground`. */
  launch(): void;
  /** Brings the app to the front, in a fresh process if there is none, and turns the screen on. */
  foreground(): void;
  /** Leaves the app and turns the screen off. Soon after, its process is frozen. */
  background(): void;
  /** The system takes the process, as it does for memory. Scheduled requests stay. */
  kill(): void;
  /** The user swipes it out of the recent apps: a force-quit on iOS, a kill (or more) on Android. */
  swipeAway(): void;
}

/** What both simulated systems have in common. */
export class SimulatedDevice<Model extends DeviceModel> {
  readonly runtime: VirtualRuntime;
  /** The scheduler of the process that runs now. */
  readonly scheduler: PlatformScheduler;
  /** The device's state, as the process that runs now is told. */
  readonly state: DeviceState;
  readonly app: AppControls;
  protected readonly model: Model;
  readonly #host: SimulatedApp;
  #player: ProfilePlayer | undefined;

  /**
   * @param graceMs how long a process goes on after it left the screen
   * @param createModel makes the device's state machine
   */
  constructor(
    options: SimulatedDeviceOptions,
    graceMs: number,
    createModel: (runtime: VirtualRuntime, host: SimulatedApp) => Model,
  ) {
    const { seed = 1, startAt } = options;
    if (options.conditions !== undefined) requireConditions(options.conditions);
    this.runtime =
      options.runtime ?? createVirtualRuntime(seed, startAt === undefined ? {} : { startAt });
    this.#host = new SimulatedApp(this.runtime, options.start, graceMs);
    const model = createModel(this.runtime, this.#host);
    this.model = model;
    this.#host.attach(model);
    this.app = controlsOf(model);
    this.scheduler = currentScheduler(this.#host, model);
    this.state = currentState(this.#host);
    if (!options.start) {
      model.openApp();
      model.leaveApp();
    }
    if (options.conditions) model.change(options.conditions);
    if (options.profile) this.follow(options.profile);
  }

  /** Every run that has ended, in order. */
  get runs(): readonly RunRecord[] {
    return this.#host.runs;
  }

  get conditions(): DeviceConditions {
    return this.model.conditions;
  }

  /** Changes what is given: `set({ network: 'none' })`, `set({ isCharging: true, batteryLevel: 40 })`. */
  set(change: Partial<DeviceConditions>): void {
    requireConditions(change);
    this.model.change(change);
  }

  /** Begins to live the days of a profile, instead of the one before. */
  follow(profile: DayProfile): void {
    requireKind('follow: profile', profile, PROFILE);
    this.#player?.stop();
    const random = createSeededRandom(this.runtime.seed, `profile ${profile.name}`);
    this.#player = new ProfilePlayer(this.model, profile, random);
  }

  /** Ends the profile; the device stays as it is. */
  stopFollowing(): void {
    this.#player?.stop();
    this.#player = undefined;
  }

  /**
   * Lets time pass: `advance('7d')`.
   *
   * @throws whatever the app threw meanwhile, in `start`, a wake-up handler or a listener
   */
  async advance(duration: Duration): Promise<void> {
    await this.runtime.advance(durationMs(duration, 'duration'));
    this.#host.throwErrors();
  }

  /** The same, until the wall clock shows `at`. */
  async advanceTo(at: number): Promise<void> {
    await this.runtime.advanceTo(at);
    this.#host.throwErrors();
  }

  /** Sets the wall clock of the device. */
  jumpWallClock(ms: number): void {
    this.runtime.jumpWallClock(ms);
    this.model.clockChanged();
  }

  /** The device restarts; the app is closed, requests come back when the system is up. */
  reboot(): void {
    this.model.reboot();
  }
}

function controlsOf(model: DeviceModel): AppControls {
  return {
    get state() {
      return model.process;
    },
    launch: () => model.openApp(),
    foreground: () => model.openApp(),
    background: () => model.leaveApp(),
    kill: () => model.killApp(),
    swipeAway: () => model.swipeAway(),
  };
}

function currentScheduler(host: SimulatedApp, model: DeviceModel): PlatformScheduler {
  return {
    capabilities: model.capabilities,
    onWakeUp: (handler) => host.process.scheduler.onWakeUp(handler),
    schedule: (request) => host.process.scheduler.schedule(request),
    cancel: (id) => host.process.scheduler.cancel(id),
    pending: () => host.process.scheduler.pending(),
  };
}

function currentState(host: SimulatedApp): DeviceState {
  return {
    read: () => host.process.state.read(),
    onChange: (listener) => host.process.state.onChange(listener),
  };
}
