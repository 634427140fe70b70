import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures, type Note } from '../../testing/backend-fixture.ts';
import { deferred } from '../../testing/deferred.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import type { MigratedEntry } from '../sync/sync-context.ts';
import { NexusStore } from './nexus-store.ts';
import type { StandardResult, StandardSchema } from './standard-schema.ts';
import { StoreBackend } from './store-backend.ts';

const world = fixtures(afterEach, () => memoryStorage());
const here = { policy: 'cache-only' } as const;

describe('a patch', () => {
  test('changes its fields only, here and on the server, and leaves the others to others', async () => {
    const fixture = world();
    await fixture.notes.save({ id: 'a', text: 'x', at: 1 });
    await fixture.wait(fixture.backend.sync());
    const version = fixture.remote.server.version('notes', 'a');
    await fixture.notes.patch('a', { text: 'y' });

    await fixture.wait(fixture.backend.sync());

    const sent = fixture.remote.attempts.at(-1)?.batch[0];
    expect(sent).toMatchObject({ isPatch: true, payload: { text: 'y' }, baseVersion: version });
    expect(fixture.remote.server.value('notes', 'a')).toEqual({ id: 'a', text: 'y', at: 1 });
    expect(await fixture.notes.get('a')).toEqual({ id: 'a', text: 'y', at: 1 });
  });

  test('folds into a create that waits', async () => {
    const fixture = world();
    await fixture.notes.save({ id: 'a', text: 'x' });
    await fixture.notes.patch('a', { at: 2 });

    await fixture.wait(fixture.backend.sync());

    expect(fixture.arrivals).toEqual(['create a']);
    expect(fixture.remote.server.value('notes', 'a')).toEqual({ id: 'a', text: 'x', at: 2 });
  });

  test.each([
    ['what is not there', 'ghost', { text: 'x' }, 'store/not-found'],
    ['with what are no fields', 'a', [] as never, 'usage/invalid-argument'],
    ['with what cannot be stored', 'a', { text: (() => {}) as never }, 'usage/unsupported-value'],
  ])('of %s is refused', async (_, id, fields, code) => {
    const fixture = world();
    await fixture.notes.save({ id: 'a' });

    await expect(fixture.notes.patch(id, fields as Partial<Note>)).rejects.toMatchObject({ code });
    expect(await fixture.backend.pendingChanges()).toHaveLength(1);
  });
});

describe('deleteAll', () => {
  test('deletes what a query selects, in one commit, and says how many', async () => {
    const fixture = world();
    await fixture.notes.saveAll([
      { id: 'a', done: true },
      { id: 'b', done: false },
      { id: 'c', done: true },
    ]);
    await fixture.wait(fixture.backend.sync());

    const count = await fixture.notes.deleteAll({ where: { done: true } });
    await fixture.wait(fixture.backend.sync());

    expect(count).toBe(2);
    expect(await fixture.notes.getAll()).toEqual([{ id: 'b', done: false }]);
    expect(fixture.arrivals.slice(3)).toEqual(['delete a', 'delete c']);
  });
});

