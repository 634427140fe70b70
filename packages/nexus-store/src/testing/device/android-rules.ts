import type {
  Constraints,
  ScheduleRequest,
  SchedulerCapabilities,
  StopReason,
} from '../../core/ports/platform-scheduler.ts';
import { allConstraints, contradiction, expeditedRefusal, Weakened } from './request-rules.ts';
import type { Mapping } from './request-rules.ts';

// WorkManager's rules as pure functions. The Kotlin mapping of @nexus-store/react-native is checked
// against cases made from them. Sources: WorkManager 2.12, as read in mobile-scheduling.md section 3a.

/** PeriodicWorkRequest.MIN_PERIODIC_INTERVAL_MILLIS. */
export const MIN_PERIODIC_INTERVAL_MS = 900_000;
/** PeriodicWorkRequest.MIN_PERIODIC_FLEX_MILLIS. */
export const MIN_PERIODIC_FLEX_MS = 300_000;
/** WorkRequest.DEFAULT_BACKOFF_DELAY_MILLIS. */
export const DEFAULT_BACKOFF_MS = 30_000;
/** WorkRequest.MIN_BACKOFF_MILLIS. */
export const MIN_BACKOFF_MS = 10_000;
/** WorkRequest.MAX_BACKOFF_MILLIS. */
export const MAX_BACKOFF_MS = 18_000_000;
/** The limit after which the system stops a worker (mobile-scheduling.md 3a "Run semantics"). */
export const MAX_WORK_MS = 600_000;

export type BackoffPolicy = 'exponential' | 'linear';

/** The part of a WorkSpec that a request decides. */
export interface WorkRequest {
  readonly kind: ScheduleRequest['kind'];
  readonly initialDelayMs: number;
  /** Both 0 for a one-off. */
  readonly intervalMs: number;
  readonly flexMs: number;
  readonly constraints: Required<Constraints>;
  readonly backoffPolicy: BackoffPolicy;
  readonly backoffDelayMs: number;
  readonly isExpedited: boolean;
}

/** The part of a WorkSpec that running changes. */
export interface WorkProgress {
  /** `lastEnqueueTime`, epoch milliseconds; undefined if never enqueued. */
  readonly lastEnqueuedAt: number | undefined;
  /** `runAttemptCount`: begun runs since the last success, failure or period. */
  readonly attempts: number;
  /** `periodCount`: periods that have ended. */
  readonly periods: number;
  /** `nextScheduleTimeOverride`, epoch milliseconds. */
  readonly nextOverrideAt?: number;
}

/**
 * When work that is enqueued may run next; Infinity if never. WorkSpec.calculateNextRunTime: the first
 * rule that fits, in this order (mobile-scheduling.md 3a "Next run").
 */
export function nextRunAt(work: WorkRequest, progress: WorkProgress): number {
  const last = progress.lastEnqueuedAt;
  const override = progress.nextOverrideAt;
  if (override !== undefined && work.kind === 'periodic') {
    if (progress.periods === 0) return override;
    return Math.max(override, (last ?? 0) + MIN_PERIODIC_INTERVAL_MS);
  }
  // Work that was never enqueued is never due, which is not the same as due now.
  if (last === undefined) return Infinity;
  if (progress.attempts > 0) {
    return last + backoffMs(work.backoffPolicy, work.backoffDelayMs, progress.attempts);
  }
  if (work.kind === 'once') return last + work.initialDelayMs;
  if (progress.periods > 0) return last + work.intervalMs;
  // JobScheduler runs a first period at once; the flex window of it is kept by waiting here.
  const flexWaitMs = work.flexMs === work.intervalMs ? 0 : work.intervalMs - work.flexMs;
  return last + work.initialDelayMs + flexWaitMs;
}

/**
 * The wait after the `attempts`-th begun run, at most 5 h. LINEAR is base × n, EXPONENTIAL
 * base × 2^(n−1), computed in floats by Math.scalb (WorkSpec.calculateNextRunTime).
 */
