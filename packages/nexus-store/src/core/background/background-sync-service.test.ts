import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage, type MemoryDatabase } from '../../storage/memory/index.ts';
import {
  BackgroundFixture,
  settled,
  type BackgroundFixtureOptions,
} from '../../testing/background-fixture.ts';
import { ManualScheduler } from '../../testing/manual-scheduler.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import type { SyncPriority } from '../model/priority.ts';
import { BackgroundSyncService } from './background-sync-service.ts';
import { registerBackgroundSyncProvider } from './provider-registry.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

type Wish = Partial<BackgroundFixtureOptions> & { readonly database?: MemoryDatabase };

/** One process of an app; the next takes its database. */
function boot({ database = memoryDatabase(), ...options }: Wish = {}) {
  const app = new BackgroundFixture({ storage: memoryStorage({ database }), ...options });
  return Object.assign(app, { database });
}

describe('scheduling', () => {
  test('initialize asks for periodic runs, and says what is weakened', async () => {
    const app = boot();

    const outcome = await app.init({ minInterval: '1m' });

    expect(outcome).toEqual({
      ok: true,
      refused: [],
      weakened: [{ field: 'minInterval', asked: MINUTE, got: 15 * MINUTE }],
    });
    expect(app.ids()).toEqual(['sync']);
    expect(app.service.isInitialized).toBe(true);
    expect(app.service.status).toBe('scheduled');
  });

  test.each<[SyncPriority, string[]]>([
    ['critical', ['sync', 'sync.critical']],
    ['high', ['sync', 'sync.soon']],
    ['normal', ['sync']],
    ['low', ['sync']],
  ])('a %s write asks by itself for %j', async (priority, expected) => {
    const app = boot();
    await app.init();

    await app.save(priority);
    await app.runtime.advance('2s');

    expect(app.ids()).toEqual(expected);
  });

  test('many writes ask once', async () => {
    const app = boot();
    await app.init();
    const before = app.scheduler.asked.length;

    for (let index = 0; index < 20; index++) await app.save('high');
    await app.runtime.advance('10s');

    expect(app.scheduler.asked.length - before).toBe(1);
  });

  test('the periodic request is not asked again while it is the same, and updated when it is not', async () => {
    const app = boot();
    await app.init();
    await app.service.scheduleSync();

    await app.init({ minInterval: '1h' });

    expect(app.scheduler.asked.map(({ intervalMs }) => intervalMs)).toEqual([15 * MINUTE, HOUR]);
    expect(app.scheduler.asked.map(({ existing }) => existing)).toEqual(['update', 'update']);
  });

  test('a fresh process asks with keep: some systems begin an interval anew otherwise', async () => {
    const first = boot();
    await first.init();

    const second = boot({ database: first.database, runtime: first.runtime });
    await second.init();

    expect(second.scheduler.asked.map(({ existing }) => existing)).toEqual(['keep']);
  });

  test('wake-ups that are no longer needed are taken back', async () => {
    const app = boot();
    await app.init();
    await app.save('critical');
    await app.runtime.advance('2s');
    const before = app.ids();

    await settled(app.runtime, app.backend.sync());
    await app.runtime.advance('2s');

    expect([before, app.ids()]).toEqual([['sync', 'sync.critical'], ['sync']]);
  });

  test('critical wake-ups beyond the allowance join those of high priority, with one event', async () => {
    const app = boot();
    app.remote.answerWith(() => 'hang'); // nothing gets through
    await app.init({ criticalPerHour: 2 });

    for (let index = 0; index < 5; index++) {
      await app.save('critical');
      await app.runtime.advance('2s');
      app.scheduler.requests.delete('sync.critical'); // the system ran it, in vain
      await settled(app.runtime, app.service.cancelSync());
      await settled(app.runtime, app.service.scheduleSync());
    }

    expect(app.ids()).toContain('sync.soon');
    expect(app.events.filter(({ type }) => type === 'critical-allowance-exceeded')).toEqual([
      { type: 'critical-allowance-exceeded', allowance: 2 },
    ]);
  });

  test('without periodic runs a one-off always exists, and each run asks for the next', async () => {
    const app = boot({ capabilities: { kinds: ['once'] } });
    await app.init();
    const before = app.ids();

    await app.runOf('sync.soon');

    expect([before, app.ids()]).toEqual([['sync.soon'], ['sync.soon']]);
  });

  test('a server that hints at an interval is asked no more often', async () => {
    const app = boot();
    await app.init();

    await app.service.hintInterval(2 * HOUR);
    await app.runtime.advance('2s');
    const hinted = app.scheduler.requests.get('sync')?.intervalMs;
    await app.service.hintInterval(MINUTE);
    await app.runtime.advance('2s');

    expect(hinted).toBe(2 * HOUR);
    expect(app.scheduler.requests.get('sync')?.intervalMs).toBe(15 * MINUTE);
  });

  test('a hint is remembered by the next process, and forgotten after a week', async () => {
    const app = boot();
    await app.init();
    await app.service.hintInterval(HOUR);

    const next = boot({ database: app.database, runtime: app.runtime });
    await next.init();
    const soon = next.scheduler.requests.get('sync')?.intervalMs;
    await app.runtime.advance('8d');
    const later = boot({ database: app.database, runtime: app.runtime });
    await later.init();

    expect([soon, later.scheduler.requests.get('sync')?.intervalMs]).toEqual([HOUR, 15 * MINUTE]);
  });
});

