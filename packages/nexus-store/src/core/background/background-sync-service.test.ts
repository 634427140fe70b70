import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { ManualDeviceState } from '../../testing/manual-device-state.ts';
import { ManualScheduler } from '../../testing/manual-scheduler.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import { createVirtualRuntime, type VirtualRuntime } from '../../testing/virtual-runtime.ts';
import type { SyncEvent } from '../model/events.ts';
import type { SyncPriority } from '../model/priority.ts';
import type { DeviceFacts } from '../ports/device-state.ts';
import type { SchedulerCapabilities } from '../ports/platform-scheduler.ts';
import { NexusStore } from '../store/nexus-store.ts';
import { StoreBackend } from '../store/store-backend.ts';
import type { BackgroundSyncConfigOptions } from './background-sync-config.ts';
import { BackgroundSyncService } from './background-sync-service.ts';
import { registerBackgroundSyncProvider } from './provider-registry.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

interface Wish {
  readonly runtime?: VirtualRuntime;
  readonly database?: ReturnType<typeof memoryDatabase>;
  readonly remote?: ReturnType<typeof memoryRemote>;
  readonly capabilities?: Partial<SchedulerCapabilities>;
  readonly facts?: Partial<DeviceFacts>;
  readonly autoSync?: boolean;
  readonly onPendingCount?: (count: number) => void | Promise<void>;
}

/** One process of an app, in the background unless it says otherwise. */
function boot(wish: Wish = {}) {
  const runtime = wish.runtime ?? createVirtualRuntime(1);
  const remote = wish.remote ?? memoryRemote();
  const database = wish.database ?? memoryDatabase();
  const backend = new StoreBackend(runtime, {
    storage: memoryStorage({ database }),
    remote,
    autoSync: wish.autoSync ?? false,
  });
  const scheduler = new ManualScheduler(runtime, wish.capabilities);
  const device = new ManualDeviceState({ appState: 'background', ...wish.facts });
  const { onPendingCount } = wish;
  const service = new BackgroundSyncService(runtime, {
    scheduler,
    deviceState: device,
    backend,
    id: 'sync',
    ...(onPendingCount === undefined ? {} : { onPendingCount }),
  });
  const store = new NexusStore<{ id: string }>({ backend, collection: 'notes' });
  const events: SyncEvent[] = [];
  backend.on((event) => events.push(event));
  let saved = 0;
  return {
    runtime,
    remote,
    database,
    backend,
    scheduler,
    device,
    service,
    store,
    events,
    save: async (priority: SyncPriority): Promise<void> => {
      saved += 1;
      await settled(runtime, store.save({ id: `note-${saved}` }, { priority }));
    },
    init: (config?: BackgroundSyncConfigOptions) => settled(runtime, service.initialize(config)),
    ids: (): string[] => [...scheduler.requests.keys()].toSorted(),
  };
}

type App = ReturnType<typeof boot>;

/** What a promise comes to that needs time to pass. */
async function settled<T>(runtime: VirtualRuntime, promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const mark = (): void => {
    isSettled = true;
  };
  promise.then(mark, mark);
  await runtime.settle();
  for (let turns = 0; !isSettled && turns < 2_000; turns++) await runtime.advance(1);
  return promise;
}

