import { describe, expect, test, vi } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { ManualScheduler } from '../../testing/manual-scheduler.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import { simulateAndroid } from '../../testing/simulate-android.ts';
import { createVirtualRuntime, type VirtualRuntime } from '../../testing/virtual-runtime.ts';
import type { AppContext } from '../../testing/device/simulated-app.ts';
import { NexusStore } from '../store/nexus-store.ts';
import { StoreBackend } from '../store/store-backend.ts';
import { BackgroundSyncService } from './background-sync-service.ts';
import {
  BackgroundSyncServiceFactory,
  type BackgroundSyncProvider,
} from './background-sync-service-factory.ts';
import { defineBackgroundSync, type BackgroundSync } from './define-background-sync.ts';
import { NoOpSyncService } from './no-op-sync-service.ts';

function platform(
  name: string,
  isHere: boolean,
  scheduler?: ManualScheduler,
): BackgroundSyncProvider {
  return {
    name,
    detect: () => isHere,
    create: (runtime, parts) =>
      new BackgroundSyncService(runtime, {
        scheduler: scheduler ?? new ManualScheduler(runtime),
        ...parts,
      }),
  };
}

describe('the factory', () => {
  test('takes the first provider that detects its platform', () => {
    const runtime = createVirtualRuntime(1);
    const scheduler = new ManualScheduler(runtime, { kinds: ['once'] });

    const service = BackgroundSyncServiceFactory.create(runtime, [
      platform('there', false),
      platform('here', true, scheduler),
      platform('here too', true),
    ]);
    scheduler.wake('nexus-store.sync');

    expect(service.isSupported).toBe(true);
    expect(service).not.toBeInstanceOf(NoOpSyncService);
  });

  test('gives a service that does nothing where no platform is detected', () => {
    const service = BackgroundSyncServiceFactory.create(createVirtualRuntime(1), [
      platform('there', false),
    ]);

    expect(service).toBeInstanceOf(NoOpSyncService);
  });
});

describe('a service that does nothing', () => {
  test('is not supported, and every call resolves', async () => {
    const service = new NoOpSyncService(createVirtualRuntime(1));
    service.registerTask({ taskId: 'own', execute: async () => true });

    const initialized = await service.initialize({ minInterval: '15m' });
    const scheduled = await service.scheduleSync();
    await service.cancelSync();
    await service.hintInterval(1_000);

    expect([service.isSupported, service.isInitialized]).toEqual([false, true]);
    expect([initialized.ok, scheduled.ok]).toEqual([false, false]);
    expect(service.status).toBe('idle');
    expect(await service.history()).toEqual([]);
    await expect(service.dispose()).resolves.toBeUndefined();
  });

  test('says that the platform has no background sync', async () => {
    const runtime = createVirtualRuntime(1);
    const options = { storage: memoryStorage(), remote: memoryRemote(), autoSync: false };
    const backend = new StoreBackend(runtime, options);
    const service = new NoOpSyncService(runtime, { backend });
    await service.initialize();
    await new NexusStore<{ id: string }>({ backend, collection: 'notes' }).save({ id: 'a' });

    const { pending, reasons } = await service.explain();

    expect(pending).toBe(1);
    expect(reasons[0]?.code).toBe('unsupported');
  });
});

/** An entry file: everything it does, it does when it is evaluated. */
function entryFile(
  database: ReturnType<typeof memoryDatabase>,
  remote: ReturnType<typeof memoryRemote>,
  started: { background: BackgroundSync; store: NexusStore<{ id: string }> }[] = [],
): (app: AppContext) => void {
  return ({ runtime, scheduler, state }) => {
    const backend = new StoreBackend(runtime, { storage: memoryStorage({ database }), remote });
    const store = new NexusStore<{ id: string }>({ backend, collection: 'notes' });
    const background = defineBackgroundSync(runtime, {
      open: () => backend,
      config: { minInterval: '15m' },
      providers: [
        {
          name: 'device',
          detect: () => true,
          create: (own, parts) =>
            new BackgroundSyncService(own, { scheduler, deviceState: state, ...parts }),
        },
      ],
    });
    started.push({ background, store });
  };
}

