import type { DeviceFacts } from '../../core/ports/device-state.ts';

/** Versions that the simulator knows: 9 (standby buckets) to 16 (quotas for the active bucket). */
export type AndroidVersion = 9 | 10 | 11 | 12 | 13 | 14 | 15 | 16;
export type StandbyBucket = NonNullable<DeviceFacts['standbyBucket']>;

/** How long jobs may run within a sliding window. */
export interface Quota {
  readonly allowanceMs: number;
  readonly windowMs: number;
  /** The most runs that may begin within the window. */
  readonly maxRuns: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** A quota that never ends. */
export const NO_QUOTA: Quota = { allowanceMs: Infinity, windowMs: DAY_MS, maxRuns: Infinity };

const quota = (allowanceMs: number, windowMs: number, maxRuns = Infinity): Quota => ({
  allowanceMs,
  windowMs,
  maxRuns,
});

// developer.android.com "App Standby Buckets" / power-details, as of Android 15 and of Android 16
// (mobile-scheduling.md 3a "App Standby quotas"). Restricted: about one ten-minute run a day.
const BEFORE_16: Readonly<Record<StandbyBucket, Quota>> = {
  active: NO_QUOTA,
  'working-set': quota(10 * MINUTE_MS, 2 * HOUR_MS),
  frequent: quota(10 * MINUTE_MS, 8 * HOUR_MS),
  rare: quota(10 * MINUTE_MS, DAY_MS),
  restricted: quota(10 * MINUTE_MS, DAY_MS, 1),
};
const SINCE_16: Readonly<Record<StandbyBucket, Quota>> = {
  active: quota(20 * MINUTE_MS, HOUR_MS),
  'working-set': quota(10 * MINUTE_MS, 4 * HOUR_MS),
  frequent: quota(10 * MINUTE_MS, 12 * HOUR_MS),
  rare: quota(10 * MINUTE_MS, DAY_MS),
  restricted: quota(10 * MINUTE_MS, DAY_MS, 1),
};

/** What regular jobs of an app in this bucket may use. */
export function regularQuota(version: AndroidVersion, bucket: StandbyBucket): Quota {
  return (version >= 16 ? SINCE_16 : BEFORE_16)[bucket];
}

// Expedited time per 24 h (mobile-scheduling.md 3a "Expedited per 24 h").
const EXPEDITED: Readonly<Record<StandbyBucket, Quota>> = {
  active: quota(30 * MINUTE_MS, DAY_MS),
  'working-set': quota(15 * MINUTE_MS, DAY_MS),
  frequent: quota(10 * MINUTE_MS, DAY_MS),
  rare: quota(10 * MINUTE_MS, DAY_MS),
  restricted: quota(5 * MINUTE_MS, DAY_MS),
};

/** What expedited jobs may use. Below Android 12 they run as a foreground service, without a quota. */
export function expeditedQuota(version: AndroidVersion, bucket: StandbyBucket): Quota {
  return version >= 12 ? EXPEDITED[bucket] : NO_QUOTA;
}

/** The time since the last use from which an app sinks into each bucket. */
const BUCKET_AFTER_MS: readonly (readonly [StandbyBucket, number])[] = [
  ['restricted', 8 * DAY_MS],
  ['rare', 2 * DAY_MS],
  ['frequent', DAY_MS],
  ['working-set', DAY_MS / 2],
];

/**
 * The bucket of an app by the time since it was last in front: AppStandbyController's elapsed-time
 * thresholds (12 h, 24 h, 48 h, 8 days; general knowledge). Vendors may predict instead. Restricted
 * exists since Android 12.
 */
export function bucketByUse(version: AndroidVersion, unusedMs: number): StandbyBucket {
  for (const [bucket, afterMs] of BUCKET_AFTER_MS) {
    if (unusedMs >= afterMs && (bucket !== 'restricted' || version >= 12)) return bucket;
  }
  return 'active';
}

/** After how much disuse the bucket changes next; Infinity if it stays. */
export function nextBucketChangeMs(unusedMs: number): number {
  let next = Infinity;
  for (const [, afterMs] of BUCKET_AFTER_MS) if (afterMs > unusedMs) next = afterMs;
  return next;
}

/**
 * QuotaController asks for this much free time before it calls an app within its quota again, so that
 * jobs do not run in slivers (mQuotaBufferMs, general knowledge).
 */
export const QUOTA_BUFFER_MS = 30_000;

/** When an app's jobs ran, as far as it counts: the union of their times, for sliding windows. */
export class RunLedger {
  /** Ended stretches, oldest first, as pairs of begin and end. */
  #stretches: number[] = [];
  #begins: number[] = [];
  #openSince: number | undefined;