/** Wakes the app and lets the run end. */
async function runOf(app: App, id: string): Promise<readonly string[]> {
  const { results } = app.scheduler.wake(id);
  await app.runtime.advance('30s');
  return results;
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

    await runOf(app, 'sync.soon');

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

describe('refused requests', () => {
  const refuse = async () =>
    ({ ok: false, code: 'schedule/unavailable', message: 'background refresh is off' }) as const;

  test('are told, remembered, and asked again later', async () => {
    const app = boot();
    app.scheduler.answer = refuse;

    const outcome = await app.init();
    const explained = await app.service.explain();
    app.scheduler.answer = undefined;
    await app.runtime.advance('61s');

    expect(outcome).toMatchObject({
      ok: false,
      refused: [{ id: 'sync', code: 'schedule/unavailable' }],
    });
    expect(explained.pending).toBe(0);
    expect(app.ids()).toEqual(['sync']);
    expect(app.service.status).toBe('scheduled');
  });

  test('are asked again ever more rarely while the refusal lasts', async () => {
    const app = boot();
    app.scheduler.answer = refuse;
    await app.init();

    await app.runtime.advance('1d');

    expect(app.scheduler.asked.length).toBeGreaterThan(20);
    expect(app.scheduler.asked.length).toBeLessThan(35);
  });

  test('that only another build changes are not asked again by themselves', async () => {
    const app = boot();
    app.scheduler.answer = async () =>
      ({ ok: false, code: 'schedule/not-permitted', message: 'not in Info.plist' }) as const;
    await app.init();

    await app.runtime.advance('1d');

    expect(app.scheduler.asked).toHaveLength(1);
  });

  test('are asked again when the app comes to the front, and on the next start', async () => {
    const app = boot();
    app.scheduler.answer = async () =>
      ({ ok: false, code: 'schedule/not-permitted', message: 'not in Info.plist' }) as const;
    await app.init();

    app.device.set({ appState: 'foreground' });
    await app.runtime.advance('6s');
    const next = boot({ database: app.database, runtime: app.runtime });
    await next.init();

    expect(app.scheduler.asked).toHaveLength(2);
    expect(next.ids()).toEqual(['sync']);
  });

  test('a scheduler that throws or never answers has refused, and holds nobody up', async () => {
    const throwing = boot();
    throwing.scheduler.answer = () => {
      throw new Error('the bridge is gone');
    };
    const silent = boot();
    silent.scheduler.answer = () => new Promise(() => {});

    const thrown = await throwing.init();
    const pending = silent.service.initialize();
    await silent.runtime.advance('11s');

    expect(thrown.refused).toMatchObject([{ code: 'schedule/host' }]);
    expect((await pending).refused).toMatchObject([{ code: 'schedule/host' }]);
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
    const results = await runOf(app, 'sync');

    expect(app.ids()).toEqual([]);
    expect(results).toEqual(['success']);
    expect(app.remote.attempts).toHaveLength(0);
  });
});

describe('a wake-up', () => {
  test('drains the queue, completes once, and leaves a record', async () => {
    const app = boot();
    await app.init();
    await app.save('critical');

    const results = await runOf(app, 'sync');
    const [record] = await app.service.history();

    expect(results).toEqual(['success']);
    expect(app.remote.server.applied).toHaveLength(1);
    expect(app.service.status).toBe('completed');
    expect(record).toMatchObject({
      requestId: 'sync',
      result: 'success',
      pushed: 1,
      remaining: 0,
      stoppedBy: 'drained',
      stopReason: null,
      error: null,
    });
    expect(record?.endedAt).not.toBeNull();
  });

  test('tells its status step by step', async () => {
    const app = boot();
    const seen: string[] = [];
    app.service.statusStream.subscribe((status) => seen.push(status));
    await app.init();

    await runOf(app, 'sync');

    expect(seen).toEqual(['idle', 'scheduled', 'running', 'completed']);
  });

  test('fails where a constraint is unmet that the host did not enforce, and does nothing', async () => {
    const app = boot({ facts: { isCharging: false } });
    await app.init({ requiresCharging: true });
    await app.save('normal');

    const results = await runOf(app, 'sync');

    expect(results).toEqual(['retry']);
    expect(app.remote.attempts).toHaveLength(0);
    expect(await app.service.history()).toMatchObject([
      { unmet: ['charging'], stoppedBy: 'constraint', result: 'retry' },
    ]);
  });

  test('for critical writes needs the network only', async () => {
    const app = boot({ facts: { isCharging: false } });
    await app.init({ requiresCharging: true });
    await app.save('critical');

    const results = await runOf(app, 'sync.critical');

    expect(results).toEqual(['success']);
    expect(app.remote.server.applied).toHaveLength(1);
  });

  test('tries once though the device says that there is no network: that is only a hint', async () => {
    const app = boot({ facts: { isConnected: false } });
    await app.init();
    await app.save('normal');

    const results = await runOf(app, 'sync');

    expect(results).toEqual(['success']);
    expect(app.remote.server.applied).toHaveLength(1);
  });

  test('that a developer forces runs whatever the constraints', async () => {
    const app = boot({ facts: { isCharging: false } });
    await app.init({ requiresCharging: true });
    await app.save('normal');

    const { results } = app.scheduler.wake('sync', 30_000, { reason: 'forced' });
    await app.runtime.advance('1s');

    expect(results).toEqual(['success']);
  });

  test('that fails the policy as often as it allows reports failure, then begins anew', async () => {
    const app = boot();
    let fails = true;
    app.service.registerTask({ taskId: 'photos', execute: async () => !fails });
    await app.init({ retryPolicy: { maxAttempts: 3 } });

    const results: string[] = [];
    for (let run = 0; run < 4; run++) results.push(...(await runOf(app, 'sync')));
    fails = false;
    results.push(...(await runOf(app, 'sync')));

    expect(results).toEqual(['retry', 'retry', 'failure', 'failure', 'success']);
    expect((await app.service.history()).map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5]);
  });

  test('that met a closed door is a success for the host: the queue owns the time of retries', async () => {
    const app = boot();
    app.remote.answerNext({
      kind: 'retry',
      scope: 'endpoint',
      ambiguous: false,
      retryAfterMs: 10 * MINUTE,
      failure: { code: 'remote/throttled', status: 429, at: 0 },
    });
    await app.init();
    await app.save('high');
    await app.runtime.advance('2s');
    const from = app.runtime.clock.now();

    const { results } = app.scheduler.wake('sync.soon');
    await app.runtime.advance('1s');

    expect(results).toEqual(['success']);
    expect(app.service.status).toBe('failed');
    const next = app.scheduler.requests.get('sync.soon')?.earliestBeginAt ?? 0;
    expect(next).toBeGreaterThanOrEqual(from + 10 * MINUTE);
    expect(next).toBeLessThan(from + 13 * MINUTE);
  });

  test('within the time that the server asked for sends nothing', async () => {
    const app = boot();
    app.remote.answerNext({
      kind: 'retry',
      scope: 'endpoint',
      ambiguous: false,
      retryAfterMs: 10 * MINUTE,
      failure: { code: 'remote/throttled', status: 429, at: 0 },
    });
    await app.init();
    await app.save('high');
    await runOf(app, 'sync');

    await runOf(app, 'sync');

    expect(app.remote.attempts).toHaveLength(1);
  });

  test('has a store sync whose failure to come back is no news for the next run', async () => {
    const app = boot();
    app.remote.answerNext('hang');
    await app.init();
    await app.save('normal');

    await runOf(app, 'sync');
    await runOf(app, 'sync');

    const history = await app.service.history();
    expect(history.map(({ pushed, result }) => [pushed, result])).toEqual([
      [0, 'retry'],
      [1, 'success'],
    ]);
  });

  test('that writes arrive in is followed by what they deserve', async () => {
    const app = boot();
    app.service.registerTask({
      taskId: 'writes',
      execute: async () => {
        await app.store.save({ id: 'late' }, { priority: 'critical' });
        return true;
      },
    });
    await app.init();

    await runOf(app, 'sync');
    await app.runtime.advance('2s');

    expect(app.ids()).toEqual(['sync', 'sync.critical']);
  });

  test('survives a journal that cannot be written, and a device that does not answer', async () => {
    const app = boot();
    await app.init();
    await app.save('normal');
    app.device.read = () => new Promise(() => {});
    let isBroken = true;
    const { writer } = app.backend;
    const write = writer.write.bind(writer);
    let calls = 0;
    writer.write = (body, options) => {
      calls += 1;
      return isBroken && calls === 1 ? new Promise(() => {}) : write(body, options);
    };

    const { results } = app.scheduler.wake('sync', 30_000);
    await app.runtime.advance('30s');
    isBroken = false;

    expect(results).toHaveLength(1);
    expect(app.remote.server.applied).toHaveLength(1);
  });
});

