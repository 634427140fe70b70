import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import type { SyncReport } from '../model/sync-report.ts';
import { NexusStore, type StoreOptions } from '../store/nexus-store.ts';
import type { MigratedEntry } from './sync-context.ts';

const world = fixtures(afterEach, () => memoryStorage());

test('the app sees what was carried over, also if it cannot be sent yet', async () => {
  const database = memoryDatabase();
  const old = world({ storage: memoryStorage({ database }) });
  await old.notes.save({ id: 'a', text: 'old' });
  await old.backend.close();
  const migrate = ({ payload }: { readonly payload: unknown }) => ({
    ...(payload as object),
    done: true,
  });
  const fixture = world({
    storage: memoryStorage({ database }),
    store: { schemaVersion: 2, migrate },
  });
  fixture.remote.answerNext(answers.endpoint(503, 60_000));

  await fixture.wait(fixture.backend.sync());

  const [waiting] = await fixture.backend.pendingChanges();
  expect(waiting).toMatchObject({ schemaVersion: 2, payload: { text: 'old', done: true } });
  expect(await fixture.notes.get('a')).toEqual({ id: 'a', text: 'old', done: true });
});

type Migrate = (entry: MigratedEntry) => unknown;

/** Writes with the old app, then opens the database with one whose payloads have another schema. */
async function upgraded(
  write: (old: BackendFixture) => Promise<unknown>,
  migrate: Migrate,
): Promise<BackendFixture> {
  const database = memoryDatabase();
  const remote = memoryRemote({ hints: false });
  const old = world({ storage: memoryStorage({ database }), remote });
  await write(old);
  await old.backend.close();
  return world({
    storage: memoryStorage({ database }),
    remote: memoryRemote({ hints: false, server: remote.server }),
    store: { schemaVersion: 2, migrate },
  });
}

const NOTE = { id: 'a', text: 'old' };

/** An entity that the server has, with a patch that waits. */
async function patched(fixture: BackendFixture): Promise<void> {
  await fixture.notes.save(NOTE);
  await fixture.wait(fixture.backend.sync());
  await fixture.notes.patch('a', { count: 1 });
}

async function commanded(fixture: BackendFixture): Promise<void> {
  await fixture.notes.save(NOTE);
  await fixture.wait(fixture.backend.sync());
  await fixture.notes.command('a', 'add', { by: 1 });
}

async function withoutArguments(fixture: BackendFixture): Promise<void> {
  await fixture.notes.save(NOTE);
  await fixture.wait(fixture.backend.sync());
  await fixture.notes.command('a', 'touch', undefined);
}

const changing: Migrate = ({ payload }) => {
  (payload as { text: string }).text = 'changed in place';
};

describe('what migrate must not give back for', () => {
  const saved = (old: BackendFixture): Promise<unknown> => old.notes.save(NOTE);
  const wholes: readonly [string, Migrate][] = [
    ['nothing, having changed its argument', changing],
    ['a promise of nothing', async (entry) => changing(entry)],
    ['null', () => null],
    ['a number', () => 5],
    ['a text', () => 'secret'],
    ['a list', ({ payload }) => [payload]],
    ['a map', () => new Map([['id', 'a']])],
    ['another id', () => ({ id: 'zz' })],
    ['an id of another type', () => ({ id: 1 })],
    ['no id', () => ({ text: 'old' })],
  ];
  const fields: readonly [string, Migrate][] = [
    ['nothing, having changed its argument', changing],
    ['null', () => null],
    ['a number', () => 5],
    ['a list', ({ payload }) => [payload]],
    ['another id', () => ({ id: 'zz', count: 1 })],
  ];

  test.each(wholes)('a create: %s', async (_, migrate) => {
    await expectParked(await upgraded(saved, migrate), NOTE);
  });

  test.each(fields)('a patch: %s', async (_, migrate) => {
    await expectParked(await upgraded(patched, migrate), { count: 1 });
  });

  test('a command: nothing, having changed its argument', async () => {
    await expectParked(await upgraded(commanded, changing), { by: 1 });
  });

  /** The write is where people can read it, as it was queued; no server has heard of it. */
  async function expectParked(fixture: BackendFixture, payload: object): Promise<void> {
    const seen = await fixture.notes.get('a');
    const known = fixture.remote.server.applied.length;

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 0, dead: 1 });
    expect(fixture.remote.server.applied).toHaveLength(known);
    const letters = await fixture.backend.deadLetters();
    expect(letters.map((letter) => letter.payload)).toEqual([payload]);
    expect(letters[0]?.lastFailure?.code).toBe('store/migration-failed');
    expect(letters[0]?.lastFailure?.detail).not.toContain('secret');
    expect(await fixture.notes.get('a')).toEqual(seen);
  }
});