  /** A run that counts began. */
  noteRun(now: number): void {
    this.#begins.push(now);
  }

  /** Time counts from now on, or no longer does. */
  count(isCounting: boolean, now: number): void {
    if (isCounting === (this.#openSince !== undefined)) return;
    if (isCounting) {
      this.#openSince = now;
      return;
    }
    if (now > (this.#openSince as number)) this.#stretches.push(this.#openSince as number, now);
    this.#openSince = undefined;
  }

  usedMs(quota: Quota, now: number): number {
    this.#forget(now);
    const windowFrom = now - quota.windowMs;
    let used = this.#openSince === undefined ? 0 : now - Math.max(this.#openSince, windowFrom);
    for (let index = 0; index < this.#stretches.length; index += 2) {
      const from = Math.max(this.#stretches[index] as number, windowFrom);
      used += Math.max(0, (this.#stretches[index + 1] as number) - from);
    }
    return used;
  }

  runs(quota: Quota, now: number): number {
    this.#forget(now);
    return this.#begins.filter((begin) => begin > now - quota.windowMs).length;
  }

  /** When a run may begin if nothing runs until then; now if it may. */
  availableAt(quota: Quota, now: number): number {
    if (quota.allowanceMs === Infinity) return now;
    let at = now;
    if (this.runs(quota, now) >= quota.maxRuns) {
      at = (this.#begins[this.#begins.length - quota.maxRuns] as number) + quota.windowMs;
    }
    let excessMs = this.usedMs(quota, now) - (quota.allowanceMs - QUOTA_BUFFER_MS);
    for (let index = 0; excessMs > 0 && index < this.#stretches.length; index += 2) {
      const from = Math.max(this.#stretches[index] as number, now - quota.windowMs);
      const lengthMs = (this.#stretches[index + 1] as number) - from;
      if (lengthMs <= 0) continue;
      at = Math.max(at, from + Math.min(lengthMs, excessMs) + quota.windowMs);
      excessMs -= lengthMs;
    }
    return at;
  }

  /** When a run that goes on uses the quota up; Infinity if it never does. */
  exhaustedAt(quota: Quota, now: number): number {
    if (quota.allowanceMs === Infinity) return Infinity;
    let leftMs = quota.allowanceMs - this.usedMs(quota, now);
    let at = now;
    // While an old stretch leaves the window, as much becomes free as the run uses.
    for (let index = 0; index < this.#stretches.length; index += 2) {
      const leavesFrom = Math.max((this.#stretches[index] as number) + quota.windowMs, at);
      const leavesTo = (this.#stretches[index + 1] as number) + quota.windowMs;
      if (leavesTo <= at) continue;
      if (leavesFrom - at >= leftMs) break;
      leftMs -= leavesFrom - at;
      at = leavesTo;
    }
    return at + leftMs;
  }

  /** Windows are no longer than a day. */
  #forget(now: number): void {
    const before = now - DAY_MS;
    let gone = 0;
    while (gone < this.#stretches.length && (this.#stretches[gone + 1] as number) <= before)
      gone += 2;
    if (gone > 0) this.#stretches.splice(0, gone);
    while (this.#begins.length > 0 && (this.#begins[0] as number) <= before) this.#begins.shift();
  }
}