describe('wake-ups that meet', () => {
  test('share one run: the second joins, each completes once, the work is counted once', async () => {
    const app = boot();
    let executed = 0;
    app.service.registerTask({
      taskId: 'own',
      execute: async () => {
        executed += 1;
        await new Promise<void>((resolve) => void app.runtime.timers.after(3_000, resolve));
        return true;
      },
    });
    await app.init();
    await app.save('normal');

    const first = app.scheduler.wake('sync');
    await app.runtime.advance('1s');
    const second = app.scheduler.wake('sync.critical');
    await app.runtime.advance('10s');

    expect([first.results, second.results]).toEqual([['success'], ['success']]);
    expect(executed).toBe(1);
    const history = await app.service.history();
    expect(history.map(({ joined, pushed }) => [joined, pushed])).toEqual([
      [null, 1],
      ['run-1', 0],
    ]);
    expect(app.service.status).toBe('completed');
  });

  test('the second goes on where the first was cut off', async () => {
    const app = boot();
    app.remote.answerNext('hang');
    await app.init();
    await app.save('normal');

    const first = app.scheduler.wake('sync', 10_000);
    await app.runtime.advance('1s');
    const second = app.scheduler.wake('sync.soon', 300_000);
    await app.runtime.advance('60s');

    expect([first.results, second.results]).toEqual([['retry'], ['success']]);
    expect(app.remote.server.applied).toHaveLength(1);
  });

  test('the second ends with its own window, though the first goes on', async () => {
    const app = boot();
    app.service.registerTask({ taskId: 'long', execute: () => new Promise(() => {}) });
    await app.init();

    const first = app.scheduler.wake('sync', 300_000);
    const second = app.scheduler.wake('sync.soon', 10_000);
    await app.runtime.advance('9s');
    const early = [first.results.length, second.results[0]];
    await app.runtime.advance('60s');

    expect(early).toEqual([0, 'retry']);
    expect([first.results.length, second.results.length]).toEqual([1, 1]);
  });

  test('a wake-up joins the sync that the app has begun, and ends it with its window', async () => {
    const app = boot();
    app.remote.answerWith(() => 'hang');
    await app.init();
    await app.save('normal');
    const syncing = app.backend.sync();
    await app.runtime.advance('1s');

    const { results } = app.scheduler.wake('sync', 15_000);
    await app.runtime.advance('15s');
    const report = await syncing;

    expect(results).toEqual(['retry']);
    expect(app.remote.attempts).toHaveLength(1);
    expect(report.stoppedBy).toBe('deadline');
    expect(app.backend.status.current.claimed).toBe(0);
  });
});

