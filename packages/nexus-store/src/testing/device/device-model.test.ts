import { describe, expect, test } from 'vitest';
import type { ScheduleRequest } from '../../core/ports/platform-scheduler.ts';
import { SeededRandom } from '../seeded-random.ts';
import { VirtualTime } from '../virtual-time.ts';
import { AndroidModel } from './android-model.ts';
import { regularQuota } from './android-quota.ts';
import type { AndroidVersion } from './android-quota.ts';
import { isNetworkMet } from './conditions.ts';
import { commuter, flakyNetwork, nightCharger, powerUser, rural } from './day-profiles.ts';
import { NO_HOST } from './device-model.ts';
import type { DeviceModel, HostRun, ModelHost, RunRecord } from './device-model.ts';
import { IosModel } from './ios-model.ts';
import { ProfilePlayer } from './profile-player.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
const START = Date.UTC(2026, 0, 5);

/** A host that completes runs after a while, or never, and notes what breaks the law. */
class CheckingHost implements ModelHost {
  readonly violations: string[] = [];
  readonly records: RunRecord[] = [];
  readonly #open = new Map<string, HostRun>();
  readonly #random: SeededRandom;
  device: DeviceModel | undefined;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  processStarted(): void {}
  processEnded(): void {}
  deviceChanged(): void {}

