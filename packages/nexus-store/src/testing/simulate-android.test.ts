import { describe, expect, test } from 'vitest';
import type { WakeUp } from '../core/ports/platform-scheduler.ts';
import { expeditedQuota, regularQuota, RunLedger } from './device/android-quota.ts';
import type { StandbyBucket } from './device/android-quota.ts';
import type { AppContext } from './device/simulated-app.ts';
import { simulateAndroid } from './simulate-android.ts';
import type { AndroidDevice } from './simulate-android.ts';
import { VIRTUAL_START_AT as START } from './virtual-runtime.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Collects wake-ups and leaves them open. */
function collect(device: AndroidDevice): WakeUp[] {
  const wakeUps: WakeUp[] = [];
  device.scheduler.onWakeUp((wakeUp) => wakeUps.push(wakeUp));
  return wakeUps;
}

/** Minutes since the start at which runs began. */
const beginsOf = (device: AndroidDevice): number[] =>
  device.runs.map((run) => (run.startedAt - START) / MINUTE);

describe('constraints on Android', () => {
  test('a constraint that is lost stops the run, and the run comes back with the constraint', async () => {
    const device = simulateAndroid();
    const wakeUps = collect(device);
    const constraints = { networkType: 'unmetered' } as const;
    await device.scheduler.schedule({ id: 'sync', kind: 'once', constraints });
    await device.advance('1m');

    device.set({ network: 'metered' });
    const reason: unknown = wakeUps[0]?.signal.reason;
    await device.advance('10m');
    device.set({ network: 'unmetered' });
    await device.advance('1s');

    expect(reason).toBe('constraint');
    expect(device.runs).toMatchObject([
      { result: 'retry', nativeStopReason: 'CONSTRAINT_CONNECTIVITY', endedAt: START + MINUTE },
    ]);
    // The host counts the attempt; the queue's entries consume none.
    expect(wakeUps.map((wakeUp) => wakeUp.attempt)).toEqual([1, 2]);
  });

  test('the battery is low from 15 percent until 20, and never on the charger', async () => {
    const device = simulateAndroid();
    const lows: unknown[] = [];
    for (const batteryLevel of [16, 15, 19, 20, 14]) {
      device.set({ batteryLevel });
      lows.push((await device.state.read()).isBatteryLow);
    }
    device.set({ isCharging: true });
    lows.push((await device.state.read()).isBatteryLow);

    expect(lows).toEqual([false, true, true, false, true, false]);
  });
});

describe('Doze', () => {
  const resting = { isStationary: true, isScreenOn: false } as const;

  test('begins after an hour of rest and opens windows at growing gaps', async () => {
    const device = simulateAndroid({ conditions: resting });
    device.scheduler.onWakeUp((wakeUp) => wakeUp.complete('success'));
    const every15Minutes = { id: 'sync', kind: 'periodic', intervalMs: 15 * MINUTE } as const;
    await device.scheduler.schedule(every15Minutes);

    await device.advance('8h');

    // Awake for an hour, then windows of 5 and 10 minutes after 1, 2 and 4 hours of sleep.
    expect(beginsOf(device)).toEqual([0, 15, 30, 45, 120, 245]);
    expect(device.dozePhase).toBe('dozing');
  });

  test('ends when the device is picked up', async () => {
    const device = simulateAndroid({ conditions: resting });
    const wakeUps = collect(device);
    device.forceDoze();
    await device.scheduler.schedule({ id: 'sync', kind: 'once' });
    await device.advance('10m');
    const blocked = [device.blockedBy('sync'), wakeUps.length];

    device.set({ isStationary: false });
    await device.advance('1s');

    expect(blocked).toEqual(['doze', 0]);
    expect(wakeUps).toHaveLength(1);
  });

  test('takes the network from the app, but not from an expedited run', async () => {
    const device = simulateAndroid({ conditions: resting });
    const wakeUps = collect(device);
    device.forceDoze();
    const constraints = { networkType: 'connected' } as const;

    await device.scheduler.schedule({ id: 'usual', kind: 'once', constraints });
    await device.scheduler.schedule({ id: 'urgent', kind: 'once', constraints, expedited: true });
    await device.advance('1s');

    expect(wakeUps.map((wakeUp) => wakeUp.id)).toEqual(['urgent']);
    expect((await device.state.read()).isConnected).toBe(false);
  });

  test('stops a run that outlasts its window, for the state of the device', async () => {
    const device = simulateAndroid({ conditions: resting });
    collect(device);
    const earliestBeginAt = START + 2 * HOUR;
    await device.scheduler.schedule({ id: 'sync', kind: 'once', earliestBeginAt });

    await device.advance('2h');
    await device.advance('5m');

    expect(device.runs).toMatchObject([{ stopReason: 'system', nativeStopReason: 'DEVICE_STATE' }]);
  });
});