describe('background sync where no platform is detected, as on a server', () => {
  test('opens nothing, says nothing, and every call that asks for something resolves', async () => {
    const said: unknown[] = [];
    const logger = { log: (...line: unknown[]) => void said.push(line) };
    const runtime = createVirtualRuntime(1, { logger });
    const storage = memoryStorage();
    const opening = vi.spyOn(storage, 'open').mockRejectedValue(new Error('no database here'));
    const backend = new StoreBackend(runtime, { storage, remote: memoryRemote() });

    const background = defineBackgroundSync(runtime, {
      open: () => backend,
      providers: [platform('there', false)],
      setBadge: () => {},
    });
    await background.ready;
    await background.hintInterval(60_000);
    const { ok } = await background.scheduleSync();
    await background.cancelSync();
    await runtime.advance('1h');
    await background.dispose();

    expect([background.isSupported, background.status, ok]).toEqual([false, 'idle', false]);
    expect(opening).not.toHaveBeenCalled();
    expect(said).toEqual([]);
  });

  test('shows the pending count all the same, once somebody uses the database', async () => {
    const runtime = createVirtualRuntime(1);
    const backend = new StoreBackend(runtime, { storage: memoryStorage(), autoSync: false });
    const badges: number[] = [];
    const background = defineBackgroundSync(runtime, {
      open: () => backend,
      providers: [],
      setBadge: (count) => void badges.push(count),
    });
    await background.ready;
    const notes = new NexusStore<{ id: string }>({ backend, collection: 'notes' });

    await notes.save({ id: 'a' });
    await notes.save({ id: 'b' });
    await runtime.settle();
    await background.dispose();
    await notes.save({ id: 'c' });
    await runtime.settle();

    expect(badges.at(-1)).toBe(2);
  });
});

