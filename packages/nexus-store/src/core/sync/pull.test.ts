import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import { deferred } from '../../testing/deferred.ts';
import { faultyStorage } from '../../testing/faulty-storage.ts';
import { memoryRemote, type MemoryRemote } from '../../testing/memory-remote.ts';
import { MemoryServer } from '../../testing/memory-server.ts';
import { RemoteError } from '../model/errors.ts';
import type { PullPage, PullRequest, Remote, RemoteContext } from '../ports/remote.ts';

const world = fixtures(afterEach, () => memoryStorage());

function fill(fixture: BackendFixture, count: number): void {
  for (let index = 0; index < count; index += 1)
    fixture.remote.server.set('notes', `n${String(index).padStart(4, '0')}`, {
      id: `n${String(index).padStart(4, '0')}`,
      at: index,
    });
}

type Pull = (request: PullRequest, context: RemoteContext) => Promise<PullPage>;

/** Puts something between the engine and the remote's honest pull. */
function interpose(remote: Remote, wrap: (pull: Pull) => Pull): void {
  remote.pull = wrap(remote.pull.bind(remote));
}

const seen = (fixture: BackendFixture): Promise<unknown[]> =>
  fixture.notes.getAll({}, { policy: 'cache-only' });

describe('a pull', () => {
  test('takes page after page, and goes on at its cursor the next time', async () => {
    const fixture = world();
    fill(fixture, 1_200);
    const requests: PullRequest[] = [];
    interpose(fixture.remote, (pull) => (request, context) => {
      requests.push(request);
      return pull(request, context);
    });

    const first = await fixture.wait(fixture.backend.sync());
    fixture.remote.server.set('notes', 'n0007', undefined);
    fixture.remote.server.set('notes', 'new', { id: 'new' });
    const second = await fixture.wait(fixture.backend.sync());

    expect([first.pulled, second.pulled]).toEqual([1_200, 2]);
    expect(requests.map(({ limit }) => limit)).toEqual([500, 500, 500, 500]);
    expect(requests[0]?.cursor).toBeNull();
    expect(new Set(requests.map(({ cursor }) => cursor)).size).toBe(4);
    expect(await seen(fixture)).toHaveLength(1_200);
    expect(await fixture.notes.get('n0007', { policy: 'cache-only' })).toBeUndefined();
  });

  test('stores the rows and the cursor together or not at all', async () => {
    const storage = faultyStorage(memoryStorage());
    const fixture = world({ storage });
    fill(fixture, 3);
    await fixture.backend.open();
    storage.failWrite(1, 'storage/quota-exceeded');

    await expect(fixture.wait(fixture.backend.sync())).rejects.toMatchObject({
      code: 'storage/quota-exceeded',
    });
    const nothing = await seen(fixture);
    const again = await fixture.wait(fixture.backend.sync());

    expect(nothing).toEqual([]);
    expect(again.pulled).toBe(3);
  });

  test("never overwrites what waits: the server's row lies under it", async () => {
    const fixture = world();
    fixture.remote.server.set('notes', 'a', { id: 'a', text: 'theirs', at: 1 });
    await fixture.wait(fixture.backend.sync());
    await fixture.notes.patch('a', { text: 'ours' });
    fixture.remote.server.set('notes', 'a', { id: 'a', text: 'theirs', at: 2 });

    await fixture.wait(fixture.backend.fetch('notes'));
    const shown = await fixture.notes.get('a');
    const [entry] = await fixture.backend.pendingChanges();
    await fixture.backend.cancel(entry?.id ?? '');

    expect(shown).toEqual({ id: 'a', text: 'ours', at: 2 });
    expect(await fixture.notes.get('a')).toEqual({ id: 'a', text: 'theirs', at: 2 });
  });

  test('that brings a tombstone leaves what waits to be decided as a conflict', async () => {
    const fixture = world({ store: { conflict: 'manual' } });
    fixture.remote.server.set('notes', 'a', { id: 'a', text: 'theirs' });
    await fixture.wait(fixture.backend.sync());
    await fixture.notes.save({ id: 'a', text: 'ours' });
    fixture.remote.server.set('notes', 'a', undefined);
    await fixture.wait(fixture.backend.fetch('notes'));
    const shown = await fixture.notes.get('a');

    const report = await fixture.wait(fixture.backend.sync());

    expect(shown).toEqual({ id: 'a', text: 'ours' });
    expect(report.conflicts).toBe(1);
  });

  test('knows its own echo: an increment whose answer was lost is shown once', async () => {
    const fixture = world({
      store: {
        applyCommand: (note, _, args) => ({
          ...note,
          count: (note.count ?? 0) + (args as { by: number }).by,
        }),
      },
    });
    await fixture.notes.save({ id: 'a', count: 1 });
    await fixture.wait(fixture.backend.sync());
    fixture.remote.answerNext('lose-answer');
    await fixture.notes.command('a', 'increment', { field: 'count', by: 1 });
    await fixture.wait(fixture.backend.sync());
    await fixture.wait(fixture.backend.fetch('notes'));

    await fixture.wait(fixture.backend.sync());

    expect(await fixture.notes.get('a')).toEqual({ id: 'a', count: 2 });
    expect(fixture.remote.server.value('notes', 'a')).toEqual({ id: 'a', count: 2 });
  });

  test('does not show an older row again after a write was acknowledged meanwhile', async () => {
    const fixture = world();
    fixture.remote.server.set('notes', 'a', { id: 'a', text: 'old' });
    await fixture.wait(fixture.backend.sync());
    fixture.remote.server.set('notes', 'b', { id: 'b' });
    fixture.remote.server.set('notes', 'a', { id: 'a', text: 'old still' });
    const held = deferred();
    let isFirst = true;
    interpose(fixture.remote, (pull) => async (request, context) => {
      const page = await pull(request, context);
      if (isFirst) {
        isFirst = false;
        await held.promise;
      }
      return page;
    });
    const shown: unknown[] = [];
    fixture.notes.watch('a').subscribe((note) => shown.push(note?.text));
    const fetching = fixture.backend.fetch('notes');
    await fixture.settle();
    await fixture.notes.save({ id: 'a', text: 'ours' });
    await fixture.wait(fixture.backend.sync());

    held.resolve();
    await fixture.wait(fetching);

    expect(shown.slice(shown.indexOf('ours')).every((text) => text === 'ours')).toBe(true);
    expect(await fixture.notes.get('a')).toEqual({ id: 'a', text: 'ours' });
  });

  test('is not undone by another context that pulled the same page', async () => {
    const database = memoryDatabase();
    const server = new MemoryServer();
    const remote = (): MemoryRemote => memoryRemote({ hints: false, server });
    const one = world({ storage: memoryStorage({ database }), remote: remote() });
    const two = world({
      storage: memoryStorage({ database }),
      remote: remote(),
      runtime: one.runtime,
    });
    server.set('notes', 'a', { id: 'a', text: 'old' });
    const held = deferred();
    interpose(one.remote, (pull) => async (request, context) => {
      const page = await pull(request, context);
      await held.promise;
      return page;
    });
    const slow = one.backend.sync();
    await one.settle();
    server.set('notes', 'a', { id: 'a', text: 'new' });
    await two.wait(two.backend.sync());

    held.resolve();
    await one.wait(slow);

    expect(await one.notes.get('a', { policy: 'cache-only' })).toEqual({ id: 'a', text: 'new' });
  });

  test('makes way for a critical write between two pages', async () => {
    const fixture = world();
    fill(fixture, 1_400);
    const held = deferred();
    let pages = 0;
    interpose(fixture.remote, (pull) => async (request, context) => {
      pages += 1;
      if (pages === 2) await held.promise;
      return pull(request, context);
    });
    let pagesAtArrival = 0;
    fixture.remote.answerWith(() => {
      pagesAtArrival = pages;
      return 'apply';
    });
    const running = fixture.backend.sync();
    await fixture.settle();
    await fixture.notes.save({ id: 'urgent' }, { priority: 'critical' });

    held.resolve();
    const report = await fixture.wait(running);

    expect(pagesAtArrival).toBe(2);
    expect(report).toMatchObject({ pushed: 1, pulled: 1_401, stoppedBy: 'drained' });
  });
});

