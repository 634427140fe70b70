import type {
  Constraints,
  ScheduleRequest,
  SchedulerCapabilities,
  WeakenedField,
} from '../ports/platform-scheduler.ts';

/** The longest wait after runs that ended with `retry`, unless the first one is longer: WorkManager's. */
const LONGEST_BACKOFF_MS = 5 * 3_600_000;
const DEFAULT_BACKOFF = { policy: 'exponential', initialMs: 30_000 } as const;

/** What a request became: only what these timers can keep. */
export interface TimerRequest {
  readonly id: string;
  readonly kind: ScheduleRequest['kind'];
  /** Epoch milliseconds; 0 for none. */
  readonly earliestBeginAt: number;
  readonly intervalMs: number;
  readonly flexMs: number;
  readonly constraints: Constraints;
  readonly backoff: NonNullable<ScheduleRequest['backoff']>;
}

/** Why a request can never be honoured; undefined if it can. */
export function contradictionIn(request: ScheduleRequest): string | undefined {
  const { id, kind, earliestBeginAt, intervalMs, flexMs, backoff, constraints } = request;
  if (typeof id !== 'string' || id === '') return 'a request needs an id';
  if (kind !== 'once' && kind !== 'periodic') return `there is no kind ${String(kind)}`;
  if (kind === 'periodic' && !(isTime(intervalMs) && intervalMs > 0))
    return 'periodic work needs an interval';
  if (kind === 'once' && (intervalMs !== undefined || flexMs !== undefined))
    return 'a one-off has no interval and no flex';
  if (flexMs !== undefined && !isTime(flexMs)) return 'flexMs must be milliseconds';
  if (earliestBeginAt !== undefined && !isTime(earliestBeginAt))
    return 'earliestBeginAt must be epoch milliseconds';
  if (backoff !== undefined && !isTime(backoff.initialMs))
    return 'backoff.initialMs must be milliseconds';
  if (request.expedited !== true) return undefined;
  if (kind === 'periodic') return 'periodic work is never expedited';
  if (earliestBeginAt !== undefined) return 'expedited work cannot wait for an earliest begin';
  const { requiresCharging, requiresBatteryNotLow, requiresDeviceIdle } = constraints ?? {};
  return requiresCharging === true || requiresBatteryNotLow === true || requiresDeviceIdle === true
    ? 'expedited work takes network and storage constraints only'
    : undefined;
}

/** The request as far as it can be kept, and every field that is less than was asked. */
export function keptRequest(
  request: ScheduleRequest,
  capabilities: SchedulerCapabilities,
): { readonly kept: TimerRequest; readonly weakened: readonly WeakenedField[] } {
  const weakened: WeakenedField[] = [];
  const asked = request.intervalMs ?? 0;
  const intervalMs =
    request.kind === 'once' ? 0 : Math.max(asked, Math.ceil(capabilities.minIntervalMs));
  if (request.kind === 'periodic' && intervalMs !== asked)
    weakened.push({ field: 'intervalMs', asked, got: intervalMs });
  const { constraints, lost } = keptConstraints(request.constraints ?? {}, capabilities);
  return {
    kept: {
      id: request.id,
      kind: request.kind,
      earliestBeginAt: request.earliestBeginAt ?? 0,
      intervalMs,
      flexMs: Math.min(request.flexMs ?? 0, intervalMs),
      constraints,
      backoff: request.backoff ?? DEFAULT_BACKOFF,
    },
    weakened: [...weakened, ...lost],
  };
}

function keptConstraints(
  asked: Constraints,
  capabilities: SchedulerCapabilities,
): { readonly constraints: Constraints; readonly lost: readonly WeakenedField[] } {
  const lost: WeakenedField[] = [];
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(asked)) {
    if (value === undefined || value === false || value === 'not-required') continue;
    const isKept =
      capabilities.constraints.includes(name as keyof Constraints) &&
      (name !== 'networkType' || capabilities.networkTypes.includes(value));
    // A device that tells of networks at all tells at least whether there is one.
    const instead = name === 'networkType' ? networkInstead(value, capabilities) : false;
    if (!isKept) lost.push({ field: `constraints.${name}`, asked: value, got: instead });
    kept[name] = isKept ? value : instead;
  }
  return { constraints: kept as Constraints, lost };
}

function networkInstead(
  asked: unknown,
  { networkTypes }: SchedulerCapabilities,
): 'connected' | 'not-required' {
  return asked !== 'connected' && networkTypes.includes('connected') ? 'connected' : 'not-required';
}

/** How long a request waits after so many runs that ended with `retry`. */
export function backoffMs({ backoff }: TimerRequest, attempts: number): number {
  const { policy, initialMs } = backoff;
  const factor = policy === 'linear' ? attempts : 2 ** Math.min(attempts - 1, 40);
  return Math.min(initialMs * factor, Math.max(LONGEST_BACKOFF_MS, initialMs));
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
