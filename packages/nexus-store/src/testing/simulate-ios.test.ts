import { describe, expect, test } from 'vitest';
import type { ScheduleRequest, WakeUp } from '../core/ports/platform-scheduler.ts';
import { commuter, nightCharger } from './device/day-profiles.ts';
import { simulateIos } from './simulate-ios.ts';
import type { IosDevice, SimulateIosOptions } from './simulate-ios.ts';
import { VIRTUAL_START_AT as START } from './virtual-runtime.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A device that launches whenever it may, and the wake-ups it gave, left open. */
function eager(options: SimulateIosOptions = {}): {
  readonly device: IosDevice;
  readonly wakeUps: WakeUp[];
} {
  const device = simulateIos({ opportunities: 'always', ...options });
  const wakeUps: WakeUp[] = [];
  device.scheduler.onWakeUp((wakeUp) => wakeUps.push(wakeUp));
  return { device, wakeUps };
}

const refresh: ScheduleRequest = { id: 'sync', kind: 'once' };
const processing: ScheduleRequest = { id: 'sync', kind: 'once', taskKind: 'processing' };

describe('what iOS launches', () => {
  test('a refresh request honours no constraint, and says so', async () => {
    const { device } = eager();
    const constraints = { networkType: 'connected', requiresCharging: true } as const;

    const result = await device.scheduler.schedule({ ...refresh, constraints, expedited: false });

    expect(result).toMatchObject({
      weakened: [
        { field: 'constraints.networkType', asked: 'connected', got: 'not-required' },
        { field: 'constraints.requiresCharging', asked: true, got: false },
      ],
    });
  });

  test('processing waits for an idle device, and ends when the user returns', async () => {
    const { device, wakeUps } = eager({ conditions: { isScreenOn: true } });
    await device.scheduler.schedule(processing);
    await device.advance('1h');
    const inUse = [device.blockedBy('sync'), wakeUps.length];
    device.set({ isScreenOn: false });
    await device.advance('31m');
    const idle = wakeUps.length;

    device.set({ isScreenOn: true });

    expect([...inUse, idle]).toEqual(['device-in-use', 0, 1]);
    expect(wakeUps[0]?.signal.reason).toBe('expired');
  });

  test('processing that requires power waits for the charger, and ends without it', async () => {
    const { device, wakeUps } = eager();
    await device.scheduler.schedule({ ...processing, constraints: { requiresCharging: true } });
    await device.advance('2h');
    const unplugged = wakeUps.length;
    device.set({ isCharging: true });
    await device.advance('1s');

    device.set({ isCharging: false });

    expect([unplugged, wakeUps.length]).toEqual([0, 1]);
    expect(wakeUps[0]?.signal.reason).toBe('expired');
  });

  test('a completion within the grace after expiration still counts', async () => {
    const { device, wakeUps } = eager();
    await device.scheduler.schedule(refresh);
    await device.advance('1s');

    wakeUps[0]?.signal.addEventListener('abort', () => wakeUps[0]?.complete('success'));
    device.simulateExpiration('sync');

    expect(device.runs).toMatchObject([{ result: 'success', stopReason: 'expired' }]);
    expect(await device.scheduler.pending()).toEqual([]);
  });

  test('nothing is launched while the app is in front', async () => {
    const { device, wakeUps } = eager();
    device.app.foreground();
    await device.scheduler.schedule(refresh);
    await device.advance('1h');
    const inFront = [device.blockedBy('sync'), wakeUps.length];

    device.app.background();
    await device.advance('1s');

    expect([...inFront, wakeUps.length]).toEqual(['in-foreground', 0, 1]);
  });

  test.each([
    ['Low Power Mode', { isPowerSaving: true }, 'low-power-mode'],
    ['background refresh off', { isBackgroundAllowed: false }, 'background-refresh-off'],
  ] as const)('%s defers everything', async (_, change, blocker) => {
    const { device, wakeUps } = eager();
    const later = START + HOUR;
    await device.scheduler.schedule({ ...refresh, earliestBeginAt: later });
    device.set(change);

    await device.advance('5h');

    expect([device.blockedBy('sync'), wakeUps.length]).toEqual([blocker, 0]);
  });

  test('after a force-quit nothing is launched until the user opens the app', async () => {
    const starts: string[] = [];
    const device = simulateIos({
      opportunities: 'always',
      start: (app) => {
        starts.push(app.startedBy);
        app.scheduler.onWakeUp((wakeUp) => wakeUp.complete('success'));
      },
    });
    device.app.launch();
    await device.scheduler.schedule({ ...refresh, kind: 'periodic', intervalMs: HOUR });
    device.app.swipeAway();
    await device.advance('3d');
    const whileQuit = [...starts];

    device.app.launch();
    device.app.background();
    await device.advance('1s');

    expect(whileQuit).toEqual(['user']);
    expect(starts).toEqual(['user', 'user']);
    expect(device.runs).toHaveLength(1);
  });

  test('after a reboot nothing is launched before the first unlock', async () => {
    const device = simulateIos({
      opportunities: 'always',
      start: (app) => app.scheduler.onWakeUp((wakeUp) => wakeUp.complete('success')),
    });
    device.app.launch();
    await device.scheduler.schedule({ ...refresh, earliestBeginAt: START + HOUR });

    device.reboot();
    await device.advance('5h');
    const locked = device.runs.length;
    device.set({ isScreenOn: true });
    await device.advance('1s');

    expect([locked, device.runs.length]).toEqual([0, 1]);
    expect(device.runs[0]?.appState).toBe('headless');
  });

  test('a run that dies with its process is followed by another after its backoff', async () => {
    const { device } = eager();
    await device.scheduler.schedule(refresh);
    await device.advance('1s');

    device.app.kill();
    await device.advance('28s');
    const early = device.runs.length;
    await device.advance('1m'); // the second run is left open and expires

    expect(early).toBe(1);
    expect(device.runs).toMatchObject([
      { result: 'lost', attempt: 1 },
      { stopReason: 'expired', attempt: 2, startedAt: START + 30_000, isCold: true },
    ]);
  });

  test('handlers are registered until the launch ends, once for each identifier', () => {
    const errors: string[] = [];
    const device = simulateIos({
      permittedIdentifiers: ['sync'],
      registeredIdentifiers: [],
      start: () => {
        device.registerHandler('sync');
        try {
          device.registerHandler('sync');
        } catch (error) {
          errors.push(String(error));
        }
      },
    });

    device.app.launch();

    expect(errors).toEqual([expect.stringContaining('has a launch handler already')]);
    expect(() => device.registerHandler('late')).toThrow('before the launch ends');
  });
});