describe('a read policy', () => {
  test('cache-first asks the server once for a collection it never fetched, and only on a miss', async () => {
    const fixture = world();
    fixture.remote.server.set('notes', 'a', { id: 'a' });
    let pulls = 0;
    const pull = fixture.remote.pull.bind(fixture.remote);
    fixture.remote.pull = (request, context) => {
      pulls += 1;
      return pull(request, context);
    };

    const found = await fixture.wait(fixture.notes.get('a'));
    const missing = await fixture.wait(fixture.notes.get('b'));
    await fixture.notes.getAll({ where: { text: 'none' } });

    expect([found, missing]).toEqual([{ id: 'a' }, undefined]);
    expect(pulls).toBe(1);
  });

  test('cache-first does not wait for a server that just did not answer', async () => {
    const fixture = world();
    fixture.remote.answerWith(() => answers.offline);
    await fixture.notes.save({ id: 'a' });
    await fixture.wait(fixture.backend.sync());
    fixture.remote.pull = () => new Promise(() => {});

    expect(await fixture.notes.get('b')).toBeUndefined();
  });

  test('network-first has news, and what is here where the server cannot be asked', async () => {
    const fixture = world();
    fixture.remote.server.set('notes', 'a', { id: 'a', at: 1 });
    await fixture.wait(fixture.backend.sync());
    fixture.remote.server.set('notes', 'a', { id: 'a', at: 2 });

    const fresh = await fixture.wait(fixture.notes.get('a', { policy: 'network-first' }));
    await fixture.remote.close();
    const stale = await fixture.wait(fixture.notes.get('a', { policy: 'network-first' }));

    expect([fresh, stale]).toEqual([
      { id: 'a', at: 2 },
      { id: 'a', at: 2 },
    ]);
  });

  test('network-only rejects where the server cannot be asked', async () => {
    const fixture = world();
    await fixture.notes.save({ id: 'a' });
    await fixture.remote.close();

    await expect(
      fixture.wait(fixture.notes.get('a', { policy: 'network-only' })),
    ).rejects.toMatchObject({ code: 'remote/timeout' });
  });

  test('cache-only never asks', async () => {
    const fixture = world({ store: { readPolicy: 'cache-only' } });
    fixture.remote.server.set('notes', 'a', { id: 'a' });

    expect(await fixture.notes.get('a')).toBeUndefined();
    expect(await fixture.notes.getAll()).toEqual([]);
  });

  test('stale-while-revalidate has what is here, then a watch shows the news', async () => {
    const fixture = world();
    fixture.remote.server.set('notes', 'a', { id: 'a', at: 1 });
    await fixture.wait(fixture.backend.sync());
    fixture.remote.server.set('notes', 'a', { id: 'a', at: 2 });
    const policy = 'stale-while-revalidate';
    const shown: unknown[] = [];

    const watched = fixture.notes.watch('a', { policy });
    const stop = watched.subscribe((note) => shown.push(note?.at));
    await fixture.settle();
    stop();

    expect(shown).toEqual([undefined, 1, 2]);
  });

  test('fetches side by side are one', async () => {
    const fixture = world();
    const held = deferred();
    let pulls = 0;
    const pull = fixture.remote.pull.bind(fixture.remote);
    fixture.remote.pull = async (request, context) => {
      pulls += 1;
      await held.promise;
      return pull(request, context);
    };

    const all = Promise.all([1, 2, 3].map(() => fixture.backend.fetch('notes')));
    await fixture.settle();
    held.resolve();
    await fixture.wait(all);

    expect(pulls).toBe(1);
  });
});

