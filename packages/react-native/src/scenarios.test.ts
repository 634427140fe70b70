// The sixteen acceptance scenarios of the background scheduling reference, through the native module: what the
// port, the services and the queue make of them together.
import type { ScheduleRequest, ScheduleResult, WakeUp } from 'nexus-store';
import {
  VIRTUAL_START_AT as START,
  type AndroidDevice,
  type IosDevice,
  type SimulateAndroidOptions,
  type SimulateIosOptions,
} from 'nexus-store/testing';
import { describe, expect, test } from 'vitest';
import { FakeApp } from './fake/fake-app.ts';
import { fakeAndroid, fakeIos, type FakePhone } from './fake/fake-phone.ts';
import type { Phone } from './phone.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** A phone whose app only collects its wake-ups. */
interface Collecting<Device> extends FakePhone<Device> {
  readonly wakeUps: WakeUp[];
  readonly schedule: (request?: Partial<ScheduleRequest>) => Promise<ScheduleResult>;
}

type Create<Device> = (entry: Parameters<typeof fakeAndroid>[0]) => FakePhone<Device>;

function collecting<Device extends AndroidDevice | IosDevice>(
  create: Create<Device>,
  answer?: (wakeUp: WakeUp, index: number) => 'success' | 'retry' | 'failure',
): Collecting<Device> {
  let phone: Phone | undefined;
  const wakeUps: WakeUp[] = [];
  const fake = create((context) => {
    phone = context.createPhone();
    phone.scheduler.onWakeUp((wakeUp) => {
      const index = wakeUps.push(wakeUp) - 1;
      if (answer !== undefined) wakeUp.complete(answer(wakeUp, index));
    });
  });
  fake.device.app.launch();
  fake.device.app.background();
  return Object.assign(fake, {
    wakeUps,
    schedule: (request: Partial<ScheduleRequest> = {}) =>
      (phone as Phone).scheduler.schedule({ id: 'sync', kind: 'once', ...request }),
  });
}

const android =
  (options: SimulateAndroidOptions = {}): Create<AndroidDevice> =>
  (entry) =>
    fakeAndroid(entry, options);
const ios =
  (options: SimulateIosOptions = {}): Create<IosDevice> =>
  (entry) =>
    fakeIos(entry, { opportunities: 'always', ...options });

const BOTH = [
  ['Android', android()],
  ['iOS', ios()],
] as const;

