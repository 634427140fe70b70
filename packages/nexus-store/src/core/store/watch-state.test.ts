import { afterEach, describe, expect, test } from 'vitest';
import { StorageError } from '../model/errors.ts';
import type { Storage, StorageTransaction } from '../ports/storage.ts';
import { memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures } from '../../testing/backend-fixture.ts';
import { NexusStore } from './nexus-store.ts';

const world = fixtures(afterEach, () => memoryStorage());
const here = { policy: 'cache-only' } as const;

interface WatchedStorage extends Storage {
  isBroken: boolean;
  /** Transactions that only read, and records given out. */
  reads: number;
  given: number;
}

/** A storage whose reads fail while it is said to be broken, and that counts them. */
function watchedStorage(): WatchedStorage {
  const storage = memoryStorage();
  const noted = <R extends readonly unknown[]>(records: R): R => {
    made.given += records.length;
    return records;
  };
  const counting = (tx: StorageTransaction): StorageTransaction => ({
    get: async (table, keys) => noted(await tx.get(table, keys)),
    scan: async (table, range) => noted(await tx.scan(table, range)),
    write: (changes) => tx.write(changes),
  });
  const made: WatchedStorage = {
    isBroken: false,
    reads: 0,
    given: 0,
    capabilities: storage.capabilities,
    open: (schema) => storage.open(schema),
    transact: async (mode, body) => {
      if (mode === 'read') made.reads += 1;
      if (made.isBroken && mode === 'read') throw new StorageError('storage/unavailable', 'broken');
      return storage.transact(mode, (tx) => body(counting(tx)));
    },
    foreignCommits: () => storage.foreignCommits(),
    close: () => storage.close(),
  };
  return made;
}

describe('the state of what is watched', () => {
  test('is loading until it was read, also if nothing is found', async () => {
    const fixture = world();
    const { state } = fixture.notes.watch('none', here);
    const before = state.current;
    const seen: unknown[] = [];
    const stop = state.subscribe(({ status, value }) => seen.push([status, value]));
    await fixture.settle();
    stop();

    expect(before).toEqual({ status: 'loading', value: undefined, error: undefined });
    expect(seen).toEqual([
      ['loading', undefined],
      ['ready', undefined],
    ]);
  });

  test('says that a read failed, keeps what was read, and recovers by itself or when asked', async () => {
    const storage = watchedStorage();
    const fixture = world({ storage });
    await fixture.notes.save({ id: 'a', text: 'one' });
    const watch = fixture.notes.watchAll({}, here);
    const seen: unknown[] = [];
    const stop = watch.state.subscribe(({ status, value }) =>
      seen.push([status, value?.map(({ text }) => text)]),
    );
    await fixture.settle();
    storage.isBroken = true;
    await fixture.notes.save({ id: 'a', text: 'two' });
    await fixture.settle();
    const { error } = watch.state.current;
    watch.refresh();
    await fixture.settle();
    storage.isBroken = false;
    watch.refresh();
    await fixture.settle();
    stop();

    expect(error).toMatchObject({ code: 'storage/unavailable' });
    expect(seen).toEqual([
      ['loading', undefined],
      ['ready', ['one']],
      ['failed', ['one']],
      ['failed', ['one']],
      ['ready', ['two']],
    ]);
  });

  test('is ready again with the same value after a failure that changed nothing', async () => {
    const storage = watchedStorage();
    const fixture = world({ storage });
    await fixture.notes.save({ id: 'a', text: 'one' });
    const watch = fixture.notes.watchAll({}, here);
    const stop = watch.state.subscribe(() => {});
    await fixture.settle();
    const before = watch.state.current.value;
    storage.isBroken = true;
    watch.refresh();
    await fixture.settle();
    storage.isBroken = false;
    watch.refresh();
    await fixture.settle();
    stop();

    expect(before).toHaveLength(1);
    expect(watch.state.current).toMatchObject({ status: 'ready', error: undefined });
    expect(watch.state.current.value).toBe(before);
  });

  test('is loading for another user, also where nobody listened when the user changed', async () => {
    const fixture = world();
    await fixture.backend.signIn('ann');
    await fixture.notes.save({ id: 'a', text: 'of ann' });
    const followed = fixture.notes.watch('a', here);
    const left = fixture.notes.watch('a', here);
    const seen: unknown[] = [];
    const stop = followed.state.subscribe(({ status, value }) => seen.push([status, value?.text]));
    left.state.subscribe(() => {})();
    await fixture.settle();
    const before = left.state.current.status;
    await fixture.backend.signIn('bob');
    const after = left.state.current.status;
    await fixture.settle();
    stop();

    expect([before, after]).toEqual(['ready', 'loading']);
    expect(seen).toEqual([
      ['loading', undefined],
      ['ready', 'of ann'],
      ['loading', undefined],
      ['ready', undefined],
    ]);
  });

  test('is not followed by a listener that cannot be called', async () => {
    const storage = watchedStorage();
    const fixture = world({ storage });
    await fixture.backend.open();
    const watch = fixture.notes.watch('a', here);
    await fixture.settle();

    expect(() => watch.subscribe(5 as never)).toThrow(/listener/);
    expect(() => watch.state.subscribe(undefined as never)).toThrow(/listener/);
    await fixture.runtime.advance('1s');
    const { reads } = storage;
    await fixture.backend.refresh();
    const idle = storage.reads - reads;
    watch.subscribe(() => {});
    await fixture.backend.refresh();

    // A refresh reads what is listened to as well.
    expect(storage.reads - reads).toBeGreaterThan(2 * idle);
  });

  test('costs one reading where something is watched and listened to in one turn', async () => {
    const storage = watchedStorage();
    const fixture = world({ storage });
    await fixture.backend.open();
    await fixture.runtime.advance('1s');
    storage.reads = 0;

    const stop = fixture.notes.watch('a', here).subscribe(() => {});
    await fixture.settle();
    stop();

    expect(storage.reads).toBe(1);
  });
});

