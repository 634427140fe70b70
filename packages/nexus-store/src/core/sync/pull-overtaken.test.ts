import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { fixtures, type BackendFixture, type Note } from '../../testing/backend-fixture.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import { MemoryServer } from '../../testing/memory-server.ts';
import { whilePagesTravel } from '../../testing/travelling-pages.ts';
import { RemoteError } from '../model/errors.ts';
import type { PulledRow } from '../ports/remote.ts';
import { NexusStore } from '../store/nexus-store.ts';

const world = fixtures(afterEach, () => memoryStorage());

/** Two contexts that share a database, as two tabs or processes do. The second only gets to push. */
function twoContexts(
  settings: Parameters<typeof world>[0] = {},
): readonly [BackendFixture, BackendFixture, MemoryServer] {
  const database = memoryDatabase();
  const server = new MemoryServer();
  const one = world({
    ...settings,
    storage: memoryStorage({ database }),
    remote: memoryRemote({ hints: false, server }),
  });
  const two = world({
    storage: memoryStorage({ database }),
    remote: memoryRemote({ hints: false, server }),
    runtime: one.runtime,
  });
  two.remote.pull = async () => {
    throw new RemoteError('remote/rejected', 'not for this one', { status: 403 });
  };
  return [one, two, server];
}

const kept = (fixture: BackendFixture, id: string): Promise<unknown> =>
  fixture.notes.get(id, { policy: 'cache-only' });