describe('standby buckets', () => {
  test('an app that is not used sinks into rarer buckets and rises when it is opened', async () => {
    const device = simulateAndroid();
    const buckets: StandbyBucket[] = [];
    for (const wait of ['11h', '1h', '12h', '1d', '6d'] as const) {
      await device.advance(wait);
      buckets.push(device.standbyBucket);
    }
    device.app.launch();
    buckets.push(device.standbyBucket);

    expect(buckets).toEqual(['active', 'working-set', 'frequent', 'rare', 'restricted', 'active']);
  });

  test('there is no restricted bucket before Android 12', async () => {
    const device = simulateAndroid({ version: 11 });

    await device.advance('30d');

    expect(device.standbyBucket).toBe('rare');
  });

  test.each([
    [15, 'active', Infinity, 24],
    [15, 'working-set', 10, 2],
    [15, 'frequent', 10, 8],
    [15, 'rare', 10, 24],
    [16, 'active', 20, 1],
    [16, 'working-set', 10, 4],
    [16, 'frequent', 10, 12],
    [16, 'rare', 10, 24],
    [16, 'restricted', 10, 24],
  ] as const)('Android %i grants the %s bucket %d minutes in %d hours', (version, bucket, m, h) => {
    expect(regularQuota(version, bucket)).toMatchObject({
      allowanceMs: m * MINUTE,
      windowMs: h * HOUR,
    });
  });

  test('expedited time a day shrinks with the bucket, and is not limited before Android 12', () => {
    const minutes = (['active', 'working-set', 'frequent', 'rare', 'restricted'] as const).map(
      (bucket) => expeditedQuota(14, bucket).allowanceMs / MINUTE,
    );

    expect(minutes).toEqual([30, 15, 10, 10, 5]);
    expect(expeditedQuota(11, 'rare').allowanceMs).toBe(Infinity);
  });

  test('a used-up quota stops the run and holds back the next until time leaves the window', async () => {
    const device = simulateAndroid({ version: 15 });
    collect(device);
    device.setStandbyBucket('working-set');
    const backoff = { policy: 'linear', initialMs: 10_000 } as const;
    await device.scheduler.schedule({ id: 'first', kind: 'once', backoff });
    await device.advance('6m');
    await device.scheduler.schedule({ id: 'second', kind: 'once', backoff });

    await device.advance('3h');

    // Ten minutes in two hours, counted once however many jobs run; half a minute must be free again.
    expect(device.runs.slice(0, 2)).toMatchObject([
      { id: 'first', stopReason: 'timeout', endedAt: START + 10 * MINUTE },
      { id: 'second', stopReason: 'quota', endedAt: START + 10 * MINUTE },
    ]);
    expect(device.runs[2]).toMatchObject({ startedAt: START + 2 * HOUR + 30_000 });
  });

  test('the charger lifts every limit except that of the restricted bucket', async () => {
    const runsOn = async (bucket: StandbyBucket): Promise<number> => {
      const device = simulateAndroid({ conditions: { isCharging: true } });
      device.scheduler.onWakeUp((wakeUp) => {
        device.runtime.timers.after(5 * MINUTE, () => wakeUp.complete('success'));
      });
      device.setStandbyBucket(bucket);
      const often = { id: 'sync', kind: 'periodic', intervalMs: 15 * MINUTE } as const;
      await device.scheduler.schedule(often);
      await device.advance('12h');
      return device.runs.length;
    };

    expect(await runsOn('rare')).toBe(36);
    expect(await runsOn('restricted')).toBe(1);
  });

  test('without expedited quota the request runs as an ordinary one', async () => {
    const device = simulateAndroid();
    device.setStandbyBucket('restricted');
    device.scheduler.onWakeUp((wakeUp) => {
      device.runtime.timers.after(4.8 * MINUTE, () => wakeUp.complete('success'));
    });

    for (const id of ['first', 'second']) {
      await device.scheduler.schedule({ id, kind: 'once', expedited: true });
      await device.advance('20m');
    }

    expect(device.runs.map((run) => run.isExpedited)).toEqual([true, false]);
  });

  test('jobs of an app in front count since Android 16 only', async () => {
    const usedOn = async (version: 15 | 16): Promise<number> => {
      const device = simulateAndroid({ version });
      device.app.foreground();
      collect(device);
      await device.scheduler.schedule({ id: 'sync', kind: 'once' });
      await device.advance('5m');
      return device.quotaUse().regularMs;
    };

    expect([await usedOn(15), await usedOn(16)]).toEqual([0, 5 * MINUTE]);
  });
});

