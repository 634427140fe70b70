import 'fake-indexeddb/auto';
import { deleteDB, openDB } from 'idb';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Storage, StorageSchema } from '../../core/ports/storage.ts';
import { indexedDbStorage } from './index.ts';

const SCHEMA: StorageSchema = {
  version: 1,
  tables: {
    notes: {
      columns: { id: 'integer', lane: 'text', due: 'integer' },
      key: ['id'],
      indexes: { lane: ['lane', 'due'] },
    },
    pairs: { columns: { kind: 'text', id: 'any' }, key: ['kind', 'id'] },
  },
};

const handles: Storage[] = [];
let databases = 0;
const newName = (): string => `driver-${(databases += 1)}`;

afterEach(async () => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  vi.useRealTimers();
  for (const storage of handles.splice(0)) await storage.close();
});

describe('where there is no IndexedDB to be had', () => {
  test('a browser without it is refused by code', async () => {
    vi.stubGlobal('indexedDB', undefined);

    const opening = handle(newName()).open(SCHEMA);

    await expect(opening).rejects.toMatchObject({ code: 'storage/unavailable' });
  });

  test('a page that may not even look is refused by code, with the reason', async () => {
    const denied = new DOMException('access is denied for this document', 'SecurityError');
    vi.stubGlobal('indexedDB', {
      open: () => {
        throw denied;
      },
    });

    const opening = handle(newName()).open(SCHEMA);

    await expect(opening).rejects.toMatchObject({ code: 'storage/unavailable', cause: denied });
  });

  test('an open that was refused can be tried again', async () => {
    const storage = handle(newName());
    vi.stubGlobal('indexedDB', undefined);
    await expect(storage.open(SCHEMA)).rejects.toMatchObject({ code: 'storage/unavailable' });
    vi.unstubAllGlobals();

    await storage.open(SCHEMA);

    expect(await idsIn(storage)).toEqual([]);
  });
});

describe('a database of the same name that somebody else made', () => {
  test.each([1, 2])('is refused and left as it is, asked for version %i', async (version) => {
    const name = newName();
    const theirs = await openDB(name, 1, {
      upgrade: (database) => void database.createObjectStore('things').put('kept', 1),
    });
    theirs.close();

    const opening = handle(name).open({ ...SCHEMA, version });

    await expect(opening).rejects.toMatchObject({ code: 'storage/corrupt' });
    const again = await openDB(name);
    expect([again.version, await again.get('things', 1)]).toEqual([1, 'kept']);
    again.close();
  });
});

describe('an open that takes its time', () => {
  test('because the page was held up is no fault of others', async () => {
    const storage = handle(newName(), { blockedTimeout: '20ms' });

    const opening = storage.open(SCHEMA);
    const until = performance.now() + 100;
    while (performance.now() < until);

    await opening;
    expect(await idsIn(storage)).toEqual([]);
  });

  test('in a browser that is slow, and does not say that others are in the way, is waited for', async () => {
    const name = newName();
    await (await opened(name)).close();
    tellLater((hear) => void setTimeout(hear, 100));

    const slow = handle(name, { blockedTimeout: '20ms' }).open(SCHEMA);

    await expect(slow).resolves.toBeUndefined();
  });

  test('for ever is given up, and does not blame a tab that nobody has seen', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    tellLater(() => {});

    const outcome = handle(newName())
      .open(SCHEMA)
      .catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(31_000);

    expect(await outcome).toMatchObject({
      code: 'storage/busy',
      message: expect.stringMatching(/the browser does not answer/) as string,
    });
  });
});

/** From now on what comes of `indexedDB.open` is told in this way. */
function tellLater(tell: (hear: () => void) => void): void {
  const open = indexedDB.open.bind(indexedDB);
  vi.spyOn(IDBFactory.prototype, 'open').mockImplementation((...args) => {
    const request = open(...args);
    const listen = request.addEventListener.bind(request);
    request.addEventListener = (type: string, listener: (event: Event) => void) =>
      listen(type, (event) => tell(() => listener(event)));
    return request;
  });
}

describe('an older version that is open elsewhere', () => {
  test('keeps the newer one waiting for a bounded time, and nothing is in the way later', async () => {
    const name = newName();
    await (await opened(name)).close();
    // A page that hangs does not let go.
    const hanging = await openDB(name, 1);
    const newer = handle(name, { blockedTimeout: '20ms' });

    const opening = newer.open({ ...SCHEMA, version: 2 });

    await expect(opening).rejects.toMatchObject({ code: 'storage/busy' });
    hanging.close();
    await newer.open({ ...SCHEMA, version: 2 });
    // The request that was given up has let go as well, or this would have to wait.
    await (await opened(name, { ...SCHEMA, version: 3 }, { blockedTimeout: '5s' })).close();
  });

  test('lets go by itself if it is ours, when what it is doing is done', async () => {
    const name = newName();
    const older = await opened(name);
    const writing = put(older, 1, 2, 3);

    const newer = await opened(name, { ...SCHEMA, version: 2 });

    await writing;
    expect(await idsIn(newer)).toEqual([1, 2, 3]);
    await expect(put(older, 4)).rejects.toMatchObject({ code: 'storage/version-too-new' });
  });
});

