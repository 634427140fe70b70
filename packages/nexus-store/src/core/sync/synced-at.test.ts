import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import { RemoteError } from '../model/errors.ts';
import type { Change, Storage } from '../ports/storage.ts';
import { accessOf } from '../store/collection-access.ts';
import { NexusStore } from '../store/nexus-store.ts';
import { readSyncedAt } from './synced-at.ts';

const world = fixtures(afterEach, () => memoryStorage());

/** Saves one and syncs. Returns when. */
async function syncOne(fixture: BackendFixture, id = 'a'): Promise<number> {
  await fixture.notes.save({ id });
  await fixture.wait(fixture.backend.sync());
  return fixture.runtime.clock.now();
}

const shown = (fixture: BackendFixture): number | null =>
  fixture.backend.status.current.lastSyncedAt;

/** What a process that starts now would know. */
function storedBy({ notes }: BackendFixture): Promise<number | null> {
  const { writer, partition } = accessOf(notes).core;
  return writer.read((uow) => readSyncedAt(uow, partition));
}

/** The records each transaction wrote, as `table name`. */
function recording(storage: Storage): Storage & { readonly commits: string[][] } {
  const commits: string[][] = [];
  const nameOf = (change: Change): string =>
    `${change.table} ${'put' in change ? String(change.put['name'] ?? '') : ''}`;
  return {
    commits,
    capabilities: storage.capabilities,
    open: (schema) => storage.open(schema),
    transact: (mode, body) => {
      const commit: string[] = [];
      if (mode === 'write') commits.push(commit);
      return storage.transact(mode, (tx) =>
        body({
          get: (table, keys) => tx.get(table, keys),
          scan: (table, range) => tx.scan(table, range),
          write: (changes) => {
            commit.push(...changes.map(nameOf));
            return tx.write(changes);
          },
        }),
      );
    },
    foreignCommits: () => storage.foreignCommits(),
    close: () => storage.close(),
  };
}

describe('when it was last in step with the server', () => {
  test.each([
    ['that is pulled from', true],
    ['that takes writes only', false],
  ])('is known after a restart, with a server %s', async (_, pull) => {
    const database = memoryDatabase();
    const remote = memoryRemote({ pull, hints: false });
    const first = world({ remote, storage: memoryStorage({ database }) });
    const syncedAt = await syncOne(first);
    const before = shown(first);
    await first.backend.close();

    const second = world({ remote, storage: memoryStorage({ database }) });
    await second.backend.open();

    expect(before).toBe(syncedAt);
    expect(shown(second)).toBe(syncedAt);
  });

  test('is known to every context that shares the database', async () => {
    const database = memoryDatabase();
    const page = world({ storage: memoryStorage({ database }) });
    await page.backend.open();
    const worker = world({ storage: memoryStorage({ database }), runtime: page.runtime });

    const syncedAt = await syncOne(worker);
    await page.backend.refresh();

    expect(shown(page)).toBe(syncedAt);
  });

  test('costs a run no transaction of its own', async () => {
    for (const pull of [true, false]) {
      const storage = recording(memoryStorage());
      const fixture = world({ storage, remote: memoryRemote({ pull, hints: false }) });

      await syncOne(fixture);
      await syncOne(fixture, 'b');

      const noting = storage.commits.filter((names) =>
        names.some((name) => name.startsWith('meta synced:')),
      );
      expect(noting).toHaveLength(2);
      expect(noting.filter((names) => names.length === 1)).toEqual([]);
    }
  });

  test('stays as it was while something could not be sent or fetched', async () => {
    const database = memoryDatabase();
    const first = world({ storage: memoryStorage({ database }) });
    new NexusStore({ backend: first.backend, collection: 'others' });
    const syncedAt = await syncOne(first);
    await first.runtime.advance('1m');
    first.remote.answerNext(answers.offline);
    await syncOne(first, 'unsent');
    await first.runtime.advance('10m');
    const pull = first.remote.pull.bind(first.remote);
    first.remote.pull = async (request, context) => {
      if (request.collection === 'notes') throw new RemoteError('remote/rejected', 'not for you');
      return pull(request, context);
    };
    await first.wait(first.backend.sync());
    const pending = first.backend.pendingChangesCount.current;
    await first.backend.close();

    const second = world({ storage: memoryStorage({ database }) });
    await second.backend.open();

    expect(pending).toBe(0);
    expect(shown(second)).toBe(syncedAt);
  });

  test('is not yet while writes wait for another answer, or for a longer run', async () => {
    const retried = world({ remote: memoryRemote({ pull: false, hints: false }) });
    retried.remote.answerNext(({ entityId }) =>
      entityId === 'b' ? answers.entry(423, 60_000) : undefined,
    );
    await retried.notes.saveAll([{ id: 'a' }, { id: 'b' }]);
    await retried.wait(retried.backend.sync({ budget: '1m' }));
    const deferred = world();
    await deferred.notes.save({ id: 'a' }, { priority: 'low' });
    await deferred.wait(deferred.backend.sync({ budget: '5s' }));

    const stored = await Promise.all([retried, deferred].map(storedBy));

    expect([retried, deferred].map(({ arrivals }) => arrivals.length)).toEqual([1, 0]);
    expect(stored).toEqual([null, null]);
  });

  test('is of one user, and forgotten with what that user had here', async () => {
    const fixture = world();
    await fixture.backend.signIn('ann');
    const syncedAt = await syncOne(fixture);

    await fixture.backend.signOut();
    const byNobody = shown(fixture);
    await fixture.backend.signIn('ann');
    const byAnn = shown(fixture);
    await fixture.backend.signOut({ pending: 'discard' });
    await fixture.backend.signIn('ann');

    expect([byNobody, byAnn, shown(fixture)]).toEqual([null, syncedAt, null]);
  });
});
