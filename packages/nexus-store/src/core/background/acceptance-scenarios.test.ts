// The acceptance scenarios of the background scheduling reference (section 6) that need the service; the
// others are in `testing/scheduling-scenarios.test.ts`.
import { describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { FieldApp, type FieldAppOptions } from '../../testing/fleet/field-app.ts';
import { ManualScheduler } from '../../testing/manual-scheduler.ts';
import { memoryRemote, type PushAnswer } from '../../testing/memory-remote.ts';
import { simulateAndroid, type AndroidDevice } from '../../testing/simulate-android.ts';
import { simulateIos, type IosDevice } from '../../testing/simulate-ios.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import type { SyncPriority } from '../model/priority.ts';
import { NexusStore } from '../store/nexus-store.ts';
import { StoreBackend } from '../store/store-backend.ts';
import { BackgroundSyncService } from './background-sync-service.ts';

const MINUTE = 60_000;

interface Phone<Device> {
  readonly device: Device;
  readonly app: FieldApp;
  readonly remote: ReturnType<typeof memoryRemote>;
}

function phoneOf<Device extends AndroidDevice | IosDevice>(
  create: (start: FieldApp['start']) => Device,
  options: Partial<FieldAppOptions> = {},
): Phone<Device> {
  const database = memoryDatabase();
  const remote = memoryRemote({ maxBatch: 1 });
  const app = new FieldApp({
    openStorage: () => memoryStorage({ database }),
    remote: () => remote,
    backend: { autoSync: false },
    ...options,
  });
  const device = create((context) => app.start(context));
  device.app.launch();
  return { device, app, remote };
}

/** Saves while the app is in front, then leaves it without its last drain. */
async function writeAndLeave(
  { device, app, remote }: Phone<AndroidDevice | IosDevice>,
  priorities: readonly SyncPriority[],
): Promise<void> {
  await device.advance('1s');
  for (const [index, priority] of priorities.entries()) {
    await app.life.notes.save({ id: `note-${index}`, savedAt: index }, { priority });
  }
  remote.answerWith(() => 'refuse-connection');
  device.app.background();
  await device.advance('31s');
  remote.answerWith(undefined);
}

/** Each push takes its time, in the time of the process: what is under way dies with it. */
function slowly(app: FieldApp, ms: number): () => PushAnswer {
  return () => ({
    until: new Promise<void>((resolve) => void app.life.context.runtime.timers.after(ms, resolve)),
    answer: 'apply',
  });
}

/** Lets time pass until a run of the system's own choice is at work. */
async function untilRunning(device: AndroidDevice | IosDevice): Promise<void> {
  for (let seconds = 0; seconds < 3_600; seconds++) {
    const pending = await device.scheduler.pending();
    if (pending.some(({ state }) => state === 'running')) return;
    await device.advance('1s');
  }
  throw new Error('nothing ran within an hour');
}

async function states(app: FieldApp): Promise<string[]> {
  return (await app.life.backend.pendingChanges()).map(({ state }) => state);
}

test('scenario 9: a lost constraint aborts the run, releases the leases, and costs no entry an attempt', async () => {
  const phone = phoneOf((start) => simulateAndroid({ start }), {
    config: { networkType: 'unmetered' },
  });
  const { device, app, remote } = phone;
  const priorities: SyncPriority[] = ['normal', 'high', 'low', 'normal'];
  await writeAndLeave(phone, priorities);
  const before = await app.life.backend.pendingChanges();
  remote.answerWith(() => 'hang');
  await untilRunning(device);
  await device.advance('3s');
  const claimed = await states(app);

  device.set({ network: 'metered' });
  await device.advance('900ms');
  const after = await app.life.backend.pendingChanges();

  expect(claimed).toContain('claimed');
  expect(device.runs.at(-1)).toMatchObject({
    result: 'retry',
    stopReason: 'constraint',
    attempt: 1,
  });
  expect(await device.scheduler.pending()).toContainEqual(
    expect.objectContaining({ state: 'blocked', attempt: 2 }),
  );
  expect(after.map(({ id, priority, state, attempts }) => [id, priority, state, attempts])).toEqual(
    before.map(({ id, priority }) => [id, priority, 'pending', 0]),
  );
  const stopped = (await app.life.background.history()).find(
    ({ stopReason }) => stopReason === 'constraint',
  );
  expect(stopped).toMatchObject({ result: 'retry' });
});

test('scenario 13: at the expiration the signal aborts first, retry is told once, another run follows, nothing is lost or sent under another key', async () => {
  const phone = phoneOf((start) => simulateIos({ start, opportunities: 'always' }));
  const { device, app, remote } = phone;
  await writeAndLeave(
    phone,
    Array.from({ length: 80 }, () => 'normal'),
  );
  const keys = new Map<string, Set<string>>();
  const slow = slowly(app, 2_500);
  remote.answerWith((attempt) => {
    for (const { id, idempotencyKey } of attempt.batch)
      keys.set(id, (keys.get(id) ?? new Set()).add(idempotencyKey));
    return slow();
  });

  device.simulateLaunch('nexus-store.sync');
  await device.advance('20s');
  device.simulateExpiration('nexus-store.sync');
  await device.advance('2s');
  const expired = device.runs.at(-1);
  const pending = await device.scheduler.pending();
  const arrived = remote.server.applied.length;
  remote.answerWith(undefined);
  await device.advance('2h');

  expect(expired).toMatchObject({ result: 'retry', stopReason: 'expired' });
  expect((expired?.endedAt ?? 0) - (expired?.startedAt ?? 0)).toBeLessThan(21_000);
  expect(pending.map(({ id }) => id)).toContain('nexus-store.sync');
  expect(arrived).toBeGreaterThan(20);
  expect(arrived).toBeLessThan(60);
  expect(new Set(remote.server.applied.map(({ entityId }) => entityId)).size).toBe(80);
  expect(remote.server.applied).toHaveLength(80);
  expect([...keys.values()].every((used) => used.size === 1)).toBe(true);
  const [record] = (await app.life.background.history()).filter(
    ({ stopReason }) => stopReason === 'expired',
  );
  expect(record).toMatchObject({ result: 'retry', pushed: arrived });
});

describe('scenario 14: a handler that never settles', () => {
  test.each([
    ['Android', (start: FieldApp['start']) => simulateAndroid({ start })],
    ['iOS', (start: FieldApp['start']) => simulateIos({ start, opportunities: 'always' })],
  ])(
    'is ended on %s before the deadline, as a timeout, and another run follows',
    async (_, make) => {
      const phone = phoneOf<AndroidDevice | IosDevice>(make, {
        tasks: [{ taskId: 'stuck', execute: () => new Promise(() => {}) }],
      });
      const { device, app } = phone;
      await writeAndLeave(phone, ['normal']);

      await device.advance('30m');

      const [run] = device.runs;
      expect(run).toMatchObject({ result: 'retry' });
      expect(run?.stopReason).toBeUndefined();
      expect((run?.endedAt ?? 0) - (run?.startedAt ?? 0)).toBeLessThan(29_000);
      expect(await app.life.background.history()).toContainEqual(
        expect.objectContaining({ result: 'retry', stopReason: 'timeout', pushed: 1 }),
      );
      expect(await device.scheduler.pending()).not.toEqual([]);
      expect(device.runs.length).toBeGreaterThan(1);
    },
  );
});

test('scenario 15: after a kill in the middle of a drain a cold process goes on; the journal shows both runs', async () => {
  const phone = phoneOf((start) => simulateAndroid({ start }));
  const { device, app, remote } = phone;
  await writeAndLeave(
    phone,
    Array.from({ length: 20 }, () => 'high'),
  );
  const slow = slowly(app, 1_000);
  remote.answerWith(slow);
  device.runNow('nexus-store.sync.soon');
  device.runNow('nexus-store.sync');
  await device.advance('2500ms');
  const lives = app.lives.length;
  const arrived = remote.server.applied.length;
  const claimed = await states(app);

  device.app.kill();
  remote.answerWith(undefined);
  await device.advance('1h');

  expect(arrived).toBeGreaterThan(0);
  expect(arrived).toBeLessThan(20);
  expect(claimed).toContain('claimed');
  expect(app.lives.length).toBeGreaterThan(lives);
  expect(new Set(remote.server.applied.map(({ entityId }) => entityId)).size).toBe(20);
  expect(remote.server.applied).toHaveLength(20);
  const history = await app.life.background.history();
  const killed = history.filter(({ endedAt }) => endedAt === null);
  expect(killed.length).toBeGreaterThan(0);
  expect(history.at(-1)).toMatchObject({ result: 'success', remaining: 0 });
});

test('scenario 16: on a host that ignores results the journal says failure, and the queue sets the next attempt', async () => {
  const runtime = createVirtualRuntime(1);
  const remote = memoryRemote();
  const backend = new StoreBackend(runtime, { storage: memoryStorage(), remote, autoSync: false });
  const store = new NexusStore<{ id: string }>({ backend, collection: 'notes' });
  // Like expo-background-task: one periodic worker, whatever it returns.
  const scheduler = new ManualScheduler(runtime, {
    kinds: ['periodic'],
    resultHonoured: false,
    idsShareOneWorker: true,
  });
  const service = new BackgroundSyncService(runtime, { scheduler, backend });
  service.registerTask({ taskId: 'photos', execute: async () => false });
  await service.initialize({ retryPolicy: { maxAttempts: 1 } });
  await store.save({ id: 'a' });
  remote.answerWith(() => ({
    kind: 'retry',
    scope: 'endpoint',
    ambiguous: false,
    failure: { code: 'remote/server', status: 503, at: 0 },
  }));

  const { results } = scheduler.wake('nexus-store.sync');
  await runtime.advance('1s');

  expect(results).toEqual(['failure']);
  expect(await service.history()).toMatchObject([{ result: 'failure', stoppedBy: 'blocked' }]);
  const { nextAttemptAt } = await backend.queueFacts();
  expect(nextAttemptAt).not.toBeNull();
  expect((nextAttemptAt ?? 0) - runtime.clock.now()).toBeLessThan(MINUTE);
  expect([...scheduler.requests.keys()]).toEqual(['nexus-store.sync']);
});