describe('a cursor that the server has forgotten', () => {
  test('makes everything be fetched anew, and what was not brought is gone', async () => {
    const fixture = world();
    fill(fixture, 600);
    await fixture.wait(fixture.backend.sync());
    await fixture.notes.save({ id: 'mine' });
    fixture.remote.server.set('notes', 'n0003', undefined);
    fixture.remote.server.expireCursors();
    await fixture.runtime.advance('1s');

    await fixture.wait(fixture.backend.sync());

    expect(await fixture.notes.get('n0003', { policy: 'cache-only' })).toBeUndefined();
    expect(await seen(fixture)).toHaveLength(600);
    const pulled = fixture.events.filter((event) => event.type === 'rows-pulled');
    expect(pulled.at(-1)).toMatchObject({ isFull: true });
  });

  test('keeps what is only here, and what waits', async () => {
    const fixture = world();
    fill(fixture, 2);
    await fixture.wait(fixture.backend.sync());
    await fixture.notes.save({ id: 'draft' }, { policy: 'local-only' });
    await fixture.notes.save({ id: 'n0001', text: 'ours' });
    fixture.remote.server.set('notes', 'n0001', undefined);
    fixture.remote.server.expireCursors();
    fixture.remote.answerWith(() => 'lose-request');
    await fixture.wait(fixture.backend.fetch('notes'));

    expect(await seen(fixture)).toEqual([
      { id: 'draft' },
      { id: 'n0000', at: 0 },
      { id: 'n0001', text: 'ours' },
    ]);
  });

  test('survives an interruption, and a second expiry in the middle, without ghosts', async () => {
    const fixture = world();
    fill(fixture, 1_200);
    await fixture.wait(fixture.backend.sync());
    fixture.remote.server.expireCursors();
    let pages = 0;
    interpose(fixture.remote, (pull) => async (request, context) => {
      pages += 1;
      if (pages === 3) throw new RemoteError('remote/offline', 'gone');
      return pull(request, context);
    });
    const cut = await fixture.wait(fixture.backend.sync());
    // Row 5 was fetched again already; its tombstone is lost with the next expiry.
    fixture.remote.server.set('notes', 'n0005', undefined);
    fixture.remote.server.expireCursors();

    const done = await fixture.wait(fixture.backend.sync());

    expect(cut.stoppedBy).toBe('offline');
    expect(done.stoppedBy).toBe('drained');
    expect(await fixture.notes.get('n0005', { policy: 'cache-only' })).toBeUndefined();
    expect(await seen(fixture)).toHaveLength(1_199);
  });

  test('deletes nothing by mistake when the clock is moved back meanwhile', async () => {
    const fixture = world();
    fill(fixture, 700);
    await fixture.wait(fixture.backend.sync());
    fixture.remote.server.expireCursors();
    let pages = 0;
    interpose(fixture.remote, (pull) => async (request, context) => {
      pages += 1;
      if (pages === 2) fixture.runtime.jumpWallClock(-3_600_000);
      return pull(request, context);
    });

    await fixture.wait(fixture.backend.sync());

    expect(await seen(fixture)).toHaveLength(700);
  });

  test('is not asked for again and again where every cursor is refused', async () => {
    const fixture = world();
    await fixture.wait(fixture.backend.sync());
    fill(fixture, 600);
    interpose(fixture.remote, (pull) => async (request, context) => {
      if (request.cursor !== null) throw new RemoteError('remote/cursor-expired', 'no');
      return pull(request, context);
    });

    const report = await fixture.wait(fixture.backend.sync());

    expect(report.stoppedBy).toBe('offline');
    expect(fixture.backend.status.current.lastFailure?.code).toBe('remote/protocol');
  });
});

