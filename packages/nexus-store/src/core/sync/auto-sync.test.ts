import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import { faultyStorage } from '../../testing/faulty-storage.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import { createSeededRandom } from '../../testing/seeded-random.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import { whyAsleep } from '../store/why-asleep.ts';
import { StorageError } from '../model/errors.ts';
import type { SyncPriority } from '../model/priority.ts';
import type { Storage } from '../ports/storage.ts';

const world = fixtures(afterEach, () => memoryStorage());
const auto = (options: Parameters<typeof world>[0] = {}): BackendFixture =>
  world({ autoSync: true, ...options });

describe('a write goes by itself', () => {
  test.each([
    ['critical', 0, 0],
    ['high', 0, 1_000],
    ['normal', 1_000, 10_000],
    ['low', 10_000, 60_000],
  ] as const)('%s, soon enough', async (priority, notBefore, atLast) => {
    const fixture = auto();
    await fixture.notes.save({ id: 'a' }, { priority });

    await fixture.runtime.advance(Math.max(0, notBefore - 1));
    const early = fixture.arrivals.length;
    await fixture.runtime.advance(atLast - notBefore + 1);

    expect(early).toBe(priority === 'critical' ? 1 : 0);
    expect(fixture.arrivals).toEqual(['create a']);
  });

  test('also when it was left by the process before', async () => {
    const database = memoryDatabase();
    const first = world({ storage: memoryStorage({ database }) });
    await first.notes.save({ id: 'a' }, { priority: 'low' });
    await first.backend.close();

    const second = auto({ storage: memoryStorage({ database }) });
    await second.backend.open();
    await second.runtime.advance('1ms');

    expect(second.arrivals).toEqual(['create a']);
  });

  test('after its delay, and what waits in its lane right behind it', async () => {
    const fixture = auto({ store: { coalesce: false } });
    fixture.remote.answerNext(answers.entry(423, 60_000));
    await fixture.notes.save({ id: 'a', text: '1' }, { priority: 'critical' });
    await fixture.notes.save({ id: 'a', text: '2' });

    await fixture.runtime.advance('59s');
    const early = fixture.arrivals.length;
    await fixture.runtime.advance('3s');

    expect(early).toBe(0);
    expect(fixture.arrivals).toHaveLength(2);
  });

  test('when what it waited behind is cancelled, discarded or resolved', async () => {
    const fixture = auto({ store: { coalesce: false, conflict: 'manual' } });
    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
    await fixture.wait(fixture.backend.sync());
    fixture.remote.answerNext((sent) =>
      sent.entityId === 'a'
        ? answers.entry(423, 3_600_000)
        : sent.entityId === 'b'
          ? answers.rejected(422)
          : answers.conflict({ id: 'c', text: 'theirs' }, '99'),
    );
    for (const text of ['1', '2'])
      for (const id of ['a', 'b', 'c']) await fixture.notes.save({ id, text });
    await fixture.wait(fixture.backend.sync());
    await fixture.runtime.advance('10s');
    const before = fixture.arrivals.length;
    const heads = [
      ...(await fixture.backend.pendingChanges()),
      ...(await fixture.backend.deadLetters()),
    ];
    const head = (id: string): string =>
      heads.filter(({ entityId }) => entityId === id).toSorted((a, b) => a.seq - b.seq)[0]?.id ??
      '';

    await fixture.backend.cancel(head('a'));
    await fixture.backend.discard(head('b'));
    await fixture.backend.resolveConflict(head('c'), { use: 'remote' });
    await fixture.runtime.advance('11s');

    expect(before).toBe(3);
    expect(await whyAsleep(fixture.backend)).toBeNull();
    expect(fixture.arrivals.slice(3, 5).toSorted()).toEqual(['update a', 'update b']);
  });
});

