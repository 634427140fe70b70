import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import { createSeededRandom } from '../../testing/seeded-random.ts';
import type { PushAnswer } from '../../testing/memory-remote.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import type { EntryState } from '../model/entry.ts';
import { NexusStore } from './nexus-store.ts';
import type { SyncMark } from './store-backend.ts';

const world = fixtures(afterEach, () => memoryStorage());

/** The first of these that an entry of the lane has is the mark. */
const ORDER: readonly EntryState[] = ['dead', 'conflict', 'claimed', 'pending'];

/** The mark as the lane itself says it, read anew. */
async function markInStorage(fixture: BackendFixture, id: string): Promise<SyncMark> {
  const watch = fixture.backend.watchPendingChanges({ collection: 'notes', entityId: id });
  await fixture.settle();
  const { value = [] } = watch.state.current;
  return ORDER.find((state) => value.some((entry) => entry.state === state)) ?? 'synced';
}

/** Follows the marks of notes. */
function follow(fixture: BackendFixture, ids: readonly string[]) {
  const seen = new Map<string, SyncMark[]>(ids.map((id) => [id, []]));
  const stops = ids.map((id) =>
    fixture.backend.watchSyncMark('notes', id).state.subscribe(({ status, value }) => {
      if (status === 'ready') seen.get(id)?.push(value);
    }),
  );
  return {
    of: (id: string): readonly SyncMark[] => seen.get(id) ?? [],
    last: (id: string): SyncMark | undefined => seen.get(id)?.at(-1),
    stop: () => {
      for (const stop of stops) stop();
    },
  };
}

const idsTo = (count: number, prefix = 'n'): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

/** So many wait that nobody reads the whole queue for a few marks. */
async function fill(fixture: BackendFixture, count: number): Promise<void> {
  const other = new NexusStore<{ id: string }>({ backend: fixture.backend, collection: 'other' });
  await other.saveAll(
    idsTo(count).map((id) => ({ id })),
    { priority: 'low' },
  );
}

describe('a sync mark', () => {
  test('is told in turn what becomes of a write, and nothing twice', async () => {
    const fixture = world();
    const marks = follow(fixture, ['a', 'b']);
    await fixture.runtime.advance(60);
    await fixture.notes.save({ id: 'a' });
    await fixture.runtime.advance(60);
    fixture.remote.answerNext('hang', answers.rejected(422), 'apply');
    void fixture.backend.sync({ budget: '10s' });
    await fixture.runtime.advance('11s');
    await fixture.wait(fixture.backend.sync());
    await fixture.runtime.advance(60);
    const [letter] = await fixture.backend.deadLetters();
    await fixture.backend.discard(letter?.id ?? '');
    await fixture.runtime.advance(60);
    marks.stop();

    expect(marks.of('a')).toEqual([
      'synced',
      'pending',
      'claimed',
      'pending',
      'claimed',
      'dead',
      'synced',
    ]);
    expect(marks.of('b')).toEqual(['synced']);
  });

  test('says that a claim is over which nobody has ended, once the queue is looked at', async () => {
    const runtime = createVirtualRuntime(1);
    const database = memoryDatabase();
    const process = runtime.createProcess();
    const killed = world({ storage: memoryStorage({ database }), runtime, process, lease: '60s' });
    killed.remote.answerNext('hang');
    await killed.notes.save({ id: 'a' });
    void killed.backend.sync().catch(() => {});
    await runtime.advance(100);
    process.kill();
    const next = world({ storage: memoryStorage({ database }), runtime, lease: '60s' });
    const marks = follow(next, ['a']);
    await runtime.advance('1s');
    const during = marks.last('a');
    await runtime.advance('2m');
    await next.notes.save({ id: 'another' });
    await runtime.advance('1s');
    marks.stop();

    expect(during).toBe('claimed');
    expect(marks.of('a')).toEqual(['claimed', 'pending']);
  });

  test('is not known while the database cannot be read, and is afterwards', async () => {
    const fixture = world();
    const storage = memoryStorage();
    let isBroken = false;
    const broken = world({
      runtime: fixture.runtime,
      storage: {
        capabilities: storage.capabilities,
        open: (schema) => storage.open(schema),
        transact: async (mode, body) => {
          if (isBroken && mode === 'read') throw new Error('broken');
          return storage.transact(mode, body);
        },
        foreignCommits: () => storage.foreignCommits(),
        close: () => storage.close(),
      },
    });
    await broken.notes.save({ id: 'a' });
    const { state } = broken.backend.watchSyncMark('notes', 'a');
    const seen: string[] = [];
    const stop = state.subscribe(({ status, value }) => seen.push(`${status} ${value}`));
    isBroken = true;
    await broken.runtime.advance(60);
    isBroken = false;
    await broken.notes.save({ id: 'a', text: 'again' });
    await broken.runtime.advance(200);
    stop();

    expect(seen).toEqual(['loading undefined', 'failed undefined', 'ready pending']);
  });

  test('is another one for another user', async () => {
    const fixture = world();
    await fixture.backend.signIn('ann');
    await fixture.notes.save({ id: 'a' });
    const seen: unknown[] = [];
    const stop = fixture.backend
      .watchSyncMark('notes', 'a')
      .state.subscribe(({ status, value }) => seen.push(value ?? status));
    await fixture.runtime.advance(60);
    await fixture.backend.signIn('bob');
    await fixture.runtime.advance(60);
    stop();

    expect(seen).toEqual(['loading', 'pending', 'loading', 'synced']);
  });

  test('needs a collection and an id', () => {
    const { backend } = world();

    expect(() => backend.watchSyncMark('', 'a')).toThrow(/collection/);
    expect(() => backend.watchSyncMark('notes', '')).toThrow(/id/);
  });
});