describe('a page that cannot be used', () => {
  const pages: readonly [string, unknown][] = [
    ['nothing', undefined],
    ['a page without rows', { cursor: 'x', hasMore: false }],
    [
      'a value that cannot be stored',
      { rows: [{ id: 'a', version: '1', value: () => {} }], cursor: 'x', hasMore: false },
    ],
    ['a version that is no text', { rows: [{ id: 'a', version: 5, value: {} }], cursor: 'x' }],
    ['a row without an id', { rows: [{ version: '1', value: {} }], cursor: 'x' }],
    ['an id that is half a character', { rows: [{ id: 'x\ud800', value: {} }], cursor: 'x' }],
    ['more to come with the same cursor', { rows: [], cursor: 'same', hasMore: true }],
  ];

  test.each(pages)('%s does not move the cursor, and pushes go on', async (_, page) => {
    const fixture = world();
    interpose(fixture.remote, () => async () => page as PullPage);
    await fixture.wait(fixture.backend.sync());
    const first = await fixture.wait(fixture.backend.sync());
    await fixture.notes.save({ id: 'a' });

    const report = await fixture.wait(fixture.backend.sync());

    expect(first.stoppedBy).not.toBe('drained');
    expect(report.pushed).toBe(1);
  });

  test('whatever a remote throws is a failure of the endpoint, not of the app', async () => {
    const fixture = world();
    interpose(fixture.remote, () => () => Promise.reject(new TypeError('boom')));

    const report = await fixture.wait(fixture.backend.sync());

    expect(report.stoppedBy).toBe('offline');
    expect(fixture.backend.status.current.lastFailure?.code).toBe('remote/protocol');
  });

  test('a pull that hangs is given up', async () => {
    const fixture = world({ requestTimeout: '5s' });
    interpose(fixture.remote, () => () => new Promise(() => {}));

    const report = await fixture.wait(fixture.backend.sync());

    expect(report.stoppedBy).toBe('offline');
    expect(report.durationMs).toBeLessThan(6_000);
  });
});