describe.each(BOTH)('%s', (system, create) => {
  const phone = (answer?: (wakeUp: WakeUp, index: number) => 'success' | 'retry' | 'failure') =>
    collecting(create as Create<AndroidDevice | IosDevice>, answer);

  test('1: a one-off runs at its earliest begin and not before; what was not asked for never runs', async () => {
    const { device, schedule, wakeUps } = phone();
    await schedule({ earliestBeginAt: START + 5 * MINUTE });

    await device.advance(5 * MINUTE - 1);
    const early = wakeUps.length;
    await device.advance(1);

    expect([early, wakeUps.length]).toEqual([0, 1]);
  });

  test('2: the waits of exponential backoff are 30, 60, 120 and 240 s', async () => {
    const begins: number[] = [];
    const { device, schedule } = phone(() => {
      begins.push(device.runtime.clock.now() - START);
      return 'retry';
    });
    await schedule({ backoff: { policy: 'exponential', initialMs: 30 * SECOND } });

    await device.advance('10m');

    expect(begins).toEqual([0, 30, 90, 210, 450].map((seconds) => seconds * SECOND));
  });

  test('3: linear backoff adds, and limits are kept and declared', async () => {
    const begins: number[] = [];
    const { device, schedule } = phone(() => {
      begins.push(device.runtime.clock.now() - START);
      return 'retry';
    });

    const answer = await schedule({ backoff: { policy: 'linear', initialMs: SECOND } });
    await device.advance('1m');

    expect(answer).toMatchObject({
      weakened: [{ field: 'backoff.initialMs', asked: SECOND, got: 10 * SECOND }],
    });
    expect(begins).toEqual([0, 10, 30, 60].map((seconds) => seconds * SECOND));
  });

  test('4: a periodic request comes at once and then every hour, also after a failure', async () => {
    const begins: number[] = [];
    const { device, schedule } = phone((_, index) => {
      begins.push(device.runtime.clock.now() - START);
      return index === 1 ? 'failure' : 'success';
    });
    await schedule({ kind: 'periodic', intervalMs: HOUR });

    await device.advance('3h');

    expect(begins).toEqual([0, HOUR, 2 * HOUR, 3 * HOUR]);
  });

  test('5: an interval of a minute becomes fifteen, and this is declared', async () => {
    const { schedule } = phone();

    const answer = await schedule({ kind: 'periodic', intervalMs: MINUTE });

    expect(answer).toMatchObject({
      weakened: [{ field: 'intervalMs', asked: MINUTE, got: 15 * MINUTE }],
    });
  });

  test('6: keep leaves a pending request, an update while it runs counts from the next run', async () => {
    const { device, schedule, wakeUps, context } = phone();
    const hourly = { kind: 'periodic', intervalMs: HOUR } as const;
    await schedule({ ...hourly, earliestBeginAt: START + HOUR });
    const kept = await schedule({ ...hourly, existing: 'keep' });
    const before = await context.native.pending();
    await device.advance('1h');

    const updated = await schedule({ kind: 'periodic', intervalMs: 24 * HOUR });

    expect(kept).toMatchObject({ effect: 'kept' });
    expect(before).toMatchObject([{ nextAt: START + HOUR }]);
    expect(updated).toMatchObject({ effect: 'updated-next-run' });
    expect(wakeUps[0]?.signal.aborted).toBe(false);
  });

  test('7: an update that changes the kind is invalid and leaves the old request', async () => {
    const { schedule, context } = phone();
    await schedule({ earliestBeginAt: START + HOUR });
    const before = await context.native.pending();

    const answer = await schedule({ kind: 'periodic', intervalMs: HOUR });

    expect(answer).toMatchObject({ ok: false, code: 'schedule/invalid' });
    expect(await context.native.pending()).toEqual(before);
  });

  test('8: replace leaves one request, and the late verdict of the old run changes nothing', async () => {
    const { device, schedule, wakeUps, context } = phone();
    await schedule();
    await device.advance('1s');

    const answer = await schedule({ existing: 'replace', earliestBeginAt: START + HOUR });
    wakeUps[0]?.complete('success');
    await device.advance('1m');

    expect(answer).toMatchObject({ effect: 'replaced' });
    expect(wakeUps[0]?.signal.reason).toBe('cancelled');
    expect(await context.native.pending()).toMatchObject([{ id: 'sync', nextAt: START + HOUR }]);
  });

  test('14: a handler that never settles is stopped, and another run follows', async () => {
    const { device, schedule, wakeUps, memory } = phone();
    await schedule();
    const windowMs = system === 'iOS' ? 30 * SECOND : 9 * MINUTE;
    await device.advance(windowMs);
    const reason: unknown = wakeUps[0]?.signal.reason;
    await device.advance('1m');

    const expected = system === 'iOS' ? 'expired' : 'timeout';
    expect(reason).toBe(expected);
    expect(memory.log[0]).toMatchObject({ result: 'retry', stopReason: expected });
    expect(wakeUps.length).toBe(2);
  });
});