describe('what the user and the system do to an Android app', () => {
  /** An app that schedules once, records its processes and completes its wake-ups. */
  function deviceWithApp(options: { readonly isSwipeForceStop?: boolean } = {}): {
    readonly device: AndroidDevice;
    readonly processes: AppContext[];
  } {
    const processes: AppContext[] = [];
    const device = simulateAndroid({
      ...options,
      start: async (app) => {
        processes.push(app);
        app.scheduler.onWakeUp((wakeUp) => wakeUp.complete('success'));
        const hourly = { id: 'sync', kind: 'periodic', intervalMs: HOUR } as const;
        await app.scheduler.schedule({ ...hourly, existing: 'keep' });
      },
    });
    device.app.launch();
    device.app.background();
    return { device, processes };
  }

  test('a wake-up starts a dead process, and waits until it has bound its inbox', async () => {
    const received: string[] = [];
    const device = simulateAndroid({
      start: (app) => {
        // An app that opens its database before it binds the inbox.
        app.runtime.timers.after(200, () => {
          app.scheduler.onWakeUp((wakeUp) => {
            received.push(`${app.startedBy} ${wakeUp.appState}`);
            wakeUp.complete('success');
          });
        });
      },
    });
    device.app.launch();
    await device.advance('1s');
    await device.scheduler.schedule({ id: 'sync', kind: 'once', earliestBeginAt: START + HOUR });
    device.app.kill();

    await device.advance('1h');

    expect(received).toEqual(['system headless']);
    expect(device.runs).toMatchObject([{ isCold: true, result: 'success' }]);
    expect(device.runs[0]?.endedAt).toBe(START + HOUR + 200);
  });

  test('a killed app is started for its next period', async () => {
    const { device, processes } = deviceWithApp();
    await device.advance('1m');
    device.app.kill();

    await device.advance('1h');

    expect(processes.map((process) => process.startedBy)).toEqual(['user', 'system']);
    expect(device.app.state).toBe('headless');
  });

  test('nothing that a killed process began goes on, asks, or is answered', async () => {
    const { device, processes } = deviceWithApp();
    await device.advance('1m');
    const ticks: string[] = [];
    const dead = processes[0] as AppContext;
    dead.runtime.timers.after(5 * MINUTE, () => ticks.push('timer'));
    dead.state.onChange(() => ticks.push('listener'));

    device.app.kill();
    void dead.scheduler.cancel('sync').then(() => ticks.push('answer'));
    device.set({ network: 'none' });
    await device.advance('30m');
    device.app.launch();

    expect(ticks).toEqual([]);
    expect(await device.scheduler.pending()).toMatchObject([{ id: 'sync' }]);
  });

  test('a force-stopped app runs nothing until the user opens it', async () => {
    const { device, processes } = deviceWithApp();
    await device.advance('1m');
    device.forceStop();
    await device.advance('5h');
    const runsWhileStopped = device.runs.length;

    device.app.launch();
    await device.advance('1s');

    expect([runsWhileStopped, device.runs.length, processes.length]).toEqual([1, 2, 2]);
  });

  test('on some devices a swipe is a force-stop', async () => {
    const runs = [];
    for (const isSwipeForceStop of [false, true]) {
      const { device } = deviceWithApp({ isSwipeForceStop });
      await device.advance('1m');
      device.app.swipeAway();
      await device.advance('1h');
      runs.push(device.runs.length);
    }

    expect(runs).toEqual([2, 1]);
  });

  test('a run that dies with its process is followed by another after its backoff', async () => {
    const device = simulateAndroid();
    collect(device);
    await device.scheduler.schedule({ id: 'sync', kind: 'once' });
    await device.advance('1s');

    device.app.kill();
    await device.advance('30s');

    expect(device.runs).toMatchObject([{ result: 'lost', attempt: 1 }]);
    expect(device.app.state).toBe('headless');
  });

  test('requests come back after a reboot, once the device is up', async () => {
    const { device } = deviceWithApp();
    await device.advance(59.5 * MINUTE);

    device.reboot();
    await device.advance('50s');
    expect(device.runs).toHaveLength(1);
    await device.advance('1m');

    expect(beginsOf(device)).toEqual([0, 60.5]);
  });

  test('timers of an app in the background stand still until it is woken', async () => {
    const ticks: number[] = [];
    const device = simulateAndroid({
      start: (app) => {
        app.scheduler.onWakeUp((wakeUp) => wakeUp.complete('success'));
        app.runtime.timers.after(10 * MINUTE, () => ticks.push(device.runtime.clock.now() - START));
      },
    });
    device.app.launch();
    await device.scheduler.schedule({ id: 'sync', kind: 'once', earliestBeginAt: START + HOUR });
    device.app.background();

    await device.advance('2h');

    expect(ticks).toEqual([HOUR]);
  });

  test('battery saver and a restricted app hold back what is not in front', async () => {
    const device = simulateAndroid({ conditions: { isPowerSaving: true } });
    const wakeUps = collect(device);
    await device.scheduler.schedule({ id: 'sync', kind: 'once' });
    await device.advance('1h');
    const blockers = [device.blockedBy('sync')];
    device.set({ isPowerSaving: false, isBackgroundAllowed: false });
    await device.advance('1h');
    blockers.push(device.blockedBy('sync'));
    const inBackground = wakeUps.length;

    device.app.foreground();
    await device.advance('1s');

    expect(blockers).toEqual(['battery-saver', 'background-restricted']);
    expect([inBackground, wakeUps.length]).toEqual([0, 1]);
  });

  test('what an app throws in its handler fails the run and reaches the test', async () => {
    const device = simulateAndroid();
    device.scheduler.onWakeUp(() => {
      throw new Error('from the handler');
    });
    await device.scheduler.schedule({ id: 'sync', kind: 'once' });

    await expect(device.advance('1s')).rejects.toThrow('from the handler');
    expect(device.runs).toMatchObject([{ result: 'failure' }]);
  });

  test('the state tells of changes, and only of those', async () => {
    const device = simulateAndroid();
    let changes = 0;
    const stop = device.state.onChange(() => changes++);

    device.set({ network: 'none' });
    device.set({ network: 'none' });
    device.set({ isCharging: true });
    stop();
    device.set({ isCharging: false });

    expect(changes).toBe(2);
    expect(await device.state.read()).toMatchObject({ isConnected: false, isMetered: null });
  });

  test('a wall clock that is set moves instants, not what was measured', async () => {
    const device = simulateAndroid();
    const wakeUps = collect(device);
    await device.scheduler.schedule({
      id: 'sync',
      kind: 'once',
      earliestBeginAt: START + 2 * HOUR,
    });

    device.jumpWallClock(HOUR);
    await device.advance('59m');
    const early = wakeUps.length;
    await device.advance('1m');

    expect([early, wakeUps.length]).toEqual([0, 1]);
  });
});