describe('background sync defined at module scope', () => {
  test('in a cold headless start the entry file alone drains the queue, and completes once', async () => {
    const database = memoryDatabase();
    const remote = memoryRemote();
    const started: { background: BackgroundSync; store: NexusStore<{ id: string }> }[] = [];
    const device = simulateAndroid({
      start: entryFile(database, remote, started),
      conditions: { network: 'none' },
    });
    remote.answerWith(() => (device.conditions.network === 'none' ? 'refuse-connection' : 'apply'));
    device.app.launch();
    await device.advance('1s');
    await started[0]?.store.save({ id: 'a' }, { priority: 'critical' });
    await device.advance('2s');
    device.app.background();
    device.app.kill();

    device.set({ network: 'unmetered' });
    await device.advance('1m');

    expect(started).toHaveLength(2);
    expect(remote.server.applied).toHaveLength(1);
    expect(device.runs).toMatchObject([
      { id: 'nexus-store.sync.critical', isCold: true, result: 'success' },
    ]);
    expect(await started[1]?.background.history()).toMatchObject([
      { appState: 'headless', result: 'success', pushed: 1 },
    ]);
  });

  test('tells its status, and ends it when it is disposed of', async () => {
    const runtime = createVirtualRuntime(1);
    const backend = new StoreBackend(runtime, { storage: memoryStorage() });
    const background = defineBackgroundSync(runtime, {
      open: async () => backend,
      providers: [platform('here', true)],
    });
    await background.ready;
    const before = background.status;

    await background.cancelSync();
    const after = background.statusStream.current;
    await background.dispose();

    expect([before, after]).toEqual(['scheduled', 'idle']);
    expect(background.isSupported).toBe(true);
  });

  test('refuses a wrong configuration at once, by the name of its field', () => {
    const runtime = createVirtualRuntime(1);
    const open = (): StoreBackend => new StoreBackend(runtime, { storage: memoryStorage() });

    expect(() => defineBackgroundSync(runtime, { open, config: { minInterval: -1 } })).toThrow(
      'minInterval',
    );
  });

  test('answers wake-ups though the backend cannot be opened', async () => {
    const runtime = createVirtualRuntime(1);
    const scheduler = new ManualScheduler(runtime);
    const background = defineBackgroundSync(runtime, {
      open: () => Promise.reject(new Error('the key store is locked')),
      providers: [platform('here', true, scheduler)],
    });
    const { results } = scheduler.wake('nexus-store.sync');

    await runtime.advance('1s');

    expect(results).toEqual(['retry']);
    await expect(background.ready).rejects.toThrow('the key store is locked');
    await expect(background.scheduleSync()).rejects.toThrow('the key store is locked');
  });

  describe('whose set-up failed once', () => {
    /** A database whose first opening fails, as when it was slow or in use. */
    function failingOnce(): { backend: StoreBackend; runtime: VirtualRuntime } {
      const runtime = createVirtualRuntime(1);
      const storage = memoryStorage();
      vi.spyOn(storage, 'open').mockRejectedValueOnce(new Error('the disk is slow'));
      const backend = new StoreBackend(runtime, { storage, remote: memoryRemote() });
      return { backend, runtime };
    }

    test('is set up by the write that opens the database, and asks for wake-ups', async () => {
      const { backend, runtime } = failingOnce();
      const scheduler = new ManualScheduler(runtime);
      const background = defineBackgroundSync(runtime, {
        open: () => backend,
        providers: [platform('here', true, scheduler)],
      });
      await expect(background.ready).rejects.toThrow('the disk is slow');
      const before = (await scheduler.pending()).length;

      await new NexusStore<{ id: string }>({ backend, collection: 'notes' }).save(
        { id: 'a' },
        { priority: 'critical' },
      );
      await runtime.settle();
      const after = (await scheduler.pending()).map(({ id }) => id);
      await background.dispose();

      expect(before).toBe(0);
      expect(after).toContain('nexus-store.sync.critical');
    });

    test('is set up when it is asked for again', async () => {
      const { backend, runtime } = failingOnce();
      const background = defineBackgroundSync(runtime, {
        open: () => backend,
        providers: [platform('here', true)],
      });
      const first = background.ready;
      await expect(first).rejects.toThrow('the disk is slow');

      const scheduled = await background.scheduleSync();
      const { pending } = await background.explain();
      await background.dispose();

      expect([scheduled.ok, pending, background.status]).toEqual([true, 0, 'scheduled']);
    });

    test('tries a backend that could not be made in the next wake-up, and is there for the one after', async () => {
      const runtime = createVirtualRuntime(1);
      const scheduler = new ManualScheduler(runtime);
      const remote = memoryRemote();
      const backend = new StoreBackend(runtime, {
        storage: memoryStorage(),
        remote,
        autoSync: false,
      });
      let isLocked = true;
      const background = defineBackgroundSync(runtime, {
        open: async () => {
          if (isLocked) throw new Error('the key store is locked');
          return backend;
        },
        providers: [platform('here', true, scheduler)],
      });
      await expect(background.ready).rejects.toThrow('the key store is locked');
      const notes = new NexusStore<{ id: string }>({ backend, collection: 'notes' });
      await notes.save({ id: 'a' });

      isLocked = false;
      const first = scheduler.wake('nexus-store.sync');
      await runtime.advance('1s');
      const second = scheduler.wake('nexus-store.sync');
      await runtime.advance('1s');
      await background.dispose();

      expect([first.results, second.results]).toEqual([['retry'], ['success']]);
      expect(remote.server.applied).toHaveLength(1);
    });

    test('is not begun anew once it was disposed of', async () => {
      const { backend, runtime } = failingOnce();
      const background = defineBackgroundSync(runtime, {
        open: () => backend,
        providers: [platform('here', true)],
      });
      await expect(background.ready).rejects.toThrow('the disk is slow');

      await background.dispose();

      await expect(background.scheduleSync()).rejects.toThrow('the disk is slow');
      expect(background.status).toBe('idle');
    });
  });
});
