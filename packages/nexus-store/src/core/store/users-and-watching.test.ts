import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures, type Note } from '../../testing/backend-fixture.ts';
import { deferred } from '../../testing/deferred.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import { NexusStore } from './nexus-store.ts';
import { StoreBackend } from './store-backend.ts';

const world = fixtures(afterEach, () => memoryStorage());
const here = { policy: 'cache-only' } as const;

describe('a user', () => {
  test('sees own rows only, and what was left waiting goes on with the next sign-in', async () => {
    const fixture = world({ autoSync: true });
    await fixture.backend.signIn('ann');
    await fixture.notes.save({ id: 'a', text: 'of ann' });
    await fixture.backend.signOut();
    const ofNobody = await fixture.notes.getAll({}, here);
    await fixture.backend.signIn('bob');
    await fixture.notes.save({ id: 'a', text: 'of bob' });
    await fixture.runtime.advance('1h');
    const arrived = fixture.remote.server.applied.map(({ principal }) => principal);

    await fixture.backend.signIn('ann');
    await fixture.runtime.advance('1s');

    expect(ofNobody).toEqual([]);
    expect(arrived).toEqual(['bob']);
    expect(fixture.remote.server.value('notes', 'a', 'ann')).toEqual({ id: 'a', text: 'of ann' });
    expect(await fixture.notes.get('a')).toEqual({ id: 'a', text: 'of ann' });
  });

  test('stays signed in across a restart', async () => {
    const database = memoryDatabase();
    const first = world({ storage: memoryStorage({ database }) });
    await first.backend.signIn('ann');
    await first.notes.save({ id: 'a' });
    await first.backend.close();

    const second = world({ storage: memoryStorage({ database }) });
    await second.backend.open();

    expect(second.backend.principal).toBe('ann');
    expect(await second.notes.get('a')).toEqual({ id: 'a' });
  });

  test('who signs out with flush has everything sent first, as far as the time allows', async () => {
    const fixture = world();
    await fixture.backend.signIn('ann');
    await fixture.notes.save({ id: 'a' });

    await fixture.wait(fixture.backend.signOut({ pending: 'flush' }));
    await fixture.backend.signIn('ann');
    fixture.remote.answerNext('hang');
    await fixture.notes.save({ id: 'b' });
    const startedAt = fixture.runtime.clock.elapsed();
    await fixture.wait(fixture.backend.signOut({ pending: 'flush', timeout: '5s' }));
    const tookMs = fixture.runtime.clock.elapsed() - startedAt;
    await fixture.backend.signIn('ann');

    expect(fixture.arrivals).toEqual(['create a']);
    expect(tookMs).toBeLessThan(5_200);
    expect((await fixture.backend.pendingChanges()).map(({ entityId }) => entityId)).toEqual(['b']);
  });

  test('who signs out with discard leaves nothing behind', async () => {
    const fixture = world();
    await fixture.backend.signIn('ann');
    const parent = await fixture.notes.save({ id: 'parent' });
    await fixture.notes.saveAll(
      Array.from({ length: 1_000 }, (_, index) => ({ id: `n${index}` })),
      { after: [parent.entry ?? { id: '' }] },
    );
    await fixture.wait(fixture.backend.sync({ budget: '3s' }));
    await fixture.notes.saveAll(Array.from({ length: 500 }, (_, index) => ({ id: `m${index}` })));

    await fixture.wait(fixture.backend.signOut({ pending: 'discard' }));
    await fixture.backend.signIn('ann');

    expect(await fixture.notes.getAll({}, here)).toEqual([]);
    expect(fixture.backend.status.current.pending).toEqual({
      critical: 0,
      high: 0,
      normal: 0,
      low: 0,
    });
    expect(fixture.notes.pendingChangesCount.current).toBe(0);
    const tables = ['rows', 'entries', 'dependencies', 'leases'];
    const left = await fixture.backend.writer.read((uow) =>
      Promise.all(tables.map((table) => uow.scan(table, { limit: 10 }))),
    );
    expect(left.flat()).toEqual([]);
  });

  test('nobody can be erased too, and writes go on', async () => {
    const fixture = world();
    await fixture.notes.save({ id: 'a' });
    await fixture.wait(fixture.backend.signOut({ pending: 'discard' }));
    await fixture.notes.save({ id: 'b' });

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 1, remaining: 0 });
    expect(await fixture.notes.getAll({}, here)).toEqual([{ id: 'b' }]);
  });

  test('needs a name, and a way to sign out that exists', async () => {
    const { backend } = world();

    await expect(backend.signIn('')).rejects.toMatchObject({ code: 'usage/invalid-argument' });
    await expect(backend.signOut({ pending: 'drop' as never })).rejects.toMatchObject({
      code: 'usage/invalid-argument',
    });
  });
});