describe('cancelling', () => {
  test('takes every request back, and asks for nothing until it is called for', async () => {
    const app = boot();
    await app.init();
    await app.save('critical');
    await app.runtime.advance('2s');

    await app.service.cancelSync();
    await app.save('critical');
    await app.runtime.advance('10s');
    const cancelled = app.ids();
    const status = app.service.status;
    await app.service.scheduleSync();

    expect([cancelled, status]).toEqual([[], 'idle']);
    expect(app.ids()).toEqual(['sync', 'sync.critical']);
    expect(await app.backend.pendingChanges()).toHaveLength(2);
  });

  test('a configuration that is switched off does the same, and a late wake-up does nothing', async () => {
    const app = boot();
    await app.init();
    await app.save('critical');

    await app.init({ enabled: false });
    const results = await app.runOf('sync');

    expect(app.ids()).toEqual([]);
    expect(results).toEqual(['success']);
    expect(app.remote.attempts).toHaveLength(0);
  });
});

describe('a fresh process', () => {
  test('knows the status and the journal of the last one', async () => {
    const first = boot();
    await first.init();
    await first.save('normal');
    await first.runOf('sync');

    const next = boot({ database: first.database, runtime: first.runtime });
    const history = await next.service.history();
    const seen: string[] = [];
    next.service.statusStream.subscribe((status) => seen.push(status));
    await next.init();

    expect(history).toMatchObject([{ result: 'success', pushed: 1 }]);
    expect(seen).toEqual(['idle', 'completed', 'scheduled']);
  });

  test('calls a run failed that the last process did not end', async () => {
    const first = boot();
    first.service.registerTask({ taskId: 'long', execute: () => new Promise(() => {}) });
    await first.init();
    first.scheduler.wake('sync');
    await first.runtime.advance('1s'); // and nothing more: it is killed

    const next = boot({ database: first.database, runtime: first.runtime });
    const seen: string[] = [];
    next.service.statusStream.subscribe((status) => seen.push(status));
    await next.init();
    const { reasons } = await next.service.explain();

    expect(seen).toEqual(['idle', 'failed', 'scheduled']);
    expect(await next.service.history()).toMatchObject([{ endedAt: null, result: null }]);
    expect(reasons.map(({ code }) => code)).toEqual(['nothing-pending']);
  });

  test('that only looks explains with the configuration last given', async () => {
    const first = boot();
    await first.init({ requiresCharging: true });
    await first.save('normal');
    const next = boot({
      database: first.database,
      runtime: first.runtime,
      facts: { isCharging: false },
    });

    const { reasons } = await next.service.explain();

    expect(reasons.map(({ code }) => code)).toEqual(['constraint-unmet']);
    expect(next.scheduler.asked).toEqual([]);
  });

  test('that is woken before it is initialised runs with the configuration last given', async () => {
    const first = boot();
    await first.init({ requiresCharging: true, budget: '5s' });
    const next = boot({
      database: first.database,
      runtime: first.runtime,
      facts: { isCharging: false },
      capabilities: { kinds: ['once'] },
    });

    const results = await next.runOf('sync.soon');

    expect(results).toEqual(['retry']);
    expect(await next.service.history()).toMatchObject([{ unmet: ['charging'] }]);
    expect(next.ids()).toEqual(['sync.soon']);
  });

  test('in one process with another, neither forgets what the other knows', async () => {
    const first = boot();
    await first.init();
    const second = boot({ database: first.database, runtime: first.runtime });
    await second.init();

    await first.service.hintInterval(HOUR);
    await second.runOf('sync');

    const third = boot({ database: first.database, runtime: first.runtime });
    await third.init();
    expect(third.scheduler.requests.get('sync')?.intervalMs).toBe(HOUR);
  });
});