  runBegan(run: HostRun): void {
    const { time, conditions } = this.device as DeviceModel;
    if (this.#open.has(run.id)) this.violations.push(`${run.id} runs twice at once`);
    this.#open.set(run.id, run);
    const networkType = NETWORK_OF_ID[run.id] ?? 'not-required';
    if (!isNetworkMet(networkType, conditions.network)) {
      this.violations.push(`${run.runId} begins on ${conditions.network}, needs ${networkType}`);
    }
    if (this.#random.chance(0.1)) return; // hangs
    const result = this.#random.pick(['success', 'success', 'retry', 'failure'] as const);
    const finish = (): void => {
      run.finish(result);
      run.finish('retry'); // a second report must never count
    };
    if (this.#random.chance(0.2)) finish();
    else time.schedule(this.#random.exponential(2 * MINUTE), finish);
  }

  runStopped(run: HostRun): void {
    if (this.#open.get(run.id) !== run) this.violations.push(`${run.runId} was stopped, not open`);
  }

  runEnded(record: RunRecord): void {
    const open = this.#open.get(record.id);
    if (open?.runId !== record.runId) this.violations.push(`${record.runId} ended twice`);
    this.#open.delete(record.id);
    this.records.push(record);
    // Wall time may have been set meanwhile; only the order of the model's own clock is certain.
    if (record.result === 'lost' && record.stopReason === 'timeout') {
      this.violations.push(`${record.runId} was lost and timed out`);
    }
  }
}

/** An id always needs the same network, so that every run can be judged by its id. */
const NETWORK_OF_ID: Readonly<Record<string, 'not-required' | 'connected' | 'unmetered'>> = {
  local: 'not-required',
  sync: 'connected',
  urgent: 'connected',
  media: 'unmetered',
};

function anyRequest(random: SeededRandom, now: number, ids: readonly string[]): ScheduleRequest {
  const id = random.pick(ids);
  const kind = random.pick(['once', 'periodic'] as const);
  const base: ScheduleRequest = {
    id,
    kind,
    constraints: {
      networkType: NETWORK_OF_ID[id] ?? 'not-required',
      requiresCharging: random.chance(0.2),
    },
    taskKind: 'processing',
    existing: random.pick(['keep', 'replace', 'update'] as const),
    expedited: random.chance(0.1),
    backoff: {
      policy: random.pick(['linear', 'exponential'] as const),
      initialMs: random.integer(5 * MINUTE),
    },
  };
  const later = random.chance(0.3)
    ? { ...base, earliestBeginAt: now + random.integer(4 * 60 * MINUTE) }
    : base;
  return kind === 'once' ? later : { ...later, intervalMs: random.integer(3 * 60 * MINUTE) };
}

/** One random thing happens to the device. */
function disturb(device: DeviceModel, random: SeededRandom): void {
  const { time } = device;
  const what = random.integer(14);
  // iOS knows "connected" only.
  const ids = Object.keys(NETWORK_OF_ID).filter(
    (id) => id !== 'media' || device instanceof AndroidModel,
  );
  if (what < 4) device.schedule(anyRequest(random, time.now, ids));
  else if (what === 4) device.cancel(random.pick(ids));
  else if (what === 5) device.change({ network: random.pick(['none', 'metered', 'unmetered']) });
  else if (what === 6) device.change({ isCharging: random.chance(0.5) });
  else if (what === 7) device.change({ isStationary: random.chance(0.7), isScreenOn: false });
  else if (what === 8) device.openApp();
  else if (what === 9) device.leaveApp();
  else if (what === 10) device.killApp();
  else if (what === 11 && random.chance(0.3)) device.swipeAway();
  else if (what === 12 && random.chance(0.3)) device.reboot();
  else if (what === 13) {
    time.jumpWallClock(random.between(-3, 3) * 60 * MINUTE);
    device.clockChanged();
  }
}

describe('whatever happens to a device', () => {
  const kinds = {
    'Android 11': (time: VirtualTime, host: ModelHost) =>
      new AndroidModel(time, host, { version: 11 }),
    'Android 16': (time: VirtualTime, host: ModelHost) =>
      new AndroidModel(time, host, { version: 16, isSwipeForceStop: true }),
    iOS: (time: VirtualTime, host: ModelHost) =>
      new IosModel(time, host, { random: new SeededRandom(1), opportunities: 'always' }),
  };

  test.each(Object.entries(kinds))(
    'an id of %s never runs twice at once, each run ends once, and constraints hold',
    (_, create) => {
      for (let seed = 1; seed <= 60; seed++) {
        const random = new SeededRandom(seed, 'disturbances');
        const host = new CheckingHost(new SeededRandom(seed, 'app'));
        const time = new VirtualTime(START, random.between(-200, 200));
        const device = create(time, host);
        host.device = device;
        device.openApp();
        for (let step = 0; step < 300; step++) {
          disturb(device, random);
          time.runTo(time.elapsed + random.exponential(10 * MINUTE));
        }
        expect({ seed, violations: host.violations }).toEqual({ seed, violations: [] });
        expect(host.records.length).toBeGreaterThan(10);
      }
    },
  );
});

describe('a device that lives through a profile', () => {
  const profiles = [commuter, rural, nightCharger, powerUser, flakyNetwork];
  const greedy = { kind: 'periodic', intervalMs: 15 * MINUTE } as const;

  test.each(profiles)('keeps its quota in $name days, however greedy the app is', (profile) => {
    for (const version of [12, 15, 16] as const satisfies readonly AndroidVersion[]) {
      const time = new VirtualTime(START);
      const overdrawn: string[] = [];
      const host: ModelHost = {
        ...NO_HOST,
        runBegan: (run) => {
          time.schedule(9 * MINUTE, () => run.finish('success'));
          const { conditions, process, standbyBucket } = device;
          if (conditions.isCharging || process === 'foreground') return; // no limit, or another
          const { allowanceMs } = regularQuota(version, standbyBucket);
          const { regularMs } = device.quotaUse();
          if (regularMs >= allowanceMs) overdrawn.push(`${run.runId}: ${regularMs} ms used`);
        },
      };
      const device = new AndroidModel(time, host, { version });
      new ProfilePlayer(device, profile, new SeededRandom(7));
      for (const id of ['a', 'b', 'c']) device.schedule({ id, ...greedy });

      time.runTo(7 * DAY);

      expect({ version, overdrawn }).toEqual({ version, overdrawn: [] });
    }
  });

  test('lives the same week twice with the same seed', () => {
    const week = (seed: number): readonly RunRecord[] => {
      const time = new VirtualTime(START);
      const host = new CheckingHost(new SeededRandom(seed, 'app'));
      const device = new AndroidModel(time, host, { version: 16 });
      host.device = device;
      new ProfilePlayer(device, commuter, new SeededRandom(seed));
      device.schedule({ id: 'sync', ...greedy });
      time.runTo(7 * DAY);
      return host.records;
    };

    expect(week(5)).toEqual(week(5));
    expect(week(5)).not.toEqual(week(6));
  });
});