describe('a write policy', () => {
  test('remote-first keeps nothing here before the server has it', async () => {
    const fixture = world({ store: { writePolicy: 'remote-first' } });
    const held = deferred();
    fixture.remote.answerNext({ until: held.promise, answer: 'apply' });

    const writing = fixture.notes.save({ id: 'a' });
    await fixture.settle();
    const before = await fixture.notes.get('a', here);
    held.resolve();
    const write = await fixture.wait(writing);

    expect(before).toBeUndefined();
    expect(await fixture.notes.get('a', here)).toEqual({ id: 'a' });
    expect(write.entry).toBeNull();
    expect(await write.synced()).toEqual({ outcome: 'applied', version: '1' });
  });

  test.each([
    ['is offline', answers.offline, 'remote/offline'],
    ['rejects', answers.rejected(422), 'remote/rejected'],
    ['has another version', answers.conflict({ id: 'a' }, '9'), 'remote/conflict'],
    ['refuses the credentials', answers.unauthorised, 'remote/unauthorised'],
  ])('remote-first where the server %s rejects, and nothing is kept', async (_, outcome, code) => {
    const fixture = world({ store: { writePolicy: 'remote-first' } });
    fixture.remote.answerNext(() => outcome);

    await expect(fixture.wait(fixture.notes.save({ id: 'a' }))).rejects.toMatchObject({ code });

    expect(await fixture.notes.get('a', here)).toBeUndefined();
    expect(await fixture.backend.pendingChanges()).toEqual([]);
  });

  test('remote-first with a remote that hangs or throws rejects in the end', async () => {
    const fixture = world({ store: { writePolicy: 'remote-first' }, requestTimeout: '5s' });
    fixture.remote.push = () => new Promise(() => {});
    await expect(fixture.wait(fixture.notes.save({ id: 'a' }))).rejects.toMatchObject({
      code: 'remote/timeout',
    });

    fixture.remote.push = () => Promise.reject(new TypeError('boom'));
    await expect(fixture.wait(fixture.notes.save({ id: 'a' }))).rejects.toMatchObject({
      code: 'remote/protocol',
    });
  });

  test('remote-first is refused while earlier writes wait, and respects a wish to wait', async () => {
    const fixture = world();
    await fixture.notes.save({ id: 'a' });
    await expect(fixture.notes.save({ id: 'a' }, { policy: 'remote-first' })).rejects.toMatchObject(
      { code: 'store/has-pending' },
    );
    fixture.remote.answerNext(answers.endpoint(503, 60_000));
    await fixture.wait(fixture.backend.sync());

    await expect(fixture.notes.save({ id: 'b' }, { policy: 'remote-first' })).rejects.toMatchObject(
      { code: 'remote/throttled' },
    );
  });

  test('remote-first under way when users change is not stored for the new one', async () => {
    const fixture = world({ store: { writePolicy: 'remote-first' } });
    await fixture.backend.signIn('ann');
    const held = deferred();
    fixture.remote.answerNext({ answerAfter: held.promise });
    const writing = fixture.notes.save({ id: 'a' });
    const failed = expect(writing).rejects.toMatchObject({ code: 'remote/timeout' });
    await fixture.settle();

    await fixture.wait(fixture.backend.signIn('bob'));
    held.resolve();
    await failed;

    expect(await fixture.notes.getAll({}, here)).toEqual([]);
  });

  test('local-only is never sent, by save, saveAll, delete or in a transaction', async () => {
    const fixture = world({ store: { writePolicy: 'local-only' } });
    await fixture.notes.save({ id: 'a' });
    await fixture.notes.saveAll([{ id: 'b' }, { id: 'c' }]);
    await fixture.notes.delete('c');
    await fixture.backend.transaction(async (tx) => {
      await tx.store(fixture.notes).patch('a', { text: 'x' });
    });

    await fixture.wait(fixture.backend.sync());

    expect(fixture.requests).toEqual([]);
    expect(await fixture.notes.getAll({}, here)).toEqual([{ id: 'a', text: 'x' }, { id: 'b' }]);
  });

  test('what was local-only and is saved for the server later is created there, whole', async () => {
    const fixture = world();
    await fixture.notes.saveAll(
      [
        { id: 'a', text: 'x' },
        { id: 'b', text: 'y' },
      ],
      { policy: 'local-only' },
    );
    await fixture.notes.save({ id: 'a', text: 'z' });
    await fixture.notes.patch('b', { at: 1 });

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 2, conflicts: 0 });
    expect(fixture.arrivals).toEqual(['create a', 'create b']);
    expect(fixture.remote.server.value('notes', 'b')).toEqual({ id: 'b', text: 'y', at: 1 });
  });
});