describe('the app in front', () => {
  test('catches up when it comes to the front, without a wake-up', async () => {
    const app = boot({ autoSync: true, facts: { isConnected: true } });
    app.remote.answerNext('refuse-connection');
    await app.init();
    await app.save('critical');
    await app.runtime.advance(500);

    app.device.set({ appState: 'foreground' });
    await app.runtime.advance(10);

    expect(app.remote.server.applied).toHaveLength(1);
  });

  test('catches up when the network returns', async () => {
    const app = boot({ autoSync: true, facts: { isConnected: false, appState: 'foreground' } });
    app.remote.answerWith(() => 'refuse-connection');
    await app.init();
    await app.save('critical');
    await app.runtime.advance('10m'); // the gate waits for minutes by now
    app.remote.answerWith(undefined);

    app.device.set({ isConnected: true });
    await app.runtime.advance('1s');

    expect(app.remote.server.applied).toHaveLength(1);
  });

  test('drains when it leaves the front, after asking for wake-ups', async () => {
    const app = boot({ facts: { appState: 'foreground' } });
    await app.init();
    await app.save('normal');

    app.device.set({ appState: 'background' });
    await app.runtime.advance('1s');

    expect(app.remote.server.applied).toHaveLength(1);
    expect(app.ids()).toEqual(['sync']);
  });

  test('leaves what waits alone when it leaves the front after cancelSync', async () => {
    const app = boot({ facts: { appState: 'foreground' } });
    await app.init();
    await app.save('normal');
    await app.service.cancelSync();

    app.device.set({ appState: 'background' });
    await app.runtime.advance('1s');

    expect(app.remote.attempts).toHaveLength(0);
  });

  test('does not spend the critical allowance on writes that it sends itself', async () => {
    const app = boot({ autoSync: true, facts: { appState: 'foreground', isConnected: true } });
    await app.init();

    for (let index = 0; index < 10; index++) {
      await app.save('critical');
      await app.runtime.advance('10s');
    }

    expect(app.scheduler.asked.map(({ id }) => id)).toEqual(['sync']);
  });
});

describe('a fresh process', () => {
  test('knows the status and the journal of the last one', async () => {
    const first = boot();
    await first.init();
    await first.save('normal');
    await runOf(first, 'sync');

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

    const results = await runOf(next, 'sync.soon');

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
    await runOf(second, 'sync');

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
    const results = await runOf({ ...app, service: next }, 'sync');

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
