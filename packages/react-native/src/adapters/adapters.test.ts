import type { PlatformScheduler, WakeUp } from 'nexus-store';
import { BackgroundSyncService } from 'nexus-store';
import {
  simulateAndroid,
  simulateIos,
  testPlatformScheduler,
  type AndroidDevice,
  type AppContext,
  type IosDevice,
  type SchedulerHarness,
} from 'nexus-store/testing';
import { describe, expect, test } from 'vitest';
import { FakeApp } from '../fake/fake-app.ts';
import { fakeBackgroundFetch, memoryTextStore } from '../fake/fake-background-fetch.ts';
import { fakeExpoBackgroundTask, type TaskRegistry } from '../fake/fake-expo-background-task.ts';
import { phoneHarness } from '../fake/phone-harness.ts';
import { backgroundFetchScheduler } from './background-fetch.ts';
import { expoBackgroundTask, expoBackgroundTaskScheduler } from './expo-background-task.ts';

const functions = { describe, test, expect };
function harness(
  create: (start: (app: AppContext) => void) => AndroidDevice | IosDevice,
  connect: (app: AppContext) => PlatformScheduler,
): SchedulerHarness {
  let scheduler: PlatformScheduler | undefined;
  const device = create((app) => {
    scheduler = connect(app);
  });
  return phoneHarness(device, () => scheduler);
}

testPlatformScheduler(
  'expo-background-task',
  async () => {
    const registry: TaskRegistry = { tasks: new Map() };
    return harness(
      (start) => simulateAndroid({ start }),
      (app) =>
        expoBackgroundTaskScheduler({
          ...fakeExpoBackgroundTask(app, registry),
          runtime: app.runtime,
        }),
    );
  },
  functions,
);

for (const platform of ['android', 'ios'] as const) {
  testPlatformScheduler(
    `react-native-background-fetch on ${platform}`,
    async () => {
      const memory = memoryTextStore();
      return harness(
        (start) =>
          platform === 'ios'
            ? simulateIos({ start, opportunities: 'always' })
            : simulateAndroid({ start }),
        (app) =>
          backgroundFetchScheduler({
            backgroundFetch: fakeBackgroundFetch(app, platform),
            platform,
            memory,
            runtime: app.runtime,
          }),
      );
    },
    functions,
  );
}