export function backoffMs(policy: BackoffPolicy, baseMs: number, attempts: number): number {
  const waitMs =
    policy === 'linear' ? baseMs * attempts : Math.fround(baseMs) * 2 ** (attempts - 1);
  return Math.min(waitMs, MAX_BACKOFF_MS);
}

/** WorkSpec.setBackoffDelayDuration: out of range is clamped with a log line, not refused. */
export function clampedBackoffMs(askedMs: number): number {
  return Math.min(Math.max(askedMs, MIN_BACKOFF_MS), MAX_BACKOFF_MS);
}

/** WorkSpec.setPeriodic: the interval is raised to its minimum. */
export function clampedIntervalMs(askedMs: number): number {
  return Math.max(askedMs, MIN_PERIODIC_INTERVAL_MS);
}

/** WorkSpec.setPeriodic: the flex is coerced into [5 min, interval]. */
export function clampedFlexMs(askedMs: number, intervalMs: number): number {
  return Math.min(Math.max(askedMs, MIN_PERIODIC_FLEX_MS), intervalMs);
}

/**
 * A request in WorkManager's terms.
 *
 * @param countedFrom the instant from which WorkManager counts the initial delay: now, or the first
 *   enqueue of the work that this request updates, because an update keeps it
 */
export function mapAndroidRequest(
  request: ScheduleRequest,
  countedFrom: number,
): Mapping<WorkRequest> {
  const message = androidRefusal(request);
  if (message !== undefined) return { ok: false, message };
  const weakened = new Weakened();
  const isPeriodic = request.kind === 'periodic';
  const askedIntervalMs = request.intervalMs ?? 0;
  const intervalMs = isPeriodic
    ? weakened.give('intervalMs', askedIntervalMs, clampedIntervalMs(askedIntervalMs))
    : 0;
  const askedFlexMs = request.flexMs ?? intervalMs;
  const flexMs = isPeriodic
    ? weakened.give('flexMs', askedFlexMs, clampedFlexMs(askedFlexMs, intervalMs))
    : 0;
  const askedBackoffMs = request.backoff?.initialMs ?? DEFAULT_BACKOFF_MS;
  const native: WorkRequest = {
    kind: request.kind,
    initialDelayMs: Math.max(0, (request.earliestBeginAt ?? countedFrom) - countedFrom),
    intervalMs,
    flexMs,
    constraints: allConstraints(request.constraints),
    backoffPolicy: request.backoff?.policy ?? 'exponential',
    backoffDelayMs: weakened.give(
      'backoff.initialMs',
      askedBackoffMs,
      clampedBackoffMs(askedBackoffMs),
    ),
    isExpedited: request.expedited ?? false,
  };
  return { ok: true, native, weakened: weakened.fields };
}

/** Why `WorkRequest.Builder.build` would throw; undefined if it would not. */
export function androidRefusal(request: ScheduleRequest): string | undefined {
  const refusal = contradiction(request) ?? expeditedRefusal(request);
  if (refusal !== undefined) return refusal;
  if (request.constraints?.requiresDeviceIdle && request.backoff !== undefined) {
    return 'Cannot set backoff criteria on an idle mode job';
  }
  return undefined;
}

/** WorkerUpdater.updateWorkImpl throws UnsupportedOperationException for this. */
export function updateRefusal(from: WorkRequest, to: WorkRequest): string | undefined {
  if (from.kind === to.kind) return undefined;
  const name = (work: WorkRequest): string =>
    work.kind === 'periodic' ? 'PeriodicWorkRequest' : 'OneTimeWorkRequest';
  return `Can't update ${name(from)} Worker to ${name(to)}. Update operation must preserve worker's type.`;
}

/**
 * Whether the next run of work may be expedited. Retries and delayed runs lose the flag
 * (SystemJobInfoConverterTest testConvertExpeditedJobs_retriesAreNotExpedited).
 */
export function mayRunExpedited(work: WorkRequest, progress: WorkProgress): boolean {
  return work.isExpedited && progress.attempts === 0 && work.initialDelayMs === 0;
}