describe('when iOS launches', () => {
  /** The hours of the day at which a request that is always due was launched, over two weeks. */
  async function launchHours(
    options: SimulateIosOptions,
    request: ScheduleRequest,
  ): Promise<readonly number[]> {
    const device = simulateIos({
      ...options,
      start: async (app) => {
        app.scheduler.onWakeUp((wakeUp) => wakeUp.complete('success'));
        await app.scheduler.schedule({ ...request, existing: 'keep' });
      },
    });
    device.app.launch();
    device.app.background();
    await device.advance('14d');
    return device.runs.map((run) => (run.startedAt % DAY) / HOUR);
  }
  const often = { kind: 'periodic', intervalMs: 15 * MINUTE } as const;

  test('refreshes come ahead of the hours in which the app is used', async () => {
    const hours = await launchHours({ profile: nightCharger }, { ...refresh, ...often });

    const share = (from: number, to: number): number =>
      hours.filter((hour) => from <= hour && hour < to).length / (to - from);
    expect(share(18, 22)).toBeGreaterThan(2 * share(9, 16));
  });

  test('processing happens in the nights on the charger', async () => {
    const constraints = { requiresCharging: true };
    const hours = await launchHours(
      { profile: commuter },
      { ...processing, ...often, constraints },
    );

    expect(hours.length).toBeGreaterThan(14);
    expect(hours.filter((hour) => hour > 7.5 && hour < 22.5)).toEqual([]);
  });

  test('an app that is forgotten is refreshed less and less', async () => {
    const device = simulateIos();
    device.scheduler.onWakeUp((wakeUp) => wakeUp.complete('success'));
    await device.scheduler.schedule({ ...refresh, ...often });

    await device.advance('7d');
    const firstWeek = device.runs.length;
    await device.advance('14d');

    expect(device.runs.length - firstWeek).toBeLessThan(firstWeek / 2);
  });

  test('the same seed gives the same launches, another seed others', async () => {
    const of = (seed: number): Promise<readonly number[]> =>
      launchHours({ seed, profile: commuter }, { ...refresh, ...often });

    expect(await of(3)).toEqual(await of(3));
    expect(await of(3)).not.toEqual(await of(4));
  });
});
