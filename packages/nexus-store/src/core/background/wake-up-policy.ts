import type { Constraints, ScheduleRequest } from '../ports/platform-scheduler.ts';
import type { SchedulerCapabilities } from '../ports/platform-scheduler.ts';
import type { BackgroundSyncConfig } from './background-sync-config.ts';

/** What the policy decides on. */
export interface PolicyFacts {
  /** Epoch milliseconds, as are all instants here. */
  readonly now: number;
  readonly config: BackgroundSyncConfig;
  readonly capabilities: SchedulerCapabilities;
  /** Entries that wait, by priority: critical, high, normal, low. */
  readonly pending: readonly [number, number, number, number];
  /** When the queue wants the next attempt; null if nothing is ever due by itself, or something blocks it. */
  readonly nextAttemptAt: number | null;
  /** The app is in front, and syncs by itself as long as there is a network. */
  readonly isInFront: boolean;
  /**
   * The device has no network, and nothing else holds the queue back. Then the system's own network
   * constraint knows the moment to try better than any backoff does.
   */
  readonly isOffline: boolean;
  /** The run that ends was cut off while it was sending: another must follow. */
  readonly wasCutOff: boolean;
  /** No run before this: the last ones failed, and the queue knows nothing of it. Null: no such wait. */
  readonly notBefore: number | null;
  /** When wake-ups for critical writes were asked for, oldest first. */
  readonly criticalAskedAt: readonly number[];
  /** How often the server would like to be asked; null if it did not say. */
  readonly hintedIntervalMs: number | null;
  /** One-off requests that were asked for and have not run, with their earliest begin. */
  readonly asked: { readonly [id: string]: number };
  /** A run is at work that does what there is to do, and will ask for what follows. */
  readonly isRunAtWork: boolean;
  /** Ids whose runs are at work: what is asked of them now counts from their next run. */
  readonly running: ReadonlySet<string>;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** What to ask of the system. */
export interface WakeUpPlan {
  readonly requests: readonly ScheduleRequest[];
  /** One-offs that are no longer needed. */
  readonly cancels: readonly string[];
  /** There were too many critical ones this hour: this one joins the next of high priority. */
  readonly exceedsCriticalAllowance: boolean;
}

const HOUR_MS = 3_600_000;
/** A wake-up soon waits this long for others to join it. */
export const JOIN_MS = 1_000;
/** While the app is in front it sends by itself; a wake-up is for the case that it is killed. */
const IN_FRONT_MS = 60_000;
/** Wake-ups are spread over this share of what they wait for, so that a fleet does not arrive at once. */
const JITTER = 0.25;
const MOST_JITTER_MS = 15 * 60_000;
/** The longest wait that the system's own backoff gives (WorkManager's limit). */
const LONGEST_BACKOFF_MS = 5 * HOUR_MS;

/** The ids of the three requests that a service has pending at most. */
export function requestIds(id: string): {
  readonly periodic: string;
  readonly soon: string;
  readonly critical: string;
} {
  return { periodic: id, soon: `${id}.soon`, critical: `${id}.critical` };
}

/** What a run of this request needs: critical wake-ups need the network only. */
export function constraintsOf(
  id: string,
  requestId: string,
  config: BackgroundSyncConfig,
): Constraints {
  return requestId === requestIds(id).critical ? CRITICAL_CONSTRAINTS : config.constraints;
}

const CRITICAL_CONSTRAINTS: Constraints = { networkType: 'connected' };

/** The time between periodic runs: the app's, or longer if the platform or the server want it longer. */
export function effectiveIntervalMs(
  config: BackgroundSyncConfig,
  capabilities: SchedulerCapabilities,
  hintedMs: number | null,
): number {
  return Math.max(config.minInterval, capabilities.minIntervalMs, hintedMs ?? 0);
}

/** When the next run may begin after so many that failed in a row, the last at `failedAt`. */
export function notBeforeAfter(
  config: BackgroundSyncConfig,
  failures: number,
  failedAt: number,
): number | null {
  if (failures === 0) return null;
  const { policy, initial } = config.retryPolicy;
  const waitMs =
    policy === 'linear' ? initial * failures : initial * 2 ** Math.min(failures - 1, 30);
  return failedAt + Math.min(waitMs, LONGEST_BACKOFF_MS, config.minInterval);
}

/**
 * From what waits to the wake-ups it deserves:
 *
 * | priority | app in front | app in the background or closed |
 * |---|---|---|
 * | critical | sent by the app; a one-off in a minute, in case it is killed | a one-off, expedited, that needs only the network; six an hour |
 * | high | the same | a one-off with the configured constraints, soon |
 * | normal | the next periodic run | the next periodic run, or a one-off after `minInterval` |
 * | low | the next periodic run | periodic runs only |
 *
 * An app in front without a network counts as in the background: it may be gone when the network
 * returns. The queue owns the time of retries: where it wants to wait, so does the wake-up.
 */
export function planWakeUps(id: string, facts: PolicyFacts): WakeUpPlan {
  const ids = requestIds(id);
  if (!facts.config.enabled)
    return { requests: [], cancels: Object.keys(facts.asked), exceedsCriticalAllowance: false };
  const { kinds } = facts.capabilities;
  const requests: ScheduleRequest[] = [];
  if (kinds.includes('periodic')) requests.push(periodic(ids.periodic, facts));
  if (facts.isRunAtWork) return { requests, cancels: [], exceedsCriticalAllowance: false };
  const wish = kinds.includes('once') ? oneOff(ids, facts) : null;
  if (wish !== null) requests.push(wish.request);
  const cancels = [ids.soon, ids.critical].filter(
    (one) => Object.hasOwn(facts.asked, one) && wish?.request.id !== one && !facts.running.has(one),
  );
  return { requests, cancels, exceedsCriticalAllowance: wish?.exceedsAllowance ?? false };
}

interface Wish {
  readonly request: ScheduleRequest;
  readonly exceedsAllowance: boolean;
}

/** The one-off that what waits deserves; null if a periodic run will do. */
function oneOff(ids: ReturnType<typeof requestIds>, facts: PolicyFacts): Wish | null {
  const { now, nextAttemptAt, config } = facts;
  const wish = (request: ScheduleRequest, exceedsAllowance = false): Wish => ({
    request,
    exceedsAllowance,
  });
  const best = facts.pending.findIndex((count) => count > 0);
  if (nextAttemptAt !== null && best !== -1) {
    const floor = floorOf(nextAttemptAt, facts);
    const isUrgent = best <= 1;
    if (isUrgent && facts.isInFront && !facts.isOffline)
      return wish(soon(ids.soon, facts, floor, now + IN_FRONT_MS));
    if (best === 0 && mayCritical(facts)) return wish(critical(ids.critical, facts, floor));
    if (isUrgent || facts.wasCutOff)
      return wish(soon(ids.soon, facts, floor, now + JOIN_MS), best === 0);
  }
  if (facts.capabilities.kinds.includes('periodic')) return null;
  // Without periodic runs a chain of one-offs stands for them: it must not break while nothing waits.
  const intervalMs = effectiveIntervalMs(config, facts.capabilities, facts.hintedIntervalMs);
  return wish(soon(ids.soon, facts, now, now + intervalMs));
}

/** When the next run may begin: now, or when the queue wants it, or later. */
function floorOf(
  nextAttemptAt: number,
  { now, isOffline, notBefore, config }: PolicyFacts,
): number {
  const floor = Math.max(isOffline ? now : nextAttemptAt, notBefore ?? 0);
  // The queue's first retries are a second apart: a wake-up for each would cost more than it is worth.
  return floor <= now ? now : Math.max(floor, now + config.retryPolicy.initial);
}

function mayCritical({ criticalAskedAt, now, config }: PolicyFacts): boolean {
  const recent = criticalAskedAt.filter((at) => at > now - HOUR_MS && at <= now).length;
  return recent < config.criticalPerHour;
}

function backoffOf({ config }: PolicyFacts): NonNullable<ScheduleRequest['backoff']> {
  return { policy: config.retryPolicy.policy, initialMs: config.retryPolicy.initial };
}

function periodic(id: string, facts: PolicyFacts): ScheduleRequest {
  const { config, capabilities, now } = facts;
  const intervalMs = effectiveIntervalMs(config, capabilities, facts.hintedIntervalMs);
  return {
    id,
    kind: 'periodic',
    // The first run of a new request: the app is in front now, and its update reached many at once.
    earliestBeginAt: now + intervalMs - jitterMs(facts, intervalMs),
    intervalMs,
    constraints: config.constraints,
    backoff: backoffOf(facts),
    existing: 'update',
  };
}

/** @param floor before which it would be in vain @param from when it is wanted, if it is not */
function soon(id: string, facts: PolicyFacts, floor: number, from: number): ScheduleRequest {
  const { config, now } = facts;
  const earliest = Math.max(floor, from);
  const known = pendingFor(id, facts, floor, earliest);
  return {
    id,
    kind: 'once',
    earliestBeginAt: known ?? earliest + jitterMs(facts, earliest - now),
    constraints: config.constraints,
    backoff: backoffOf(facts),
    // iOS takes one short request only, and the periodic one is it.
    taskKind: 'processing',
    existing: known === null ? 'update' : 'keep',
  };
}

/**
 * When a request is pending for that is as good as a new one; null if there is none. A burst of writes
 * must not push its wake-up ahead of itself; one that the queue has overtaken would be in vain.
 */
function pendingFor(
  id: string,
  { asked, running, now }: PolicyFacts,
  floor: number,
  earliest: number,
): number | null {
  const known = asked[id];
  if (known === undefined || running.has(id) || known > earliest) return null;
  return floor <= now || known >= floor ? known : null;
}

function critical(id: string, facts: PolicyFacts, floor: number): ScheduleRequest {
  const isNow = floor <= facts.now;
  const latest = isNow ? floor : floor + MOST_JITTER_MS;
  const base: ScheduleRequest = {
    id,
    kind: 'once',
    constraints: CRITICAL_CONSTRAINTS,
    taskKind: 'processing',
    // While its own run is at work, `keep` would leave nothing behind.
    existing: pendingFor(id, facts, floor, latest) === null ? 'update' : 'keep',
  };
  if (isNow && facts.capabilities.expedited) return { ...base, expedited: true };
  const backoff = backoffOf(facts);
  if (isNow) return { ...base, backoff };
  return { ...base, backoff, earliestBeginAt: floor + jitterMs(facts, floor - facts.now) };
}

function jitterMs(facts: PolicyFacts, waitMs: number): number {
  return Math.floor(facts.random() * Math.min(MOST_JITTER_MS, waitMs * JITTER));
}
