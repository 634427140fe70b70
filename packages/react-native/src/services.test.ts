import type { JournalRecord } from 'nexus-store';
import type { AndroidDevice, IosDevice } from 'nexus-store/testing';
import { describe, expect, test } from 'vitest';
import { BGTaskSchedulerService } from './bg-task-scheduler-service.ts';
import { FakeApp } from './fake/fake-app.ts';
import { fakeAndroid, fakeIos, type FakePhone } from './fake/fake-phone.ts';
import type { NativeRunRecord } from './native-module.ts';
import { WorkManagerSyncService } from './work-manager-sync-service.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

type Phone = FakePhone<AndroidDevice | IosDevice>;

const PHONES = [
  [
    'WorkManagerSyncService',
    (app: FakeApp): Phone => fakeAndroid(app.entry),
    WorkManagerSyncService,
  ],
  [
    'BGTaskSchedulerService',
    (app: FakeApp): Phone =>
      fakeIos(app.entry, {
        opportunities: 'always',
        permittedIdentifiers: [
          'nexus-store.sync',
          'nexus-store.sync.soon',
          'nexus-store.sync.critical',
        ],
      }),
    BGTaskSchedulerService,
  ],
] as const;

const IOS_WEAKENED = ['networkType', 'requiresCharging', 'requiresBatteryNotLow'];

const ids = (count: number): readonly string[] => Array.from({ length: count }, (_, n) => `n${n}`);

/** The app in front, with notes that could not be sent, and then gone. */
async function withPending(phone: Phone, app: FakeApp, count: number): Promise<void> {
  phone.device.set({ network: 'none' });
  phone.device.app.launch();
  await phone.device.advance('1s');
  await app.background.ready;
  const saved = Promise.all(ids(count).map((id) => app.notes.save({ id, text: id })));
  await phone.device.advance('5s');
  await saved;
  phone.device.app.background();
  await phone.device.advance('2m');
}

describe.each(PHONES)('%s', (_, create, Service) => {
  test('is what defineBackgroundSync chooses here', async () => {
    const app = new FakeApp();
    const phone = create(app);
    phone.device.app.launch();
    await phone.device.advance('1s');

    expect(await app.background.ready).toBeInstanceOf(Service);
    expect(app.background.isSupported).toBe(true);
  });

  test('asks the system for periodic runs, and reports what the phone honours in part', async () => {
    const app = new FakeApp({ requiresCharging: true });
    const phone = create(app);
    phone.device.app.launch();
    await phone.device.advance('1s');

    const service = await app.background.ready;
    const { ok, weakened } = await service.initialize({ ...app.config, minInterval: '1h' });

    expect(ok).toBe(true);
    const fields = weakened.map(({ field }) => field);
    // A refresh on iOS can require nothing; what it cannot is checked when it runs.
    expect(fields).toEqual(Service === BGTaskSchedulerService ? IOS_WEAKENED : []);
    expect(await phone.context.native.pending()).toMatchObject([{ id: 'nexus-store.sync' }]);
  });

  test('a headless cold start drains the queue and completes once', async () => {
    const app = new FakeApp();
    const phone = create(app);
    await withPending(phone, app, 40);
    phone.device.app.kill();
    const startsBefore = phone.starts;

    phone.device.set({ network: 'unmetered' });
    for (let hour = 0; hour < 24 && app.arrived.length < 40; hour++)
      await phone.device.advance('1h');
    await phone.device.advance('1m');

    expect([...app.arrived].toSorted()).toEqual([...ids(40)].toSorted());
    expect(app.twice).toEqual([]);
    expect(phone.starts).toBeGreaterThan(startsBefore);
    expect(phone.context.app.startedBy).toBe('system');
    const runs = phone.device.runs.filter(({ result }) => result === 'success');
    expect(runs[0]).toMatchObject({ isCold: true, appState: 'headless' });
    const [drained] = phone.memory.log.filter(({ runId }) => runId === runs[0]?.runId);
    expect(drained).toMatchObject({ result: 'success', stopReason: null });
    expect(new Set(phone.memory.log.map(({ runId }) => runId)).size).toBe(phone.memory.log.length);
  });

  test('the badge follows the pending count', async () => {
    const app = new FakeApp();
    const phone = create(app);

    await withPending(phone, app, 3);
    phone.device.set({ network: 'unmetered' });
    phone.device.app.foreground();
    await phone.device.advance('1m');

    expect(app.badges).toContain(3);
    expect(app.badges.at(-1)).toBe(0);
  });

  test('explain and the run log tell what happened while no screen was there', async () => {
    const app = new FakeApp();
    const phone = create(app);
    await withPending(phone, app, 2);
    const { pending, reasons } = await app.background.explain();
    phone.device.app.kill();
    phone.device.set({ network: 'unmetered' });
    await phone.device.advance('12h');

    const service = (await app.background.ready) as WorkManagerSyncService;
    const log = await service.runLog();

    expect(pending).toBe(2);
    expect(reasons.map(({ code }) => code)).toContain('offline');
    expect(log.length).toBeGreaterThan(0);
    expect(log[0]).toMatchObject({ attempt: 1, result: 'success' });
    expect((await app.background.history()).length).toBeGreaterThan(0);
  });

  test('a run can be forced in a development build', async () => {
    const app = new FakeApp();
    const phone = create(app);
    await withPending(phone, app, 2);
    phone.device.set({ network: 'unmetered' });
    const service = (await app.background.ready) as WorkManagerSyncService;

    await service.forceRun();
    await phone.device.advance('30s');

    expect(app.arrived.toSorted()).toEqual(['n0', 'n1']);
  });

  test('disposing lets go of the phone, and the requests stay', async () => {
    const app = new FakeApp();
    const phone = create(app);
    await withPending(phone, app, 1);

    await app.background.dispose();

    expect((await phone.context.native.pending()).length).toBeGreaterThan(0);
  });
});