describe('a connection that was lost', () => {
  test('is made anew by the next call', async () => {
    const name = newName();
    const storage = await opened(name);
    await put(storage, 1);

    await deleteDB(name);

    await put(storage, 2);
    expect(await idsIn(storage)).toEqual([2]);
  });

  test('is made anew even if nobody told us', async () => {
    const storage = await opened(newName());
    await put(storage, 1);
    const beginning = vi.spyOn(IDBDatabase.prototype, 'transaction');
    for (let losses = 0; losses < 2; losses += 1) {
      beginning.mockImplementationOnce(() => {
        throw new DOMException('is closing', 'InvalidStateError');
      });
    }

    await put(storage, 2);

    vi.restoreAllMocks();
    expect(await idsIn(storage)).toEqual([1, 2]);
  });
});

describe('a transaction', () => {
  test('whose body awaits something else is refused as a mistake', async () => {
    const storage = await opened(newName());

    const wrong = storage.transact('write', async (tx) => {
      await tx.get('notes', [[1]]);
      await new Promise((resolve) => setTimeout(resolve, 5));
      await tx.write([{ table: 'notes', put: { id: 1, lane: null, due: null } }]);
    });

    await expect(wrong).rejects.toThrow(/awaited something else/);
    expect(await idsIn(storage)).toEqual([]);
  });

  test('that wrote before it awaited something else does not resolve', async () => {
    const storage = await opened(newName());

    const wrong = storage.transact('write', async (tx) => {
      await tx.write([{ table: 'notes', put: { id: 1, lane: null, due: null } }]);
      await new Promise((resolve) => setTimeout(resolve, 5));
    });

    await expect(wrong).rejects.toThrow(/awaited something else/);
  });

  test.each(['strict', 'relaxed'] as const)('asks for the durability %s', async (durability) => {
    const begin = vi.spyOn(IDBDatabase.prototype, 'transaction');
    const storage = await opened(newName(), SCHEMA, { durability });

    await put(storage, 1);

    expect(begin.mock.lastCall?.[2]).toEqual({ durability });
    vi.restoreAllMocks();
  });

  test('deletes what was named and nothing between, before or behind', async () => {
    const storage = await opened(newName());
    const all = Array.from({ length: 60 }, (_, i) => i);
    await put(storage, ...all);
    const gone = [3, 4, 5, 6, 9, 30, 31, 58, 59, 0];

    await storage.transact('write', async (tx) => {
      await tx.write(gone.map((id) => ({ table: 'notes', delete: [id] })));
    });

    expect(await idsIn(storage)).toEqual(all.filter((id) => !gone.includes(id)));
  });

  test('deletes a run of neighbours as one', async () => {
    const storage = await opened(newName());
    await put(storage, 1, 2, 3, 4, 5, 6);
    const deleting = vi.spyOn(IDBObjectStore.prototype, 'delete');

    await storage.transact('write', async (tx) => {
      await tx.write([4, 2, 3, 6].map((id) => ({ table: 'notes', delete: [id] })));
    });

    expect(deleting).toHaveBeenCalledTimes(2);
    vi.restoreAllMocks();
    expect(await idsIn(storage)).toEqual([1, 5]);
  });

  test('deletes what is scattered in ranges that hold nothing else', async () => {
    const storage = await opened(newName());
    const gone = Array.from({ length: 40 }, (_, i) => 3 * i);
    const kept = [1, 31, 32, 100, 200];
    await put(storage, ...gone, ...kept);
    const deleting = vi.spyOn(IDBObjectStore.prototype, 'delete');

    await storage.transact('write', async (tx) => {
      await tx.write(gone.map((id) => ({ table: 'notes', delete: [id] })));
    });

    expect(deleting).toHaveBeenCalledTimes(4);
    vi.restoreAllMocks();
    expect(await idsIn(storage)).toEqual(kept);
  });

  test('leaves what is written between scattered keys while they are deleted', async () => {
    const storage = await opened(newName());
    const gone = Array.from({ length: 40 }, (_, i) => 3 * i);
    await put(storage, ...gone);

    const seen = await storage.transact('write', async (tx) => {
      const [, , found] = await Promise.all([
        tx.write(gone.map((id) => ({ table: 'notes', delete: [id] }))),
        tx.write([10, 50].map((id) => ({ table: 'notes', put: { id, lane: null, due: null } }))),
        tx.scan('notes', { limit: 100 }),
      ]);
      return found;
    });

    expect(seen.map((record) => record['id'])).toEqual([10, 50]);
    expect(await idsIn(storage)).toEqual([10, 50]);
  });

  test('deletes scattered keys that nobody waits for before the commit', async () => {
    const storage = await opened(newName());
    const gone = Array.from({ length: 40 }, (_, i) => 3 * i);
    await put(storage, ...gone, 1);

    await storage.transact('write', async (tx) => {
      void tx.write(gone.map((id) => ({ table: 'notes', delete: [id] })));
    });

    expect(await idsIn(storage)).toEqual([1]);
  });
});