describe('a page that is older than what the server acknowledged meanwhile', () => {
  test("does not undo another context's save", async () => {
    const [one, two, server] = twoContexts();
    await two.notes.save({ id: 'a', text: 'old' });
    await two.wait(two.backend.sync());
    whilePagesTravel(one, async (number) => {
      if (number > 1) return;
      await two.notes.save({ id: 'a', text: 'ours' });
      await two.backend.sync();
    });

    await one.wait(one.backend.sync());

    expect(await kept(one, 'a')).toEqual({ id: 'a', text: 'ours' });
    expect(server.value('notes', 'a')).toEqual({ id: 'a', text: 'ours' });
  });

  test("does not bring back what another context's delete took away", async () => {
    const [one, two] = twoContexts();
    await two.notes.save({ id: 'a', text: 'old' });
    await two.wait(two.backend.sync());
    const shown: unknown[] = [];
    whilePagesTravel(one, async (number) => {
      if (number > 1) return;
      await two.notes.delete('a');
      await two.backend.sync();
      one.notes.watch('a').subscribe((note) => shown.push(note));
    });

    await one.wait(one.backend.sync());
    await one.settle();

    expect(shown.every((note) => note === undefined)).toBe(true);
    expect(await kept(one, 'a')).toBeUndefined();
  });

  test('does not undo a write that went to the server directly', async () => {
    const fixture = world();
    await fixture.notes.save({ id: 'a', count: 1 });
    await fixture.wait(fixture.backend.sync());
    const shown: unknown[] = [];
    fixture.notes.watch('a').subscribe((note) => shown.push(note?.count));
    await fixture.settle();
    fixture.remote.server.expireCursors();
    whilePagesTravel(fixture, async (number) => {
      if (number === 1) await fixture.notes.save({ id: 'a', count: 2 }, { policy: 'remote-first' });
    });

    await fixture.wait(fixture.backend.fetch('notes'));
    await fixture.settle();

    expect(shown).toEqual([undefined, 1, 2]);
    expect(await kept(fixture, 'a')).toEqual({ id: 'a', count: 2 });
  });

  test('is not fetched again for a row that one of the acknowledged writes made', async () => {
    const [one, two, server] = twoContexts();
    server.set('notes', 'other', { id: 'other' });
    const pull = one.remote.pull.bind(one.remote);
    let requests = 0;
    one.remote.pull = async (request, context) => {
      requests += 1;
      // The first write is part of the page, the second comes after it; both are acknowledged before it is here.
      await two.notes.save({ id: 'hot', count: 1 });
      await two.backend.sync();
      const page = await pull(request, context);
      await two.notes.save({ id: 'hot', count: 2 });
      await two.backend.sync();
      return page;
    };

    await one.wait(one.backend.sync());

    expect(requests).toBe(1);
    expect(await kept(one, 'other')).toEqual({ id: 'other' });
    expect(await kept(one, 'hot')).toEqual({ id: 'hot', count: 2 });
  });

  test('brings what the server says of the last acknowledged write, beyond its acknowledgement', async () => {
    const [one, two] = twoContexts();
    const pull = one.remote.pull.bind(one.remote);
    one.remote.pull = async (request, context) => {
      await two.notes.save({ id: 'a', count: 1 });
      await two.backend.sync();
      const page = await pull(request, context);
      const rows = page.rows.map((row) => ({
        ...row,
        version: 'w/ text',
        value: { id: 'a', count: 1, text: 'by the server' },
      }));
      return { ...page, rows };
    };

    await one.wait(one.backend.sync());

    expect(await kept(one, 'a')).toEqual({ id: 'a', count: 1, text: 'by the server' });
  });

  test('is left for the next run if it is overtaken again and again', async () => {
    const [one, two, server] = twoContexts();
    await two.notes.save({ id: 'a', count: 0 });
    await two.wait(two.backend.sync());
    let count = 0;
    let isBusy = true;
    const withoutOrigin = (row: PulledRow): PulledRow => ({ ...row, operationId: null });
    const requests = whilePagesTravel(
      one,
      async () => {
        if (!isBusy) return;
        count += 1;
        await two.notes.save({ id: 'a', count });
        await two.backend.sync();
      },
      (page) => ({ ...page, rows: page.rows.map(withoutOrigin) }),
    );
    server.set('notes', 'b', { id: 'b' });

    const report = await one.wait(one.backend.sync());

    expect(requests()).toBe(4);
    expect(report.stoppedBy).not.toBe('drained');
    expect(await kept(one, 'a')).toEqual({ id: 'a', count });
    isBusy = false;
    expect(await one.wait(one.backend.sync())).toMatchObject({ stoppedBy: 'drained' });
    expect(await kept(one, 'b')).toEqual({ id: 'b' });
  });

  /** Each of the first pages of `hot` was overtaken by a write of it when it is here. */
  function overtaken(
    times: number,
    settings: Parameters<typeof world>[0] = {},
  ): readonly [BackendFixture, () => number] {
    const [one, two, server] = twoContexts(settings);
    server.set('notes', 'hot', { id: 'hot' });
    server.set('notes', 'other', { id: 'other' });
    const withoutOrigin = (row: PulledRow): PulledRow => ({ ...row, operationId: null });
    const requests = whilePagesTravel(
      one,
      async (number) => {
        if (number > times) return;
        await two.notes.save({ id: 'hot', count: number });
        await two.backend.sync();
      },
      (page) => ({ ...page, rows: page.rows.map(withoutOrigin) }),
    );
    return [one, requests];
  }

  test('is asked for again soon, later each time, where syncs run by themselves', async () => {
    const [one, requests] = overtaken(8, { autoSync: true });

    const report = await one.wait(one.backend.sync());

    const now = one.runtime.clock.now();
    expect(report).toMatchObject({ stoppedBy: 'deadline', nextAttemptAt: now + 1_000 });
    await one.runtime.advance(100);
    expect(one.backend.status.current.nextAttemptAt).toBe(now + 1_000);
    await one.runtime.advance('1s');
    expect(requests()).toBe(8);
    await one.runtime.advance('1s');
    expect(requests()).toBe(8);
    await one.runtime.advance('1s');
    expect(await kept(one, 'other')).toEqual({ id: 'other' });
    await one.runtime.advance(100);
    expect(one.backend.status.current).toMatchObject({ nextAttemptAt: null, phase: 'idle' });
  });

  test('is asked for again soon if a fetch of its own gave it up', async () => {
    const [one] = overtaken(4, { autoSync: true });

    const fetching = one.wait(one.backend.fetch('notes'));

    await expect(fetching).rejects.toMatchObject({ code: 'remote/timeout' });
    await one.runtime.advance('2s');
    expect(await kept(one, 'other')).toEqual({ id: 'other' });
  });

  test('of one collection does not hold up the others', async () => {
    const [one] = overtaken(4);
    one.remote.server.set('tasks', 't', { id: 't' });
    const tasks = new NexusStore<Note>({ backend: one.backend, collection: 'tasks' });

    const report = await one.wait(one.backend.sync());

    expect(report).toMatchObject({ stoppedBy: 'deadline' });
    expect(await tasks.get('t', { policy: 'cache-only' })).toEqual({ id: 't' });
  });

  test('is fetched again if so much was acknowledged that nobody remembers what', async () => {
    const [one, two, server] = twoContexts();
    server.set('notes', 'a', { id: 'a', text: 'old' });
    const requests = whilePagesTravel(one, async (number) => {
      if (number > 1) return;
      for (let i = 0; i < 70; i += 1) {
        await two.notes.save({ id: i === 0 ? 'a' : `n${i}`, text: 'ours' });
        await two.backend.sync();
      }
    });

    await one.wait(one.backend.sync());

    expect(requests()).toBe(2);
    expect(await kept(one, 'a')).toEqual({ id: 'a', text: 'ours' });
  });
});

