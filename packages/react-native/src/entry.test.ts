// The package as an app imports it: a fresh module registry stands for a fresh JavaScript context.
import type { BackgroundSyncProvider } from 'nexus-store';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { fakeAndroid, fakeIos, type Entry } from './fake/fake-phone.ts';

afterEach(() => {
  vi.doUnmock('expo-modules-core');
  vi.doUnmock('expo-task-manager');
  vi.resetModules();
});

/** Starts a device whose app is evaluated by `import`. */
async function start(create: (entry: Entry) => { device: { app: { launch(): void } } }) {
  let context: Parameters<Entry>[0] | undefined;
  const phone = create((one) => {
    context = one;
  });
  phone.device.app.launch();
  const defined: string[] = [];
  vi.resetModules();
  vi.doMock('expo-modules-core', () => ({
    requireOptionalNativeModule: (name: string) =>
      name === 'NexusStoreBackgroundSync' ? context?.native : null,
  }));
  vi.doMock('expo-task-manager', () => ({
    defineTask: (name: string, executor: Parameters<typeof addTask>[1]) => {
      defined.push(name);
      addTask(name, executor);
    },
  }));
  const addTask = (name: string, executor: (body: { data: unknown }) => Promise<unknown>): void =>
    context?.tasks.defineTask(name, executor);
  return { defined, core: await import('nexus-store'), ours: await import('./index.ts') };
}

function detected(providers: readonly BackgroundSyncProvider[]): readonly string[] {
  return providers.filter((provider) => provider.detect()).map(({ name }) => name);
}

describe('importing the package', () => {
  test('defines the task at once, before anything is asked for', async () => {
    const { defined } = await start(fakeAndroid);

    expect(defined).toEqual(['nexus-store.background-sync']);
  });

  test('makes the factory choose the service of the phone it runs on', async () => {
    const android = await start(fakeAndroid);
    const androidService = android.core.BackgroundSyncServiceFactory.create();
    const ios = await start(fakeIos);
    const iosService = ios.core.BackgroundSyncServiceFactory.create();

    expect(androidService.constructor.name).toBe('WorkManagerSyncService');
    expect(iosService.constructor.name).toBe('BGTaskSchedulerService');
    expect(detected(android.ours.phoneBackgroundSync())).toEqual(['android']);
    expect(detected(ios.ours.phoneBackgroundSync())).toEqual(['ios']);
    expect([androidService.isSupported, iosService.isSupported]).toEqual([true, true]);
  });

  test('without the native module nothing is chosen, and services do nothing', async () => {
    vi.doMock('expo-modules-core', () => ({ requireOptionalNativeModule: () => null }));
    vi.doMock('expo-task-manager', () => ({
      defineTask: () => {
        throw new Error('a task that nothing runs');
      },
    }));
    vi.resetModules();
    const { phoneBackgroundSync, WorkManagerSyncService } = await import('./index.ts');
    const service = new WorkManagerSyncService();

    expect(detected(phoneBackgroundSync())).toEqual([]);
    expect(service.isSupported).toBe(false);
    expect(await service.initialize()).toMatchObject({ ok: false });
    expect(await service.runLog()).toEqual([]);
    expect(await service.forceRun()).toBe(false);
  });
});
