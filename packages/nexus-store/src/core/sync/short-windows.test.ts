import { afterEach, describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { BackgroundFixture } from '../../testing/background-fixture.ts';
import { fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';

const world = fixtures(afterEach, () => memoryStorage());

/** A world in which every request takes this long, and carries one entry. */
function slowWorld(latencyMs: number): BackendFixture {
  const runtime = createVirtualRuntime(3);
  const latency = (): Promise<void> =>
    new Promise((resolve) => {
      runtime.timers.after(latencyMs, resolve);
    });
  const remote = memoryRemote({ hints: false, latency });
  return world({ runtime, remote, batchSize: 1, concurrency: 1 });
}

const ids = (count: number): { readonly id: string }[] =>
  Array.from({ length: count }, (_, index) => ({ id: `n${String(index).padStart(4, '0')}` }));

describe('a window shorter than the usual reserve', () => {
  test.each([150, 250, 500, 1_000, 2_000, 2_500, 4_000])(
    'of %d ms sends, and ends before its deadline',
    async (budget) => {
      const fixture = slowWorld(20);
      await fixture.notes.saveAll(ids(300));

      const report = await fixture.wait(fixture.backend.sync({ budget }));

      expect(report.stoppedBy).toBe('deadline');
      expect(report.pushed).toBeGreaterThan(0);
      expect(report.durationMs).toBeLessThan(budget);
    },
  );

  test('begins no send in its second half', async () => {
    const fixture = slowWorld(100);
    await fixture.notes.saveAll(ids(100));

    const report = await fixture.wait(fixture.backend.sync({ budget: '2500ms' }));

    // Two seconds may be used, and sends begin in the first of them.
    expect(report.pushed).toBe(10);
    expect(report.durationMs).toBeLessThan(1_250);
  });

  test.each([150, 250, 500, 1_000, 2_000, 2_500])(
    'of %d ms ends before it also if the remote never comes back',
    async (budget) => {
      const fixture = world();
      fixture.remote.push = () => new Promise(() => {});
      await fixture.notes.save({ id: 'a' });

      const report = await fixture.wait(fixture.backend.sync({ budget }));

      expect(report).toMatchObject({ stoppedBy: 'deadline', remaining: 1 });
      expect(report.durationMs).toBeLessThan(budget);
      expect(fixture.backend.status.current.claimed).toBe(0);
    },
  );

  test('too short for any answer leaves the entry fresh', async () => {
    const fixture = world();
    await fixture.notes.save({ id: 'a' });

    const report = await fixture.wait(fixture.backend.sync({ budget: '100ms' }));

    expect(report).toMatchObject({ stoppedBy: 'deadline', pushed: 0 });
    expect(fixture.requests).toEqual([]);
    expect(await fixture.backend.pendingChanges()).toMatchObject([{ isAmbiguous: false }]);
  });

  test('fetches too', async () => {
    const fixture = world();
    fixture.remote.server.set('notes', 'a', { id: 'a' });

    const report = await fixture.wait(fixture.backend.sync({ budget: '2s' }));

    expect(report).toMatchObject({ stoppedBy: 'drained', pulled: 1 });
  });

  test('of a caller who joins ends the run for all before it is over', async () => {
    const fixture = world();
    fixture.remote.push = () => new Promise(() => {});
    await fixture.notes.save({ id: 'a' });
    const first = fixture.backend.sync({ budget: '20s' });
    await fixture.runtime.advance('19s');

    const report = await fixture.wait(fixture.backend.sync({ budget: '700ms' }));

    expect(report.durationMs).toBeLessThan(19_700);
    expect(await first).toBe(report);
  });
});

test('a sign-out with little time sends what it can', async () => {
  const fixture = world();
  await fixture.backend.signIn('ann');
  await fixture.notes.saveAll(ids(3));

  await fixture.wait(fixture.backend.signOut({ pending: 'flush', timeout: '2s' }));

  expect(fixture.arrivals).toHaveLength(3);
});

test('a fetch of a backend with a short request timeout reaches the server', async () => {
  const fixture = world({ requestTimeout: '200ms' });
  fixture.remote.server.set('notes', 'a', { id: 'a' });

  await fixture.wait(fixture.backend.fetch('notes'));

  expect(await fixture.notes.get('a', { policy: 'cache-only' })).toEqual({ id: 'a' });
});

test('a write that goes to the server directly takes no longer than one request may', async () => {
  const fixture = world({ requestTimeout: '400ms' });
  fixture.remote.push = () => new Promise(() => {});
  const writing = fixture.notes.save({ id: 'a' }, { policy: 'remote-first' });
  const refused = expect(writing).rejects.toMatchObject({ code: 'remote/timeout' });
  const before = fixture.runtime.clock.elapsed();

  await fixture.wait(writing.catch(() => {}));

  await refused;
  expect(fixture.runtime.clock.elapsed() - before).toBeLessThanOrEqual(600);
});

describe('background runs with a short budget', () => {
  test.each(['1s', '2s'] as const)('of %s send, and leave nothing to explain', async (budget) => {
    const app = new BackgroundFixture({ storage: memoryStorage() });
    await app.init({ budget });
    await app.save('normal');

    const results = await app.runOf('sync');

    expect(results).toEqual(['success']);
    expect(app.remote.server.applied).toHaveLength(1);
    expect((await app.service.explain()).reasons).toMatchObject([{ code: 'nothing-pending' }]);
  });

  test('are named as the reason where the server takes longer', async () => {
    const app = new BackgroundFixture({ storage: memoryStorage() });
    app.remote.answerWith(() => 'hang');
    await app.init({ budget: '2s' });
    await app.save('normal');

    await app.runOf('sync');

    const [record] = await app.service.history();
    expect(record).toMatchObject({ stoppedBy: 'deadline', pushed: 0, remaining: 1 });
    expect((await app.service.explain()).reasons).toMatchObject([{ code: 'run-was-too-short' }]);
  });
});
