import { afterEach, describe, expect, test } from 'vitest';
import { NexusStore } from '../../../core/store/nexus-store.ts';
import { FieldApp, type FieldAppOptions } from '../fakes/field-app.ts';

let app: FieldApp;
afterEach(async () => {
  expect(await app?.end()).toBe(0);
});
const start = (options?: FieldAppOptions): FieldApp => (app = new FieldApp(options));

/** Writes notes in a tab that is closed, and leaves them to the worker. */
async function leaveBehind(count: number): Promise<void> {
  const { origin, runtime } = app;
  origin.isOnline = false;
  const { notes, close } = await app.open();
  for (let n = 0; n < count; n += 1) await notes.save({ id: String(n) });
  await runtime.settle();
  close();
}

function notesInWorker(): NexusStore<{ id: string }> {
  if (app.workerBackend === undefined) throw new Error('the worker has not opened its backend');
  return new NexusStore({ backend: app.workerBackend, collection: 'notes' });
}

describe('the service worker', () => {
  test('opens nothing before an event of its own', async () => {
    const { origin, runtime } = start();
    origin.worker();

    await runtime.advance('1m');

    expect(app.opens).toBe(0);
  });

  test('leaves the sync events of others alone', async () => {
    const { origin } = start();
    const held: unknown[] = [];
    const event = { waitUntil: (work: unknown) => held.push(work) };

    origin.worker().scope.fire('sync', { ...event, tag: 'workbox-background-sync:posts' });
    origin.worker().scope.fire('sync', { ...event, tag: 'nexus-store.syncs' });
    origin.worker().scope.fire('sync', { ...event, tag: 'posts#1' });
    origin.worker().scope.fire('periodicsync', { ...event, tag: 'content' });
    origin.worker().scope.fire('message', { ...event, data: { type: 'SKIP_WAITING' } });
    origin.worker().scope.fire('message', { ...event, data: null });

    expect(held).toEqual([]);
    expect(app.opens).toBe(0);
  });

  test('drains at a periodic event', async () => {
    const { origin, runtime } = start();
    origin.sync.oneOffs = 'missing';
    const { notes, crash } = await app.open();
    for (const id of ['a', 'b', 'c']) await notes.save({ id });
    crash();
    await runtime.advance('1m');
    const before = app.arrivals.length;

    const event = origin.sync.firePeriodic('nexus-store.sync');
    await runtime.advance('2s');
    await event;

    expect([before, app.arrivals.length]).toEqual([0, 3]);
  });

  test('an event whose backend does not open fails, and the browser sends it again', async () => {
    const { origin, runtime } = start();
    app.failingOpens = 1;
    await leaveBehind(1);

    origin.isOnline = true;
    await runtime.advance('1m');
    const early = app.arrivals.length;
    await runtime.advance('5m');

    expect([early, app.arrivals.length, app.opens]).toEqual([0, 1, 2]);
  });

  test('goes on in the same event with what its budget cut off', async () => {
    const { origin, runtime } = start({ latencyMs: 3_000, batchSize: 1 });
    await leaveBehind(100);

    origin.isOnline = true;
    await runtime.advance('165s');

    expect(app.arrivals).toHaveLength(100);
    expect(new Set(app.arrivals).size).toBe(100);
  });

  test('asks for another event when one is too short, and sends everything once', async () => {
    const { origin, runtime } = start({ latencyMs: 3_000, batchSize: 1 });
    await leaveBehind(500);

    origin.isOnline = true;
    await runtime.advance('15m');

    expect(app.arrivals).toHaveLength(500);
    expect(app.server.replayCount).toBeLessThan(60);
    expect(new Set(app.arrivals).size).toBe(500);
  });

  test.each(['unreachable', 503] as const)(
    'while the server is down (%s) it is tried now and then, for as long as it takes',
    async (down) => {
      const { origin, runtime } = start();
      app.down = down;
      await leaveBehind(1);
      origin.isOnline = true;

      await runtime.advance('6h');
      const tries = app.pushes.length;
      app.down = 'no';
      await runtime.advance('1h');

      expect(tries).toBeGreaterThan(6);
      expect(tries).toBeLessThan(160);
      expect(app.arrivals).toEqual(['create 0']);
      expect(origin.sync.tags).toEqual([]);
    },
  );

  test('the same when the browser stops the worker now and then, also in the middle of its last chance', async () => {
    const { origin, runtime } = start();
    app.down = 503;
    await leaveBehind(1);
    origin.isOnline = true;

    for (let n = 0; n < 360; n += 1) {
      await runtime.advance('61s');
      app.stopWorker();
    }
    const tries = app.pushes.length;
    app.down = 'no';
    await runtime.advance('1h');

    expect(tries).toBeLessThan(200);
    expect(app.arrivals).toEqual(['create 0']);
  });

  test('sends nothing outside of events, also what it wrote itself', async () => {
    const { origin, runtime } = start();
    origin.worker();
    const ready = app.worker?.ready();
    await runtime.settle();
    await ready;

    await notesInWorker().save({ id: 'w' });
    await runtime.advance('10m');

    expect(app.arrivals).toEqual([]);
  });

  test('what it wrote is sent by a tab that is open', async () => {
    const { origin, runtime } = start();
    const { backend: page } = await app.open();
    origin.worker();
    const ready = app.worker?.ready();
    await runtime.settle();
    await ready;

    await notesInWorker().save({ id: 'w' });
    await runtime.advance('15s');

    expect(app.arrivals).toEqual(['create w']);
    expect(page.pendingChangesCount.current).toBe(0);
  });

  test('waits behind a tab that drains, and takes over when it crashes', async () => {
    const { origin, runtime } = start({ latencyMs: 2_000, batchSize: 1 });
    const { notes, backend, tab, crash } = await app.open();
    for (let n = 0; n < 40; n += 1) await notes.save({ id: String(n) });
    backend.sync().catch(() => {});
    await runtime.advance('3s');
    tab.show(false);
    await runtime.advance('1s');
    const sentByWorker = app.pushes.filter(({ by }) => by === origin.worker()).length;

    crash();
    // Sooner than the leases of the tab end: it is known to be gone.
    await runtime.advance('30s');

    expect(sentByWorker).toBe(0);
    expect(app.arrivals).toHaveLength(40);
    expect(new Set(app.arrivals).size).toBe(40);
  });

  test('overtakes a tab that froze while it was draining', async () => {
    const { origin, runtime } = start({ latencyMs: 2_000, batchSize: 1 });
    const { notes, backend, tab } = await app.open();
    for (let n = 0; n < 10; n += 1) await notes.save({ id: String(n) });
    backend.sync().catch(() => {});
    await runtime.advance('3s');
    tab.show(false);
    await runtime.settle();

    tab.freeze();
    await runtime.advance('3m');
    const whileFrozen = app.arrivals.length;
    tab.thaw();
    await runtime.advance('1m');

    expect(app.pushes.some(({ by }) => by === origin.worker())).toBe(true);
    expect(whileFrozen).toBe(10);
    expect(new Set(app.arrivals).size).toBe(10);
  });
});