describe('the timer', () => {
  test('that is far away gives way to a critical write, wherever the clock was moved', async () => {
    for (const jump of [-3_600_000, 0, 3_600_000]) {
      const fixture = auto();
      await fixture.notes.save({ id: 'low' }, { priority: 'low' });
      fixture.runtime.jumpWallClock(jump);

      await fixture.notes.save({ id: 'urgent' }, { priority: 'critical' });
      await fixture.runtime.advance('10ms');

      expect(fixture.arrivals[0]).toBe('create urgent');
    }
  });

  test('is shown as the next attempt', async () => {
    const fixture = auto();
    await fixture.notes.save({ id: 'a' });
    await fixture.runtime.advance('60ms');

    const { nextAttemptAt } = fixture.backend.status.current;

    expect(nextAttemptAt).toBe(fixture.runtime.clock.now() - 60 + 10_000);
  });

  test('is shown in whole milliseconds, once, where the monotonic clock counts parts of them', async () => {
    const runtime = createVirtualRuntime(1);
    const { timers, random, ids, logger } = runtime;
    // The two clocks of a platform do not begin their milliseconds together.
    const elapsed = (): number => {
      const ms = runtime.clock.elapsed();
      return ms + ((ms * 0.37) % 1);
    };
    const clock = { now: () => runtime.clock.now(), elapsed };
    const fixture = auto({ runtime, process: { clock, timers, random, ids, logger } });
    const shown = new Set<number>();
    fixture.backend.status.subscribe(({ nextAttemptAt }) => {
      if (nextAttemptAt !== null) shown.add(nextAttemptAt);
    });

    await fixture.runtime.advance('1ms');
    for (const id of ['a', 'b', 'c']) {
      await fixture.notes.save({ id }, { priority: 'low' });
      await fixture.runtime.advance('60ms');
    }

    expect([...shown].map(Number.isInteger)).toEqual([true]);
  });

  test('is not set again by writes that keep coming', async () => {
    const fixture = auto();
    for (let count = 0; count < 50; count += 1) {
      await fixture.notes.save({ id: `n${count}` });
      await fixture.runtime.advance('500ms');
    }

    expect(fixture.arrivals.length).toBeGreaterThanOrEqual(20);
  });

  test('waits longer after each failure here, and does not give up', async () => {
    const storage = faultyStorage(memoryStorage());
    const fixture = auto({ storage });
    await fixture.notes.save({ id: 'a' });
    for (let count = 0; count < 5; count += 1) {
      storage.failWrite(1, 'storage/busy');
      await fixture.runtime.advance('20s');
    }

    await fixture.runtime.advance('1m');

    expect(fixture.arrivals).toEqual(['create a']);
  });

  test('is not set without autoSync', async () => {
    const fixture = world();
    await fixture.notes.save({ id: 'a' }, { priority: 'critical' });

    await fixture.runtime.advance('1h');

    expect(fixture.requests).toEqual([]);
    expect(fixture.runtime.pendingTimers).toBe(0);
  });
});

describe('the network coming back', () => {
  test('makes what failed go at once', async () => {
    const fixture = auto({ backoff: { initial: '10m', cap: '10m' } });
    fixture.remote.answerNext(answers.offline);
    await fixture.notes.save({ id: 'a' }, { priority: 'critical' });
    await fixture.runtime.advance('10ms');

    fixture.backend.wake();
    await fixture.runtime.advance('10ms');

    expect(fixture.arrivals).toEqual(['create a']);
  });
});

