import { describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import {
  BackgroundFixture,
  type BackgroundFixtureOptions,
} from '../../testing/background-fixture.ts';
import type { PushAnswer } from '../../testing/memory-remote.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

const CLOSED_DOOR: PushAnswer = {
  kind: 'retry',
  scope: 'endpoint',
  ambiguous: false,
  retryAfterMs: 10 * MINUTE,
  failure: { code: 'remote/throttled', status: 429, at: 0 },
};

const boot = (options: Partial<BackgroundFixtureOptions> = {}): BackgroundFixture =>
  new BackgroundFixture({ storage: memoryStorage(), ...options });

describe('a wake-up', () => {
  test('drains the queue, completes once, and leaves a record', async () => {
    const app = boot();
    await app.init();
    await app.save('critical');

    const results = await app.runOf('sync');
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

    await app.runOf('sync');

    expect(seen).toEqual(['idle', 'scheduled', 'running', 'completed']);
  });

  test('fails where a constraint is unmet that the host did not enforce, and does nothing', async () => {
    const app = boot({ facts: { isCharging: false } });
    await app.init({ requiresCharging: true });
    await app.save('normal');

    const results = await app.runOf('sync');

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

    const results = await app.runOf('sync.critical');

    expect(results).toEqual(['success']);
    expect(app.remote.server.applied).toHaveLength(1);
  });

  test('tries once though the device says that there is no network: that is only a hint', async () => {
    const app = boot({ facts: { isConnected: false } });
    await app.init();
    await app.save('normal');

    const results = await app.runOf('sync');

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
    for (let run = 0; run < 4; run++) results.push(...(await app.runOf('sync')));
    fails = false;
    results.push(...(await app.runOf('sync')));

    expect(results).toEqual(['retry', 'retry', 'failure', 'failure', 'success']);
    expect((await app.service.history()).map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5]);
  });

  test('that met a closed door is a success for the host: the queue owns the time of retries', async () => {
    const app = boot();
    app.remote.answerNext(CLOSED_DOOR);
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
    app.remote.answerNext(CLOSED_DOOR);
    await app.init();
    await app.save('high');
    await app.runOf('sync');

    await app.runOf('sync');

    expect(app.remote.attempts).toHaveLength(1);
  });

  test('has a store sync whose failure to come back is no news for the next run', async () => {
    const app = boot();
    app.remote.answerNext('hang');
    await app.init();
    await app.save('normal');

    await app.runOf('sync');
    await app.runOf('sync');

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

    await app.runOf('sync');
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