describe('expo-background-task', () => {
  const open = () => {
    const registry: TaskRegistry = { tasks: new Map() };
    let scheduler: PlatformScheduler | undefined;
    const device = simulateAndroid({
      start: (app) => {
        const fake = fakeExpoBackgroundTask(app, registry);
        scheduler = expoBackgroundTaskScheduler({ ...fake, runtime: app.runtime });
      },
    });
    device.app.launch();
    return { device, registry, scheduler: scheduler as PlatformScheduler };
  };
  const periodic = { id: 'sync', kind: 'periodic', intervalMs: 3_600_000 } as const;

  test('several requests are one registration, with the smallest interval in whole minutes', async () => {
    const { scheduler, registry } = open();

    await scheduler.schedule(periodic);
    await scheduler.schedule({ ...periodic, id: 'other', intervalMs: 20.5 * 60_000 });

    expect([...registry.tasks.values()]).toMatchObject([{ minimumInterval: 21 }]);
    expect((await scheduler.pending()).map(({ id }) => id).toSorted()).toEqual(['other', 'sync']);
  });

  test('what it cannot do is declared', async () => {
    const { scheduler } = open();

    const answer = await scheduler.schedule({
      ...periodic,
      flexMs: 600_000,
      constraints: { networkType: 'unmetered', requiresCharging: true },
      backoff: { policy: 'linear', initialMs: 30_000 },
    });

    expect(answer.ok && answer.weakened.map(({ field, got }) => [field, got])).toEqual([
      ['flexMs', undefined],
      ['constraints.networkType', 'connected'],
      ['constraints.requiresCharging', false],
      ['backoff', undefined],
    ]);
  });

  test('the same request again does not begin its interval anew', async () => {
    const { device, scheduler } = open();
    const begins: number[] = [];
    const from = device.runtime.clock.now();
    scheduler.onWakeUp((wakeUp) => {
      begins.push(device.runtime.clock.now() - from);
      wakeUp.complete('success');
    });
    await scheduler.schedule(periodic);

    for (let asks = 0; asks < 6; asks++) {
      await device.advance('10m');
      await scheduler.schedule(periodic);
    }

    expect(begins).toEqual([3_600_000]);
  });

  test('a run that never ends is aborted by the adapter, and the worker is free again', async () => {
    const { device, scheduler } = open();
    const wakeUps: WakeUp[] = [];
    scheduler.onWakeUp((wakeUp) => wakeUps.push(wakeUp));
    await scheduler.schedule(periodic);
    await device.advance('1h');

    await device.advance('4m');

    expect(wakeUps[0]?.signal.reason).toBe('timeout');
    expect(device.runs.at(-1)).toMatchObject({ result: 'success' });
  });

  test('scenario 16: a run that fails on a host that ignores results is a failure in the journal', async () => {
    const registry: TaskRegistry = { tasks: new Map() };
    const app = new FakeApp({ retryPolicy: { maxAttempts: 1 } }, ({ app: context }) => [
      expoBackgroundTask({
        ...fakeExpoBackgroundTask(context, registry),
        runtime: context.runtime,
      }),
    ]);
    app.tasks = [{ taskId: 'own', execute: async () => false }];
    app.prepare = (remote) =>
      remote.answerWith(() => ({
        kind: 'retry',
        scope: 'entry',
        ambiguous: false,
        failure: { code: 'remote/server', status: 500, at: 0 },
      }));
    const device = simulateAndroid({
      start: (context) => app.entry({ app: context } as Parameters<FakeApp['entry']>[0]),
    });
    device.set({ network: 'none' });
    device.app.launch();
    await device.advance('1s');
    const saved = app.notes.save({ id: 'a', text: 'a' });
    await device.advance('5s');
    await saved;
    device.app.background();
    await device.advance('2m');
    device.app.kill();
    device.set({ network: 'unmetered' });
    for (let minute = 0; minute < 120 && device.runs.length === 0; minute++)
      await device.advance('1m');

    const history = await app.background.history();
    const { nextAttemptAt } = await app.backend.queueFacts();

    expect(await app.background.ready).toBeInstanceOf(BackgroundSyncService);
    expect(device.runs.every(({ result }) => result === 'success')).toBe(true);
    expect(history.length).toBeGreaterThan(0);
    expect(history[0]?.result).toBe('failure');
    expect(nextAttemptAt).not.toBe(null);
  });
});

describe('react-native-background-fetch', () => {
  test('an event that nobody asked for is finished at once', async () => {
    const finished: string[] = [];
    let onEvent: (taskId: string) => void = () => {};
    backgroundFetchScheduler({
      platform: 'ios',
      backgroundFetch: {
        configure: async (_config, listener) => {
          onEvent = listener;
          return 2;
        },
        scheduleTask: async () => true,
        stop: async () => true,
        finish: (taskId) => void finished.push(taskId),
        registerHeadlessTask: () => {},
      },
    });
    await new Promise((resolve) => setImmediate(resolve));

    onEvent('react-native-background-fetch');
    await new Promise((resolve) => setImmediate(resolve));

    expect(finished).toEqual(['react-native-background-fetch']);
  });

  test('without a memory it does not claim that requests survive the process', () => {
    const scheduler = backgroundFetchScheduler({
      platform: 'android',
      backgroundFetch: {
        configure: async () => 2,
        scheduleTask: async () => true,
        stop: async () => true,
        finish: () => {},
        registerHeadlessTask: () => {},
      },
    });

    expect(scheduler.capabilities.survivesKill).toBe(false);
  });
});