describe('hints of the server', () => {
  test('bring its rows soon, and a stream that ends is begun again', async () => {
    const fixture = auto({ remote: memoryRemote() });
    const listen = fixture.remote.listen.bind(fixture.remote);
    let streams = 0;
    fixture.remote.listen = async (onHint, context) => {
      streams += 1;
      if (streams === 1) return;
      await listen(onHint, context);
    };
    await fixture.backend.open();
    await fixture.runtime.advance('5s');
    fixture.remote.server.set('notes', 'a', { id: 'a' });
    await fixture.runtime.advance('1s');

    expect(streams).toBe(2);
    expect(await fixture.notes.get('a', { policy: 'cache-only' })).toEqual({ id: 'a' });
  });

  test('are heard as the user who is signed in, and not while sync is paused', async () => {
    const fixture = auto({ remote: memoryRemote() });
    const heard: (string | null)[] = [];
    const listen = fixture.remote.listen.bind(fixture.remote);
    fixture.remote.listen = async (onHint, context) => {
      heard.push(context.principal);
      await listen(onHint, context);
    };
    await fixture.backend.signIn('ann');
    await fixture.runtime.advance('1s');
    await fixture.backend.pause();
    fixture.remote.server.set('notes', 'a', { id: 'a' }, 'ann');
    await fixture.runtime.advance('10m');
    const whilePaused = await fixture.notes.get('a', { policy: 'cache-only' });
    await fixture.backend.resume();
    await fixture.runtime.advance('1s');

    expect(heard).toEqual([null, 'ann', 'ann']);
    expect(whilePaused).toBeUndefined();
    expect(await fixture.notes.get('a', { policy: 'cache-only' })).toEqual({ id: 'a' });
  });
});

describe('whatever happens', () => {
  const outcomes = [
    'apply',
    'lose-request',
    'lose-answer',
    'refuse-connection',
    'hang',
    answers.entry(500),
    answers.entry(423),
    answers.endpoint(503, 20_000),
    answers.rejected(422),
    answers.rejected(403),
    answers.conflict({ id: 'x', text: 'theirs' }, '1'),
    answers.portal,
  ] as const;
  const priorities: readonly SyncPriority[] = ['critical', 'high', 'normal', 'low'];

  test.each(Array.from({ length: 20 }, (_, seed) => seed))(
    'pending and not blocked means a run or a timer, and in the end everything is settled (seed %i)',
    async (seed) => {
      const random = createSeededRandom(seed, 'auto');
      const pick = <T>(list: readonly T[]): T =>
        list[Math.floor(random.float() * list.length)] as T;
      const fixture = auto({ maxAttempts: 4, concurrency: 2, batchSize: 3, requestTimeout: '5s' });
      fixture.remote.answerWith(() => pick(outcomes));
      for (let step = 0; step < 60; step += 1) {
        const id = `n${Math.floor(random.float() * 6)}`;
        if (random.float() < 0.8)
          await fixture.notes.save({ id, at: step }, { priority: pick(priorities) });
        else await fixture.notes.delete(id);
        if (random.float() < 0.1) fixture.runtime.jumpWallClock((random.float() - 0.5) * 60_000);
        await fixture.runtime.advance(Math.floor(random.float() * 4_000));
        expect(await whyAsleep(fixture.backend)).toBeNull();
      }
      fixture.remote.answerWith(undefined);
      await fixture.runtime.advance('26h');

      const left = await fixture.backend.pendingChanges();
      const dead = new Set((await fixture.backend.deadLetters()).map(({ entityId }) => entityId));
      expect(
        left.filter(({ entityId, state }) => state === 'pending' && !dead.has(entityId)),
      ).toEqual([]);
      expect(await whyAsleep(fixture.backend)).toBeNull();
    },
  );
});

test('a refresh that the storage fails is followed by another look', async () => {
  const database = memoryDatabase();
  const inner = memoryStorage({ database });
  let failures = 0;
  const storage: Storage = {
    capabilities: inner.capabilities,
    open: (schema) => inner.open(schema),
    close: () => inner.close(),
    foreignCommits: () => inner.foreignCommits(),
    transact: (mode, body) => {
      if (mode === 'read' && failures > 0) {
        failures -= 1;
        return Promise.reject(new StorageError('storage/busy', 'injected'));
      }
      return inner.transact(mode, body);
    },
  };
  const fixture = auto({ storage });
  const other = world({ storage: memoryStorage({ database }), runtime: fixture.runtime });
  await fixture.backend.open();
  await other.notes.save({ id: 'a' });
  failures = 1;

  await expect(fixture.backend.refresh()).rejects.toMatchObject({ code: 'storage/busy' });
  await fixture.runtime.advance('12s');

  expect(fixture.arrivals).toEqual(['create a']);
});