describe('a watched entity', () => {
  test('replays what is there, follows every change, and is silent without one', async () => {
    const fixture = world();
    await fixture.notes.save({ id: 'a', text: '1' });
    const shown: unknown[] = [];
    const stop = fixture.notes.watch('a', here).subscribe((note) => shown.push(note?.text));
    await fixture.settle();
    await fixture.notes.save({ id: 'a', text: '1' });
    await fixture.notes.save({ id: 'b', text: 'other' });
    await fixture.settle();
    await fixture.notes.patch('a', { text: '2' });
    await fixture.settle();
    await fixture.wait(fixture.backend.sync());
    await fixture.notes.delete('a');
    await fixture.settle();
    stop();
    await fixture.notes.save({ id: 'a', text: '3' });
    await fixture.settle();

    expect(shown).toEqual([undefined, '1', '2', undefined]);
  });

  test('shows what a pull brings, and what a cancel takes back', async () => {
    const fixture = world();
    const shown: unknown[] = [];
    fixture.notes.watch('a', here).subscribe((note) => shown.push(note?.text));
    fixture.remote.server.set('notes', 'a', { id: 'a', text: 'theirs' });
    await fixture.wait(fixture.backend.sync());
    const write = await fixture.notes.patch('a', { text: 'ours' });
    await fixture.settle();
    await fixture.backend.cancel(write.entry?.id ?? '');
    await fixture.settle();

    expect(shown).toEqual([undefined, 'theirs', 'ours', 'theirs']);
  });

  test('can be iterated, and a slow reader gets only the latest', async () => {
    const fixture = world();
    await fixture.notes.save({ id: 'a', text: '0' });
    const watched = fixture.notes.watch('a', here);
    const iterator = watched[Symbol.asyncIterator]();
    await iterator.next();
    for (const text of ['1', '2', '3']) await fixture.notes.save({ id: 'a', text });
    await fixture.settle();

    const { value } = await iterator.next();
    await iterator.return?.();

    expect(value).toEqual({ id: 'a', text: '3' });
  });

  test('of another user is never shown, not even while it was just being read', async () => {
    const inner = memoryStorage();
    let hold: Promise<void> | undefined;
    const storage = {
      ...inner,
      capabilities: inner.capabilities,
      open: inner.open.bind(inner),
      close: inner.close.bind(inner),
      foreignCommits: inner.foreignCommits.bind(inner),
      transact: async <R>(mode: 'read' | 'write', body: never): Promise<R> => {
        const result: R = await inner.transact(mode, body);
        if (mode === 'read' && hold !== undefined) await hold;
        return result;
      },
    };
    const fixture = world({ storage });
    await fixture.backend.signIn('ann');
    await fixture.notes.save({ id: 'a', text: 'secret' });
    const held = deferred();
    hold = held.promise;
    const shown: unknown[] = [];
    fixture.notes.watch('a', here).subscribe((note) => shown.push(note?.text));
    await fixture.settle();
    hold = undefined;

    await fixture.wait(fixture.backend.signIn('bob'));
    held.resolve();
    await fixture.settle();

    expect(shown).toEqual([undefined]);
  });
});

