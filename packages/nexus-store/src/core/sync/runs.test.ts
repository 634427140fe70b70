import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import { deferred } from '../../testing/deferred.ts';
import { faultyStorage } from '../../testing/faulty-storage.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import type { Remote } from '../ports/remote.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';

const world = fixtures(afterEach, () => memoryStorage());

/** A world in which every request takes this long. */
function slowWorld(latencyMs: number, options: Parameters<typeof world>[0] = {}): BackendFixture {
  const runtime = createVirtualRuntime(3);
  const latency = (): Promise<void> =>
    new Promise((resolve) => {
      runtime.timers.after(latencyMs, resolve);
    });
  return world({
    runtime,
    remote: memoryRemote({ hints: false, latency, maxBatch: 1_000 }),
    ...options,
  });
}

const ids = (count: number): { readonly id: string }[] =>
  Array.from({ length: count }, (_, index) => ({ id: `n${String(index).padStart(4, '0')}` }));

async function leases(fixture: BackendFixture): Promise<number> {
  return fixture.backend.writer.read(async (uow) => (await uow.leases()).size);
}

describe('a run with a deadline', () => {
  test('ends before it, with what was under way ambiguous and no lease left', async () => {
    const fixture = world();
    fixture.remote.answerWith(() => 'hang');
    await fixture.notes.save({ id: 'a' });
    const now = fixture.runtime.clock.now();

    const report = await fixture.wait(fixture.backend.sync({ deadline: now + 10_000 }));

    expect(report).toMatchObject({ stoppedBy: 'deadline', remaining: 1 });
    expect(report.durationMs).toBeLessThan(10_000);
    expect(await leases(fixture)).toBe(0);
    const [entry] = await fixture.backend.pendingChanges();
    expect(entry).toMatchObject({ state: 'pending', isAmbiguous: true, attempts: 0 });
    expect(fixture.backend.status.current.blockedBy).toBeNull();
  });

  test('whose remote does not even come back after the abort ends before it too', async () => {
    const fixture = world();
    fixture.remote.push = () => new Promise(() => {});
    await fixture.notes.save({ id: 'a' });

    const report = await fixture.wait(fixture.backend.sync({ budget: '10s' }));

    expect(report).toMatchObject({ stoppedBy: 'deadline' });
    expect(report.durationMs).toBeLessThan(10_000);
  });

  test('begins no send that cannot end in time', async () => {
    const fixture = slowWorld(100, { batchSize: 1, concurrency: 1 });
    await fixture.notes.saveAll(ids(100));

    const enough = await fixture.wait(fixture.backend.sync({ budget: '5s' }));

    expect(enough.stoppedBy).toBe('deadline');
    // Two seconds for a send and half a second to close: only the first half of the window sends.
    expect(enough.pushed).toBeGreaterThan(15);
    expect(enough.pushed).toBeLessThanOrEqual(25);
    expect(enough.durationMs).toBeLessThan(5_000);
  });

  test('waits for what sends took lately, yet always gives one a chance', async () => {
    const fixture = slowWorld(8_000, { batchSize: 1, concurrency: 1 });
    await fixture.notes.saveAll(ids(6));
    await fixture.wait(fixture.backend.sync({ budget: '20s' }));

    const second = await fixture.wait(fixture.backend.sync({ budget: '15s' }));

    expect(second.pushed).toBe(1);
    expect(await leases(fixture)).toBe(0);
  });

  test('is neither cut short nor prolonged by a step of the clock', async () => {
    for (const jump of [-3_600_000, 3_600_000]) {
      const fixture = slowWorld(100, { batchSize: 1, concurrency: 1 });
      await fixture.notes.saveAll(ids(200));
      const running = fixture.backend.sync({ deadline: fixture.runtime.clock.now() + 8_000 });
      await fixture.runtime.advance('1s');
      fixture.runtime.jumpWallClock(jump);

      const report = await fixture.wait(running);

      expect(report.durationMs).toBeGreaterThan(5_000);
      expect(report.durationMs).toBeLessThan(8_000);
    }
  });

  test('refuses a deadline or budget that is none', async () => {
    const fixture = world();

    await expect(fixture.backend.sync({ deadline: Number.NaN })).rejects.toMatchObject({
      code: 'usage/invalid-argument',
    });
    await expect(fixture.backend.sync({ budget: 'soon' as never })).rejects.toMatchObject({
      code: 'usage/invalid-argument',
    });
  });

  test('leaves low entries for a longer window', async () => {
    const fixture = world();
    await fixture.notes.save({ id: 'low' }, { priority: 'low' });
    await fixture.notes.save({ id: 'normal' });

    const short = await fixture.wait(fixture.backend.sync({ budget: '8s' }));
    const long = await fixture.wait(fixture.backend.sync());

    expect(short).toMatchObject({ pushed: 1, remaining: 1, stoppedBy: 'deadline' });
    expect(long).toMatchObject({ pushed: 1, remaining: 0, stoppedBy: 'drained' });
    expect(fixture.arrivals).toEqual(['create normal', 'create low']);
  });
});