describe('a transaction', () => {
  test('is one commit here and one group for the server, over several collections', async () => {
    const fixture = world({ batchSize: 1 });
    const tasks = new NexusStore<Note>({ backend: fixture.backend, collection: 'tasks' });
    await fixture.notes.save({ id: 'old' });

    await fixture.backend.transaction(async (tx) => {
      await tx.store(fixture.notes).save({ id: 'a' });
      await tx.store(tasks).save({ id: 't' });
      await tx.store(fixture.notes).delete('old');
    });
    await fixture.wait(fixture.backend.sync());

    const group = fixture.remote.attempts.find(({ batch }) => batch.length === 3);
    expect(new Set(group?.batch.map((entry) => entry.group)).size).toBe(1);
    expect(fixture.arrivals.slice(-3)).toEqual(['create a', 'create t', 'delete old']);
  });

  test('whose body throws stores nothing, and its stores are of no use afterwards', async () => {
    const fixture = world();
    let escaped: ((note: Note) => Promise<void>) | undefined;

    const failing = fixture.backend.transaction(async (tx) => {
      const notes = tx.store(fixture.notes);
      escaped = (note) => notes.save(note);
      await notes.save({ id: 'a' });
      throw new Error('no');
    });

    await expect(failing).rejects.toThrow('no');
    await expect(escaped?.({ id: 'b' })).rejects.toMatchObject({ code: 'usage/invalid-argument' });
    expect(await fixture.notes.getAll({}, here)).toEqual([]);
  });

  test('of which one write is refused stores nothing', async () => {
    const fixture = world();
    const failing = fixture.backend.transaction(async (tx) => {
      await tx.store(fixture.notes).save({ id: 'a' });
      await tx.store(fixture.notes).patch('ghost', { text: 'x' });
    });

    await expect(failing).rejects.toMatchObject({ code: 'store/not-found' });
    expect(await fixture.notes.getAll({}, here)).toEqual([]);
    expect(await fixture.backend.pendingChanges()).toEqual([]);
  });

  test('inside another undoes its own writes only, also side by side', async () => {
    const fixture = world();

    await fixture.backend.transaction(async (tx) => {
      await tx.store(fixture.notes).save({ id: 'outer' });
      const held = deferred();
      const failing = tx.transaction(async (inner) => {
        await inner.store(fixture.notes).save({ id: 'undone' });
        await held.promise;
        throw new Error('no');
      });
      await tx.transaction((inner) => inner.store(fixture.notes).save({ id: 'kept' }));
      held.resolve();
      await expect(failing).rejects.toThrow('no');
    });

    expect(await fixture.notes.getAll({}, here)).toEqual([{ id: 'kept' }, { id: 'outer' }]);
  });

  test('reads what it wrote, and what those around it wrote', async () => {
    const fixture = world();
    await fixture.notes.save({ id: 'a', text: 'x', at: 1 });
    const seen: unknown[] = [];

    await fixture.backend.transaction(async (tx) => {
      await tx.store(fixture.notes).patch('a', { text: 'y' });
      await tx.transaction(async (inner) => {
        seen.push(await inner.store(fixture.notes).get('a'));
        await inner.store(fixture.notes).delete('a');
        seen.push(await inner.store(fixture.notes).get('a'));
      });
      await tx.store(fixture.notes).save({ id: 'a' });
      seen.push(await tx.store(fixture.notes).get('a'));
    });

    expect(seen).toEqual([{ id: 'a', text: 'y', at: 1 }, undefined, { id: 'a' }]);
  });

  test('that deletes what is being deleted already does not take that delete with it', async () => {
    const fixture = world();
    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }]);
    await fixture.wait(fixture.backend.sync());
    await fixture.notes.delete('a');

    await fixture.backend.transaction(async (tx) => {
      await tx.store(fixture.notes).delete('a');
      await tx.store(fixture.notes).save({ id: 'b', text: 'x' });
      await tx.store(fixture.notes).save({ id: 'c' });
    });
    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ remaining: 0, dead: 0, conflicts: 0 });
    expect(fixture.remote.server.value('notes', 'a')).toBeUndefined();
    expect(fixture.remote.server.value('notes', 'c')).toEqual({ id: 'c' });
  });

  test('belongs to the user it began with', async () => {
    const fixture = world();
    await fixture.backend.signIn('ann');
    await fixture.backend.transaction(async (tx) => {
      await fixture.backend.signIn('bob');
      await tx.store(fixture.notes).save({ id: 'a' });
    });

    const ofBob = await fixture.notes.getAll({}, here);
    await fixture.backend.signIn('ann');

    expect(ofBob).toEqual([]);
    expect(await fixture.notes.getAll({}, here)).toEqual([{ id: 'a' }]);
  });

  test('over two databases, or with a write that goes to the server first, is refused', async () => {
    const [one, two] = [world(), world()];

    await expect(
      one.backend.transaction((tx) => tx.store(two.notes).save({ id: 'a' })),
    ).rejects.toMatchObject({ code: 'usage/invalid-argument' });
    await expect(
      one.backend.transaction((tx) =>
        tx.store(one.notes).save({ id: 'a' }, { policy: 'remote-first' }),
      ),
    ).rejects.toMatchObject({ code: 'usage/invalid-argument' });
  });
});

