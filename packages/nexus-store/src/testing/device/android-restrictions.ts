import { expeditedQuota, NO_QUOTA, regularQuota, RunLedger } from './android-quota.ts';
import { bucketByUse, nextBucketChangeMs } from './android-quota.ts';
import type { AndroidVersion, Quota, StandbyBucket } from './android-quota.ts';
import type { AndroidBlocker, WorkRequest } from './android-rules.ts';
import { unmetConstraint } from './conditions.ts';
import type { ConstraintFacts, NetworkKind } from './conditions.ts';
import type { DeviceModel } from './device-model.ts';
import { Doze } from './doze.ts';

/** How long the device is off between shutdown and BOOT_COMPLETED (a plausible figure, no rule). */
export const BOOT_MS = 60_000;

/** What Android holds back jobs for: Doze, standby bucket, quotas, battery saver, the user. */
export class AndroidRestrictions {
  readonly version: AndroidVersion;
  readonly #device: DeviceModel;
  readonly #regular = new RunLedger();
  readonly #expedited = new RunLedger();
  readonly #doze = new Doze();
  #bucketOverride: StandbyBucket | undefined;
  #isForceStopped = false;
  #bootedElapsed = 0;

  constructor(device: DeviceModel, version: AndroidVersion) {
    this.#device = device;
    this.version = version;
    this.updateRest();
  }

  get bucket(): StandbyBucket {
    if (this.#device.process === 'foreground') return 'active';
    return this.#bucketOverride ?? bucketByUse(this.version, this.#device.unusedMs);
  }

  set bucketOverride(bucket: StandbyBucket | undefined) {
    this.#bucketOverride = bucket;
  }

  get dozePhase(): Doze['phase'] {
    this.#doze.advance(this.#elapsed);
    return this.#doze.phase;
  }

  set isForceStopped(isForceStopped: boolean) {
    this.#isForceStopped = isForceStopped;
  }

  forceDoze(): void {
    this.#doze.force(this.#elapsed);
  }

  reboot(): void {
    this.#bootedElapsed = this.#elapsed + BOOT_MS;
  }

  /** Doze needs a screen that is off, no motion and no charger. */
  updateRest(): void {
    const { isScreenOn, isStationary, isCharging } = this.#device.conditions;
    this.#doze.advance(this.#elapsed);
    this.#doze.update(!isScreenOn && isStationary && !isCharging, this.#elapsed);
  }

  /** Milliseconds used of the present windows. */
  quotaUse(): { readonly regularMs: number; readonly expeditedMs: number } {
    const { bucket } = this;
    return {
      regularMs: this.#regular.usedMs(regularQuota(this.version, bucket), this.#elapsed),
      expeditedMs: this.#expedited.usedMs(expeditedQuota(this.version, bucket), this.#elapsed),
    };
  }

  /** OutOfQuotaPolicy.RUN_AS_NON_EXPEDITED_WORK_REQUEST: without quota it is an ordinary job. */
  grantsExpedited(): boolean {
    return this.#expedited.availableAt(this.#quota(true), this.#elapsed) <= this.#elapsed;
  }

  /** What keeps work from running now. Expedited jobs get past Doze and battery saver (JobInfo.setExpedited). */
  blocker(
    request: WorkRequest,
    isExpedited: boolean,
    isRunning: boolean,
  ): AndroidBlocker | undefined {
    const { conditions, process } = this.#device;
    const isInFront = process === 'foreground';
    if (this.#isForceStopped) return 'force-stopped';
    if (this.#bootedElapsed > this.#elapsed) return 'booting';
    if (!conditions.isBackgroundAllowed && !isInFront) return 'background-restricted';
    if (this.dozePhase === 'dozing' && !isExpedited) return 'doze';
    // AppStateTracker: battery saver defers the jobs of apps in the background (general knowledge).
    if (conditions.isPowerSaving && !isExpedited && !isInFront) return 'battery-saver';
    const unmet = unmetConstraint(request.constraints, this.#facts(isExpedited));
    if (unmet) return unmet;
    const isWithinQuota = isRunning
      ? this.exhaustedAt(isExpedited) > this.#elapsed
      : this.availableAt(isExpedited) <= this.#elapsed;
    return isWithinQuota ? undefined : 'quota';
  }

  /** When the quota lets a run begin, if nothing runs until then. */
  availableAt(isExpedited: boolean): number {
    return this.#ledger(isExpedited).availableAt(this.#quota(isExpedited), this.#elapsed);
  }

  /** The earliest instant at which a run that goes on could use its quota up. */
  exhaustedAt(isExpedited: boolean): number {
    return this.#ledger(isExpedited).exhaustedAt(this.#quota(isExpedited), this.#elapsed);
  }

  noteRun(isExpedited: boolean): void {
    if (this.#isCounting()) this.#ledger(isExpedited).noteRun(this.#elapsed);
  }

  /** Tells the ledgers what runs from now on. */
  count(isRegularRunning: boolean, isExpeditedRunning: boolean): void {
    const isCounting = this.#isCounting();
    this.#regular.count(isCounting && isRegularRunning, this.#elapsed);
    this.#expedited.count(isCounting && isExpeditedRunning, this.#elapsed);
  }

  /** In Doze an app has no network, except in the windows and for expedited jobs. */
  network(isExpedited: boolean): NetworkKind {
    if (this.dozePhase === 'dozing' && !isExpedited) return 'none';
    return this.#device.conditions.network;
  }

  /** The next instant at which time alone changes what is held back. */
  nextChangeElapsed(): number {
    this.#doze.advance(this.#elapsed);
    const { unusedMs } = this.#device;
    const bucketChange = this.#elapsed + nextBucketChangeMs(unusedMs) - unusedMs;
    const boot = this.#bootedElapsed > this.#elapsed ? this.#bootedElapsed : Infinity;
    return Math.min(this.#doze.nextChangeAt, bucketChange, boot);
  }

  get #elapsed(): number {
    return this.#device.time.elapsed;
  }

  #ledger(isExpedited: boolean): RunLedger {
    return isExpedited ? this.#expedited : this.#regular;
  }

  /** The quota that binds now. */
  #quota(isExpedited: boolean): Quota {
    if (!this.#isCounting()) return NO_QUOTA;
    const quotaOf = isExpedited ? expeditedQuota : regularQuota;
    return quotaOf(this.version, this.bucket);
  }

  /**
   * Charging lifts the limits except in the restricted bucket; jobs of an app in front count since
   * Android 16 (mobile-scheduling.md 3a "App Standby quotas", "By version").
   */
  #isCounting(): boolean {
    if (this.#device.conditions.isCharging && this.bucket !== 'restricted') return false;
    return this.version >= 16 || this.#device.process !== 'foreground';
  }

  #facts(isExpedited: boolean): ConstraintFacts {
    const { conditions, isBatteryLow, isIdle } = this.#device;
    const { isCharging, isStorageLow } = conditions;
    const network = this.network(isExpedited);
    return { network, isCharging, isBatteryLow, isStorageLow, isDeviceIdle: isIdle };
  }
}
