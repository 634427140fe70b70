import type { ScheduleErrorCode } from '../../core/model/errors.ts';
import type {
  NetworkType,
  ScheduleRequest,
  SchedulerCapabilities,
} from '../../core/ports/platform-scheduler.ts';
import { clampedBackoffMs, DEFAULT_BACKOFF_MS, MIN_PERIODIC_INTERVAL_MS } from './android-rules.ts';
import type { WorkRequest } from './android-rules.ts';
import { allConstraints, contradiction, expeditedRefusal, Weakened } from './request-rules.ts';
import type { Mapping } from './request-rules.ts';

// BGTaskScheduler's rules, and those of the thin native module over it, as pure functions. The Swift
// mapping of @nexus-store/react-native is checked against cases made from them. Sources: Apple's
// BackgroundTasks documentation, as read in mobile-scheduling.md section 3b.

/** "At most 1 refresh and 10 processing pending" (BGTaskScheduler.submit). */
export const MAX_PENDING = { 'app-refresh': 1, processing: 10 } as const;
/** BGAppRefreshTask: about 30 s. */
export const REFRESH_WINDOW_MS = 30_000;
/** BGProcessingTask: minutes; how many, Apple does not say. */
export const PROCESSING_WINDOW_MS = 300_000;
/** What is left after the expiration handler was called: about no time (mobile-scheduling.md 4). */
export const EXPIRATION_GRACE_MS = 1_000;

export type IosTaskKind = keyof typeof MAX_PENDING;

/** A request as the native module keeps it: every BGTaskRequest is a one-off, the module submits again. */
export interface IosRequest {
  readonly taskKind: IosTaskKind;
  /**
   * The module counts periods and backoff by WorkManager's rules, so that a request means the same on
   * both systems; `earliestBeginDate` is the instant at which such work would be due.
   */
  readonly work: WorkRequest;
}

/**
 * A request in BackgroundTasks' terms. A short task unless it says otherwise: only a processing task can
 * require network or external power, and it waits for an idle device.
 */
export function mapIosRequest(request: ScheduleRequest, countedFrom: number): Mapping<IosRequest> {
  const message = contradiction(request) ?? expeditedRefusal(request);
  if (message !== undefined) return { ok: false, message };
  const weakened = new Weakened();
  const taskKind = request.taskKind ?? 'app-refresh';
  const intervalMs = iosIntervalMs(request, weakened);
  if (request.flexMs !== undefined) weakened.give('flexMs', request.flexMs, undefined);
  const askedBackoffMs = request.backoff?.initialMs ?? DEFAULT_BACKOFF_MS;
  const work: WorkRequest = {
    kind: request.kind,
    initialDelayMs: Math.max(0, (request.earliestBeginAt ?? countedFrom) - countedFrom),
    intervalMs,
    flexMs: intervalMs,
    constraints: iosConstraints(request, taskKind, weakened),
    backoffPolicy: request.backoff?.policy ?? 'exponential',
    backoffDelayMs: weakened.give(
      'backoff.initialMs',
      askedBackoffMs,
      clampedBackoffMs(askedBackoffMs),
    ),
    isExpedited: weakened.give('expedited', request.expedited ?? false, false),
  };
  return { ok: true, native: { taskKind, work }, weakened: weakened.fields };
}

/** The module's own minimum, the same as Android's: iOS would not run it more often anyway. */
function iosIntervalMs(request: ScheduleRequest, weakened: Weakened): number {
  if (request.intervalMs === undefined) return 0;
  const raisedMs = Math.max(request.intervalMs, MIN_PERIODIC_INTERVAL_MS);
  return weakened.give('intervalMs', request.intervalMs, raisedMs);
}

/** requiresNetworkConnectivity and requiresExternalPower exist on BGProcessingTaskRequest only. */
function iosConstraints(
  request: ScheduleRequest,
  taskKind: IosTaskKind,
  weakened: Weakened,
): WorkRequest['constraints'] {
  const asked = allConstraints(request.constraints);
  const isProcessing = taskKind === 'processing';
  const give = <T>(field: string, value: T, got: T): T =>
    weakened.give(`constraints.${field}`, value, got);
  return {
    networkType: give(
      'networkType',
      asked.networkType,
      isProcessing ? iosNetworkType(asked.networkType) : 'not-required',
    ),
    requiresCharging: give(
      'requiresCharging',
      asked.requiresCharging,
      isProcessing && asked.requiresCharging,
    ),
    requiresBatteryNotLow: give('requiresBatteryNotLow', asked.requiresBatteryNotLow, false),
    requiresStorageNotLow: give('requiresStorageNotLow', asked.requiresStorageNotLow, false),
    // A processing task runs on an idle device whether it asks or not.
    requiresDeviceIdle: give(
      'requiresDeviceIdle',
      asked.requiresDeviceIdle,
      isProcessing && asked.requiresDeviceIdle,
    ),
  };
}

/** iOS knows only "connected". */
function iosNetworkType(asked: NetworkType): NetworkType {
  return asked === 'not-required' ? 'not-required' : 'connected';
}

/** BGTaskScheduler.Error.Code. */
export const IOS_ERROR = {
  unavailable: 1,
  tooManyPendingTaskRequests: 2,
  notPermitted: 3,
  immediateRunIneligible: 4,
} as const;

const CODE_OF_ERROR: Readonly<Record<number, ScheduleErrorCode>> = {
  [IOS_ERROR.unavailable]: 'schedule/unavailable',
  [IOS_ERROR.tooManyPendingTaskRequests]: 'schedule/too-many-pending',
  [IOS_ERROR.notPermitted]: 'schedule/not-permitted',
};

/** The port's code for an error of `submit`; one that is not known keeps its number beside it. */
export function iosErrorCode(nativeCode: number): ScheduleErrorCode {
  return CODE_OF_ERROR[nativeCode] ?? 'schedule/host';
}

/** What `submit` knows of the app and the device when it decides. */
export interface SubmitFacts {
  readonly isSimulator: boolean;
  readonly isBackgroundRefreshOn: boolean;
  readonly isIdentifierPermitted: boolean;
  readonly isModeDeclared: boolean;
  /** Pending requests of the same kind under other identifiers. */
  readonly othersPending: number;
}

/** The error with which `submit` would answer; undefined if it would accept. */
export function submitError(taskKind: IosTaskKind, facts: SubmitFacts): number | undefined {
  if (!facts.isIdentifierPermitted || !facts.isModeDeclared) return IOS_ERROR.notPermitted;
  if (facts.isSimulator || !facts.isBackgroundRefreshOn) return IOS_ERROR.unavailable;
  if (facts.othersPending >= MAX_PENDING[taskKind]) return IOS_ERROR.tooManyPendingTaskRequests;
  return undefined;
}

/** How long a task may run. */
export function iosWindowMs(taskKind: IosTaskKind, processingWindowMs: number): number {
  return taskKind === 'processing' ? processingWindowMs : REFRESH_WINDOW_MS;
}

export function iosCapabilities(processingWindowMs: number): SchedulerCapabilities {
  return {
    kinds: ['once', 'periodic'],
    constraints: ['networkType', 'requiresCharging'],
    networkTypes: ['not-required', 'connected'],
    minIntervalMs: MIN_PERIODIC_INTERVAL_MS,
    maxRunMs: Math.max(REFRESH_WINDOW_MS, processingWindowMs),
    expedited: false,
    idsShareOneWorker: false,
    resultHonoured: true,
    survivesKill: true,
  };
}