describe('a schema', () => {
  const schema = (
    check: (note: Note) => StandardResult<Note> | Promise<StandardResult<Note>>,
  ): StandardSchema<Note> => ({
    '~standard': { version: 1, vendor: 'test', validate: (value) => check(value as Note) },
  });
  const positive = (note: Note): StandardResult<Note> =>
    (note.at ?? 0) >= 0
      ? { value: { ...note, text: note.text ?? 'filled in' } }
      : { issues: [{ message: 'must not be negative', path: ['at'] }] };

  test.each([
    ['sync', positive],
    ['async', async (note: Note) => positive(note)],
  ])('that is %s decides what is stored', async (_, check) => {
    const fixture = world({ store: { schema: schema(check) } });

    const write = await fixture.notes.save({ id: 'a' });
    const refused = fixture.notes.saveAll([{ id: 'b' }, { id: 'c', at: -1 }]);

    await expect(refused).rejects.toMatchObject({
      code: 'store/invalid-value',
      message: 'at: must not be negative',
    });
    expect(write.value).toEqual({ id: 'a', text: 'filled in' });
    expect(await fixture.notes.getAll({}, here)).toEqual([{ id: 'a', text: 'filled in' }]);
  });

  test('sees a patch as the whole it makes, also in a transaction', async () => {
    const fixture = world({ store: { schema: schema(positive) } });
    await fixture.notes.save({ id: 'a', at: 1 });

    await expect(fixture.notes.patch('a', { at: -1 })).rejects.toMatchObject({
      code: 'store/invalid-value',
    });
    await expect(fixture.notes.patch('ghost', { at: 1 })).rejects.toMatchObject({
      code: 'store/not-found',
    });
    await fixture.backend.transaction(async (tx) => {
      await tx.store(fixture.notes).save({ id: 'b', at: 1 });
      await tx.store(fixture.notes).patch('b', { at: 2 });
    });

    expect(await fixture.notes.get('b')).toMatchObject({ at: 2 });
  });
});

