// The acceptance scenarios of the background scheduling reference (section 6) that a scheduler alone can
// show. Those that need the service (9, 13, 15, 16, and the rest of 14) are tested with it.
import { describe, expect, test } from 'vitest';
import type { ScheduleRequest, WakeUp } from '../core/ports/platform-scheduler.ts';
import { backoffMs, mapAndroidRequest, nextRunAt } from './device/android-rules.ts';
import type { WorkProgress, WorkRequest } from './device/android-rules.ts';
import { simulateAndroid } from './simulate-android.ts';
import type { AndroidDevice } from './simulate-android.ts';
import { simulateIos } from './simulate-ios.ts';
import { VIRTUAL_START_AT as START } from './virtual-runtime.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** The request in WorkManager's terms, as if enqueued at `START`. */
function work(request: Omit<ScheduleRequest, 'id'>): WorkRequest {
  const mapping = mapAndroidRequest({ id: 'sync', ...request }, START);
  if (!mapping.ok) throw new Error(mapping.message);
  return mapping.native;
}

function weakened(request: Omit<ScheduleRequest, 'id'>): unknown {
  const mapping = mapAndroidRequest({ id: 'sync', ...request }, START);
  return mapping.ok && mapping.weakened;
}

const progress = (attempts = 0, periods = 0): WorkProgress => ({
  lastEnqueuedAt: START,
  attempts,
  periods,
});

/** A device whose wake-ups are collected and left open. */
function collecting(device: AndroidDevice = simulateAndroid()): {
  readonly device: AndroidDevice;
  readonly wakeUps: WakeUp[];
} {
  const wakeUps: WakeUp[] = [];
  device.scheduler.onWakeUp((wakeUp) => wakeUps.push(wakeUp));
  return { device, wakeUps };
}

describe('scenario 1: a one-off with an earliest begin', () => {
  const inFiveMinutes = work({ kind: 'once', earliestBeginAt: START + 5 * MINUTE });

  test('is due five minutes after it was enqueued, if it asked for that', () => {
    expect(nextRunAt(inFiveMinutes, progress())).toBe(START + 5 * MINUTE);
  });

  test('is never due if it was never enqueued, which is not the same as due now', () => {
    const never = { lastEnqueuedAt: undefined, attempts: 0, periods: 0 };

    expect(nextRunAt(inFiveMinutes, never)).toBe(Infinity);
  });

  test('runs on the device at that instant, not before', async () => {
    const { device, wakeUps } = collecting();
    await device.scheduler.schedule({
      id: 'sync',
      kind: 'once',
      earliestBeginAt: START + 5 * MINUTE,
    });

    await device.advance(5 * MINUTE - 1);
    const before = wakeUps.length;
    await device.advance(1);

    expect([before, wakeUps.length]).toEqual([0, 1]);
    expect(device.runtime.clock.now()).toBe(START + 5 * MINUTE);
  });
});

describe('scenario 2: exponential backoff', () => {
  test('starts at the base and doubles: 30, 60, 120, 240, 480, 960 s; the tenth is 4 h 16 min', () => {
    const waits = [1, 2, 3, 4, 5, 6].map((attempt) => backoffMs('exponential', 30_000, attempt));

    expect(waits).toEqual([30, 60, 120, 240, 480, 960].map((seconds) => seconds * SECOND));
    expect(backoffMs('exponential', 30_000, 10)).toBe(4 * HOUR + 16 * MINUTE);
  });

  test('is exactly five hours from the eleventh attempt on', () => {
    const waits = [11, 12, 50, 2_000].map((attempt) => backoffMs('exponential', 30_000, attempt));

    expect(waits).toEqual([5 * HOUR, 5 * HOUR, 5 * HOUR, 5 * HOUR]);
  });

  test('counts on the device from the end of the run that asked for a retry', async () => {
    const device = simulateAndroid();
    const begins: number[] = [];
    device.scheduler.onWakeUp((wakeUp) => {
      begins.push(device.runtime.clock.now() - START);
      wakeUp.complete('retry');
    });
    await device.scheduler.schedule({
      id: 'sync',
      kind: 'once',
      backoff: { policy: 'exponential', initialMs: 30_000 },
    });

    await device.advance('10m');

    expect(begins).toEqual([0, 30, 90, 210, 450].map((seconds) => seconds * SECOND));
    expect(await device.scheduler.pending()).toMatchObject([{ state: 'waiting', attempt: 6 }]);
  });
});