test('a full fetch spares what was acknowledged under way, also where the clock was set back', async () => {
  const [one, two, server] = twoContexts();
  server.set('notes', 'a', { id: 'a' });
  whilePagesTravel(one, async (number) => {
    if (number > 1) return;
    one.runtime.jumpWallClock(-3_600_000);
    await two.notes.save({ id: 'new', text: 'ours' });
    await two.backend.sync();
  });

  await one.wait(one.backend.sync());

  expect(await kept(one, 'new')).toEqual({ id: 'new', text: 'ours' });
  expect(await kept(one, 'a')).toEqual({ id: 'a' });
});

test('the late answer to several writes of one transaction does not hide the newer row that a pull has brought', async () => {
  const fixture = world({ store: { coalesce: false } });
  await fixture.notes.save({ id: 'a', text: 'old' });
  await fixture.wait(fixture.backend.sync());
  await fixture.backend.transaction(async (tx) => {
    await tx.store(fixture.notes).patch('a', { text: 'ours' });
    await tx.store(fixture.notes).patch('a', { at: 2 });
  });
  fixture.remote.answerNext('lose-answer');
  await fixture.wait(fixture.backend.sync());
  fixture.remote.server.set('notes', 'a', { id: 'a', text: 'theirs', at: 3 });
  await fixture.wait(fixture.backend.fetch('notes'));
  await fixture.runtime.advance('10m');

  await fixture.wait(fixture.backend.sync());

  expect(await fixture.backend.pendingChanges()).toEqual([]);
  expect(await kept(fixture, 'a')).toEqual({ id: 'a', text: 'theirs', at: 3 });
});

test('the late answer to a write does not bring back what a full fetch did not find any more', async () => {
  const fixture = world();
  await fixture.notes.save({ id: 'a', text: 'old' });
  await fixture.wait(fixture.backend.sync());
  await fixture.notes.save({ id: 'a', text: 'ours' });
  fixture.remote.answerNext('lose-answer');
  await fixture.wait(fixture.backend.sync());
  fixture.remote.server.set('notes', 'a', undefined);
  fixture.remote.server.expireCursors();
  await fixture.wait(fixture.backend.fetch('notes'));
  await fixture.runtime.advance('10m');

  await fixture.wait(fixture.backend.sync());

  expect(await fixture.backend.pendingChanges()).toEqual([]);
  expect(await kept(fixture, 'a')).toBeUndefined();
});