describe('a run that is stopped', () => {
  test.each([
    ["by the caller's signal", 'aborted'],
    ['by a pause', 'paused'],
  ])('%s leaves the entry ambiguous and no lease', async (_, stoppedBy) => {
    const fixture = world();
    fixture.remote.answerWith(() => 'hang');
    await fixture.notes.save({ id: 'a' });
    const controller = new AbortController();
    const running = fixture.backend.sync({ signal: controller.signal });
    await fixture.settle();

    if (stoppedBy === 'aborted') controller.abort();
    else void fixture.backend.pause();
    const report = await fixture.wait(running);

    expect(report).toMatchObject({ stoppedBy, remaining: 1, pushed: 0 });
    expect(await leases(fixture)).toBe(0);
    const [entry] = await fixture.backend.pendingChanges();
    expect(entry).toMatchObject({ isAmbiguous: true, attempts: 0 });
  });

  test('before it began does nothing', async () => {
    const fixture = world();
    await fixture.notes.save({ id: 'a' });
    const controller = new AbortController();
    controller.abort();

    const report = await fixture.wait(fixture.backend.sync({ signal: controller.signal }));

    expect(report).toMatchObject({ stoppedBy: 'aborted', pushed: 0 });
    expect(fixture.requests).toEqual([]);
  });

  test('for good by a pause begins again after resume, also across a restart', async () => {
    const database = memoryDatabase();
    const first = world({ storage: memoryStorage({ database }), autoSync: true });
    await first.backend.pause();
    await first.notes.save({ id: 'a' }, { priority: 'critical' });
    await first.runtime.advance('1h');
    await first.backend.close();
    const second = world({ storage: memoryStorage({ database }), autoSync: true });
    await second.backend.open();
    await second.runtime.advance('1h');
    const paused = second.backend.status.current.blockedBy;
    const requests = second.requests.length;

    await second.backend.resume();
    await second.runtime.advance('1s');

    expect(paused).toEqual({ reason: 'paused', until: null });
    expect([first.requests.length, requests]).toEqual([0, 0]);
    expect(second.arrivals).toEqual(['create a']);
  });
});

describe('calls side by side', () => {
  test('join one run and get one report', async () => {
    const fixture = slowWorld(50);
    await fixture.notes.saveAll(ids(3));

    const [first, second] = await fixture.wait(
      Promise.all([fixture.backend.sync(), fixture.backend.sync()]),
    );

    expect(second).toBe(first);
    expect(fixture.typesOf('sync-started')).toHaveLength(1);
  });

  test('the one with a deadline ends the run it joins', async () => {
    const fixture = world();
    fixture.remote.answerWith(() => 'hang');
    await fixture.notes.save({ id: 'a' });
    const first = fixture.backend.sync();
    await fixture.runtime.advance('1s');

    const second = await fixture.wait(fixture.backend.sync({ budget: '5s' }));

    expect(second).toMatchObject({ stoppedBy: 'deadline' });
    expect(await first).toBe(second);
    expect(second.durationMs).toBeLessThan(6_000);
  });

  test('what was saved before a call is sent by the run it joins, even while that pulls', async () => {
    const fixture = world();
    const pulling = deferred();
    const pull = fixture.remote.pull.bind(fixture.remote);
    fixture.remote.pull = async (request, context) => {
      await pulling.promise;
      return pull(request, context);
    };
    const first = fixture.backend.sync();
    await fixture.settle();
    await fixture.notes.save({ id: 'a' });

    const second = fixture.backend.sync();
    pulling.resolve();
    const report = await fixture.wait(second);

    expect(report).toMatchObject({ pushed: 1, remaining: 0, stoppedBy: 'drained' });
    expect(await first).toBe(report);
  });
});

