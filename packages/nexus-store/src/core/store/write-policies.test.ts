import { afterEach, describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import { deferred } from '../../testing/deferred.ts';
import type { WritePolicy } from './collection-config.ts';
import type { Write } from './write.ts';

const world = fixtures(afterEach, () => memoryStorage());
const here = { policy: 'cache-only' } as const;
const POLICIES: readonly WritePolicy[] = ['queue', 'remote-first', 'local-only'];

const inQueue = async ({ backend }: BackendFixture): Promise<readonly string[]> =>
  (await backend.pendingChanges()).map(({ operation, entityId }) => `${operation} ${entityId}`);

/** Where a write of `a`, which the server has, went: what the server was told, and what waits for it. */
const writes = {
  save: ({ notes }, policy) => notes.save({ id: 'a', text: 'x' }, { policy }),
  saveAll: ({ notes }, policy) => notes.saveAll([{ id: 'a', text: 'x' }], { policy }),
  patch: ({ notes }, policy) => notes.patch('a', { text: 'x' }, { policy }),
  delete: ({ notes }, policy) => notes.delete('a', { policy }),
  deleteAll: ({ notes }, policy) => notes.deleteAll({}, { policy }),
  command: ({ notes }, policy) =>
    notes.command('a', 'increment', { field: 'at', by: 1 }, { policy }),
} satisfies Record<string, (fixture: BackendFixture, policy: WritePolicy) => Promise<unknown>>;

const OPERATIONS: Readonly<Record<string, string>> = {
  delete: 'delete a',
  deleteAll: 'delete a',
  command: 'command a',
};

describe.each(Object.entries(writes))('the policy of one %s', (name, write) => {
  const pairs = POLICIES.flatMap((ofStore) => POLICIES.map((policy) => [policy, ofStore] as const));

  test.each(pairs)('is %s, in a store that is %s', async (policy, ofStore) => {
    const fixture = world({ store: { writePolicy: ofStore } });
    await fixture.notes.save({ id: 'a', text: 'was' }, { policy: 'queue' });
    await fixture.wait(fixture.backend.sync());

    await fixture.wait<unknown>(write(fixture, policy));

    const operation = OPERATIONS[name] ?? 'update a';
    expect(fixture.arrivals.slice(1)).toEqual(policy === 'remote-first' ? [operation] : []);
    expect(await inQueue(fixture)).toEqual(policy === 'queue' ? [operation] : []);
  });
});

describe('deleteAll', () => {
  test('of a remote-first store queues where it is told to, and is sent by itself', async () => {
    const fixture = world({ autoSync: true, store: { writePolicy: 'remote-first' } });
    await fixture.wait(fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }]));

    const count = await fixture.notes.deleteAll({}, { policy: 'queue', priority: 'critical' });
    const waiting = await inQueue(fixture);
    const left = await fixture.notes.getAll({}, here);

    await fixture.runtime.advance(10);

    expect([count, waiting, left]).toEqual([2, ['delete a', 'delete b'], []]);
    expect(fixture.arrivals.slice(2)).toEqual(['delete a', 'delete b']);
  });

  test('that goes to the server first ends with the first that it refuses, and keeps that one', async () => {
    const fixture = world();
    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
    await fixture.wait(fixture.backend.sync());
    fixture.remote.answerNext('apply', answers.rejected(403));

    const deleting = fixture.notes.deleteAll({}, { policy: 'remote-first' });

    await expect(fixture.wait(deleting)).rejects.toMatchObject({ code: 'remote/rejected' });
    expect(await fixture.notes.getAll({}, here)).toEqual([{ id: 'b' }, { id: 'c' }]);
  });
});