describe('iOS', () => {
  test('a background assertion is wanted while critical entries wait, and no longer', async () => {
    const app = new FakeApp();
    const phone = fakeIos(app.entry, { opportunities: 'always' });
    phone.device.set({ network: 'none' });
    phone.device.app.launch();
    await phone.device.advance('1s');

    const saved = app.notes.save({ id: 'a', text: 'a' }, { priority: 'critical' });
    await phone.device.advance('2s');
    await saved;
    const whileWaiting = [...phone.context.native.keptAwake];
    phone.device.set({ network: 'unmetered' });
    await phone.device.advance('1m');

    expect(whileWaiting).toEqual([true]);
    expect(phone.context.native.keptAwake).toEqual([true, false]);
  });

  test('what leaves the screen is sent in the time that the assertion gives', async () => {
    const app = new FakeApp();
    const phone = fakeIos(app.entry, { opportunities: 'learned' });
    phone.device.set({ network: 'none' });
    phone.device.app.launch();
    await phone.device.advance('1s');
    const saved = app.notes.save({ id: 'a', text: 'a' }, { priority: 'critical' });
    await phone.device.advance('1s');
    await saved;

    phone.device.set({ network: 'unmetered' });
    phone.device.app.background();
    await phone.device.advance('20s');

    expect(app.arrived).toEqual(['a']);
  });

  test('a request that iOS refuses is told by code, and explained', async () => {
    const app = new FakeApp();
    const phone = fakeIos(app.entry, { permittedIdentifiers: [] });
    phone.device.app.launch();
    await phone.device.advance('1s');

    const { ok, refused } = await app.background.scheduleSync();

    expect(ok).toBe(false);
    expect(refused[0]?.code).toBe('schedule/not-permitted');
  });
});