describe('migrate may give back', () => {
  test('fields of another schema for a patch, its own id among them', async () => {
    const fixture = await upgraded(patched, () => ({ id: 'a', at: 2 }));

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 1, dead: 0 });
    expect(fixture.remote.server.value('notes', 'a')).toEqual({ id: 'a', text: 'old', at: 2 });
  });

  const sound: readonly [string, typeof commanded, Migrate, unknown][] = [
    ['other arguments for a command', commanded, () => [2], [2]],
    ['none for a command that had none', withoutArguments, () => undefined, undefined],
    ['null for one that had some', commanded, () => null, null],
  ];

  test.each(sound)('%s', async (_, write, migrate, sent) => {
    const fixture = await upgraded(write, migrate);

    await fixture.wait(fixture.backend.sync());

    expect(fixture.remote.attempts.at(-1)?.batch[0]).toMatchObject({
      operation: 'command',
      payload: sent,
    });
  });
});

describe('a store whose id stands elsewhere', () => {
  interface Tag {
    readonly group: string;
    readonly name: string;
    readonly uses?: number;
  }
  const idOf = ({ group, name }: Tag): string => `${group}/${name}`;

  /** @param id of the store; @param write with the store of the old app */
  async function syncedAs<T>(
    id: NonNullable<StoreOptions<T>['id']>,
    write: (store: NexusStore<T>, old: BackendFixture) => Promise<unknown>,
    migrate: Migrate,
  ): Promise<[BackendFixture, SyncReport]> {
    const database = memoryDatabase();
    const remote = memoryRemote({ hints: false });
    const old = world({ storage: memoryStorage({ database }), remote });
    const { backend } = old;
    await write(new NexusStore<T>({ backend, collection: 'tags', id }), old);
    await backend.close();
    const fixture = world({
      storage: memoryStorage({ database }),
      remote: memoryRemote({ hints: false, server: remote.server }),
    });
    const options = { backend: fixture.backend, collection: 'tags', id, migrate };
    const store = new NexusStore<T>({ ...options, schemaVersion: 2 });
    const report = await fixture.wait(store.backend.sync());
    return [fixture, report];
  }

  test('is asked for it, whatever stands under id', async () => {
    const save = (store: NexusStore<Tag>): Promise<unknown> =>
      store.save({ group: 'g', name: 'n' });
    const [, kept] = await syncedAs<Tag>('name', save, ({ payload }) => ({
      ...(payload as Tag),
      id: 'some other thing',
    }));
    const [, refused] = await syncedAs<Tag>('name', save, () => ({ group: 'g', id: 'n' }));

    expect([kept.pushed, kept.dead]).toEqual([1, 0]);
    expect([refused.pushed, refused.dead]).toEqual([0, 1]);
  });

  test('and is worked out has patches judged by the whole value', async () => {
    const patch = async (store: NexusStore<Tag>, old: BackendFixture): Promise<void> => {
      await store.save({ group: 'g', name: 'n' });
      await old.wait(old.backend.sync());
      await store.patch('g/n', { uses: 1 });
    };
    const [, kept] = await syncedAs<Tag>(idOf, patch, () => ({ uses: 2 }));
    const [, refused] = await syncedAs<Tag>(idOf, patch, () => ({ name: 'other' }));

    expect([kept.pushed, kept.dead]).toEqual([1, 0]);
    expect([refused.pushed, refused.dead]).toEqual([0, 1]);
  });

  test('and is worked out may hold texts, also those of an id that is always the same', async () => {
    const save = (store: NexusStore<string>): Promise<unknown> => store.save('dark');
    const [, kept] = await syncedAs<string>(
      () => 'theme',
      save,
      () => 'darker',
    );
    const [, refused] = await syncedAs<string>(
      () => 'theme',
      save,
      () => undefined,
    );

    expect([kept.pushed, kept.dead]).toEqual([1, 0]);
    expect([refused.pushed, refused.dead]).toEqual([0, 1]);
  });
});