describe('requests in flight', () => {
  test('are as many as asked for, one for each lane, and one more for critical entries', async () => {
    const fixture = world({ batchSize: 1, concurrency: 2, store: { coalesce: false } });
    const gates = new Map<string, () => void>();
    fixture.remote.answerWith(({ batch }) => {
      const held = deferred();
      gates.set(String(batch[0]?.id), held.resolve);
      return { until: held.promise, answer: 'apply' };
    });
    for (const text of ['1', '2', '3']) await fixture.notes.save({ id: 'same', text });
    for (const { id } of ids(4)) await fixture.notes.save({ id });
    const running = fixture.backend.sync();
    await fixture.settle();
    const general = fixture.requests.map(([id]) => id);

    await fixture.notes.save({ id: 'urgent' }, { priority: 'critical' });
    await fixture.settle();
    await fixture.notes.save({ id: 'urgent too' }, { priority: 'critical' });
    await fixture.settle();
    const withCritical = fixture.requests.map(([id]) => id);
    fixture.remote.answerWith(undefined);
    for (const release of gates.values()) release();
    await fixture.wait(running);

    expect(general).toEqual(['same', 'n0000']);
    expect(withCritical).toEqual(['same', 'n0000', 'urgent']);
    expect(
      fixture.remote.server.applied.filter(({ entityId }) => entityId === 'same'),
    ).toHaveLength(3);
    expect(fixture.arrivals).toHaveLength(9);
  });

  test('make room for an urgent write between small batches', async () => {
    const fixture = slowWorld(50, { batchSize: 5, concurrency: 1 });
    await fixture.notes.saveAll(ids(200));
    const running = fixture.backend.sync();
    await fixture.runtime.advance('500ms');

    await fixture.notes.save({ id: 'urgent' }, { priority: 'high' });
    const before = fixture.arrivals.length;
    await fixture.wait(running);

    expect(fixture.arrivals.indexOf('create urgent') - before).toBeLessThanOrEqual(5);
  });

  test('do not carry low entries while something urgent is on its way', async () => {
    const fixture = slowWorld(50, { batchSize: 10 });
    await fixture.notes.saveAll(ids(5), { priority: 'low' });
    await fixture.notes.save({ id: 'urgent' }, { priority: 'high' });

    await fixture.wait(fixture.backend.sync());

    expect(fixture.requests[0]).toEqual(['urgent']);
    expect(fixture.requests[1]).toHaveLength(5);
  });

  test("that carry a lane's head are followed by its next entry in the same run", async () => {
    const fixture = slowWorld(20, { store: { coalesce: false }, concurrency: 4 });
    for (let index = 0; index < 10; index += 1)
      await fixture.notes.save({ id: 'same', text: String(index) });

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 10, remaining: 0, stoppedBy: 'drained' });
    const texts = fixture.remote.server.applied.map(
      ({ payload }) => (payload as { text: string }).text,
    );
    expect(texts).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
  });
});