describe('tasks', () => {
  test('need an id of their own and something to do', () => {
    const { service } = boot();
    const task = { taskId: 'photos', execute: async () => true };
    service.registerTask(task);
    service.registerTask(task); // the same again is no contradiction

    expect(() => service.registerTask({ ...task })).toThrow('registered already');
    expect(() => service.registerTask({ ...task, taskId: '' })).toThrow('needs a taskId');
    expect(() => service.registerTask({ ...task, taskId: 'nexus-store.sync' })).toThrow(
      'registered already',
    );
    expect(() => service.registerTask(null as never)).toThrow('needs a taskId');
  });

  test('run without a store, too', async () => {
    const runtime = createVirtualRuntime(1);
    const scheduler = new ManualScheduler(runtime);
    const service = new BackgroundSyncService(runtime, { scheduler });
    service.registerTask({ taskId: 'photos', execute: async () => true });
    await service.initialize();

    const { results } = scheduler.wake('nexus-store.sync');
    await runtime.advance('1s');

    expect(results).toEqual(['success']);
    expect(await service.history()).toMatchObject([
      { tasks: [{ taskId: 'photos', outcome: 'done' }] },
    ]);
  });
});

describe('the badge', () => {
  test('follows the count, ends with the latest, and may fail', async () => {
    const counts: number[] = [];
    const app = boot({
      onPendingCount: async (count) => {
        await new Promise<void>(
          (resolve) => void app.runtime.timers.after(50 / (count + 1), resolve),
        );
        counts.push(count);
        throw new Error('no permission');
      },
    });
    await app.init();

    for (const priority of ['low', 'low', 'low'] as const) await app.save(priority);
    await app.runtime.advance('1s');
    await settled(app.runtime, app.backend.sync());
    await app.runtime.advance('1s');

    expect(counts.at(0)).toBe(0);
    expect(counts).toContain(3);
    expect(counts.at(-1)).toBe(0);
  });
});

describe('disposing', () => {
  test('ends the run at work, keeps the requests, and answers later wake-ups', async () => {
    const app = boot();
    app.service.registerTask({ taskId: 'long', execute: () => new Promise(() => {}) });
    await app.init();
    const atWork = app.scheduler.wake('sync');
    await app.runtime.advance('1s');

    await settled(app.runtime, app.service.dispose());
    await app.runtime.advance('1s');
    const late = app.scheduler.wake('sync');

    expect([atWork.results, late.results]).toEqual([['retry'], ['retry']]);
    expect(app.ids()).toEqual(['sync']);
  });

  test('another service may take over the same scheduler', async () => {
    const app = boot();
    await app.init();
    await settled(app.runtime, app.service.dispose());
    const { backend, scheduler, runtime } = app;

    const next = new BackgroundSyncService(runtime, { backend, scheduler, id: 'sync' });
    await settled(runtime, next.initialize());
    const results = await app.runOf('sync');

    expect(results).toEqual(['success']);
  });
});

describe('the one service of an app', () => {
  let scheduler: ManualScheduler | undefined;
  registerBackgroundSyncProvider({
    name: 'test',
    detect: () => scheduler !== undefined,
    create: (runtime, parts) =>
      new BackgroundSyncService(runtime, { scheduler: scheduler as ManualScheduler, ...parts }),
  });

  afterEach(async () => {
    scheduler = undefined;
    await BackgroundSyncService.instance.dispose();
  });

  test('is made by initialize and found as instance; again, it takes the new configuration', async () => {
    expect(() => BackgroundSyncService.instance).toThrow(/initialize\(\{ store, config \}\)/);
    const app = boot();
    scheduler = new ManualScheduler(app.runtime);
    const { store } = app;

    await expect(
      BackgroundSyncService.initialize({ store, config: { minInterval: 0 } }),
    ).rejects.toThrow('minInterval');
    expect(() => BackgroundSyncService.instance).toThrow();
    await settled(app.runtime, app.service.dispose());
    const service = await settled(
      app.runtime,
      BackgroundSyncService.initialize({ store, config: { minInterval: '15m' } }),
    );
    const again = await settled(
      app.runtime,
      BackgroundSyncService.initialize({ store, config: { minInterval: '1h' } }),
    );

    expect(again).toBe(service);
    expect(BackgroundSyncService.instance).toBe(service);
    expect(service.isSupported).toBe(true);
    expect(scheduler.requests.get('nexus-store.sync')?.intervalMs).toBe(HOUR);
  });

  test('does nothing where no platform was imported, and every call resolves', async () => {
    const app = boot();
    await settled(app.runtime, app.service.dispose());

    const service = await settled(
      app.runtime,
      BackgroundSyncService.initialize({ store: app.store }),
    );

    expect(service.isSupported).toBe(false);
    await expect(service.scheduleSync()).resolves.toMatchObject({ ok: false, refused: [] });
    await expect(service.cancelSync()).resolves.toBeUndefined();
  });
});