describe('a watched query', () => {
  test('follows its result, keeps what did not change, and is silent where nothing did', async () => {
    const fixture = world();
    await fixture.notes.saveAll([
      { id: 'a', done: false },
      { id: 'b', done: true },
    ]);
    const shown: (readonly Note[])[] = [];
    fixture.notes
      .watchAll({ where: { done: false } }, here)
      .subscribe((notes) => shown.push(notes));
    await fixture.settle();
    await fixture.notes.save({ id: 'c', done: true });
    await fixture.settle();
    await fixture.notes.save({ id: 'd', done: false });
    await fixture.settle();
    await fixture.notes.patch('a', { done: true });
    await fixture.settle();

    expect(shown.map((notes) => notes.map(({ id }) => id))).toEqual([[], ['a'], ['a', 'd'], ['d']]);
    expect(shown[2]?.[0]).toBe(shown[1]?.[0]);
    expect(shown[3]?.[0]).toBe(shown[2]?.[1]);
  });

  test('notices that two entities with the same value changed places', async () => {
    const fixture = world();
    const { backend } = fixture;
    const settle = (): Promise<void> => fixture.settle();
    const store = new NexusStore<{ n: number; key: string }>({
      backend,
      collection: 'k',
      id: 'key',
    });
    await store.saveAll([{ key: 'a', n: 1 }]);
    const shown: unknown[] = [];
    store
      .watchAll({ where: { n: 1 } }, here)
      .subscribe((found) => shown.push(found.map(({ key }) => key)));
    await settle();
    await store.saveAll([
      { key: 'a', n: 2 },
      { key: 'b', n: 1 },
    ]);
    await settle();

    expect(shown).toEqual([[], ['a'], ['b']]);
  });

  test('costs one reading for a burst of writes', async () => {
    const fixture = world();
    const shown: number[] = [];
    fixture.notes.watchAll({}, here).subscribe((notes) => shown.push(notes.length));
    await fixture.settle();
    await Promise.all(
      Array.from({ length: 100 }, (_, index) => fixture.notes.save({ id: `n${index}` })),
    );
    await fixture.settle();

    expect(shown.length).toBeLessThan(10);
    expect(shown.at(-1)).toBe(100);
  });
});

describe('status', () => {
  test('is a set of facts', async () => {
    const fixture = world({ autoSync: true });
    const { status } = fixture.backend;
    expect(status.current.phase).toBe('closed');
    await fixture.notes.save({ id: 'a' }, { priority: 'high' });
    const savedAt = fixture.runtime.clock.now();
    await fixture.notes.save({ id: 'b' }, { priority: 'low' });
    await fixture.runtime.advance('60ms');
    const waiting = status.current;
    const held = deferred();
    fixture.remote.answerNext({ until: held.promise, answer: 'apply' });
    await fixture.runtime.advance('1s');
    const sending = status.current;
    held.resolve();
    await fixture.runtime.advance('1m');

    expect(waiting).toMatchObject({
      phase: 'idle',
      pending: { critical: 0, high: 1, normal: 0, low: 1 },
      claimed: 0,
      oldestPendingAt: savedAt,
      blockedBy: null,
      nextAttemptAt: savedAt + 1_000,
      lastSyncedAt: null,
      progress: null,
    });
    expect(sending).toMatchObject({
      phase: 'pushing',
      claimed: 1,
      progress: { done: 0, total: 2 },
    });
    expect(status.current).toMatchObject({
      phase: 'idle',
      pending: { critical: 0, high: 0, normal: 0, low: 0 },
      oldestPendingAt: null,
      nextAttemptAt: null,
      progress: null,
    });
    expect(status.current.lastSyncedAt).not.toBeNull();
  });

  test('is not told twice without a change', async () => {
    const fixture = world({ autoSync: true });
    await fixture.backend.open();
    const told: string[] = [];
    fixture.backend.status.subscribe((status) => told.push(JSON.stringify(status)));
    await fixture.notes.save({ id: 'a' });
    await fixture.runtime.advance('1m');

    expect(told.filter((text, index) => text === told[index - 1])).toEqual([]);
  });
});