describe('Android', () => {
  test('below Android 12 nothing expedited is asked for', async () => {
    const app = new FakeApp();
    const phone = fakeAndroid(app.entry, { version: 11 });
    phone.device.set({ network: 'none' });
    phone.device.app.launch();
    await phone.device.advance('1s');
    const saved = app.notes.save({ id: 'a', text: 'a' }, { priority: 'critical' });
    await phone.device.advance('10s');
    await saved;
    phone.device.app.background();
    await phone.device.advance('1m');
    phone.device.app.kill();
    phone.device.set({ network: 'unmetered' });
    await phone.device.advance('1h');

    expect(phone.context.native.supportsExpedited).toBe(false);
    expect(phone.device.runs.some(({ isExpedited }) => isExpedited)).toBe(false);
    expect(app.arrived).toEqual(['a']);
  });

  test('requests survive a reboot', async () => {
    const app = new FakeApp();
    const phone = fakeAndroid(app.entry);
    await withPending(phone, app, 2);

    phone.device.reboot();
    phone.device.set({ network: 'unmetered' });
    await phone.device.advance(3 * HOUR);

    expect(app.arrived.toSorted()).toEqual(['n0', 'n1']);
  });

  test('a task that no entry file defines is dropped, and asked for again at the next start', async () => {
    const app = new FakeApp();
    let isEntryEmpty = false;
    const phone = fakeAndroid((context) => {
      if (!isEntryEmpty) app.entry(context);
    });
    await withPending(phone, app, 1);
    isEntryEmpty = true;
    phone.device.app.kill();
    phone.device.set({ network: 'unmetered' });
    await phone.device.advance('1h');
    const wasRegistered = phone.memory.isRegistered;

    isEntryEmpty = false;
    phone.device.app.kill();
    phone.device.app.launch();
    await phone.device.advance('1m');

    expect(wasRegistered).toBe(false);
    expect(phone.memory.isRegistered).toBe(true);
    expect(app.arrived).toEqual(['n0']);
  });
});

describe.each(PHONES)('the log of the phone under %s', (_, create) => {
  test('tells the journal of runs that nothing took up, and explain() names them', async () => {
    const app = new FakeApp();
    const { entry } = app;
    let isEntryEmpty = false;
    Object.assign(app, {
      entry: (context: Parameters<typeof entry>[0]) => {
        if (!isEntryEmpty) entry(context);
      },
    });
    const phone = create(app);
    await withPending(phone, app, 1);
    // An update of the app whose entry file lost the import.
    isEntryEmpty = true;
    phone.device.app.kill();
    phone.device.set({ network: 'unmetered' });
    for (let hours = 0; hours < 48 && !phone.memory.log.some(isMissed); hours++)
      await phone.device.advance('1h');

    isEntryEmpty = false;
    phone.device.set({ network: 'none' });
    phone.device.app.kill();
    phone.device.app.launch();
    await phone.device.advance('5s');
    const asked = Promise.all([app.background.explain(), app.background.history()]);
    await phone.device.advance('5s');
    const [{ reasons }, records] = await asked;

    expect(records.at(-1)).toMatchObject({
      source: 'platform',
      result: 'retry',
      appState: 'unknown',
    });
    expect(reasons.map(({ code }) => code)).toContain('run-did-not-start');
  });

  test('adds a run only once it has ended, or can no longer be at work', async () => {
    const app = new FakeApp();
    const phone = create(app);
    await withPending(phone, app, 1);
    const beganAt = phone.device.runtime.clock.now();
    const record = { runId: 'cut', id: 'nexus-store.sync', attempt: 1, beganAt };
    phone.memory.log.push({ ...record, endedAt: null, result: null, stopReason: null });
    const early = history(phone, app);
    await phone.device.advance('2s');
    const atFirst = await early;
    phone.memory.log = phone.memory.log.map((one) =>
      one.runId === 'cut'
        ? { ...one, endedAt: beganAt + 1, result: 'retry', stopReason: 'quota' }
        : one,
    );
    const late = history(phone, app);
    await phone.device.advance('2s');

    expect(atFirst.some(({ runId }) => runId === 'cut')).toBe(false);
    expect((await late).find(({ runId }) => runId === 'cut')).toMatchObject({
      source: 'platform',
      stopReason: 'quota',
    });
  });
});

const isMissed = ({ endedAt, result }: NativeRunRecord): boolean =>
  endedAt !== null && result === 'retry';

function history(phone: Phone, app: FakeApp): Promise<readonly JournalRecord[]> {
  phone.device.app.launch();
  return app.background.history();
}