describe('Android', () => {
  test('5: with a flex the first run waits for it, and a flex of a minute becomes five', async () => {
    const { device, schedule, wakeUps } = collecting(android(), () => 'success');
    const answer = await schedule({ kind: 'periodic', intervalMs: HOUR, flexMs: MINUTE });

    await device.advance(55 * MINUTE - 1);
    const early = wakeUps.length;
    await device.advance(1);

    expect(answer).toMatchObject({
      weakened: [{ field: 'flexMs', asked: MINUTE, got: 5 * MINUTE }],
    });
    expect([early, wakeUps.length]).toEqual([0, 1]);
  });

  test('9: a network that becomes metered stops the run; entries stay pending, unchanged, in order', async () => {
    const app = new FakeApp({ networkType: 'unmetered' });
    app.prepare = (remote) => remote.answerWith(() => 'hang');
    const phone = fakeAndroid(app.entry);
    phone.device.set({ network: 'none' });
    phone.device.app.launch();
    await phone.device.advance('1s');
    const saved = ['a', 'b', 'c'].map((id) =>
      app.notes.save({ id, text: id }, { priority: 'high' }),
    );
    await phone.device.advance('10s');
    await Promise.all(saved);
    phone.device.app.background();
    await phone.device.advance('2m');
    phone.device.app.kill();
    phone.device.set({ network: 'unmetered' });
    await untilRun(phone, app);

    phone.device.set({ network: 'metered' });
    await phone.device.advance('300ms'); // before the app, still alive, tries by itself

    const [run] = phone.device.runs.filter(({ stopReason }) => stopReason === 'constraint');
    const entries = await app.notes.pendingChanges();
    expect(run).toMatchObject({ nativeStopReason: 'CONSTRAINT_CONNECTIVITY' });
    expect(phone.memory.log.at(-1)).toMatchObject({ stopReason: 'constraint' });
    expect(entries.map(({ entityId }) => entityId)).toEqual(['a', 'b', 'c']);
    expect(new Set(entries.map(({ state }) => state))).toEqual(new Set(['pending']));
    expect(new Set(entries.map(({ priority }) => priority))).toEqual(new Set(['high']));
    expect(new Set(entries.map(({ attempts }) => attempts))).toEqual(new Set([0]));
  });

  test('10: without the network constraint a run is allowed offline; by default it waits for one', async () => {
    const offline = collecting(android({ conditions: { network: 'none' } }));
    await offline.schedule({ constraints: { networkType: 'not-required' } });
    await offline.device.advance('1s');

    const app = new FakeApp();
    const phone = fakeAndroid(app.entry, { conditions: { network: 'none' } });
    phone.device.app.launch();
    await phone.device.advance('2s');
    phone.device.app.kill();
    await phone.device.advance('24h');

    expect(offline.wakeUps).toHaveLength(1);
    expect(phone.device.runs).toEqual([]);
  });

  test('11: expedited with charging, a delay or a period is invalid in the words of WorkManager; a retry is plain', async () => {
    const { device, schedule } = collecting(android(), () => 'retry');
    const refusals = [
      await schedule({ expedited: true, constraints: { requiresCharging: true } }),
      await schedule({ expedited: true, earliestBeginAt: START + MINUTE }),
      await schedule({ expedited: true, kind: 'periodic', intervalMs: HOUR }),
    ];
    await schedule({ expedited: true });

    await device.advance('45s');

    expect(refusals).toEqual(
      [
        'Expedited jobs only support network and storage constraints',
        'Expedited jobs cannot be delayed',
        'PeriodicWorkRequests cannot be expedited',
      ].map((message) => ({ ok: false, code: 'schedule/invalid', message })),
    );
    expect(device.runs.map(({ isExpedited }) => isExpedited)).toEqual([true, false]);
  });

  test('15: a process that is killed while it drains leaves a run without an end; the next one finishes', async () => {
    const { app, phone } = await killedWhileDraining((one) => fakeAndroid(one.entry));

    const history = await app.background.history();
    expect(history.some(({ endedAt }) => endedAt === null)).toBe(true);
    expect(history.at(-1)).toMatchObject({ result: 'success' });
    expect(phone.memory.log.some(({ endedAt }) => endedAt === null)).toBe(true);
    expect(app.arrived.toSorted()).toEqual(['a', 'b', 'c']);
    expect(app.twice).toEqual([]);
  });
});