test('a collection that the server refuses does not keep the others from being fetched', async () => {
  const fixture = world();
  const { NexusStore } = await import('../store/nexus-store.ts');
  const tasks = new NexusStore({ backend: fixture.backend, collection: 'tasks' });
  fixture.remote.server.set('tasks', 't', { id: 't' });
  interpose(fixture.remote, (pull) => async (request, context) => {
    if (request.collection === 'notes')
      throw new RemoteError('remote/rejected', 'no such collection', { status: 404 });
    return pull(request, context);
  });

  const report = await fixture.wait(fixture.backend.sync());

  expect(report).toMatchObject({ pulled: 1, stoppedBy: 'blocked' });
  expect(await tasks.get('t', { policy: 'cache-only' })).toEqual({ id: 't' });
});

test('a store with pull switched off is not fetched', async () => {
  const fixture = world({ store: { pull: false } });
  fixture.remote.server.set('notes', 'a', { id: 'a' });

  await fixture.wait(fixture.backend.sync());

  expect(await fixture.notes.get('a')).toBeUndefined();
});

test('a wish to wait that one pull is told ends another one before its next page', async () => {
  const fixture = world();
  fill(fixture, 600);
  const held = deferred();
  const asked: string[] = [];
  interpose(fixture.remote, (pull) => async (request, context) => {
    asked.push(request.collection);
    if (request.collection === 'tasks')
      throw new RemoteError('remote/throttled', 'later', { status: 429, retryAfterMs: 60_000 });
    await held.promise;
    return pull(request, context);
  });
  const running = fixture.backend.sync();
  await fixture.settle();
  await expect(fixture.backend.fetch('tasks')).rejects.toMatchObject({ code: 'remote/throttled' });

  held.resolve();
  const report = await fixture.wait(running);

  expect(report).toMatchObject({ stoppedBy: 'blocked', pulled: 500 });
  expect(asked).toEqual(['notes', 'tasks']);
});

test('a row that a conflict brought is gone after a full fetch that does not bring it', async () => {
  const fixture = world({ store: { conflict: 'server-wins' } });
  fixture.remote.server.set('notes', 'a', { id: 'a', text: 'theirs' });
  await fixture.notes.save({ id: 'a', text: 'ours' });
  await fixture.wait(fixture.backend.sync({ budget: '2600ms' }));
  fixture.remote.server.set('notes', 'a', undefined);
  fixture.remote.server.expireCursors();

  await fixture.wait(fixture.backend.sync());

  expect(await fixture.notes.getAll({}, { policy: 'cache-only' })).toEqual([]);
});

test('a first pull that was cut off long ago does not keep what was acknowledged and deleted since', async () => {
  const fixture = world();
  fixture.remote.pull = async () => {
    throw new RemoteError('remote/offline', 'no network');
  };
  await fixture.wait(fixture.backend.sync());
  await fixture.runtime.advance('1h');
  await fixture.notes.save({ id: 'a' });
  await fixture.wait(fixture.backend.sync());
  // Others have deleted it, and the server tells a newcomer nothing of what is gone.
  fixture.remote.pull = async () => ({ rows: [], cursor: '1', hasMore: false });
  fixture.runtime.jumpWallClock(-1_800_000);

  await fixture.wait(fixture.backend.sync());

  expect(await fixture.notes.get('a', { policy: 'cache-only' })).toBeUndefined();
});