describe('scenario 3: linear backoff and its limits', () => {
  test('is the base times the attempt: the third waits 90 s, the 600th and the 601st 5 h', () => {
    const waits = [3, 599, 600, 601].map((attempt) => backoffMs('linear', 30_000, attempt));

    expect(waits).toEqual([90 * SECOND, 5 * HOUR - 30 * SECOND, 5 * HOUR, 5 * HOUR]);
  });

  test('a base of 1 s becomes 10 s and one of 9 h becomes 5 h, and both are declared', () => {
    const backoff = (initialMs: number): Omit<ScheduleRequest, 'id'> => ({
      kind: 'once',
      backoff: { policy: 'linear', initialMs },
    });

    expect(work(backoff(SECOND)).backoffDelayMs).toBe(10 * SECOND);
    expect(weakened(backoff(SECOND))).toEqual([
      { field: 'backoff.initialMs', asked: SECOND, got: 10 * SECOND },
    ]);
    expect(weakened(backoff(9 * HOUR))).toEqual([
      { field: 'backoff.initialMs', asked: 9 * HOUR, got: 5 * HOUR },
    ]);
  });
});

describe('scenario 4: a periodic request without flex', () => {
  test('runs at once, or after its delay, and then every interval', () => {
    const hourly = work({ kind: 'periodic', intervalMs: HOUR });
    const later = work({ kind: 'periodic', intervalMs: HOUR, earliestBeginAt: START + MINUTE });

    expect(nextRunAt(hourly, progress())).toBe(START);
    expect(nextRunAt(later, progress())).toBe(START + MINUTE);
    expect(nextRunAt(hourly, progress(0, 1))).toBe(START + HOUR);
  });

  test('goes on after a run that failed, and after one that asked for a retry', async () => {
    const device = simulateAndroid();
    const results = ['success', 'failure', 'retry', 'success'] as const;
    const begins: number[] = [];
    device.scheduler.onWakeUp((wakeUp) => {
      wakeUp.complete(results[begins.length] ?? 'success');
      begins.push(device.runtime.clock.now() - START);
    });
    await device.scheduler.schedule({ id: 'sync', kind: 'periodic', intervalMs: HOUR });

    await device.advance('4h');

    // The retry comes after its backoff, not after a period, and the next period counts from it.
    const retried = 2 * HOUR + 30 * SECOND;
    expect(begins).toEqual([0, HOUR, 2 * HOUR, retried, retried + HOUR]);
  });
});

describe('scenario 5: flex, and intervals below the minimum', () => {
  test('the first run waits until the flex window, later periods count from the last run', () => {
    const flexed = work({ kind: 'periodic', intervalMs: HOUR, flexMs: 15 * MINUTE });
    const delayed = work({
      kind: 'periodic',
      intervalMs: HOUR,
      flexMs: 15 * MINUTE,
      earliestBeginAt: START + 10 * MINUTE,
    });

    expect(nextRunAt(flexed, progress())).toBe(START + 45 * MINUTE);
    expect(nextRunAt(delayed, progress())).toBe(START + 55 * MINUTE);
    expect(nextRunAt(flexed, progress(0, 1))).toBe(START + HOUR);
  });

  test('a flex of 1 min becomes 5 min and an interval of 1 min 15 min, and both are declared', () => {
    expect(weakened({ kind: 'periodic', intervalMs: HOUR, flexMs: MINUTE })).toEqual([
      { field: 'flexMs', asked: MINUTE, got: 5 * MINUTE },
    ]);
    expect(weakened({ kind: 'periodic', intervalMs: MINUTE })).toEqual([
      { field: 'intervalMs', asked: MINUTE, got: 15 * MINUTE },
    ]);
  });

  test('a flex longer than the interval is the interval', () => {
    const { flexMs } = work({ kind: 'periodic', intervalMs: HOUR, flexMs: 2 * HOUR });

    expect(flexMs).toBe(HOUR);
  });
});

test('a next-run override is for periodic work only, and beats even backoff', () => {
  const hourly = work({ kind: 'periodic', intervalMs: HOUR });
  const override = { nextOverrideAt: START + MINUTE };

  expect(nextRunAt(hourly, { ...progress(3), ...override })).toBe(START + MINUTE);
  expect(nextRunAt(hourly, { ...progress(0, 1), ...override })).toBe(START + 15 * MINUTE);
  expect(nextRunAt(work({ kind: 'once' }), { ...progress(), ...override })).toBe(START);
});