describe('iOS', () => {
  test('10: a refresh cannot require a network, and says so; a processing task can', async () => {
    const constraints = { networkType: 'connected' } as const;
    const { schedule } = collecting(ios());

    const refresh = await schedule({ constraints });
    const processing = await schedule({ id: 'long', constraints, taskKind: 'processing' });

    expect(refresh).toMatchObject({ weakened: [{ field: 'constraints.networkType' }] });
    expect(processing).toMatchObject({ weakened: [] });
  });

  test('12: what BGTaskScheduler refuses comes back by code, nothing is swallowed', async () => {
    const processing = { taskKind: 'processing' } as const;
    const full = collecting(ios());
    const answers: ScheduleResult[] = [await full.schedule({ id: 'refresh' })];
    for (let index = 1; index <= 10; index++)
      answers.push(await full.schedule({ id: `processing ${index}`, ...processing }));
    const plist = collecting(ios({ permittedIdentifiers: ['sync'], backgroundModes: ['fetch'] }));
    const unregistered = collecting(
      ios({ permittedIdentifiers: ['sync'], registeredIdentifiers: [] }),
    );
    const other = collecting(ios());
    other.device.failNextSubmit(4);
    const off = collecting(ios({ conditions: { isBackgroundAllowed: false } }));

    expect(answers.every(({ ok }) => ok)).toBe(true);
    const tooMany = { ok: false, code: 'schedule/too-many-pending', nativeCode: 2 };
    expect(await full.schedule({ id: 'refresh 2' })).toMatchObject(tooMany);
    expect(await full.schedule({ id: 'processing 11', ...processing })).toMatchObject(tooMany);
    expect(await full.schedule({ id: 'refresh', existing: 'replace' })).toMatchObject({
      effect: 'replaced',
    });
    expect(await plist.schedule({ id: 'other' })).toMatchObject({ code: 'schedule/not-permitted' });
    expect(await plist.schedule(processing)).toMatchObject({ code: 'schedule/not-permitted' });
    expect(await collecting(ios({ isSimulator: true })).schedule()).toMatchObject({
      code: 'schedule/unavailable',
      nativeCode: 1,
    });
    expect(await off.schedule()).toMatchObject({ code: 'schedule/unavailable' });
    expect(await unregistered.schedule()).toMatchObject({ code: 'schedule/not-configured' });
    expect(await other.schedule()).toMatchObject({ code: 'schedule/host', nativeCode: 4 });
  });

  test('13: an expiry with 40 entries left aborts first, completes once, loses nothing and keeps the keys', async () => {
    const app = new FakeApp();
    // Each push takes a second of the window.
    app.prepare = (remote) =>
      remote.answerWith(() => ({
        until: new Promise<void>((resolve) => phone.device.runtime.timers.after(SECOND, resolve)),
        answer: 'apply',
      }));
    const phone: FakePhone<IosDevice> = fakeIos(app.entry, { opportunities: 'always' });
    phone.device.set({ network: 'none' });
    phone.device.app.launch();
    await phone.device.advance('1s');
    const names = Array.from({ length: 40 }, (_, index) => `n${index}`);
    const saved = names.map((id) => app.notes.save({ id, text: id }));
    await phone.device.advance('10s');
    await Promise.all(saved);
    phone.device.app.background();
    await phone.device.advance('2m');
    phone.device.app.kill();
    phone.device.set({ network: 'unmetered' });
    await untilRun(phone, app);

    const [pending] = await phone.context.native.pending();
    phone.device.simulateExpiration((pending as { id: string }).id);
    await phone.device.advance('2s');
    const [cut] = phone.memory.log.filter(({ stopReason }) => stopReason === 'expired');
    const next = await phone.context.native.pending();
    await phone.device.advance('24h');

    expect(cut).toMatchObject({ result: 'retry' });
    expect(phone.device.runs.filter(({ stopReason }) => stopReason === 'expired')).toHaveLength(1);
    expect(next.length).toBeGreaterThan(0);
    expect(app.arrived.toSorted()).toEqual(names.toSorted());
    expect(app.twice).toEqual([]);
    const keys = new Map<string, Set<string>>();
    for (const { key, entity } of app.sent)
      keys.set(entity, (keys.get(entity) ?? new Set()).add(key));
    expect([...keys.values()].filter(({ size }) => size !== 1)).toEqual([]);
  });

  test('15: a process that is killed while it drains is followed by another run that finishes', async () => {
    const { app } = await killedWhileDraining((one) =>
      fakeIos(one.entry, { opportunities: 'always' }),
    );

    expect(app.arrived.toSorted()).toEqual(['a', 'b', 'c']);
    expect(app.twice).toEqual([]);
  });
});

/** Lets time pass until a background run has sent something. */
async function untilRun(phone: FakePhone<AndroidDevice | IosDevice>, app: FakeApp): Promise<void> {
  const sentBefore = app.sent.length;
  for (let seconds = 0; app.sent.length === sentBefore; seconds++) {
    if (seconds > 24 * 3_600) throw new Error('no run came');
    await phone.device.advance('1s');
  }
}

async function killedWhileDraining<Device extends AndroidDevice | IosDevice>(
  create: (app: FakeApp) => FakePhone<Device>,
): Promise<{ readonly app: FakeApp; readonly phone: FakePhone<Device> }> {
  const app = new FakeApp();
  app.prepare = (remote) => remote.answerWith(() => 'hang');
  const phone = create(app);
  phone.device.set({ network: 'none' });
  phone.device.app.launch();
  await phone.device.advance('1s');
  const saved = ['a', 'b', 'c'].map((id) => app.notes.save({ id, text: id }, { priority: 'high' }));
  await phone.device.advance('10s');
  await Promise.all(saved);
  phone.device.app.background();
  await phone.device.advance('2m');
  phone.device.app.kill();
  phone.device.set({ network: 'unmetered' });
  await untilRun(phone, app);

  phone.device.app.kill();
  app.prepare = () => {};
  await phone.device.advance('24h');
  return { app, phone };
}