describe('the storage failing', () => {
  test('while a request is settled loses nothing: the lease ends, the same key goes again', async () => {
    const storage = faultyStorage(memoryStorage());
    const fixture = world({ storage, autoSync: true });
    fixture.remote.answerWith(() => {
      if (fixture.requests.length === 1) storage.failWrite(1, 'storage/busy');
      return 'apply';
    });
    await fixture.notes.save({ id: 'a' });

    await expect(fixture.wait(fixture.backend.sync())).rejects.toMatchObject({
      code: 'storage/busy',
    });
    await fixture.runtime.advance('41s');
    await fixture.runtime.advance('2s');

    expect(fixture.arrivals).toEqual(['create a']);
    expect(fixture.remote.server.replayCount).toBe(1);
    expect(await fixture.backend.pendingChanges()).toEqual([]);
  });

  test('while a batch is claimed ends the run with that error, and it is tried again', async () => {
    const storage = faultyStorage(memoryStorage());
    const fixture = world({ storage, autoSync: true });
    await fixture.notes.save({ id: 'a' });
    storage.failWrite(1, 'storage/busy');

    await expect(fixture.wait(fixture.backend.sync())).rejects.toMatchObject({
      code: 'storage/busy',
    });
    await fixture.runtime.advance('2s');

    expect(fixture.arrivals).toEqual(['create a']);
  });

  test('while others are in flight waits for them before the error is told', async () => {
    const storage = faultyStorage(memoryStorage());
    const fixture = world({ storage, batchSize: 1, concurrency: 2 });
    const held = deferred();
    fixture.remote.answerNext({ until: held.promise, answer: 'apply' });
    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }]);
    const storm = storage.failWrite(2, 'storage/busy');
    const running = fixture.backend.sync();
    let isOver = false;
    running.catch(() => {
      isOver = true;
    });
    await fixture.settle();
    const wasOver = isOver;

    held.resolve();
    await expect(fixture.wait(running)).rejects.toMatchObject({ code: 'storage/busy' });

    expect(storm.hasStruck()).toBe(true);
    expect(wasOver).toBe(false);
    expect(fixture.arrivals).toEqual(['create a']);
    expect((await fixture.backend.pendingChanges()).map(({ entityId }) => entityId)).toEqual(['b']);
  });
});

describe('a switch of users in the middle of a send', () => {
  test('ends it first: the entry is ambiguous, under the old user, and never goes as the new', async () => {
    const fixture = world({ autoSync: true });
    await fixture.backend.signIn('ann');
    const held = deferred();
    fixture.remote.answerNext({ until: held.promise, answer: 'apply' });
    await fixture.notes.save({ id: 'a' }, { priority: 'critical' });
    await fixture.runtime.advance('10ms');

    const switching = fixture.backend.signIn('bob');
    const during = fixture.backend.sync();
    await fixture.wait(switching);
    await fixture.wait(during);
    await fixture.runtime.advance('1h');
    held.resolve();
    await fixture.settle();
    const seenByBob = await fixture.backend.pendingChanges();
    await fixture.backend.signIn('ann');
    const [entry] = await fixture.backend.pendingChanges();
    await fixture.runtime.advance('1s');

    expect(seenByBob).toEqual([]);
    expect(entry).toMatchObject({ entityId: 'a', isAmbiguous: true });
    expect(fixture.remote.attempts.map(({ principal }) => principal)).toEqual(['ann', 'ann']);
    expect(fixture.remote.server.value('notes', 'a', 'bob')).toBeUndefined();
    expect(fixture.remote.server.applied).toHaveLength(1);
  });

  test('cuts off fetches: no page of one user is stored for another', async () => {
    const fixture = world();
    await fixture.backend.signIn('ann');
    fixture.remote.server.set('notes', 'secret', { id: 'secret' }, 'ann');
    const held = deferred();
    const pull = fixture.remote.pull.bind(fixture.remote);
    fixture.remote.pull = async (request, context) => {
      const page = await pull(request, context);
      await held.promise;
      return page;
    };
    const fetching = fixture.backend.fetch('notes');
    const failed = expect(fetching).rejects.toMatchObject({ code: 'remote/timeout' });
    await fixture.settle();

    await fixture.wait(fixture.backend.signIn('bob'));
    held.resolve();
    await failed;

    expect(await fixture.notes.getAll({}, { policy: 'cache-only' })).toEqual([]);
  });
});

test('a remote that hangs is given up after the request timeout, and its entries go later', async () => {
  const fixture = world({ requestTimeout: '5s' });
  fixture.remote.answerNext('hang');
  await fixture.notes.save({ id: 'a' });

  const report = await fixture.wait(fixture.backend.sync());
  const again = await fixture.wait(fixture.backend.sync());

  expect(report).toMatchObject({ stoppedBy: 'offline', remaining: 1 });
  expect(report.durationMs).toBeLessThanOrEqual(5_250);
  expect(again.pushed).toBe(1);
});

test('a transaction that no request can carry is refused when it is made', async () => {
  const fixture = world({ remote: memoryRemote({ hints: false, maxBatch: 2 }) });
  const write = fixture.backend.transaction(async (tx) => {
    for (const id of ['a', 'b', 'c']) await tx.store(fixture.notes).save({ id });
  });

  await expect(write).rejects.toMatchObject({ code: 'usage/invalid-argument' });
  expect(await fixture.notes.getAll()).toEqual([]);
});

