import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { databases, type TestDatabase } from '../../storage/fakes/databases.ts';
import { memoryStorage } from '../../storage/memory/index.ts';
import {
  answers,
  fixtures,
  type BackendFixture,
  type Note,
} from '../../testing/backend-fixture.ts';
import type { SyncEvent } from '../model/events.ts';
import { deferred } from '../../testing/deferred.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import { STORAGE_SCHEMA } from '../model/storage-schema.ts';
import type { Storage, StoredRecord } from '../ports/storage.ts';

const world = fixtures(afterEach, () => memoryStorage());
let create: TestDatabase['create'];

/** No text that anything was encoded to, with something in it that nobody may be told. */
const BROKEN = '{"secret":';

type Settings = Parameters<typeof world>[0];

class Scene {
  readonly database = create();
  fixture: BackendFixture;
  readonly #settings: Settings;

  constructor(settings: Settings = {}) {
    this.#settings = settings;
    this.fixture = this.#open();
  }

  #open(): BackendFixture {
    return world({ ...this.#settings, storage: this.database() });
  }

  /** The next start of the app. */
  async restart(): Promise<void> {
    const { runtime } = this.fixture;
    const remote = memoryRemote({ hints: false, server: this.fixture.remote.server });
    await this.fixture.wait(this.fixture.backend.close());
    this.fixture = world({
      ...this.#settings,
      storage: this.database(),
      remote,
      runtime,
    });
  }

  /** Changes what stands on the disk, behind the backend's back. */
  async damage(
    table: string,
    change: (record: StoredRecord) => StoredRecord | 'gone' | undefined,
  ): Promise<void> {
    const disk: Storage = this.database();
    await disk.open(STORAGE_SCHEMA);
    let count = 0;
    await disk.transact('write', async (tx) => {
      const key = STORAGE_SCHEMA.tables[table]?.key ?? [];
      for (const record of await tx.scan(table, { limit: 1_000 })) {
        const next = change(record);
        if (next === undefined) continue;
        count += 1;
        const place = key.map((column) => record[column] as string | number);
        await tx.write([next === 'gone' ? { table, delete: place } : { table, put: next }]);
      }
    });
    await disk.close();
    expect(count).toBeGreaterThan(0);
  }

  damageRow(id: string, change: StoredRecord | 'gone'): Promise<void> {
    return this.damage('rows', (row) =>
      row['id'] !== id ? undefined : change === 'gone' ? change : { ...row, ...change },
    );
  }

  damageEntry(entity: string, change: StoredRecord | 'gone'): Promise<void> {
    let isDone = false;
    return this.damage('entries', (entry) => {
      if (entry['entity'] !== entity || isDone) return undefined;
      isDone = true;
      return change === 'gone' ? change : { ...entry, ...change };
    });
  }

  damageFact(name: string): Promise<void> {
    return this.damage('meta', (fact) =>
      fact['name'] === name ? { name, value: BROKEN } : undefined,
    );
  }

  sync() {
    return this.fixture.wait(this.fixture.backend.sync());
  }

  get damaged(): readonly string[] {
    const isDamage = (event: SyncEvent) => event.type === 'record-damaged';
    const found = this.fixture.events.filter(isDamage);
    expect(JSON.stringify(this.fixture.events)).not.toContain('secret');
    return found.map(({ table }) => table);
  }

  /** The id of the entry of an entity that waits or is a dead letter. */
  async entry(entity: string): Promise<string> {
    const { backend, notes } = this.fixture;
    const all = [...(await notes.pendingChanges()), ...(await backend.deadLetters())];
    const found = all.find(({ entityId }) => entityId === entity);
    expect(found).toBeDefined();
    return found?.id ?? '';
  }

  async notes(query = {}): Promise<readonly Note[]> {
    return this.fixture.notes.getAll(query, { policy: 'cache-only' });
  }

  onServer(id: string): unknown {
    return this.fixture.remote.server.value('notes', id);
  }
}

async function threeNotes(settings: Settings = {}): Promise<Scene> {
  const scene = new Scene(settings);
  for (const id of ['a', 'b', 'c']) await scene.fixture.notes.save({ id, at: 1 });
  return scene;
}

describe.each(databases)('an entry that cannot be read, over $name,', (database) => {
  beforeEach(() => ({ create } = database));

  test.each([
    ['its details', { detail: BROKEN }],
    ['its details, which are no object', { detail: '5' }],
    ['its payload', { payload: BROKEN }],
  ])('for %s is a dead letter, and the others are sent', async (_, change) => {
    const scene = await threeNotes();
    await scene.damageEntry('b', change);
    const before = await scene.fixture.notes.pendingChanges();

    const report = await scene.sync();

    expect(before).toHaveLength(3);
    expect(report).toMatchObject({ pushed: 2, stoppedBy: 'drained' });
    expect([scene.onServer('a'), scene.onServer('b'), scene.onServer('c')]).toEqual([
      { id: 'a', at: 1 },
      undefined,
      { id: 'c', at: 1 },
    ]);
    expect(await scene.fixture.backend.deadLetters()).toMatchObject([
      { entityId: 'b', state: 'dead', lastFailure: { code: 'storage/corrupt' } },
    ]);
    expect(scene.damaged).toEqual(['entries']);
    expect(await scene.fixture.notes.get('b')).toEqual({ id: 'b', at: 1 });
  });

  test('is a dead letter again when it is retried, and its lane goes on when it is discarded', async () => {
    const scene = await threeNotes({ store: { coalesce: false } });
    await scene.fixture.notes.save({ id: 'b', at: 2 });
    await scene.damageEntry('b', { detail: BROKEN });
    await scene.sync();
    const [dead] = await scene.fixture.backend.deadLetters();

    await scene.fixture.backend.retry(dead?.id ?? '');
    await scene.sync();
    const again = await scene.fixture.backend.deadLetters();
    await scene.fixture.backend.discard(again[0]?.id ?? '');
    await scene.sync();

    expect(again.map(({ id }) => id)).toEqual([dead?.id]);
    expect(scene.fixture.arrivals).not.toContain('create b');
    expect(await scene.fixture.notes.pendingChanges()).toEqual([]);
  });

  test('never takes the value from here, whatever is done with what a server rejects', async () => {
    const scene = await threeNotes({ store: { onRejected: 'revert' } });
    await scene.damageEntry('b', { detail: BROKEN });

    await scene.sync();

    expect(await scene.fixture.notes.get('b')).toEqual({ id: 'b', at: 1 });
  });

  test('takes its transaction with it, and nothing waits for ever', async () => {
    const scene = await threeNotes();
    await scene.fixture.backend.transaction(async (tx) => {
      for (const id of ['t1', 't2', 't3']) await tx.store(scene.fixture.notes).save({ id });
    });
    // The first of a transaction knows who belongs to it.
    await scene.damageEntry('t1', { detail: BROKEN });

    const report = await scene.sync();

    expect(report).toMatchObject({ pushed: 3, remaining: 0 });
    const dead = await scene.fixture.backend.deadLetters();
    expect(dead.map(({ entityId }) => entityId)).toEqual(['t1', 't2', 't3']);
    for (const { id } of dead) await scene.fixture.backend.retry(id);
    await scene.sync();
    expect(await scene.fixture.backend.deadLetters()).toMatchObject([{ entityId: 't1' }]);
    expect(scene.onServer('t2')).toEqual({ id: 't2' });
  });

  test('in the middle of a transaction takes it along as well', async () => {
    const scene = await threeNotes();
    await scene.fixture.backend.transaction(async (tx) => {
      for (const id of ['t1', 't2', 't3']) await tx.store(scene.fixture.notes).save({ id });
    });
    await scene.damageEntry('t2', { detail: BROKEN });

    expect(await scene.sync()).toMatchObject({ pushed: 3, remaining: 0 });
    expect(await scene.fixture.backend.deadLetters()).toHaveLength(3);
  });

  test.each([
    ['t1', 't1'],
    ['t1', 't2'],
    ['t2', 't1'],
    ['t2', 't2'],
  ])('goes with its whole transaction: %s is damaged, and %s cancelled', async (damaged, id) => {
    const scene = await transaction();
    await scene.damageEntry(damaged, { detail: BROKEN });
    const cancelled = await scene.entry(id);

    const result = await scene.fixture.backend.cancel(cancelled);

    expect(result).toBe('cancelled');
    expect(scene.damaged).toEqual(['entries']);
    expect(await scene.sync()).toMatchObject({ pushed: 0, remaining: 0 });
    expect(await scene.fixture.backend.deadLetters()).toEqual([]);
    expect(await scene.notes()).toEqual([]);
    await scene.fixture.notes.save({ id: 't2', at: 2 });
    expect(await scene.sync()).toMatchObject({ pushed: 1, remaining: 0 });
    expect(scene.onServer('t2')).toEqual({ id: 't2', at: 2 });
  });

  test('is not cancelled with what others of its transaction are needed for', async () => {
    const scene = await transaction();
    const needed = await scene.entry('t3');
    await scene.fixture.notes.save({ id: 'later' }, { after: [{ id: needed }] });
    await scene.damageEntry('t1', { detail: BROKEN });

    expect(await scene.fixture.backend.cancel(await scene.entry('t1'))).toBe('has-dependents');

    expect(await scene.fixture.notes.pendingChanges()).toHaveLength(4);
  });

  test('leaves no urgency behind that is not its own when it is cancelled', async () => {
    const scene = new Scene();
    await scene.fixture.notes.save({ id: 't1', at: 0 });
    await scene.sync();
    await scene.fixture.backend.transaction(async (tx) => {
      const notes = tx.store(scene.fixture.notes);
      await notes.save({ id: 't1', at: 1 });
      await notes.save({ id: 't2', at: 1 }, { priority: 'critical' });
    });
    const damaged = await scene.entry('t1');
    await scene.fixture.notes.save({ id: 't1', at: 2 });
    await scene.damageEntry('t1', { detail: BROKEN });

    expect(await scene.fixture.backend.cancel(damaged)).toBe('cancelled');

    expect(await scene.fixture.notes.pendingChanges()).toMatchObject([
      { entityId: 't1', effectivePriority: 'normal' },
    ]);
  });

  test.each([
    ['t1', 't1'],
    ['t1', 't2'],
    ['t2', 't1'],
    ['t2', 't2'],
  ])('takes its transaction along: %s is damaged, and the time of %s over', async (damaged, id) => {
    const scene = await transaction({ [id]: '1m' });
    await scene.damageEntry(damaged, { detail: BROKEN });
    await scene.fixture.runtime.advance('2m');

    const report = await scene.sync();

    expect(report).toMatchObject({ pushed: 0, remaining: 0 });
    expect(await scene.fixture.backend.deadLetters()).toMatchObject(
      ['t1', 't2', 't3'].map((entityId) => ({
        entityId,
        lastFailure: { code: 'storage/corrupt' },
      })),
    );
  });

  test('takes its transaction along once what that waited for is sent', async () => {
    for (const damaged of ['t1', 't2']) {
      const scene = new Scene();
      await scene.fixture.notes.save({ id: 't2', at: 1 });
      await putTogether(scene);
      await scene.damage('entries', (entry) =>
        entry['entity'] === damaged && entry['detail'] !== null
          ? { ...entry, detail: BROKEN }
          : undefined,
      );

      const report = await scene.sync();

      expect(report).toMatchObject({ pushed: 1, remaining: 0 });
      expect(await scene.fixture.backend.deadLetters()).toHaveLength(3);
    }
  });

  test('was a dead letter already: those it stood for are tried again one by one, or discarded with it', async () => {
    for (const end of ['retry', 'discard'] as const) {
      const scene = await transaction();
      scene.fixture.remote.answerNext(() => answers.rejected(422));
      await scene.sync();
      await scene.damageEntry('t1', { detail: BROKEN });

      if (end === 'retry') await scene.fixture.backend.retry(await scene.entry('t2'));
      else await scene.fixture.backend.discard(await scene.entry('t1'));
      const report = await scene.sync();

      expect(report).toMatchObject({ pushed: end === 'retry' ? 1 : 0, remaining: 0 });
      const left = (await scene.fixture.backend.deadLetters()).map(({ entityId }) => entityId);
      expect(left).toEqual(end === 'retry' ? ['t1', 't3'] : []);
      expect(scene.damaged).toEqual(end === 'retry' ? [] : ['entries']);
    }
  });
});

async function transaction(ttls: { readonly [id: string]: string } = {}): Promise<Scene> {
  const scene = new Scene();
  await putTogether(scene, ttls);
  return scene;
}

async function putTogether(
  { fixture }: Scene,
  ttls: { readonly [id: string]: string } = {},
): Promise<void> {
  await fixture.backend.transaction(async (tx) => {
    const notes = tx.store(fixture.notes);
    for (const id of ['t1', 't2', 't3'])
      await notes.save({ id, at: 1 }, ttls[id] === undefined ? {} : { ttl: ttls[id] as '1m' });
  });
}

describe.each(databases)('a row that cannot be read, over $name,', (database) => {
  beforeEach(() => ({ create } = database));

  test.each([{}, { orderBy: 'at', limit: 9 }, { where: { at: 1 } }])(
    'is left out of %o, told once, and refused by name',
    async (query) => {
      const scene = await threeNotes({ store: { indexes: ['at'] } });
      await scene.sync();
      await scene.damageRow('b', { value: BROKEN });

      const found = [await scene.notes(query), await scene.notes(query)];

      for (const notes of found) expect(notes.map(({ id }) => id)).toEqual(['a', 'c']);
      expect(scene.damaged).toEqual(['rows']);
      const read = scene.fixture.notes.get('b');
      await expect(read).rejects.toMatchObject({
        code: 'storage/corrupt',
        message: 'rows [0,"notes","b"] is damaged',
      });
    },
  );

  test('is left out of what is watched', async () => {
    const scene = await threeNotes();
    await scene.damageRow('b', { value: BROKEN });
    const watched = scene.fixture.notes.watchAll();
    const all = deferred();
    const stop = watched.subscribe((notes) => {
      if (notes.length > 0) all.resolve();
    });
    const one = scene.fixture.notes.watch('b');
    const single = deferred();
    const stopOne = one.state.subscribe(({ status }) => {
      if (status === 'failed') single.resolve();
    });

    await Promise.all([all.promise, single.promise]);

    expect(watched.current.map(({ id }) => id)).toEqual(['a', 'c']);
    expect(one.state.current).toMatchObject({
      status: 'failed',
      error: { code: 'storage/corrupt' },
    });
    stop();
    stopOne();
  });

  test('is whole again once it is saved, and refuses to be patched before', async () => {
    const scene = await threeNotes({ store: { indexes: ['at'] } });
    await scene.sync();
    await scene.damageRow('b', { value: BROKEN });

    const patched = scene.fixture.notes.patch('b', { at: 2 });
    await expect(patched).rejects.toMatchObject({ code: 'storage/corrupt' });
    await scene.fixture.notes.save({ id: 'b', at: 3 });
    await scene.sync();

    expect(scene.onServer('b')).toEqual({ id: 'b', at: 3 });
    expect((await scene.notes({ orderBy: 'at', limit: 9 })).map(({ id }) => id)).toEqual([
      'a',
      'c',
      'b',
    ]);
    expect(await scene.notes({ where: { at: 1 } })).toHaveLength(2);
  });

  test('can be saved and sent while the server has another version of it', async () => {
    const scene = await threeNotes();
    await scene.sync();
    await scene.damageRow('b', { value: BROKEN });
    scene.fixture.remote.server.set('notes', 'b', { id: 'b', at: 7, text: 'theirs' });

    await scene.fixture.notes.save({ id: 'b', at: 3 });
    await scene.sync();

    expect(scene.onServer('b')).toMatchObject({ id: 'b', at: 3 });
    expect(await scene.fixture.notes.pendingChanges()).toEqual([]);
  });

  test('whose unsent value went with it is a dead letter; a save makes it anew', async () => {
    for (const change of [{ value: BROKEN }, 'gone'] as const) {
      const scene = await threeNotes();
      await scene.damageRow('b', change);

      expect(await scene.sync()).toMatchObject({ pushed: 2, remaining: 0 });
      expect(await scene.fixture.backend.deadLetters()).toMatchObject([
        { entityId: 'b', lastFailure: { code: 'storage/corrupt' }, payload: null },
      ]);
      await scene.fixture.notes.save({ id: 'b', at: 2 });
      const [dead] = await scene.fixture.backend.deadLetters();
      await scene.sync();
      await scene.fixture.backend.discard(dead?.id ?? '');
      // A save behind a lost create goes with it, and can be sent in its place.
      await scene.fixture.backend.retryAll();
      await scene.sync();
      expect(scene.onServer('b')).toEqual({ id: 'b', at: 2 });
      expect(await scene.fixture.notes.get('b')).toEqual({ id: 'b', at: 2 });
    }
  });
});

describe.each(databases)('a lane whose entries are gone, over $name,', (database) => {
  beforeEach(() => ({ create } = database));

  test.each(['save', 'patch'] as const)('is sent whole with the next %s', async (kind) => {
    const scene = await threeNotes();
    await scene.damageEntry('b', 'gone');

    if (kind === 'save') await scene.fixture.notes.save({ id: 'b', at: 2 });
    else await scene.fixture.notes.patch('b', { text: 'x' });
    const report = await scene.sync();

    const expected = kind === 'save' ? { id: 'b', at: 2 } : { id: 'b', at: 1, text: 'x' };
    expect(report).toMatchObject({ pushed: 3 });
    expect(scene.onServer('b')).toEqual(expected);
    expect(await scene.fixture.notes.get('b')).toEqual(expected);
    expect(scene.damaged).toEqual(['rows']);
  });

  test.each([0, 1, 2])('goes on without the one of three at %i', async (missing) => {
    const scene = new Scene({ store: { coalesce: false } });
    for (const at of [1, 2, 3]) await scene.fixture.notes.save({ id: 'b', at });
    let index = 0;
    await scene.damage('entries', () => (index++ === missing ? 'gone' : undefined));

    await scene.fixture.notes.save({ id: 'b', at: 4 });
    await scene.sync();

    expect(scene.onServer('b')).toEqual({ id: 'b', at: 4 });
    expect(await scene.fixture.notes.pendingChanges()).toEqual([]);
    expect(scene.damaged).toEqual(['rows']);
  });

  test('is counted anew where what it wants cannot be read', async () => {
    const scene = new Scene({ store: { coalesce: false } });
    for (const at of [1, 2, 3]) await scene.fixture.notes.save({ id: 'b', at });
    await scene.damageRow('b', { lane: BROKEN });

    await scene.fixture.notes.save({ id: 'b', at: 4 }, { priority: 'critical' });
    const [first] = await scene.fixture.notes.pendingChanges();
    await scene.sync();

    expect(first?.effectivePriority).toBe('critical');
    expect(scene.fixture.arrivals).toHaveLength(4);
  });
});

describe.each(databases)('a damaged fact, over $name,', (database) => {
  beforeEach(() => ({ create } = database));

  test('about the counters is counted anew', async () => {
    const scene = await threeNotes();
    scene.fixture.remote.answerNext(() => answers.rejected(422));
    await scene.sync();
    await scene.fixture.notes.save({ id: 'd' });
    await scene.damageFact('queue');

    await scene.restart();
    await scene.fixture.notes.save({ id: 'e' }, { priority: 'high' });

    const { pending, dead } = scene.fixture.backend.status.current;
    expect(pending).toEqual({ critical: 0, high: 1, normal: 1, low: 0 });
    expect(dead).toBe(3);
    const ids = (await scene.fixture.notes.pendingChanges()).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(scene.damaged).toEqual(['meta']);
    expect(await scene.sync()).toMatchObject({ pushed: 2 });
  });

  test('about the counters does not let a page undo what was acknowledged while it travelled', async () => {
    const scene = await threeNotes();
    await scene.sync();
    const { notes, backend, remote } = scene.fixture;
    const direct = { policy: 'remote-first' } as const;
    for (const at of [4, 5, 6]) await notes.save({ id: 'a', at }, direct);
    const shown: unknown[] = [];
    notes.watch('a', { policy: 'cache-only' }).subscribe((note) => shown.push(note?.at));
    await scene.fixture.settle();
    const pull = remote.pull.bind(remote);
    let isFirst = true;
    remote.pull = async (request, context) => {
      const page = await pull(request, context);
      if (!isFirst) return page;
      isFirst = false;
      await scene.damageFact('queue');
      // As many as were known when the page was asked for.
      for (const at of [7, 8, 9]) await notes.save({ id: 'a', at }, direct);
      await scene.fixture.settle();
      shown.length = 0;
      return page;
    };

    await scene.fixture.wait(backend.fetch('notes'));
    await scene.fixture.settle();

    expect(shown).not.toContain(6);
    expect(await notes.get('a', { policy: 'cache-only' })).toEqual({ id: 'a', at: 9 });
  });

  test('about the counters spares what is fetched by a clock that was set back', async () => {
    const scene = new Scene();
    const { remote, runtime, notes } = scene.fixture;
    const direct = { policy: 'remote-first' } as const;
    for (let index = 0; index < 700; index += 1)
      remote.server.set('notes', `n${index}`, { id: `n${index}` });
    await scene.sync();
    await notes.save({ id: 'ours' });
    runtime.jumpWallClock(-10 * 86_400_000);
    remote.server.expireCursors();
    const pull = remote.pull.bind(remote);
    let pages = 0;
    remote.pull = async (request, context) => {
      const page = await pull(request, context);
      pages += 1;
      if (pages === 2) await scene.damageFact('queue');
      // The page is asked for again, and this comes after it.
      if (pages === 3) await notes.save({ id: 'direct' }, direct);
      return page;
    };

    await scene.sync();

    expect(pages).toBe(3);
    expect(await scene.notes()).toHaveLength(702);
  });

  test('about a claim frees what it may have held, as sent with an unknown outcome', async () => {
    const scene = await threeNotes();
    scene.fixture.remote.answerNext(() => answers.offline);
    const claimed = scene.fixture.backend.writer.write((uow) =>
      uow.putLease({
        fence: uow.takeFence(),
        partition: 0,
        owner: 'elsewhere',
        until: scene.fixture.runtime.clock.now() + 60_000,
        leaseMs: 60_000,
        positions: BROKEN,
      }),
    );
    await claimed;

    const seen: boolean[] = [];
    scene.fixture.backend.on(({ type }) => void (type === 'push-started' && seen.push(true)));
    const waiting = scene.fixture.backend.sync();
    await scene.fixture.wait(waiting);

    const changes = await scene.fixture.notes.pendingChanges();
    expect(seen.length).toBeGreaterThan(0);
    expect(changes.map(({ isAmbiguous }) => isAmbiguous)).toEqual([true, true, true]);
    expect(scene.damaged).toEqual(['leases']);
  });

  test.each(['cursor:0:notes', 'synced:0', 'gate:remote', 'session', 'field-indexes'])(
    'named %s is forgotten, and everything works',
    async (name) => {
      const scene = await threeNotes({ store: { indexes: ['at'] } });
      await scene.fixture.backend.pause();
      await scene.fixture.backend.resume();
      scene.fixture.remote.answerNext(() => answers.offline);
      await scene.sync();
      await scene.fixture.runtime.advance(600_000);
      await scene.sync();
      await scene.damageFact(name);

      await scene.restart();
      await scene.fixture.notes.save({ id: 'd', at: 2 });
      await scene.sync();

      expect(scene.onServer('d')).toEqual({ id: 'd', at: 2 });
      expect(await scene.notes({ where: { at: 1 } })).toHaveLength(3);
      expect(scene.damaged).toContain('meta');
    },
  );

  test('about whose queue is whose is told by code: nobody may see what is not theirs', async () => {
    const scene = new Scene();
    await scene.fixture.backend.signIn('ann');
    await scene.damageFact('partitions');

    await scene.fixture.wait(scene.fixture.backend.close());
    const next = world({ storage: scene.database() });
    await expect(next.notes.getAll()).rejects.toMatchObject({
      code: 'storage/corrupt',
      message: 'meta ["partitions"] is damaged',
    });
  });
});
