import type {
  Constraints,
  NetworkType,
  PlatformScheduler,
  RunResult,
  ScheduleRequest,
  ScheduleResult,
  SchedulerCapabilities,
  WakeUp,
} from '../core/ports/platform-scheduler.ts';
import type { TestFunctions } from './test-functions.ts';

/** A device that nobody else uses, with no request pending and every constraint met. Made for one test. */
export interface SchedulerHarness {
  /** The scheduler of a fresh process whose inbox is not bound. */
  readonly scheduler: PlatformScheduler;
  /** How long the host may take to run a request that is due and that nothing holds back. */
  readonly patienceMs: number;
  /** Wall time of the device, epoch milliseconds. */
  now(): number;
  /** Lets time pass, and everything in it happen. */
  advance(ms: number): Promise<void>;
  /** Makes the device meet a constraint, or break it. Called for claimed constraints only. */
  setMet(constraint: Exclude<keyof Constraints, 'networkType'>, isMet: boolean): Promise<void>;
  /** Puts the device on a network. Called if a network type other than `not-required` is claimed. */
  setNetwork(network: 'none' | 'metered' | 'unmetered' | 'roaming'): Promise<void>;
  /** Kills the process and starts another one. Returns its scheduler, whose inbox is not bound. */
  restart(): Promise<PlatformScheduler>;
  close(): Promise<void>;
}

const STEP_MS = 1_000;

/** A test of the law, by name. */
export type Law = (title: string, body: (bench: SchedulerBench) => Promise<void>) => void;

/** A harness with short ways to say what a test wants. */
export class SchedulerBench {
  readonly harness: SchedulerHarness;
  readonly expect: TestFunctions['expect'];
  /** Every wake-up since `listen`, in order. */
  readonly wakeUps: WakeUp[] = [];
  scheduler: PlatformScheduler;

  constructor(harness: SchedulerHarness, expect: TestFunctions['expect']) {
    this.harness = harness;
    this.expect = expect;
    this.scheduler = harness.scheduler;
  }

  get capabilities(): SchedulerCapabilities {
    return this.scheduler.capabilities;
  }

  /** Binds the inbox. Wake-ups are collected, and answered if there is an answer. */
  listen(answer?: (wakeUp: WakeUp, index: number) => RunResult): void {
    this.scheduler.onWakeUp((wakeUp) => {
      this.wakeUps.push(wakeUp);
      if (answer) wakeUp.complete(answer(wakeUp, this.wakeUps.length - 1));
    });
  }

  schedule(request: Partial<ScheduleRequest> = {}): Promise<ScheduleResult> {
    return this.scheduler.schedule({ id: 'sync', kind: 'once', ...request });
  }

  /** Schedules what must be accepted. */
  async accepted(request: Partial<ScheduleRequest> = {}): Promise<ScheduleResult & { ok: true }> {
    const result = await this.schedule(request);
    if (!result.ok) throw new Error(`refused: ${result.code}: ${result.message}`);
    return result;
  }

  /** Time enough for a request that is due after `delayMs`. */
  async wait(delayMs = 0): Promise<void> {
    await this.harness.advance(delayMs + this.harness.patienceMs);
  }

  /** Waits in small steps until `isReached`, so that a run that begins is still within its window. */
  async until(isReached: () => boolean | Promise<boolean>): Promise<void> {
    for (let waitedMs = 0; !(await isReached()); waitedMs += STEP_MS) {
      if (waitedMs > this.harness.patienceMs) throw new Error('the host does not run the request');
      await this.harness.advance(STEP_MS);
    }
  }

  /** Waits until the first wake-up has come, and returns it. */
  async firstWakeUp(): Promise<WakeUp> {
    await this.until(() => this.wakeUps.length > 0);
    return this.wakeUps[0] as WakeUp;
  }

  async pendingIds(): Promise<readonly string[]> {
    return (await this.scheduler.pending()).map((request) => request.id).sort();
  }

  /** The shortest interval that the host keeps. */
  get intervalMs(): number {
    return Math.max(this.capabilities.minIntervalMs, 60_000);
  }

  can(kind: ScheduleRequest['kind']): boolean {
    return this.capabilities.kinds.includes(kind);
  }
}

/** Each network type with a network that does not meet it and one that does. */
export const NETWORKS: Readonly<
  Record<Exclude<NetworkType, 'not-required'>, readonly [unmet: NetworkName, met: NetworkName]>
> = {
  connected: ['none', 'metered'],
  unmetered: ['metered', 'unmetered'],
  'not-roaming': ['roaming', 'metered'],
  metered: ['unmetered', 'metered'],
};

type NetworkName = Parameters<SchedulerHarness['setNetwork']>[0];

export const SWITCHES: readonly Exclude<keyof Constraints, 'networkType'>[] = [
  'requiresCharging',
  'requiresBatteryNotLow',
  'requiresStorageNotLow',
  'requiresDeviceIdle',
];