/** Why the system stops or does not start a job. */
export type AndroidBlocker =
  | 'battery'
  | 'charging'
  | 'network'
  | 'idle'
  | 'storage'
  | 'doze'
  | 'battery-saver'
  | 'quota'
  | 'background-restricted'
  | 'force-stopped'
  | 'booting';

/** WorkInfo.STOP_REASON_* by name; mapped by name, because numbers have been mixed up before. */
export const ANDROID_STOP_REASON = {
  UNKNOWN: -512,
  CANCELLED_BY_APP: 1,
  PREEMPT: 2,
  TIMEOUT: 3,
  DEVICE_STATE: 4,
  CONSTRAINT_BATTERY_NOT_LOW: 5,
  CONSTRAINT_CHARGING: 6,
  CONSTRAINT_CONNECTIVITY: 7,
  CONSTRAINT_DEVICE_IDLE: 8,
  CONSTRAINT_STORAGE_NOT_LOW: 9,
  QUOTA: 10,
  BACKGROUND_RESTRICTION: 11,
  APP_STANDBY: 12,
  USER: 13,
  SYSTEM_PROCESSING: 14,
  ESTIMATED_APP_LAUNCH_TIME_CHANGED: 15,
} as const;

export type AndroidStopReason = keyof typeof ANDROID_STOP_REASON;

const STOP_REASON_OF_BLOCKER: Readonly<Record<AndroidBlocker, AndroidStopReason>> = {
  battery: 'CONSTRAINT_BATTERY_NOT_LOW',
  charging: 'CONSTRAINT_CHARGING',
  network: 'CONSTRAINT_CONNECTIVITY',
  idle: 'CONSTRAINT_DEVICE_IDLE',
  storage: 'CONSTRAINT_STORAGE_NOT_LOW',
  doze: 'DEVICE_STATE',
  'battery-saver': 'DEVICE_STATE',
  quota: 'QUOTA',
  'background-restricted': 'BACKGROUND_RESTRICTION',
  'force-stopped': 'USER',
  booting: 'UNKNOWN',
};

export function stopReasonOfBlocker(blocker: AndroidBlocker): AndroidStopReason {
  return STOP_REASON_OF_BLOCKER[blocker];
}

const PORT_STOP_REASON: Readonly<Record<AndroidStopReason, StopReason>> = {
  UNKNOWN: 'unknown',
  CANCELLED_BY_APP: 'cancelled',
  PREEMPT: 'preempted',
  TIMEOUT: 'timeout',
  DEVICE_STATE: 'system',
  CONSTRAINT_BATTERY_NOT_LOW: 'constraint',
  CONSTRAINT_CHARGING: 'constraint',
  CONSTRAINT_CONNECTIVITY: 'constraint',
  CONSTRAINT_DEVICE_IDLE: 'constraint',
  CONSTRAINT_STORAGE_NOT_LOW: 'constraint',
  QUOTA: 'quota',
  BACKGROUND_RESTRICTION: 'user',
  APP_STANDBY: 'quota',
  USER: 'user',
  SYSTEM_PROCESSING: 'system',
  ESTIMATED_APP_LAUNCH_TIME_CHANGED: 'system',
};

/** The port's word for what `ListenableWorker.getStopReason` says. */
export function portStopReason(reason: AndroidStopReason): StopReason {
  return PORT_STOP_REASON[reason];
}

export const ANDROID_CAPABILITIES: SchedulerCapabilities = {
  kinds: ['once', 'periodic'],
  constraints: [
    'networkType',
    'requiresCharging',
    'requiresBatteryNotLow',
    'requiresStorageNotLow',
    'requiresDeviceIdle',
  ],
  networkTypes: ['not-required', 'connected', 'unmetered', 'not-roaming', 'metered'],
  minIntervalMs: MIN_PERIODIC_INTERVAL_MS,
  maxRunMs: MAX_WORK_MS,
  expedited: true,
  idsShareOneWorker: false,
  resultHonoured: true,
  survivesKill: true,
};
