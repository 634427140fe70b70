import { durationMs, type Duration } from '../model/duration.ts';
import { UsageError } from '../model/errors.ts';
import type {
  Constraints,
  SchedulerCapabilities,
  WeakenedField,
} from '../ports/platform-scheduler.ts';

/** What an app says of its background sync. Every field has a default. */
export interface BackgroundSyncConfigOptions {
  /**
   * Whether to ask the system for wake-ups at all.
   *
   * @defaultValue `true`
   */
  readonly enabled?: boolean;
  /**
   * The least time between periodic runs. Systems have a least of their own (15 minutes on Android);
   * below it theirs counts, and `initialize` says so.
   *
   * @defaultValue `'15m'`
   */
  readonly minInterval?: Duration;
  /**
   * Only run with a network.
   *
   * @defaultValue `true`
   */
  readonly requiresNetwork?: boolean;
  /**
   * Only run while charging.
   *
   * @defaultValue `false`
   */
  readonly requiresCharging?: boolean;
  /**
   * Only run while the battery is not low.
   *
   * @defaultValue `true`
   */
  readonly requiresBatteryNotLow?: boolean;
  /**
   * How the system spaces runs that died or were cut off. The queue's own retries are not affected.
   *
   * @defaultValue exponential from 30 seconds
   */
  readonly retryPolicy?: {
    readonly policy?: 'exponential' | 'linear';
    readonly initial?: Duration;
    readonly maxAttempts?: number;
  };
  /**
   * The longest one run may take. The system's own limit counts if it is shorter.
   *
   * @defaultValue `'25s'`
   */
  readonly budget?: Duration;
  /**
   * Wake-ups for critical writes in any hour; beyond it they join those of high priority. Systems
   * throttle apps that cry wolf.
   *
   * @defaultValue `6`
   */
  readonly criticalPerHour?: number;
}

const FIELDS: ReadonlySet<string> = new Set([
  'enabled',
  'minInterval',
  'requiresNetwork',
  'requiresCharging',
  'requiresBatteryNotLow',
  'retryPolicy',
  'budget',
  'criticalPerHour',
]);
const LONGEST_INTERVAL_MS = 30 * 86_400_000;

/** When background sync may run. Immutable; times in milliseconds. */
export class BackgroundSyncConfig {
  readonly enabled: boolean;
  readonly minInterval: number;
  readonly requiresNetwork: boolean;
  readonly requiresCharging: boolean;
  readonly requiresBatteryNotLow: boolean;
  readonly retryPolicy: {
    readonly policy: 'exponential' | 'linear';
    readonly initialMs: number;
    readonly maxAttempts: number;
  };
  readonly budget: number;
  readonly criticalPerHour: number;

  /** Background sync off. */
  static readonly disabled: BackgroundSyncConfig = new BackgroundSyncConfig({ enabled: false });
  /** Twice a day, on a charger: for data that nobody waits for. */
  static readonly conservative: BackgroundSyncConfig = new BackgroundSyncConfig({
    minInterval: '12h',
    requiresCharging: true,
  });
  /** As often as systems allow, whatever the battery says. */
  static readonly aggressive: BackgroundSyncConfig = new BackgroundSyncConfig({
    minInterval: '15m',
    requiresBatteryNotLow: false,
  });

  /** @throws UsageError `usage/invalid-argument`, naming the wrong field */
  constructor(options: BackgroundSyncConfigOptions = {}) {
    const unknown = Object.keys(options).find((field) => !FIELDS.has(field));
    if (unknown !== undefined) invalid(unknown, 'is not a field of BackgroundSyncConfig');
    this.enabled = flag(options.enabled, true, 'enabled');
    this.minInterval = interval(options.minInterval ?? '15m');
    this.requiresNetwork = flag(options.requiresNetwork, true, 'requiresNetwork');
    this.requiresCharging = flag(options.requiresCharging, false, 'requiresCharging');
    this.requiresBatteryNotLow = flag(options.requiresBatteryNotLow, true, 'requiresBatteryNotLow');
    const { policy = 'exponential', initial = '30s', maxAttempts = 10 } = options.retryPolicy ?? {};
    if (policy !== 'exponential' && policy !== 'linear')
      invalid('retryPolicy.policy', "must be 'exponential' or 'linear'");
    this.retryPolicy = {
      policy,
      initialMs: durationMs(initial, 'retryPolicy.initial'),
      maxAttempts: wholeNumber(maxAttempts, 1, 'retryPolicy.maxAttempts'),
    };
    this.budget = durationMs(options.budget ?? '25s', 'budget');
    this.criticalPerHour = wholeNumber(options.criticalPerHour ?? 6, 0, 'criticalPerHour');
    Object.freeze(this);
  }

  /** The configuration of whatever an app passed. */
  static from(
    options: BackgroundSyncConfig | BackgroundSyncConfigOptions = {},
  ): BackgroundSyncConfig {
    return options instanceof BackgroundSyncConfig ? options : new BackgroundSyncConfig(options);
  }

  /** What the device must meet for a run. */
  get constraints(): Constraints {
    return {
      networkType: this.requiresNetwork ? 'connected' : 'not-required',
      requiresCharging: this.requiresCharging,
      requiresBatteryNotLow: this.requiresBatteryNotLow,
    };
  }
}

/** What of a configuration a platform honours only in part. */
export function weakenedBy(
  capabilities: SchedulerCapabilities,
  config: BackgroundSyncConfig,
): readonly WeakenedField[] {
  const weakened: WeakenedField[] = [];
  if (config.minInterval < capabilities.minIntervalMs) {
    weakened.push({
      field: 'minInterval',
      asked: config.minInterval,
      got: capabilities.minIntervalMs,
    });
  }
  return weakened;
}

function invalid(field: string, what: string): never {
  throw new UsageError('usage/invalid-argument', `BackgroundSyncConfig: ${field} ${what}`);
}

function flag(value: unknown, fallback: boolean, field: string): boolean {
  if (value === undefined) return fallback;
  return typeof value === 'boolean'
    ? value
    : invalid(field, `must be true or false, not ${JSON.stringify(value)}`);
}

function interval(value: Duration): number {
  const ms = durationMs(value, 'BackgroundSyncConfig: minInterval');
  if (ms === 0) invalid('minInterval', 'must be longer than nothing');
  return Math.min(ms, LONGEST_INTERVAL_MS);
}

function wholeNumber(value: number, least: number, field: string): number {
  return Number.isInteger(value) && value >= least
    ? value
    : invalid(field, `must be a whole number from ${least}`);
}
