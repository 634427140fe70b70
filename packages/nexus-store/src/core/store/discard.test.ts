import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { databases, type TestDatabase } from '../../storage/fakes/databases.ts';
import { memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import { deferred } from '../../testing/deferred.ts';
import { countedAnew, QueueFixture } from '../../testing/queue-fixture.ts';
import { createVirtualRuntime, type VirtualRuntime } from '../../testing/virtual-runtime.ts';
import { StorageError } from '../model/errors.ts';
import { STORAGE_SCHEMA } from '../model/storage-schema.ts';
import type { Storage } from '../ports/storage.ts';

const world = fixtures(afterEach, () => memoryStorage());
const here = { policy: 'cache-only' } as const;
let create: TestDatabase['create'];
let settleTurns: TestDatabase['settleTurns'];

/** A storage whose process dies, or that fails, instead of the nth writing transaction from `arm` on. */
class Cut implements Storage {
  readonly #inner: Storage;
  readonly #how: 'die' | 'fail';
  #left = Infinity;
  #isDead = false;
  isStruck = false;

  constructor(inner: Storage, how: 'die' | 'fail') {
    this.#inner = inner;
    this.#how = how;
  }

  get capabilities(): Storage['capabilities'] {
    return this.#inner.capabilities;
  }

  arm(nth: number): void {
    this.#left = nth;
  }

  open(schema: Parameters<Storage['open']>[0]): Promise<void> {
    return this.#inner.open(schema);
  }

  async transact<R>(mode: 'read' | 'write', body: Parameters<Storage['transact']>[1]): Promise<R> {
    if (mode === 'write') this.#left -= 1;
    if (mode === 'write' && this.#left === 0) {
      this.isStruck = true;
      if (this.#how === 'fail') throw new StorageError('storage/unavailable', 'simulated');
      this.#isDead = true;
    }
    if (this.#isDead) return new Promise<R>(() => {});
    return (await this.#inner.transact(mode, body)) as R;
  }

  foreignCommits(): Promise<number> {
    return this.#inner.foreignCommits();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

interface Scene {
  readonly runtime: VirtualRuntime;
  readonly database: () => Storage;
  readonly first: BackendFixture;
  readonly cut: Cut;
}

const INDEXED = { store: { indexes: ['text'] } } as const;

/** Ann has unsent writes, some of them tied, and a process that is about to be cut off. */
async function unsent(count: number, how: 'die' | 'fail'): Promise<Scene> {
  const runtime = createVirtualRuntime(1, { settleTurns });
  const database = create();
  const cut = new Cut(database(), how);
  const first = world({ storage: cut, runtime, ...INDEXED });
  await first.backend.signIn('ann');
  await first.notes.save({ id: 'sent', text: 'x' });
  await first.wait(first.backend.sync());
  const { entry } = await first.notes.save({ id: 'parent', text: 'x' });
  const notes = Array.from({ length: count }, (_, index) => ({ id: `n${index}`, text: 'x' }));
  await first.notes.saveAll(notes, { after: [entry ?? { id: '' }] });
  return { runtime, database, first, cut };
}

/** Ann signs out with discard, and her process dies before the nth step of it. */
async function diesSigningOut(count: number, nth: number): Promise<Scene> {
  const scene = await unsent(count, 'die');
  scene.first.backend.eraseInStepsOf(30);
  scene.cut.arm(nth);
  void scene.first.backend.signOut({ pending: 'discard' });
  await scene.runtime.settle();
  expect(scene.cut.isStruck).toBe(true);
  return scene;
}

function reopened({ runtime, database }: Scene, options = {}): BackendFixture {
  return world({ storage: database(), runtime, ...INDEXED, ...options });
}

/** Everything in the database that is of a user. */
async function leftovers({ backend }: BackendFixture): Promise<readonly unknown[]> {
  return backend.writer.read(async (uow) => {
    const tables = ['rows', 'fields', 'entries', 'dependencies', 'leases'];
    const found = await Promise.all(tables.map((table) => uow.scan(table, { limit: 3 })));
    const names = (await uow.scan('meta', { limit: 100 })).map(({ name }) => name as string);
    return [
      ...found.flat(),
      ...names.filter((name) => /^(cursor|waits|synced|undecided):/.test(name)),
    ];
  });
}

function partitionsOf({ backend }: BackendFixture): Promise<Record<string, number>> {
  return backend.writer.read(async (uow) => {
    const record = await uow.get('meta', ['partitions']);
    return JSON.parse(record?.['value'] as string).numbers as Record<string, number>;
  });
}

const NOTHING = { critical: 0, high: 0, normal: 0, low: 0 };

describe.each(databases)('discarding everything at sign-out, over $name,', (database) => {
  beforeEach(() => ({ create, settleTurns } = database));

  // 1 is the commit that signs out, 2 to 12 erase entries, 13 to 23 rows with their fields, 24 the rest.
  test.each([2, 3, 8, 12, 13, 20, 24, 25])(
    'is done when the process dies before step %i, and goes on when the database is opened',
    async (nth) => {
      const scene = await diesSigningOut(300, nth);
      const second = reopened(scene);
      await second.backend.open();
      await second.backend.signIn('ann');
      const seen = await second.notes.getAll({}, here);
      const report = await second.wait(second.backend.sync());
      await second.settle();

      expect(seen).toEqual([]);
      expect(second.backend.status.current.pending).toEqual(NOTHING);
      expect(report).toMatchObject({ remaining: 0, stoppedBy: 'drained' });
      expect(second.arrivals).toEqual([]);
      const left = await leftovers(second);
      expect(left.filter((name) => !/^(cursor|synced):2/.test(String(name)))).toEqual([]);
    },
  );

  test('has not begun when the process dies before the commit that signs out', async () => {
    const scene = await diesSigningOut(10, 1);

    const second = reopened(scene);
    await second.backend.open();

    expect(second.backend.principal).toBe('ann');
    expect(await second.backend.pendingChanges()).toHaveLength(11);
  });

  test('does not hold up the next opening, nor what is written then', async () => {
    const scene = await diesSigningOut(300, 4);
    const cut = new Cut(scene.database(), 'die');
    const second = world({ storage: cut, runtime: scene.runtime, ...INDEXED });
    // Nothing is ever written: opening waits for none of it.
    cut.arm(1);

    await second.backend.open();

    expect(second.backend.principal).toBeNull();
    expect(second.backend.status.current.pending).toEqual(NOTHING);
    await scene.runtime.settle();
    expect(cut.isStruck).toBe(true);
  });

  test('that the storage cuts off is told, and goes on by itself', async () => {
    const { first, cut, runtime } = await unsent(300, 'fail');
    first.backend.eraseInStepsOf(30);
    cut.arm(5);

    const signedOut = first.backend.signOut({ pending: 'discard' });

    await expect(first.wait(signedOut)).rejects.toMatchObject({ code: 'storage/unavailable' });
    expect(first.backend.principal).toBeNull();
    expect(await leftovers(first)).not.toEqual([]);
    await runtime.advance('31s');
    expect(await leftovers(first)).toEqual([]);
  });

  test('counts down as it goes', async () => {
    const scene = await diesSigningOut(300, 5);
    const queue = await QueueFixture.open(scene.database());

    const entries = await queue.entries();
    const stored = await queue.write((uow) => uow.counters(1));

    expect(entries).toHaveLength(211);
    expect(stored).toEqual(countedAnew(entries));
  });

  test('may be finished by several contexts at once', async () => {
    const scene = await diesSigningOut(300, 4);
    const contexts = [reopened(scene), reopened(scene), reopened(scene)];
    for (const { backend } of contexts) backend.eraseInStepsOf(7);

    await Promise.all(contexts.map(({ backend }) => backend.open()));
    await scene.runtime.settle();

    const [one] = contexts as [BackendFixture];
    expect(await leftovers(one)).toEqual([]);
    expect(await partitionsOf(one)).toEqual({ 'free:1': 1 });
  });

  test('of nobody leaves nothing either, and nobody writes on', async () => {
    const runtime = createVirtualRuntime(1, { settleTurns });
    const database = create();
    const cut = new Cut(database(), 'die');
    const first = world({ storage: cut, runtime });
    first.backend.eraseInStepsOf(30);
    await first.notes.saveAll(Array.from({ length: 500 }, (_, index) => ({ id: `n${index}` })));
    cut.arm(3);
    void first.backend.signOut({ pending: 'discard' });
    await runtime.settle();

    const second = world({ storage: database(), runtime });
    await second.notes.save({ id: 'new' });
    await second.wait(second.backend.sync());
    await second.backend.close();
    const third = world({ storage: database(), runtime });

    expect(second.arrivals).toEqual(['create new']);
    expect(await third.notes.getAll({}, here)).toEqual([{ id: 'new' }]);
  });

  test('gives no number out again under which an older version of the app has written since', async () => {
    const open = create();
    const { backend, notes } = world({ storage: open() });
    for (let user = 1; user <= 17; user += 1) {
      await backend.signIn(`user ${user}`);
      await backend.signOut({ pending: 'discard' });
    }
    const disk = open();
    await disk.open(STORAGE_SCHEMA);
    const row = { shadow: null, version: null, head: null, tail: null, depth: 0, lane: null };
    const place = { partition: 1, collection: 'notes', id: 'late' };
    const late = { ...row, ...place, value: '{"id":"late"}', fetchedAt: null };
    await disk.transact('write', (tx) => tx.write([{ table: 'rows', put: late }]));
    await disk.close();

    await backend.signIn('bob');

    expect(await notes.getAll({}, here)).toEqual([]);
  });

  test('leaves the numbers of many users to those who come after them', async () => {
    const { backend } = world();
    await backend.signIn('eve');
    for (let user = 0; user < 1_100; user += 1) {
      await backend.signIn(`user ${user}`);
      await backend.signOut({ pending: 'discard' });
    }
    await backend.signIn('eve');

    const numbers = await backend.writer.read((uow) => uow.get('meta', ['partitions']));

    expect(String(numbers?.['value']).length).toBeLessThan(400);
  });
});

describe.each(databases)(
  'a context that has not heard of the sign-out, over $name,',
  (database) => {
    beforeEach(() => ({ create, settleTurns } = database));

    async function contexts(): Promise<{ page: BackendFixture; other: BackendFixture }> {
      const runtime = createVirtualRuntime(1, { settleTurns });
      const database = create();
      const page = world({ storage: database(), runtime });
      await page.backend.signIn('ann');
      await page.notes.save({ id: 'a', text: '1' });
      const other = world({ storage: database(), runtime });
      await other.backend.open();
      return { page, other };
    }

    test('is refused when it writes for the user, and follows', async () => {
      const { page, other } = await contexts();
      await page.backend.signOut({ pending: 'discard' });

      const writes = [
        other.notes.save({ id: 'b' }),
        other.notes.saveAll([{ id: 'c' }]),
        other.notes.patch('a', { text: '2' }),
        other.notes.save({ id: 'd' }, { policy: 'local-only' }),
        other.backend.transaction((tx) => tx.store(other.notes).save({ id: 'e' })),
      ];
      for (const write of writes)
        await expect(write).rejects.toMatchObject({ code: 'store/signed-out' });
      await other.settle();

      expect(other.backend.principal).toBeNull();
      expect(await leftovers(other)).toEqual([]);
      await other.notes.save({ id: 'of nobody' });
      expect(await other.backend.pendingChanges()).toHaveLength(1);
    });

    test('sends nothing of what was discarded, and goes on for who is there', async () => {
      const { page, other } = await contexts();
      page.backend.eraseInStepsOf(1);
      void page.backend.signOut({ pending: 'discard' });
      await page.settle();
      await page.notes.save({ id: 'of nobody' });

      const report = await other.wait(other.backend.sync());

      expect(report).toMatchObject({ pushed: 1, remaining: 0 });
      expect(other.arrivals).toEqual(['create of nobody']);
      expect(other.backend.principal).toBeNull();
    });

    test.each([
      ['applied', 'apply'],
      ['in conflict', answers.conflict({ id: 'a', text: 'theirs' })],
    ] as const)('notes nothing of a write of the user that is %s by then', async (_, late) => {
      const runtime = createVirtualRuntime(1, { settleTurns });
      const database = create();
      const page = world({ storage: database(), runtime });
      await page.backend.signIn('ann');
      const other = world({ storage: database(), runtime, store: { pull: false } });
      await other.notes.save({ id: 'a' });
      const answer = deferred();
      other.remote.answerNext({ until: answer.promise, answer: late });
      const run = other.backend.sync();
      await other.settle();
      expect(await leftovers(page)).toContainEqual(
        expect.objectContaining({ owner: expect.any(String) }),
      );

      await page.backend.signOut({ pending: 'discard' });

      expect(await leftovers(page)).toEqual([]);
      answer.resolve();
      await other.wait(run);
      expect(await leftovers(page)).toEqual([]);
    });

    test('sends nothing of it though nothing is erased yet', async () => {
      const runtime = createVirtualRuntime(1, { settleTurns });
      const database = create();
      const cut = new Cut(database(), 'die');
      const page = world({ storage: cut, runtime });
      await page.backend.signIn('ann');
      await page.notes.save({ id: 'a', text: '1' });
      const other = world({ storage: database(), runtime });
      await other.backend.open();
      cut.arm(2);
      void page.backend.signOut({ pending: 'discard' });
      await page.settle();
      expect(cut.isStruck).toBe(true);

      await other.wait(other.backend.sync());
      await other.settle();

      expect(other.arrivals).toEqual([]);
      expect(other.backend.principal).toBeNull();
    });

    test('finds the same user anew, without what was discarded', async () => {
      const { page, other } = await contexts();
      await page.backend.signOut({ pending: 'discard' });
      await page.backend.signIn('ann');
      await page.notes.save({ id: 'new' });

      await other.backend.signIn('ann');

      expect(await other.notes.getAll({}, here)).toEqual([{ id: 'new' }]);
      await page.backend.signOut({ pending: 'discard' });
      await page.backend.signIn('ann');
      await page.notes.save({ id: 'newer' });
      await other.backend.refresh();
      expect(await other.notes.getAll({}, here)).toEqual([{ id: 'newer' }]);
    });

    test('is told that its writes were cancelled before they are erased', async () => {
      const runtime = createVirtualRuntime(1, { settleTurns });
      const database = create();
      const cut = new Cut(database(), 'die');
      const page = world({ storage: cut, runtime });
      await page.backend.signIn('ann');
      const other = world({ storage: database(), runtime });
      const write = await other.notes.save({ id: 'a' });
      const told = write.synced();
      await other.settle();
      cut.arm(2);
      void page.backend.signOut({ pending: 'discard' });
      await page.settle();

      await other.backend.refresh();

      expect(await told).toEqual({ outcome: 'cancelled' });
    });

    test('discards nothing of a user who has come since', async () => {
      const { page, other } = await contexts();
      await page.backend.signOut({ pending: 'discard' });
      await page.backend.signIn('ann');
      await page.notes.save({ id: 'new' });

      await other.backend.signOut({ pending: 'discard' });
      await page.backend.refresh();
      await page.backend.signIn('ann');

      expect(await page.notes.getAll({}, here)).toEqual([{ id: 'new' }]);
    });
  },
);