describe('a backend', () => {
  test('without a remote keeps everything, queued, and sets no timer', async () => {
    const runtime = createVirtualRuntime(1);
    const backend = new StoreBackend(runtime, { storage: memoryStorage() });
    const notes = new NexusStore<Note>({ backend, collection: 'notes' });
    await notes.save({ id: 'a' }, { priority: 'critical' });
    await backend.transaction(async (tx) => {
      for (const id of ['b', 'c', 'd']) await tx.store(notes).save({ id });
    });
    await runtime.advance('1h');
    const timers = runtime.pendingTimers;

    const report = await backend.sync();
    const [entry] = await backend.pendingChanges();

    expect(timers).toBe(0);
    expect(report).toMatchObject({ stoppedBy: 'offline', remaining: 4, nextAttemptAt: null });
    expect(entry).toMatchObject({ isAmbiguous: false, attempts: 0, lastFailure: null });
    expect(backend.status.current.blockedBy).toEqual({ reason: 'offline', until: null });
    expect(await notes.get('nothing')).toBeUndefined();
    await expect(notes.get('a', { policy: 'network-only' })).rejects.toMatchObject({
      code: 'remote/offline',
    });
    await expect(notes.save({ id: 'x' }, { policy: 'remote-first' })).rejects.toMatchObject({
      code: 'remote/offline',
    });
    await backend.close();
  });

  test('that is closed is silent: no event, no timer, no notification', async () => {
    const fixture = world({ autoSync: true });
    fixture.remote.answerWith(() => 'hang');
    await fixture.notes.save({ id: 'a' }, { priority: 'critical' });
    await fixture.runtime.advance('10ms');
    const told: unknown[] = [];
    fixture.notes.watch('a').subscribe((note) => told.push(note));
    fixture.backend.status.subscribe((status) => told.push(status.phase));
    const iteration = fixture.backend.status[Symbol.asyncIterator]();
    await iteration.next();
    const pendingNext = iteration.next();

    await Promise.all([fixture.backend.close(), fixture.backend.close()]);
    const [events, heard] = [fixture.events.length, told.length];
    fixture.backend.wake();
    await fixture.runtime.advance('24h');

    expect(fixture.runtime.pendingTimers).toBe(0);
    expect([fixture.events.length, told.length]).toEqual([events, heard]);
    expect(told.at(-1)).toBe('closed');
    expect((await pendingNext).done === true || (await iteration.next()).done).toBe(true);
    await expect(fixture.notes.save({ id: 'b' })).rejects.toMatchObject({ code: 'storage/closed' });
    await expect(fixture.backend.sync()).rejects.toMatchObject({ code: 'storage/closed' });
  });

  test('that could not be opened can be opened again', async () => {
    const inner = memoryStorage();
    let isBroken = true;
    const storage = {
      capabilities: inner.capabilities,
      open: inner.open.bind(inner),
      close: inner.close.bind(inner),
      foreignCommits: inner.foreignCommits.bind(inner),
      transact: async (mode: 'read' | 'write', body: never): Promise<never> => {
        if (isBroken) throw new Error('disk on fire');
        return inner.transact(mode, body);
      },
    };
    const fixture = world({ storage });
    await expect(fixture.notes.save({ id: 'a' })).rejects.toThrow('disk on fire');

    isBroken = false;
    await fixture.notes.save({ id: 'a' });

    expect(await fixture.notes.get('a')).toEqual({ id: 'a' });
  });

  test('whose listener throws tells the others', async () => {
    const fixture = world();
    fixture.backend.on(() => {
      throw new Error('boom');
    });
    const heard: string[] = [];
    fixture.backend.on(({ type }) => heard.push(type));
    fixture.remote.answerNext(answers.entry(423));
    await fixture.notes.save({ id: 'a' });

    await fixture.wait(fixture.backend.sync());

    expect(heard).toContain('sync-finished');
  });
});