describe('a ledger of runs', () => {
  const quota = { allowanceMs: 10 * MINUTE, windowMs: HOUR, maxRuns: Infinity };

  test('foresees when a quota is used up, though old time leaves the window meanwhile', () => {
    const ledger = new RunLedger();
    ledger.count(true, 0);
    ledger.count(false, 6 * MINUTE);
    ledger.count(true, 58 * MINUTE);

    // Two minutes are used until the old six begin to leave; then nothing is lost until they are gone.
    const exhaustedAt = ledger.exhaustedAt(quota, 58 * MINUTE);

    expect(exhaustedAt).toBe((60 + 6 + 2) * MINUTE);
    expect(ledger.usedMs(quota, exhaustedAt - 1)).toBe(10 * MINUTE - 1);
    expect(ledger.usedMs(quota, exhaustedAt)).toBe(10 * MINUTE);
  });

  test('foresees when enough has left the window for another run', () => {
    const ledger = new RunLedger();
    ledger.count(true, 0);
    ledger.count(false, 4 * MINUTE);
    ledger.count(true, 20 * MINUTE);
    ledger.count(false, 26 * MINUTE);

    const availableAt = ledger.availableAt(quota, 30 * MINUTE);

    expect(availableAt).toBe(HOUR + 30_000);
    expect(ledger.usedMs(quota, availableAt)).toBe(10 * MINUTE - 30_000);
  });
});