/**
 * Two contexts write, send, fail and decide at random, and after each step every mark is what its lane is.
 * Returns which marks there were.
 */
async function walk(seed: number, others: number): Promise<ReadonlySet<SyncMark>> {
  const random = createSeededRandom(seed, 'marks');
  const below = (count: number): number => random.integer(count);
  const pick = <V>(all: readonly V[]): V => all[below(all.length)] as V;
  const runtime = createVirtualRuntime(seed);
  const database = memoryDatabase();
  const onRejected = pick(['park', 'revert', 'skip'] as const);
  const store = { onRejected, conflict: 'manual', coalesce: pick([true, false]) } as const;
  const here = world({ storage: memoryStorage({ database }), runtime, store });
  const there = world({
    storage: memoryStorage({ database }),
    runtime,
    remote: here.remote,
    store,
  });
  await here.backend.open();
  if (others > 0) await fill(here, others);
  await there.backend.open();
  const ids = idsTo(8);
  const marks = follow(here, ids);
  const outcomes: readonly PushAnswer[] = [
    'apply',
    'hang',
    'lose-answer',
    answers.rejected(422),
    ({ entityId }) => answers.conflict({ id: entityId, text: 'theirs' }, 'v9'),
    answers.entry(503),
  ];
  here.remote.answerWith(() => pick(outcomes));
  const steps: readonly ((by: BackendFixture) => Promise<unknown>)[] = [
    ({ notes }) =>
      notes.save({ id: pick(ids), at: below(100) }, { priority: pick(['high', 'normal']) }),
    ({ notes }) => notes.saveAll(ids.slice(below(4)).map((id) => ({ id, at: below(100) }))),
    ({ notes }) => notes.patch(pick(ids), { text: String(below(100)) }),
    ({ notes }) => notes.delete(pick(ids)),
    ({ notes }) => notes.command(pick(ids), 'increment', { field: 'count', by: 1 }),
    ({ backend, notes }) =>
      backend.transaction(async (tx) => {
        const inside = tx.store(notes);
        await inside.save({ id: pick(ids), at: below(100) });
        await inside.save({ id: pick(ids), at: below(100) });
      }),
    ({ backend }) => backend.sync({ budget: '3s' }),
    ({ backend }) => backend.sync({ budget: '3s' }),
    async ({ backend }) => {
      const [letter] = await backend.deadLetters();
      if (letter === undefined) return;
      await (below(2) === 0 ? backend.retry(letter.id) : backend.discard(letter.id));
    },
    async ({ backend }) => {
      const waiting = await backend.pendingChanges({ collection: 'notes' });
      const entry = waiting.find(({ state }) => state === 'conflict');
      if (entry !== undefined) await backend.resolveConflict(entry.id, { use: 'local' });
    },
    async ({ backend }) => {
      const waiting = await backend.pendingChanges({ collection: 'notes' });
      if (waiting.length > 0) await backend.cancel(pick(waiting).id);
    },
  ];
  const found = new Set<SyncMark>();

  for (let step = 0; step < 60; step += 1) {
    const by = below(4) === 0 ? there : here;
    const done = pick(steps)(by).catch(() => {});
    // Some are looked at while they are under way.
    if (below(2) === 0) await here.wait(done);
    else await runtime.advance(pick([100, 1_000, 90_000]));
    if (by === there || below(8) === 0) await here.wait(here.backend.refresh());
    await runtime.advance(200);
    const expected = new Map<string, SyncMark>();
    for (const id of ids) expected.set(id, await markInStorage(here, id));
    for (const mark of expected.values()) found.add(mark);
    const shown = new Map(ids.map((id) => [id, marks.last(id)]));
    // A run of the other context goes on meanwhile, and nobody has said so yet.
    if (by === here) expect([step, ...shown]).toEqual([step, ...expected]);
    await here.wait(done);
    if (by === there) await here.wait(here.backend.refresh());
  }
  marks.stop();
  return found;
}

describe('sync marks', () => {
  test.each([
    ['little waits, and the whole queue is read', 0],
    ['much waits, and each lane is read', 60],
  ])(
    'say what the lanes say, whoever writes, sends, fails or decides, where %s',
    async (_, others) => {
      const found = new Set<SyncMark>();

      for (let seed = 1; seed <= 12; seed += 1)
        for (const mark of await walk(seed, others)) found.add(mark);

      expect([...found].sort()).toEqual(['claimed', 'conflict', 'dead', 'pending', 'synced']);
    },
    60_000,
  );
});