describe('reading many keys at once', () => {
  const key = (n: number): readonly [string, number | string] => ['k', n % 3 === 0 ? `${n}` : n];

  test.each([
    ['some of a range', 300, 1, 60],
    ['every second one of a range', 600, 2, 60],
    ['a few of very many', 6_000, 97, 60],
    ['most of a range', 300, 1, 250],
    ['many of very many', 6_000, 23, 250],
  ])('finds %s, however often it is asked', async (_, count, step, many) => {
    const storage = await opened(newName());
    await storage.transact('write', async (tx) => {
      await tx.write(
        Array.from({ length: count }, (_each, n) => {
          const [kind, id] = key(n);
          return { table: 'pairs', put: { kind, id } };
        }),
      );
    });
    const asked = Array.from({ length: many }, (_each, i) => ((i * 37) % (many + 1)) * step);

    for (let round = 0; round < 20; round += 1) {
      const found = await storage.transact('read', async (tx) => {
        return await tx.get('pairs', [...asked.map(key), key(count + 1), key(asked[0] ?? 0)]);
      });

      const expected = [...asked, count + 1, asked[0] ?? 0].map((n) =>
        n < count ? { kind: 'k', id: key(n)[1] } : undefined,
      );
      expect(found).toEqual(expected);
    }
  });
});

describe('commits of other contexts', () => {
  test('leave few marks, however many contexts have come and gone', async () => {
    const name = newName();
    for (let i = 0; i < 150; i += 1) {
      const passing = await opened(name);
      await idsIn(passing);
      await put(passing, i);
      await passing.close();
    }

    const raw = await openDB(name);
    const marks = await raw.getAllKeys('~records', IDBKeyRange.lowerBound(['~']));
    raw.close();
    expect(marks.length).toBeLessThan(70);
    expect((await idsIn(await opened(name))).length).toBe(150);
  });

  test('are noticed after hundreds of contexts have come and gone', async () => {
    const name = newName();
    const watching = await opened(name);
    const seen = [await watching.foreignCommits()];

    for (let i = 0; i < 150; i += 1) {
      const passing = await opened(name);
      await put(passing, i);
      await passing.close();
      seen.push(await watching.foreignCommits());
    }

    expect(new Set(seen).size).toBe(151);
  });
});

describe('a newer schema', () => {
  test('replaces an index whose columns have changed, and drops one that is gone', async () => {
    const name = newName();
    const older = await opened(name);
    await older.transact('write', async (tx) => {
      await tx.write([1, 2].map((id) => ({ table: 'notes', put: { id, lane: 'a', due: 9 - id } })));
    });
    await older.close();
    const { notes, pairs } = SCHEMA.tables;

    const newer = await opened(name, {
      version: 2,
      tables: { notes: { ...notes!, indexes: { lane: ['due'] } }, pairs: pairs! },
    });

    const found = await newer.transact('read', async (tx) => {
      return await tx.scan('notes', { index: 'lane', limit: 9 });
    });
    expect(found.map((record) => record['id'])).toEqual([2, 1]);
  });
});

describe('options', () => {
  test.each([
    [{}, /name/],
    [{ name: '' }, /name/],
    [{ name: 'x', durability: 'best' }, /durability/],
    [{ name: 'x', blockedTimeout: 'soon' }, /blockedTimeout/],
    [{ name: 'x', persist: 'yes' }, /persist/],
    [{ name: 'x', nmae: 'y' }, /nmae/],
  ])('%j is refused at the call', (options, reason) => {
    const calling = (): unknown => indexedDbStorage(options as { name: string });

    expect(calling).toThrow(reason);
  });
});

type Options = Partial<Parameters<typeof indexedDbStorage>[0]>;

function handle(name: string, options: Options = {}): ReturnType<typeof indexedDbStorage> {
  const storage = indexedDbStorage({ name, ...options });
  handles.push(storage);
  return storage;
}

async function opened(name: string, schema = SCHEMA, options: Options = {}): Promise<Storage> {
  const storage = handle(name, options);
  await storage.open(schema);
  return storage;
}

async function put(storage: Storage, ...ids: readonly number[]): Promise<void> {
  await storage.transact('write', async (tx) => {
    await tx.write(ids.map((id) => ({ table: 'notes', put: { id, lane: null, due: null } })));
  });
}

async function idsIn(storage: Storage): Promise<readonly unknown[]> {
  const records = await storage.transact('read', async (tx) => {
    return await tx.scan('notes', { limit: 10_000 });
  });
  return records.map((record) => record['id']);
}