test('a transaction that no request can carry any more is buried, and the rest goes', async () => {
  const database = memoryDatabase();
  const first = world({ storage: memoryStorage({ database }) });
  await first.backend.transaction(async (tx) => {
    for (const id of ['a', 'b', 'c']) await tx.store(first.notes).save({ id });
  });
  await first.notes.save({ id: 'd' });
  await first.backend.close();
  const second = world({
    storage: memoryStorage({ database }),
    remote: memoryRemote({ hints: false, maxBatch: 2 }),
  });

  const report = await second.wait(second.backend.sync());

  expect(report).toMatchObject({ pushed: 1, dead: 3, stoppedBy: 'drained' });
  const [letter] = await second.backend.deadLetters();
  expect(letter?.lastFailure?.code).toBe('queue/transaction-too-large');
});

test('several entries of one entity in a transaction conflict neither with each other nor for ever', async () => {
  const fixture = world({ store: { coalesce: false } });
  await fixture.notes.save({ id: 'a' });
  await fixture.wait(fixture.backend.sync());
  await fixture.backend.transaction(async (tx) => {
    const notes = tx.store(fixture.notes);
    await notes.save({ id: 'a', text: '1' });
    await notes.save({ id: 'a', text: '2' });
  });

  const report = await fixture.wait(fixture.backend.sync());

  expect(report).toMatchObject({ pushed: 2, conflicts: 0, remaining: 0 });
  expect(fixture.remote.server.value('notes', 'a')).toEqual({ id: 'a', text: '2' });
});

test('with 100,000 low entries and 50 ms latency a critical save arrives within two round trips and 50 ms', async () => {
  const runtime = createVirtualRuntime(3);
  const way = (): Promise<void> => new Promise((resolve) => void runtime.timers.after(25, resolve));
  const arrived = new Map<unknown, number>();
  const remote: Remote = {
    capabilities: { pull: false, hints: false, maxBatch: 100 },
    push: async (batch) => {
      await way();
      for (const { entityId } of batch) arrived.set(entityId, runtime.clock.elapsed());
      await way();
      return batch.map(() => ({ kind: 'applied' }));
    },
    pull: () => Promise.reject(new Error('not pulled here')),
    listen: async () => {},
    close: async () => {},
  };
  const fixture = world({ runtime, remote, autoSync: true, limits: { maxEntries: 200_000 } });
  await fixture.backend.pause();
  for (let chunk = 0; chunk < 100; chunk += 1) {
    const notes = Array.from({ length: 1_000 }, (_, index) => ({ id: `${chunk}-${index}` }));
    await fixture.notes.saveAll(notes, { priority: 'low' });
  }
  await fixture.backend.resume();
  const savedAt = new Map<string, number>();

  for (let count = 0; count < 200; count += 1) {
    await runtime.advance(7 + (count % 43));
    savedAt.set(`urgent ${count}`, runtime.clock.elapsed());
    await fixture.notes.save({ id: `urgent ${count}` }, { priority: 'critical' });
  }
  await runtime.advance('1s');

  const delays = [...savedAt].map(([id, at]) => (arrived.get(id) ?? Infinity) - at);
  expect(delays).toHaveLength(200);
  expect(delays.toSorted((a, b) => a - b)[197]).toBeLessThanOrEqual(2 * 50 + 50);
  expect(fixture.backend.status.current.pending.low).toBeGreaterThan(50_000);
}, 60_000);

test('a process that was frozen past its lease sends nothing of what it held', async () => {
  const database = memoryDatabase();
  const frozen = world({
    storage: memoryStorage({ database }),
    store: { schemaVersion: 2, migrate: ({ payload }) => waking.promise.then(() => payload) },
    lease: '8s',
    requestTimeout: '5s',
  });
  const other = world({ storage: memoryStorage({ database }), runtime: frozen.runtime });
  const waking = deferred();
  await other.notes.save({ id: 'a' });
  const running = frozen.backend.sync();
  await frozen.settle();
  await frozen.runtime.advance('9s');
  await other.wait(other.backend.sync());

  waking.resolve();
  await frozen.wait(running);

  expect(other.arrivals).toEqual(['create a']);
  expect(frozen.requests).toEqual([]);
  expect(frozen.typesOf('claim-lost')).toHaveLength(1);
});
