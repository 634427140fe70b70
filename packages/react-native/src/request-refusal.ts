import type { ScheduleRequest } from 'nexus-store';

/**
 * Why no phone can honour this request; undefined if one may. Asked before the native call, in
 * WorkManager's words; native code asks the same of what comes over the bridge (mapping-cases.json).
 */
export function requestRefusal(request: ScheduleRequest): string | undefined {
  return contradiction(request) ?? expeditedRefusal(request);
}

function contradiction(request: ScheduleRequest): string | undefined {
  if (request.id === '') return 'id must not be empty';
  const durations = {
    earliestBeginAt: request.earliestBeginAt,
    intervalMs: request.intervalMs,
    flexMs: request.flexMs,
    'backoff.initialMs': request.backoff?.initialMs,
  };
  for (const [field, value] of Object.entries(durations)) {
    if (value !== undefined && !(Number.isFinite(value) && value >= 0))
      return `${field} must be a finite number, not ${value}`;
  }
  if (request.kind === 'periodic')
    return request.intervalMs === undefined ? 'periodic work needs intervalMs' : undefined;
  if (request.intervalMs !== undefined) return 'a one-off has no intervalMs';
  return request.flexMs === undefined ? undefined : 'a one-off has no flexMs';
}

function expeditedRefusal(request: ScheduleRequest): string | undefined {
  if (request.expedited !== true) return undefined;
  if (request.kind === 'periodic') return 'PeriodicWorkRequests cannot be expedited';
  const { requiresCharging, requiresBatteryNotLow, requiresDeviceIdle } = request.constraints ?? {};
  if (requiresCharging || requiresBatteryNotLow || requiresDeviceIdle)
    return 'Expedited jobs only support network and storage constraints';
  return request.earliestBeginAt === undefined ? undefined : 'Expedited jobs cannot be delayed';
}