describe('scenario 6: scheduling an id that is pending', () => {
  const hourly: ScheduleRequest = {
    id: 'sync',
    kind: 'periodic',
    intervalMs: HOUR,
    earliestBeginAt: START + HOUR,
  };
  const daily: ScheduleRequest = { id: 'sync', kind: 'periodic', intervalMs: 24 * HOUR };

  test('keep leaves the old one as it is', async () => {
    const { device } = collecting();
    await device.scheduler.schedule(hourly);

    const result = await device.scheduler.schedule({ ...daily, existing: 'keep' });

    expect(result).toMatchObject({ ok: true, effect: 'kept' });
    expect(await device.scheduler.pending()).toMatchObject([{ nextAt: START + HOUR }]);
  });

  test('update keeps the enqueue time and the attempts, and raises the generation by one', async () => {
    const device = simulateAndroid();
    device.scheduler.onWakeUp((wakeUp) => wakeUp.complete('retry'));
    const backoff = { policy: 'linear', initialMs: 10 * MINUTE } as const;
    await device.scheduler.schedule({ id: 'sync', kind: 'periodic', intervalMs: HOUR, backoff });
    await device.advance('1m');

    const result = await device.scheduler.schedule({ ...daily, backoff, existing: 'update' });

    expect(result).toMatchObject({ ok: true, effect: 'updated-now' });
    expect(device.generation('sync')).toBe(1);
    expect(await device.scheduler.pending()).toMatchObject([
      { nextAt: START + 10 * MINUTE, attempt: 2 },
    ]);
  });

  test('update while it runs counts from the next run and does not stop this one', async () => {
    const { device, wakeUps } = collecting();
    await device.scheduler.schedule({ id: 'sync', kind: 'periodic', intervalMs: HOUR });
    await device.advance('1s');

    const result = await device.scheduler.schedule({ ...daily, existing: 'update' });
    const wasAborted = wakeUps[0]?.signal.aborted;
    wakeUps[0]?.complete('success');

    expect(result).toMatchObject({ ok: true, effect: 'updated-next-run' });
    expect(wasAborted).toBe(false);
    expect(await device.scheduler.pending()).toMatchObject([
      { nextAt: START + SECOND + 24 * HOUR },
    ]);
  });
});

test('scenario 7: an update that turns a one-off into periodic work is invalid and changes nothing', async () => {
  const { device } = collecting();
  await device.scheduler.schedule({ id: 'sync', kind: 'once', earliestBeginAt: START + HOUR });
  const before = await device.scheduler.pending();

  const result = await device.scheduler.schedule({
    id: 'sync',
    kind: 'periodic',
    intervalMs: HOUR,
    existing: 'update',
  });

  expect(result).toMatchObject({ ok: false, code: 'schedule/invalid' });
  expect(await device.scheduler.pending()).toEqual(before);
});

test('scenario 8: replace leaves one request, and the late completion of the old run changes nothing', async () => {
  const { device, wakeUps } = collecting();
  await device.scheduler.schedule({ id: 'sync', kind: 'once' });
  await device.advance('1s');

  const result = await device.scheduler.schedule({
    id: 'sync',
    kind: 'once',
    earliestBeginAt: START + HOUR,
    existing: 'replace',
  });
  const reason: unknown = wakeUps[0]?.signal.reason;
  wakeUps[0]?.complete('success');
  await device.advance('1h');

  expect(result).toMatchObject({ ok: true, effect: 'replaced' });
  expect(reason).toBe('cancelled');
  expect(wakeUps).toHaveLength(2);
  expect(await device.scheduler.pending()).toMatchObject([{ id: 'sync', state: 'running' }]);
});

describe('scenario 10: the network constraint', () => {
  test('a request that needs no network runs offline', async () => {
    const { device, wakeUps } = collecting(simulateAndroid({ conditions: { network: 'none' } }));
    const constraints = { networkType: 'not-required' } as const;
    await device.scheduler.schedule({ id: 'sync', kind: 'once', constraints });

    await device.advance('1s');

    expect(wakeUps).toHaveLength(1);
  });

  test('one that needs a connection waits for it', async () => {
    const { device, wakeUps } = collecting(simulateAndroid({ conditions: { network: 'none' } }));
    const constraints = { networkType: 'connected' } as const;
    await device.scheduler.schedule({ id: 'sync', kind: 'once', constraints });
    await device.advance('1h');
    const blocked = device.blockedBy('sync');
    const offline = wakeUps.length;

    device.set({ network: 'metered' });
    await device.advance('1s');

    expect([blocked, offline, wakeUps.length]).toEqual(['network', 0, 1]);
  });
});

describe('scenario 11: expedited requests', () => {
  const refusal = async (request: Partial<ScheduleRequest>): Promise<unknown> => {
    const { device } = collecting();
    return device.scheduler.schedule({ id: 'sync', kind: 'once', expedited: true, ...request });
  };

  test('with charging, an earliest begin or a period they are refused in the words of WorkManager', async () => {
    expect(await refusal({ constraints: { requiresCharging: true } })).toEqual({
      ok: false,
      code: 'schedule/invalid',
      message: 'Expedited jobs only support network and storage constraints',
    });
    expect(await refusal({ earliestBeginAt: START + MINUTE })).toMatchObject({
      code: 'schedule/invalid',
      message: 'Expedited jobs cannot be delayed',
    });
    expect(await refusal({ kind: 'periodic', intervalMs: HOUR })).toMatchObject({
      code: 'schedule/invalid',
      message: 'PeriodicWorkRequests cannot be expedited',
    });
  });

  test('the retry of an expedited run is not expedited', async () => {
    const device = simulateAndroid();
    device.scheduler.onWakeUp((wakeUp) => wakeUp.complete('retry'));
    await device.scheduler.schedule({ id: 'sync', kind: 'once', expedited: true });

    await device.advance('45s');

    expect(device.runs.map((run) => run.isExpedited)).toEqual([true, false]);
  });
});

