import type { ScheduleErrorCode } from '../model/errors.ts';

/**
 * Asks the system for wake-ups. A wake-up is a hint: it may come late, merged with another, or never.
 * Truth lives in the queue.
 *
 * Law:
 * - At most one request is pending for an id. `schedule` of a pending id does what `existing` says:
 *   `keep` leaves it, `replace` takes its place and makes a late `complete` of the old run change
 *   nothing, `update` (the default) changes it in place, counting from its first enqueue.
 * - A request the host can never honour is refused with `schedule/invalid` and changes nothing. One it
 *   honours in part is accepted, and `weakened` names every field that is less than was asked.
 * - `schedule` resolves for every refusal of the host; it does not throw them.
 * - Each wake-up is completed exactly once: by the first call of `complete`, or by the host at the end
 *   of its window. Before the host ends a run it aborts `signal`, with a `StopReason` as the reason.
 * - `retry` asks for the same request again after its backoff; `success` and `failure` end a `once`
 *   request and leave a `periodic` one to its next interval.
 * - An `update` of a `once` request that is running asks for another run: it is not lost when this run
 *   ends with `success` or `failure`.
 * - Wake-ups that come before `onWakeUp` was called are held for it.
 */
export interface PlatformScheduler {
  /** Static facts. The conformance suite checks that they are true. */
  readonly capabilities: SchedulerCapabilities;
  /** The inbox. Called once, at module scope. */
  onWakeUp(handler: (wakeUp: WakeUp) => void): void;
  schedule(request: ScheduleRequest): Promise<ScheduleResult>;
  /** False if nothing was pending under this id. Cancelling a running request aborts its run. */
  cancel(id: string): Promise<boolean>;
  pending(): Promise<readonly PendingRequest[]>;
}

export type NetworkType = 'not-required' | 'connected' | 'unmetered' | 'not-roaming' | 'metered';

export interface Constraints {
  readonly networkType?: NetworkType;
  readonly requiresCharging?: boolean;
  readonly requiresBatteryNotLow?: boolean;
  readonly requiresStorageNotLow?: boolean;
  readonly requiresDeviceIdle?: boolean;
}

export interface ScheduleRequest {
  /** The unique name of the work. */
  readonly id: string;
  readonly kind: 'once' | 'periodic';
  /** Epoch milliseconds. A floor, never a promise. */
  readonly earliestBeginAt?: number;
  readonly intervalMs?: number;
  /** The part at the end of each interval in which the run may fall. */
  readonly flexMs?: number;
  readonly constraints?: Constraints;
  /** For runs that end with `retry`, or die before they could decide. */
  readonly backoff?: { readonly policy: 'exponential' | 'linear'; readonly initialMs: number };
  /** Prompt running, quota permitting. Network and storage constraints only, no earliest begin, never periodic. */
  readonly expedited?: boolean;
  /** iOS: short or long. */
  readonly taskKind?: 'app-refresh' | 'processing';
  readonly existing?: 'keep' | 'replace' | 'update';
}

export type ScheduleResult =
  | {
      readonly ok: true;
      readonly effect: 'added' | 'kept' | 'replaced' | 'updated-now' | 'updated-next-run';
      readonly weakened: readonly WeakenedField[];
    }
  | {
      readonly ok: false;
      readonly code: ScheduleErrorCode;
      readonly nativeCode?: number;
      readonly message: string;
    };

/** A field that the host honours only in part. */
export interface WeakenedField {
  readonly field: string;
  readonly asked: unknown;
  readonly got: unknown;
}

export type RunResult = 'success' | 'retry' | 'failure';

export type StopReason =
  | 'timeout'
  | 'expired'
  | 'cancelled'
  | 'preempted'
  | 'constraint'
  | 'quota'
  | 'user'
  | 'system'
  | 'unknown';

export interface WakeUp {
  readonly id: string;
  readonly runId: string;
  /** 1 for the first run of a request, one more after each `retry`. */
  readonly attempt: number;
  readonly reason: 'scheduled' | 'forced' | 'resumed';
  readonly appState: 'foreground' | 'background' | 'headless' | 'unknown';
  /** Epoch milliseconds; Infinity where the host sets none. */
  readonly deadline: number;
  /** Expiration aborts it first; its reason is a `StopReason`. */
  readonly signal: AbortSignal;
  /** The first call counts, later ones change nothing. */
  complete(result: RunResult): void;
}

export interface PendingRequest {
  readonly id: string;
  readonly state: 'waiting' | 'running' | 'blocked';
  /** Epoch milliseconds. */
  readonly nextAt?: number;
  readonly attempt?: number;
}

export interface SchedulerCapabilities {
  readonly kinds: readonly ScheduleRequest['kind'][];
  readonly constraints: readonly (keyof Constraints)[];
  readonly networkTypes: readonly NetworkType[];
  readonly minIntervalMs: number;
  readonly maxRunMs: number;
  readonly expedited: boolean;
  /** All ids wake the same worker: requests merge. */
  readonly idsShareOneWorker: boolean;
  /** The host acts on the result of a run. */
  readonly resultHonoured: boolean;
  /** Requests outlive the process. */
  readonly survivesKill: boolean;
}