describe('what was kept local-only', () => {
  test.each([
    [
      'save',
      ({ notes }: BackendFixture) => notes.save({ id: 'a', at: 1 }, { policy: 'remote-first' }),
    ],
    [
      'patch',
      ({ notes }: BackendFixture) => notes.patch('a', { at: 1 }, { policy: 'remote-first' }),
    ],
  ])('is created on the server, whole, by a remote-first %s', async (_, write) => {
    const fixture = world();
    await fixture.notes.save({ id: 'a', at: 0 }, { policy: 'local-only' });

    await fixture.wait<unknown>(write(fixture));
    await fixture.wait(fixture.notes.patch('a', { text: 'x' }, { policy: 'remote-first' }));

    expect(fixture.arrivals).toEqual(['create a', 'update a']);
    expect(fixture.remote.server.value('notes', 'a')).toEqual({ id: 'a', at: 1, text: 'x' });
    expect(await fixture.notes.get('a', here)).toEqual({ id: 'a', at: 1, text: 'x' });
  });

  test('is updated there where the server had it before', async () => {
    const fixture = world();
    await fixture.notes.save({ id: 'a', at: 0 });
    await fixture.wait(fixture.backend.sync());
    await fixture.notes.save({ id: 'a', at: 1 }, { policy: 'local-only' });

    await fixture.wait(fixture.notes.save({ id: 'a', at: 2 }, { policy: 'remote-first' }));

    expect(fixture.arrivals).toEqual(['create a', 'update a']);
  });
});

describe('what became of a write', () => {
  const fatesOf = (writings: readonly Write<unknown>[]): Promise<readonly unknown[]> =>
    Promise.all(writings.map((write) => write.synced()));

  test('that went to the server first is that the server has it, in this version', async () => {
    const fixture = world({ store: { writePolicy: 'remote-first' } });

    const one = await fixture.wait(fixture.notes.save({ id: 'a' }));
    const more = await fixture.wait(fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }]));
    const gone = await fixture.wait(fixture.notes.delete('b'));

    const versions = [1, 2, 3, 4].map((version) => String(version));
    expect(await fatesOf([one, ...more, gone])).toEqual(
      versions.map((version) => ({ outcome: 'applied', version })),
    );
    expect(one.entry).toBeNull();
  });

  test('that is never sent is that it is here', async () => {
    const fixture = world({ store: { writePolicy: 'local-only' } });

    const one = await fixture.notes.save({ id: 'a' });
    const more = await fixture.notes.saveAll([{ id: 'b' }]);

    expect(await fatesOf([one, ...more])).toEqual([{ outcome: 'local' }, { outcome: 'local' }]);
  });

  test('that took back a create before it was sent is that both vanished', async () => {
    const fixture = world();

    const create = await fixture.notes.save({ id: 'a' });
    const taken = await fixture.notes.delete('a');

    expect(await fatesOf([create, taken])).toEqual([
      { outcome: 'vanished' },
      { outcome: 'vanished' },
    ]);
  });
});

describe('a remote-first write', () => {
  /** What is committed next waits for this. */
  function holdNextCommit({ backend: { writer } }: BackendFixture): () => void {
    const held = deferred();
    const write = writer.write.bind(writer);
    writer.write = async (body, options) => {
      writer.write = write;
      await held.promise;
      return write(body, options);
    };
    return () => held.resolve();
  }

  test('of one user is not sent as the next, who came while it waited for its turn', async () => {
    const fixture = world({ store: { writePolicy: 'remote-first' } });
    await fixture.backend.signIn('ann');
    const release = holdNextCommit(fixture);
    const signingIn = fixture.backend.signIn('bob');
    await fixture.settle();

    const outcome = Promise.allSettled([fixture.notes.save({ id: 'a', text: 'of ann' })]);
    await fixture.settle();
    release();
    await fixture.wait(signingIn);

    expect(await outcome).toMatchObject([{ reason: { code: 'store/signed-out' } }]);
    expect(fixture.requests).toEqual([]);
  });

  test.each([
    ['deleteAll', ({ notes }: BackendFixture) => notes.deleteAll()],
    ['saveAll', ({ notes }: BackendFixture) => notes.saveAll([{ id: 'a' }, { id: 'b' }])],
  ])('of many, by %s, ends where another user comes in between', async (_, write) => {
    const fixture = world({ store: { writePolicy: 'remote-first' } });
    await fixture.backend.signIn('ann');
    await fixture.wait(fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }, { id: 'c' }]));
    const release = holdNextCommit(fixture);

    // The first is acknowledged; before that is stored, and the second sent, somebody else signs in.
    const outcome = Promise.allSettled([write(fixture)]);
    await fixture.settle();
    const signingIn = fixture.backend.signIn('bob');
    await fixture.settle();
    release();
    await fixture.wait(signingIn);

    expect(await outcome).toMatchObject([{ reason: { code: 'store/signed-out' } }]);
    const asked = fixture.remote.server.applied.map(
      ({ entityId, principal }) => `${entityId} of ${principal}`,
    );
    expect(asked.slice(3)).toEqual(['a of ann']);
  });
});