describe('scenario 12: what iOS refuses', () => {
  const schedule = (
    device: ReturnType<typeof simulateIos>,
    id: string,
    more: Partial<ScheduleRequest> = {},
  ): Promise<unknown> => device.scheduler.schedule({ id, kind: 'once', ...more });
  const processing = { taskKind: 'processing' } as const;

  test('a second refresh and an eleventh processing request are too many', async () => {
    const device = simulateIos();
    const answers: unknown[] = [await schedule(device, 'refresh')];
    for (let index = 1; index <= 10; index++) {
      answers.push(await schedule(device, `processing ${index}`, processing));
    }

    expect(answers).toEqual(Array(11).fill(expect.objectContaining({ ok: true })));
    const tooMany = { ok: false, code: 'schedule/too-many-pending', nativeCode: 2 };
    expect(await schedule(device, 'refresh 2')).toMatchObject(tooMany);
    expect(await schedule(device, 'processing 11', processing)).toMatchObject(tooMany);
  });

  test('the same identifier again takes the place of the pending request', async () => {
    const device = simulateIos();
    await schedule(device, 'refresh');

    const again = await schedule(device, 'refresh', { existing: 'replace' });

    expect(again).toMatchObject({ ok: true, effect: 'replaced' });
    expect(await device.scheduler.pending()).toHaveLength(1);
  });

  test('an identifier or a mode that Info.plist lacks is not permitted', async () => {
    const notPermitted = { ok: false, code: 'schedule/not-permitted', nativeCode: 3 };
    const device = simulateIos({ permittedIdentifiers: ['sync'], backgroundModes: ['fetch'] });

    expect(await schedule(device, 'other')).toMatchObject(notPermitted);
    expect(await schedule(device, 'sync', processing)).toMatchObject(notPermitted);
  });

  test('the Simulator, and background refresh switched off, make it unavailable', async () => {
    const unavailable = { ok: false, code: 'schedule/unavailable', nativeCode: 1 };
    const off = simulateIos({ conditions: { isBackgroundAllowed: false } });

    expect(await schedule(simulateIos({ isSimulator: true }), 'sync')).toMatchObject(unavailable);
    expect(await schedule(off, 'sync')).toMatchObject(unavailable);
  });

  test('an identifier without a handler registered at launch is not configured', async () => {
    const device = simulateIos({ permittedIdentifiers: ['sync'], registeredIdentifiers: [] });

    expect(await schedule(device, 'sync')).toMatchObject({
      ok: false,
      code: 'schedule/not-configured',
    });
    expect(() => device.registerHandler('sync')).toThrow('NSInternalInconsistencyException');
  });

  test('any other code is passed on with its number', async () => {
    const device = simulateIos();
    device.failNextSubmit(4);

    const refused = await schedule(device, 'sync');

    expect(refused).toMatchObject({ ok: false, code: 'schedule/host', nativeCode: 4 });
    expect(await schedule(device, 'sync')).toMatchObject({ ok: true });
  });
});

describe('scenario 14: a handler that never settles', () => {
  test('on Android it is ended after ten minutes with a timeout, and another run follows', async () => {
    const { device, wakeUps } = collecting();
    await device.scheduler.schedule({ id: 'sync', kind: 'once' });

    await device.advance('10m');

    expect(wakeUps[0]?.signal.reason).toBe('timeout');
    expect(device.runs).toMatchObject([
      { result: 'retry', stopReason: 'timeout', endedAt: START + 10 * MINUTE },
    ]);
    expect(await device.scheduler.pending()).toMatchObject([
      { state: 'waiting', nextAt: START + 10 * MINUTE + 30 * SECOND, attempt: 2 },
    ]);
  });

  test('on iOS a refresh expires after 30 s, and the next request was submitted', async () => {
    const device = simulateIos({ opportunities: 'always' });
    const wakeUps: WakeUp[] = [];
    device.scheduler.onWakeUp((wakeUp) => wakeUps.push(wakeUp));
    await device.scheduler.schedule({ id: 'sync', kind: 'once' });

    await device.advance(30 * SECOND);
    const reason: unknown = wakeUps[0]?.signal.reason;
    await device.advance(SECOND);

    expect(reason).toBe('expired');
    expect(device.runs).toMatchObject([{ result: 'retry', stopReason: 'expired' }]);
    expect(await device.scheduler.pending()).toMatchObject([{ id: 'sync', attempt: 2 }]);
  });
});
