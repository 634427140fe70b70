import type {
  Constraints,
  ScheduleRequest,
  WeakenedField,
} from '../../core/ports/platform-scheduler.ts';

/** What a host makes of a request: its own form of it, or the reason why it never can. */
export type Mapping<Native> =
  | { readonly ok: true; readonly native: Native; readonly weakened: readonly WeakenedField[] }
  | { readonly ok: false; readonly message: string };

/** Why no host could honour this request; undefined if one might. */
export function contradiction(request: ScheduleRequest): string | undefined {
  if (request.id === '') return 'id must not be empty';
  const durations = {
    earliestBeginAt: request.earliestBeginAt,
    intervalMs: request.intervalMs,
    flexMs: request.flexMs,
    'backoff.initialMs': request.backoff?.initialMs,
  };
  for (const [field, value] of Object.entries(durations)) {
    if (value === undefined) continue;
    if (!Number.isFinite(value) || value < 0)
      return `${field} must be a finite number, not ${value}`;
  }
  if (request.kind === 'periodic') {
    return request.intervalMs === undefined ? 'periodic work needs intervalMs' : undefined;
  }
  if (request.intervalMs !== undefined) return 'a one-off has no intervalMs';
  return request.flexMs === undefined ? undefined : 'a one-off has no flexMs';
}

/**
 * Why a request may not be expedited; undefined if it may or does not ask to be. The words are
 * WorkManager's (mobile-scheduling.md 3a "Expedited"; WorkRequest.Builder.build).
 */
export function expeditedRefusal(request: ScheduleRequest): string | undefined {
  if (request.expedited !== true) return undefined;
  if (request.kind === 'periodic') return 'PeriodicWorkRequests cannot be expedited';
  const { requiresCharging, requiresBatteryNotLow, requiresDeviceIdle } = request.constraints ?? {};
  if (requiresCharging || requiresBatteryNotLow || requiresDeviceIdle) {
    return 'Expedited jobs only support network and storage constraints';
  }
  return request.earliestBeginAt === undefined ? undefined : 'Expedited jobs cannot be delayed';
}

/** Collects what a host gives less of than was asked. */
export class Weakened {
  readonly fields: WeakenedField[] = [];

  /** Notes the difference, if there is one, and returns what the host gives. */
  give<T>(field: string, asked: unknown, got: T): T {
    if (asked !== got) this.fields.push({ field, asked, got });
    return got;
  }
}

/** The constraints of a request with every one present. */
export function allConstraints(constraints: Constraints = {}): Required<Constraints> {
  return {
    networkType: constraints.networkType ?? 'not-required',
    requiresCharging: constraints.requiresCharging ?? false,
    requiresBatteryNotLow: constraints.requiresBatteryNotLow ?? false,
    requiresStorageNotLow: constraints.requiresStorageNotLow ?? false,
    requiresDeviceIdle: constraints.requiresDeviceIdle ?? false,
  };
}
