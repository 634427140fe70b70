import { shown } from '../model/arguments.ts';
import { durationMs, type Duration } from '../model/duration.ts';
import { UsageError } from '../model/errors.ts';
import type {
  Constraints,
  NetworkType,
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
   * below it theirs counts, and `initialize` says so. At most 30 days.
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
   * Which network, where `requiresNetwork` alone says too little: `'unmetered'` for large uploads.
   *
   * @defaultValue `'connected'` with `requiresNetwork`, else `'not-required'`
   */
  readonly networkType?: NetworkType;
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
   * How the system spaces runs that died, were cut off without having sent anything, or whose tasks
   * failed; after `maxAttempts` of them in a row it waits for the next interval. The queue's own
   * retries are not affected.
   *
   * @defaultValue exponential from 30 seconds, ten attempts
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
  'networkType',
  'requiresCharging',
  'requiresBatteryNotLow',
  'retryPolicy',
  'budget',
  'criticalPerHour',
]);
const RETRY_FIELDS: ReadonlySet<string> = new Set(['policy', 'initial', 'maxAttempts']);
const NETWORK_TYPES: ReadonlySet<unknown> = new Set<NetworkType>([
  'not-required',
  'connected',
  'unmetered',
  'not-roaming',
  'metered',
]);
const LONGEST_INTERVAL_MS = 30 * 86_400_000;
/** Less than this is spent before the first byte is sent. */
const LEAST_BUDGET_MS = 1_000;

/**
 * When background sync may run. Immutable; times in milliseconds. Its own fields are options again:
 * `new BackgroundSyncConfig({ ...BackgroundSyncConfig.conservative, requiresCharging: false })`.
 */
export class BackgroundSyncConfig {
  readonly enabled: boolean;
  readonly minInterval: number;
  readonly requiresNetwork: boolean;
  readonly networkType: NetworkType;
  readonly requiresCharging: boolean;
  readonly requiresBatteryNotLow: boolean;
  readonly retryPolicy: {
    readonly policy: 'exponential' | 'linear';
    readonly initial: number;
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
    if (typeof options !== 'object' || options === null)
      throw new UsageError('usage/invalid-argument', 'BackgroundSyncConfig takes an object');
    onlyKnown(options, FIELDS, '');
    this.enabled = flag(options.enabled, true, 'enabled');
    this.minInterval = interval(options.minInterval ?? '15m');
    this.networkType = networkTypeOf(options);
    this.requiresNetwork = this.networkType !== 'not-required';
    this.requiresCharging = flag(options.requiresCharging, false, 'requiresCharging');
    this.requiresBatteryNotLow = flag(options.requiresBatteryNotLow, true, 'requiresBatteryNotLow');
    this.retryPolicy = retryPolicyOf(options.retryPolicy);
    this.budget = duration(options.budget ?? '25s', 'budget');
    if (this.budget < LEAST_BUDGET_MS) invalid('budget', `must be at least ${LEAST_BUDGET_MS} ms`);
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
      networkType: this.networkType,
      requiresCharging: this.requiresCharging,
      requiresBatteryNotLow: this.requiresBatteryNotLow,
    };
  }
}

/** What a field of a request is called in the configuration. */
const CONFIG_FIELD: Readonly<Record<string, string>> = {
  intervalMs: 'minInterval',
  'constraints.networkType': 'networkType',
  'constraints.requiresCharging': 'requiresCharging',
  'constraints.requiresBatteryNotLow': 'requiresBatteryNotLow',
  'backoff.initialMs': 'retryPolicy.initial',
};

/**
 * What of a configuration a platform honours only in part, in the words of the configuration: known
 * from its capabilities, and as it answered requests.
 */
export function weakenedFields(
  capabilities: SchedulerCapabilities,
  config: BackgroundSyncConfig,
  answered: readonly WeakenedField[],
): readonly WeakenedField[] {
  const weakened = new Map<string, WeakenedField>();
  const asked = config.minInterval;
  const got = capabilities.minIntervalMs;
  if (asked < got) weakened.set('minInterval', { field: 'minInterval', asked, got });
  for (const { field: requested, ...rest } of answered) {
    const field = CONFIG_FIELD[requested] ?? requested;
    // Where a request asks for a moment, a platform may give a later one: that is no less.
    if (field !== 'earliestBeginAt' && !weakened.has(field))
      weakened.set(field, { field, ...rest });
  }
  return [...weakened.values()];
}

function invalid(field: string, what: string): never {
  throw new UsageError('usage/invalid-argument', `BackgroundSyncConfig: ${field} ${what}`);
}

function onlyKnown(options: object, known: ReadonlySet<string>, prefix: string): void {
  const unknown = Object.keys(options).find((field) => !known.has(field));
  if (unknown !== undefined) invalid(prefix + unknown, 'is not a field of BackgroundSyncConfig');
}

function flag(value: unknown, fallback: boolean, field: string): boolean {
  if (value === undefined) return fallback;
  return typeof value === 'boolean'
    ? value
    : invalid(field, `must be true or false, not ${shown(value)}`);
}

function duration(value: Duration, field: string): number {
  return durationMs(value, `BackgroundSyncConfig: ${field}`);
}

function interval(value: Duration): number {
  const ms = duration(value, 'minInterval');
  if (ms === 0) invalid('minInterval', 'must be longer than nothing');
  return ms <= LONGEST_INTERVAL_MS ? ms : invalid('minInterval', 'must be 30 days at most');
}

function networkTypeOf(options: BackgroundSyncConfigOptions): NetworkType {
  const requiresNetwork = flag(options.requiresNetwork, true, 'requiresNetwork');
  const networkType = options.networkType ?? (requiresNetwork ? 'connected' : 'not-required');
  if (!NETWORK_TYPES.has(networkType))
    invalid('networkType', `must be one of ${[...NETWORK_TYPES].join(', ')}`);
  const isContradiction =
    options.requiresNetwork !== undefined && requiresNetwork === (networkType === 'not-required');
  if (isContradiction) {
    const word = requiresNetwork ? 'true' : 'false';
    invalid('networkType', `is ${networkType}, and requiresNetwork is ${word}`);
  }
  return networkType;
}

function retryPolicyOf(
  options: BackgroundSyncConfigOptions['retryPolicy'] = {},
): BackgroundSyncConfig['retryPolicy'] {
  if (typeof options !== 'object' || options === null) invalid('retryPolicy', 'must be an object');
  onlyKnown(options, RETRY_FIELDS, 'retryPolicy.');
  const { policy = 'exponential', initial = '30s', maxAttempts = 10 } = options;
  if (policy !== 'exponential' && policy !== 'linear')
    invalid('retryPolicy.policy', "must be 'exponential' or 'linear'");
  return Object.freeze({
    policy,
    initial: duration(initial, 'retryPolicy.initial'),
    maxAttempts: wholeNumber(maxAttempts, 1, 'retryPolicy.maxAttempts'),
  });
}

function wholeNumber(value: number, least: number, field: string): number {
  return Number.isInteger(value) && value >= least
    ? value
    : invalid(field, `must be a whole number from ${least}`);
}
