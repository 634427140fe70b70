import type { PriorityRank } from '../model/priority.ts';
import type { ScheduleRequest, SchedulerCapabilities } from '../ports/platform-scheduler.ts';
import type { BackgroundSyncConfig } from './background-sync-config.ts';

/** What the policy decides on. */
export interface PolicyFacts {
  readonly now: number;
  readonly config: BackgroundSyncConfig;
  readonly capabilities: SchedulerCapabilities;
  /** Entries that wait, by priority: critical, high, normal, low. */
  readonly pending: readonly [number, number, number, number];
  /** When the queue wants the next attempt; null if nothing is ever due by itself, or something blocks it. */
  readonly nextAttemptAt: number | null;
  /** When wake-ups for critical writes were asked for, epoch milliseconds, oldest first. */
  readonly criticalAskedAt: readonly number[];
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** What to ask of the system. */
export interface WakeUpPlan {
  readonly requests: readonly ScheduleRequest[];
  /** A critical wake-up is among them. */
  readonly usesCriticalAllowance: boolean;
  /** There were too many this hour: this one joins the next of high priority. */
  readonly exceedsCriticalAllowance: boolean;
}

const HOUR_MS = 3_600_000;
/** A wake-up soon waits this long for others to join it. */
const JOIN_MS = 1_000;
/** Wake-ups are spread over this share of what they wait for, so that a fleet does not arrive at once. */
const JITTER = 0.25;
const MOST_JITTER_MS = 15 * 60_000;

/** The ids of the three requests that a service has pending at most. */
export function requestIds(id: string): {
  readonly periodic: string;
  readonly soon: string;
  readonly critical: string;
} {
  return { periodic: id, soon: `${id}.soon`, critical: `${id}.critical` };
}

/**
 * From what waits to the wake-ups it deserves, while the app is not in front:
 *
 * | priority | wake-up |
 * |---|---|
 * | critical | a one-off, expedited, that needs only the network; six an hour |
 * | high | a one-off with the configured constraints, soon |
 * | normal | the next periodic run, or a one-off after `minInterval` |
 * | low | periodic runs only |
 *
 * The queue owns the time of retries: where it wants to wait, so does the wake-up.
 */
export function planWakeUps(id: string, facts: PolicyFacts): WakeUpPlan {
  const { config, capabilities, now } = facts;
  if (!config.enabled)
    return { requests: [], usesCriticalAllowance: false, exceedsCriticalAllowance: false };
  const ids = requestIds(id);
  const requests: ScheduleRequest[] = [];
  const hasPeriodic = capabilities.kinds.includes('periodic');
  if (hasPeriodic) requests.push(periodic(ids.periodic, facts));
  const best = facts.pending.findIndex((count) => count > 0) as PriorityRank | -1;
  const canSend = facts.nextAttemptAt !== null;
  const isDue = facts.nextAttemptAt !== null && facts.nextAttemptAt <= now + JOIN_MS;
  const recent = facts.criticalAskedAt.filter((at) => at > now - HOUR_MS && at <= now).length;
  const wantsCritical = best === 0 && isDue;
  const mayCritical = recent < config.criticalPerHour;
  if (wantsCritical && mayCritical) requests.push(critical(ids.critical, facts));
  else if (canSend && (best === 0 || best === 1)) requests.push(once(ids.soon, facts, JOIN_MS));
  else if (!hasPeriodic) requests.push(once(ids.soon, facts, config.minInterval));
  return {
    requests,
    usesCriticalAllowance: wantsCritical && mayCritical,
    exceedsCriticalAllowance: wantsCritical && !mayCritical,
  };
}

function backoffOf({ config }: PolicyFacts): NonNullable<ScheduleRequest['backoff']> {
  return { policy: config.retryPolicy.policy, initialMs: config.retryPolicy.initialMs };
}

function periodic(id: string, facts: PolicyFacts): ScheduleRequest {
  const { config, capabilities } = facts;
  return {
    id,
    kind: 'periodic',
    intervalMs: Math.max(config.minInterval, capabilities.minIntervalMs),
    constraints: config.constraints,
    backoff: backoffOf(facts),
    existing: 'update',
  };
}

function once(id: string, facts: PolicyFacts, delayMs: number): ScheduleRequest {
  const { config, now, nextAttemptAt } = facts;
  const earliest = Math.max(now + delayMs, nextAttemptAt ?? 0);
  return {
    id,
    kind: 'once',
    earliestBeginAt: earliest + jitterMs(facts, earliest - now),
    constraints: config.constraints,
    backoff: backoffOf(facts),
    // iOS takes one short request only, and the periodic one is it.
    taskKind: 'processing',
    existing: 'update',
  };
}

function critical(id: string, facts: PolicyFacts): ScheduleRequest {
  const base: ScheduleRequest = {
    id,
    kind: 'once',
    constraints: { networkType: 'connected' },
    taskKind: 'processing',
    // One that is asked for already is soon enough, and asking again would only put it off.
    existing: 'keep',
  };
  return facts.capabilities.expedited
    ? { ...base, expedited: true }
    : { ...base, backoff: backoffOf(facts) };
}

function jitterMs(facts: PolicyFacts, waitMs: number): number {
  return Math.floor(facts.random() * Math.min(MOST_JITTER_MS, waitMs * JITTER));
}
