import { afterEach, describe, expect, test } from 'vitest';
import { BackgroundSyncServiceFactory } from '../../core/background/background-sync-service-factory.ts';
import type { Entry } from '../../core/model/entry.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import { FakeBattery, FakeConnection } from './fakes/fake-device.ts';
import { FieldApp, type FieldAppOptions } from './fakes/field-app.ts';
import { ServiceWorkerSyncService } from './service-worker-sync-service.ts';
import { webBackgroundSync } from './web-background-sync.ts';

let app: FieldApp;
afterEach(async () => {
  expect(await app?.end()).toBe(0);
});
const start = (options?: FieldAppOptions): FieldApp => (app = new FieldApp(options));

describe('a write without a network', () => {
  test('is sent by the service worker when the network returns, with every tab closed', async () => {
    const { origin, runtime } = start();
    origin.isOnline = false;
    const { notes, close } = await app.open();
    await notes.save({ id: 'a' });
    await runtime.settle();
    close();

    origin.isOnline = true;
    await runtime.advance('2s');

    expect(app.arrivals).toEqual(['create a']);
    expect(app.pushes.map(({ by }) => by)).toEqual([origin.worker()]);
    expect(origin.sync.tags).toEqual([]);
  });

  test('asks the browser at once, and once for a burst', async () => {
    const { origin, runtime } = start();
    origin.isOnline = false;
    const { notes } = await app.open();

    for (const id of ['a', 'b', 'c']) await notes.save({ id });
    await runtime.settle();

    expect(origin.sync.registered).toEqual([expect.stringMatching(/^nexus-store\.sync\.soon#\d$/)]);
  });

  test('leaves a run in the journal that pages can read', async () => {
    const { origin, runtime } = start();
    origin.isOnline = false;
    const { notes, close } = await app.open();
    await notes.save({ id: 'a' });
    await runtime.settle();
    close();
    origin.isOnline = true;
    await runtime.advance('2s');

    const { service } = await app.open();
    const history = await service.history();

    expect(history).toMatchObject([
      { requestId: 'nexus-store.sync.soon', appState: 'headless', pushed: 1, result: 'success' },
    ]);
  });

  test('is sent by the page itself when the network returns before it is closed', async () => {
    const { origin, runtime } = start({ serviceWorker: false });
    origin.isOnline = false;
    const { notes } = await app.open();
    await notes.save({ id: 'a' }, { priority: 'critical' });
    await runtime.advance('1m');

    origin.isOnline = true;
    await runtime.advance('1s');

    expect(app.arrivals).toEqual(['create a']);
  });
});

describe('a write with a network, and without a way to the server', () => {
  const TAG = expect.stringMatching(/^nexus-store\.sync\.soon#\d$/) as string;

  test.each(['unreachable', 503] as const)(
    'is with the browser at once when the server is %s: a page that is killed is survived',
    async (down) => {
      const { origin, runtime } = start();
      app.down = down;
      const { notes, crash } = await app.open();

      await notes.save({ id: 'a' }, { priority: 'critical' });
      await runtime.advance('2s');
      const { tags } = origin.sync;
      crash();
      app.down = 'no';
      await runtime.advance('20m');

      expect(tags).toEqual([TAG]);
      expect(app.arrivals).toEqual(['create a']);
      expect(app.pushes.at(-1)?.by).toBe(origin.worker());
      expect(origin.sync.tags).toEqual([]);
    },
  );

  test('is asked for once, however often it is tried', async () => {
    const { origin, runtime } = start();
    app.down = 'unreachable';
    const { notes } = await app.open();

    await notes.save({ id: 'a' });
    await runtime.advance('2m');
    await notes.save({ id: 'b' });
    await runtime.advance('8m');

    expect(app.pushes.length).toBeGreaterThan(5);
    expect(origin.sync.registered).toEqual([TAG]);
  });

  test('is asked for again when the server was there in between', async () => {
    const { origin, runtime } = start();
    app.down = 'unreachable';
    const { notes } = await app.open();
    await notes.save({ id: 'a' }, { priority: 'critical' });
    await runtime.advance('10s');
    app.down = 'no';
    await runtime.advance('10m');
    const before = origin.sync.registered.length;

    app.down = 'unreachable';
    await notes.save({ id: 'b' }, { priority: 'critical' });
    await runtime.advance('2s');

    expect(app.arrivals).toEqual(['create a']);
    expect(origin.sync.registered.slice(before)).toEqual([TAG]);
  });

  test('is asked for again when some of it was sent in between', async () => {
    const { origin, runtime } = start({ batchSize: 1 });
    app.down = 'unreachable';
    const { notes, backend, remote } = await app.open();
    await notes.save({ id: 'a' });
    await runtime.advance('2m');
    for (const id of ['b', 'c', 'd', 'e', 'f', 'g']) await notes.save({ id });
    const before = origin.sync.registered.length;

    let answered = 0;
    remote.answerWith(() => {
      answered += 1;
      return answered === 1 ? 'apply' : 'refuse-connection';
    });
    await runtime.advance('1m');
    const syncing = backend.sync();
    await runtime.advance('1m');
    await syncing;

    expect(app.arrivals).toHaveLength(1);
    expect(backend.pendingChangesCount.current).toBeGreaterThan(0);
    expect(origin.sync.registered.slice(before)).toEqual([TAG]);
  });

  test('is asked for again when what waited was taken back in between', async () => {
    const { origin, runtime } = start();
    app.down = 503;
    const { notes, backend } = await app.open();
    await notes.save({ id: 'a' });
    await runtime.advance('20s');
    const [waiting] = (await backend.pendingChanges()) as [Entry];
    const cancelled = await backend.cancel(waiting.id);
    await runtime.advance('2m');
    const before = [...origin.sync.registered];

    await notes.save({ id: 'b' });
    await runtime.advance('20s');

    expect([cancelled, before]).toEqual(['cancelled', [TAG]]);
    expect(origin.sync.registered.slice(1)).toEqual([TAG]);
  });

  test('is asked for once a minute at most while every other answer fails', async () => {
    const { origin, runtime } = start({ batchSize: 1 });
    const { notes } = await app.open();
    for (let n = 0; n < 30; n += 1) {
      app.down = n % 2 === 0 ? 503 : 'no';
      await notes.save({ id: String(n) }, { priority: 'critical' });
      await runtime.advance('1s');
    }

    expect(app.arrivals.length).toBeGreaterThan(5);
    expect(origin.sync.registered).toEqual([TAG]);
  });

  test('is asked for by a page that finds it so', async () => {
    const { origin, runtime } = start({ config: { enabled: false } });
    app.down = 'unreachable';
    const { notes, service } = await app.open();
    await notes.save({ id: 'a' }, { priority: 'critical' });
    await runtime.advance('10s');
    const before = origin.sync.registered.length;

    const asking = service.initialize({ minInterval: '15m' });
    await runtime.settle();
    await asking;

    expect([before, origin.sync.registered]).toEqual([0, [TAG]]);
  });

  test('is not asked for where nothing waits, or only people can help', async () => {
    const { origin, runtime } = start();
    const { notes, backend } = await app.open();
    app.down = 'unreachable';
    await backend.pause();
    await notes.save({ id: 'a' }, { priority: 'low' });
    await runtime.advance('1s');

    expect(origin.sync.registered).toEqual([]);
  });
});

describe('a page that is closed with something pending', () => {
  test('hands it to the service worker, which does not wait for others to join', async () => {
    const { runtime } = start();
    const { notes, close } = await app.open();
    await notes.save({ id: 'a' });
    await runtime.settle();

    close();
    await runtime.advance('1s');

    expect(app.arrivals).toEqual(['create a']);
  });

  test.each(['missing', 'refused'] as const)(
    'tells the worker so itself where sync events are %s',
    async (oneOffs) => {
      const { origin, runtime } = start();
      origin.sync.oneOffs = oneOffs;
      origin.sync.periodic = oneOffs;
      const { notes, close, tab } = await app.open();
      await notes.save({ id: 'a' });
      await runtime.settle();

      tab.show(false);
      await runtime.settle();
      close();
      await runtime.advance('1s');

      expect(tab.told.length).toBeGreaterThan(0);
      expect(app.arrivals).toEqual(['create a']);
    },
  );

  test('asks for nothing when nothing is pending, or background sync was cancelled', async () => {
    const { origin, runtime } = start();
    const empty = await app.open();
    empty.close();
    const cancelled = await app.open();
    await cancelled.service.cancelSync();
    await cancelled.notes.save({ id: 'a' });
    await runtime.settle();
    cancelled.close();
    await runtime.settle();

    expect(origin.sync.registered).toEqual([]);
  });
});

describe('a browser without service workers and sync events', () => {
  const bare = { serviceWorker: false, locks: false, channels: false };

  test('sends on the next start what the last page left', async () => {
    const { runtime } = start(bare);
    const first = await app.open();
    await first.notes.save({ id: 'a' });
    await runtime.settle();
    first.close();

    await app.open();
    await runtime.advance('1s');

    expect(app.arrivals).toEqual(['create a']);
  });

  test('sends when people return to the page', async () => {
    const { runtime } = start(bare);
    app.down = 'unreachable';
    const { notes, tab } = await app.open();
    await notes.save({ id: 'a' }, { priority: 'high' });
    await runtime.advance('20m');
    tab.show(false);
    await runtime.advance('1m');
    app.down = 'no';

    tab.show(true);
    await runtime.advance('1s');

    expect(app.arrivals).toEqual(['create a']);
  });

  test('runs the tasks of the app by timers while the page lives', async () => {
    start({ ...bare, config: { minInterval: '15m' } });
    const { service } = await app.open();
    let runs = 0;
    service.registerTask({ taskId: 'mine', execute: async () => ++runs > 0 });

    await app.runtime.advance('1h');

    expect(runs).toBeGreaterThanOrEqual(3);
  });

  test('knows what it can do', async () => {
    start(bare);
    const { service } = await app.open();

    expect(service.isSupported).toBe(true);
    expect(service.support.current).toEqual({ backgroundSync: 'absent', periodicSync: 'absent' });
  });
});

describe('what is said of the browser', () => {
  test('is what it answered', async () => {
    const { origin, runtime } = start();
    origin.sync.periodic = 'refused';
    const { notes, service, tab } = await app.open();
    await notes.save({ id: 'a' });
    await runtime.settle();
    tab.show(false);
    await runtime.settle();

    expect(service.support.current).toEqual({ backgroundSync: 'granted', periodicSync: 'refused' });
  });

  test('includes what it granted to an earlier page', async () => {
    const { origin, runtime } = start();
    origin.isOnline = false;
    const first = await app.open();
    await first.notes.save({ id: 'a' });
    await runtime.settle();
    first.crash();

    const { service } = await app.open();
    await runtime.settle();

    expect(service.support.current.backgroundSync).toBe('granted');
  });

  test('is not taken from the sync events of others', async () => {
    const { origin, runtime } = start();
    origin.isOnline = false;
    await origin.sync.registration().sync?.register('workbox-background-sync:posts');

    const { service } = await app.open();
    await runtime.settle();

    expect(service.support.current.backgroundSync).toBe('unknown');
  });

  test('includes what only pages can check', async () => {
    const { runtime } = start({ battery: new FakeBattery(), connection: new FakeConnection() });
    const { service } = await app.open();
    const asking = service.initialize({ minInterval: '15m', requiresCharging: true });
    await runtime.settle();
    const { weakened } = await asking;

    const got = 'only while a page is open';
    expect(weakened).toEqual([
      { field: 'requiresCharging', asked: true, got },
      { field: 'requiresBatteryNotLow', asked: true, got },
    ]);
  });

  test('names a constraint once where no page can check it either', async () => {
    const { runtime } = start();
    const { service } = await app.open();
    const asking = service.initialize({ requiresCharging: true, requiresBatteryNotLow: false });
    await runtime.settle();
    const { weakened } = await asking;

    expect(weakened).toEqual([{ field: 'requiresCharging', asked: true, got: false }]);
  });

  test('periodic sync is asked for with the interval', async () => {
    const { origin } = start({ config: { minInterval: '12h' } });
    await app.open();
    await app.runtime.settle();

    expect([...origin.sync.intervals]).toEqual([['nexus-store.sync', 12 * 3_600_000]]);
  });
});

describe('several tabs', () => {
  test('show what another one wrote', async () => {
    const { runtime } = start();
    const [a, b] = [await app.open(), await app.open()];
    const watched = b.notes.watch('x');
    const seen: unknown[] = [];
    const stop = watched.subscribe((value) => seen.push(value));
    await runtime.settle();

    await a.notes.save({ id: 'x', text: 'from a' });
    await runtime.advance('100ms');
    stop();

    expect(seen.at(-1)).toMatchObject({ id: 'x', text: 'from a' });
    expect(b.backend.pendingChangesCount.current).toBe(1);
  });

  test('show it also without hints, while people look', async () => {
    const { runtime } = start({ channels: false });
    const [a, b] = [await app.open(), await app.open()];
    await runtime.advance('3s');

    await a.notes.save({ id: 'x' }, { priority: 'low' });
    await runtime.advance('3s');

    expect(b.backend.pendingChangesCount.current).toBe(1);
  });

  test('take turns at sending: never two at once, nothing twice', async () => {
    const { runtime, origin } = start({ latencyMs: 200, batchSize: 1 });
    const tabs = [await app.open(), await app.open(), await app.open()];
    for (const [index, { notes }] of tabs.entries())
      for (let n = 0; n < 20; n += 1) await notes.save({ id: `${index}-${n}` });

    const syncing = tabs.map(({ backend }) => backend.sync());
    await runtime.advance('30s');
    await Promise.all(syncing);

    expect(app.server.applied).toHaveLength(60);
    expect(app.server.replayCount).toBe(0);
    const senders = app.pushes.map(({ by }) => by);
    const changes = senders.filter((by, index) => by !== senders[index - 1]).length;
    expect(changes).toBe(1);
    expect(origin.locks.holder('nexus-store:nexus-store.sync:drain')).toBeUndefined();
  });

  test('go on with what a crashed one was sending, once its lease is over', async () => {
    const { runtime } = start({ latencyMs: 5_000, batchSize: 2 });
    const [a, b] = [await app.open(), await app.open()];
    for (let n = 0; n < 20; n += 1) await a.notes.save({ id: String(n) });
    const dead = a.backend.sync();
    dead.catch(() => {});
    await runtime.advance('1s');

    a.crash();
    await runtime.advance('2m');

    expect(app.server.applied).toHaveLength(20);
    expect(b.backend.pendingChangesCount.current).toBe(0);
  });

  test('only one that is seen listens to the server', async () => {
    const { runtime } = start();
    const { tab, backend } = await app.open();
    const calls: boolean[] = [];
    backend.mayListen = (isAllowed) => void calls.push(isAllowed);

    tab.show(false);
    tab.show(true);
    await runtime.settle();

    expect(calls).toEqual([false, true]);
  });
});

describe('the badge', () => {
  test('shows the pending count in page and worker, when asked to', async () => {
    const { origin, runtime } = start({ badge: true });
    origin.isOnline = false;
    const { notes, tab, close } = await app.open();
    await notes.save({ id: 'a' });
    await notes.save({ id: 'b' });
    await runtime.settle();
    close();
    origin.isOnline = true;
    await runtime.advance('2s');

    expect(tab.badges.at(-1)).toBe(2);
    expect(origin.worker().badges).toEqual([0]);
  });
});

describe('the provider', () => {
  test('is chosen in a page, with a service worker or without, and nowhere else', () => {
    app = new FieldApp();
    const provider = webBackgroundSync();
    const page = { window: {}, document: {} };

    const outside = provider.detect();
    Object.assign(globalThis, page);
    const inside = provider.detect();
    for (const name of Object.keys(page)) Reflect.deleteProperty(globalThis, name);

    expect([outside, inside]).toEqual([false, true]);
  });

  test('makes the service that the factory gives', async () => {
    const runtime = createVirtualRuntime(1);
    app = new FieldApp();
    const provider = { ...webBackgroundSync(), detect: () => true };

    const service = BackgroundSyncServiceFactory.create(runtime, [provider]);

    expect(service).toBeInstanceOf(ServiceWorkerSyncService);
    await service.dispose();
  });
});