describe('a queued payload of an older app', () => {
  async function queueOld(kind: 'save' | 'transaction' = 'save') {
    const database = memoryDatabase();
    const old = world({ storage: memoryStorage({ database }) });
    if (kind === 'save') await old.notes.save({ id: 'a', text: 'old' });
    else
      await old.backend.transaction(async (tx) => {
        await tx.store(old.notes).save({ id: 'a', text: 'old' });
        await tx.store(old.notes).save({ id: 'b', text: 'old' });
      });
    await old.backend.close();
    return (migrate: (entry: MigratedEntry) => unknown) =>
      world({ storage: memoryStorage({ database }), store: { schemaVersion: 2, migrate } });
  }

  test.each(['sync', 'async'])(
    "is carried to today's schema before it is sent, %s",
    async (how) => {
      const open = await queueOld();
      const seen: MigratedEntry[] = [];
      const fixture = open((entry) => {
        seen.push(entry);
        const next = { ...(entry.payload as Note), at: 2 };
        return how === 'sync' ? next : Promise.resolve(next);
      });

      const report = await fixture.wait(fixture.backend.sync());

      expect(report.pushed).toBe(1);
      expect(seen).toMatchObject([{ id: 'a', operation: 'create', schemaVersion: 1 }]);
      expect(fixture.remote.attempts[0]?.batch[0]).toMatchObject({
        schemaVersion: 2,
        payload: { id: 'a', text: 'old', at: 2 },
      });
    },
  );

  test.each([
    [
      'throws',
      () => {
        throw new Error('cannot');
      },
    ],
    ['gives back what cannot be stored', () => () => {}],
    ['never comes back', () => new Promise(() => {})],
  ])('is parked, readable, where migrate %s; the rest goes', async (_, migrate) => {
    const open = await queueOld();
    const fixture = open(migrate);
    await fixture.notes.save({ id: 'b' });

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 1, dead: 1 });
    const [letter] = await fixture.backend.deadLetters();
    expect(letter).toMatchObject({
      entityId: 'a',
      payload: { id: 'a', text: 'old' },
      lastFailure: { code: 'store/migration-failed' },
      attempts: 0,
    });
    expect(await fixture.notes.get('a')).toEqual({ id: 'a', text: 'old' });
  });

  test('takes its transaction with it', async () => {
    const open = await queueOld('transaction');
    const fixture = open(({ id, payload }) => {
      if (id === 'b') throw new Error('cannot');
      return payload;
    });

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 0, dead: 2 });
    expect(fixture.requests).toEqual([]);
  });

  test('whose fate is unknown is sent as it was', async () => {
    const database = memoryDatabase();
    const old = world({ storage: memoryStorage({ database }) });
    old.remote.answerNext('lose-answer');
    await old.notes.save({ id: 'a', text: 'old' });
    await old.wait(old.backend.sync());
    await old.backend.close();
    const fixture = world({
      storage: memoryStorage({ database }),
      remote: memoryRemote({ hints: false, server: old.remote.server }),
      store: { schemaVersion: 2, migrate: () => ({ id: 'a', text: 'new' }) },
    });

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 1, dead: 0 });
    expect(fixture.remote.server.replayCount).toBe(1);
  });
});

describe('an id', () => {
  test.each([
    [''],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    ['\uD800'],
    [undefined],
    [null],
    [{}],
  ])('%j is refused', async (id) => {
    const fixture = world();

    await expect(fixture.notes.save({ id } as never)).rejects.toMatchObject({
      code: 'usage/missing-id',
    });
  });

  test('1 and "1" are two', async () => {
    const { backend } = world();
    const store = new NexusStore<{ id: string | number }, string | number>({
      backend,
      collection: 'things',
    });
    await store.saveAll([{ id: 1 }, { id: '1' }]);

    expect(await store.getAll()).toEqual([{ id: 1 }, { id: '1' }]);
  });

  test('can be computed', async () => {
    const { backend } = world();
    const store = new NexusStore<{ a: string; b: string }>({
      backend,
      collection: 'pairs',
      id: ({ a, b }) => `${a}/${b}`,
    });
    await store.save({ a: 'x', b: 'y' });

    expect(await store.get('x/y')).toEqual({ a: 'x', b: 'y' });
  });
});

test('what is wrong with a store is said when it is made', () => {
  const { backend } = world();

  expect(() => new NexusStore({ backend, collection: '' })).toThrow('name of its collection');
  expect(() => new NexusStore({ backend, collection: 'notes' })).toThrow('already');
  expect(() => new NexusStore({ backend: {} as StoreBackend, collection: 'x' })).toThrow(
    'createBackend',
  );
  expect(() => new NexusStore({ backend, collection: 'x', priority: 'urgent' as never })).toThrow();
  expect(() => new NexusStore({ backend, collection: 'x', schemaVersion: 0 })).toThrow();
  expect(() => new StoreBackend(createVirtualRuntime(1), {} as never)).toThrow('storage');
});