describe('watched pending changes', () => {
  test('follow the queue: what comes, what fails, what was sent', async () => {
    const fixture = world();
    const seen: string[] = [];
    const stop = fixture.backend
      .watchPendingChanges()
      .subscribe((entries) =>
        seen.push(entries.map(({ entityId, attempts }) => `${entityId}:${attempts}`).join(' ')),
      );
    await fixture.runtime.advance(60);
    await fixture.notes.save({ id: 'a' });
    await fixture.notes.save({ id: 'b' }, { priority: 'critical' });
    await fixture.runtime.advance(60);
    fixture.remote.answerNext(answers.entry(500), answers.entry(500));
    await fixture.wait(fixture.backend.sync());
    await fixture.runtime.advance(60);
    await fixture.runtime.advance('1m');
    await fixture.wait(fixture.backend.sync());
    await fixture.runtime.advance(60);
    stop();

    const changes = seen.filter((line, index) => line !== seen[index - 1]);
    expect(changes.slice(0, 2)).toEqual(['', 'b:0 a:0']);
    expect(changes.some((line) => line.includes(':1'))).toBe(true);
    expect(changes.at(-1)).toBe('');
  });

  test('keep the entries that did not change, and read no more than the limit', async () => {
    const fixture = world();
    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
    const watch = fixture.backend.watchPendingChanges({ limit: 2 });
    const stop = watch.subscribe(() => {});
    await fixture.runtime.advance(60);
    const before = watch.current;
    await fixture.notes.patch('a', { text: 'folded in' });
    await fixture.runtime.advance(60);
    stop();

    expect(before.map(({ entityId }) => entityId)).toEqual(['a', 'b']);
    expect(watch.current[0]).not.toBe(before[0]);
    expect(watch.current[0]?.payload).toMatchObject({ text: 'folded in' });
    expect(watch.current[1]).toBe(before[1]);
  });

  test('of one entity are its lane, what is dead in it included, and cost nothing while it is empty', async () => {
    const storage = watchedStorage();
    const fixture = world({ storage });
    const watch = fixture.backend.watchPendingChanges({ collection: 'notes', entityId: 'a' });
    const stop = watch.subscribe(() => {});
    await fixture.runtime.advance('1s');
    storage.reads = 0;
    await fixture.notes.save({ id: 'other' });
    await fixture.settle();
    const readsForOthers = storage.reads;
    fixture.remote.answerNext(answers.rejected(422));
    await fixture.notes.save({ id: 'a' }, { priority: 'critical' });
    await fixture.wait(fixture.backend.sync());
    await fixture.notes.patch('a', { text: 'later' });
    await fixture.runtime.advance(60);
    stop();

    expect(readsForOthers).toBe(0);
    expect(watch.current.map(({ operation, state }) => [operation, state])).toEqual([
      ['create', 'dead'],
      ['update', 'pending'],
    ]);
  });

  test('of one collection are found without reading on behind the last of them', async () => {
    const storage = watchedStorage();
    const fixture = world({ storage });
    const other = new NexusStore<{ id: string }>({ backend: fixture.backend, collection: 'other' });
    await fixture.notes.save({ id: 'refused' });
    fixture.remote.answerNext(answers.conflict({ id: 'refused', text: 'theirs' }, 'v2'));
    await fixture.wait(fixture.backend.sync());
    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }], { priority: 'high' });
    for (let from = 0; from < 3_000; from += 1_000)
      await other.saveAll(
        Array.from({ length: 1_000 }, (_, index) => ({ id: `n${from + index}` })),
      );
    await fixture.runtime.advance('1s');
    storage.given = 0;

    const found = await fixture.notes.pendingChanges();
    const none = await fixture.backend.pendingChanges({ collection: 'nothing' });

    expect(found.map(({ entityId }) => entityId)).toEqual(['a', 'b']);
    expect(none).toEqual([]);
    expect(storage.given).toBeLessThan(1_000);
  });

  test('need a collection for an entity, and options that exist', () => {
    const { backend } = world();

    for (const options of [
      { entityId: 'a' },
      { collection: 'notes', entityId: '' },
      { limit: 0 },
      { first: 3 },
    ])
      expect(() => backend.watchPendingChanges(options as never)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^usage\//) as string }),
      );
  });
});
