import { describe, expect, test } from 'vitest';
import type { Storage, StorageSchema, StorageTransaction } from '../../core/ports/storage.ts';
import type { FaultyStorage } from '../../testing/index.ts';
import { faultyStorage, testStorage } from '../../testing/index.ts';
import { memoryDatabase, memoryStorage } from './index.ts';

testStorage(
  'memory, a database of its own',
  async () => ({ create: () => memoryStorage(), dispose: async () => {} }),
  { describe, test, expect },
);

testStorage(
  'memory, a database that is passed in',
  async () => {
    const database = memoryDatabase();
    return { create: () => memoryStorage({ database }), dispose: async () => {} };
  },
  { describe, test, expect },
);

testStorage(
  'memory, behind injected faults',
  async () => {
    const database = memoryDatabase();
    const storages: FaultyStorage[] = [];
    return {
      create: () => {
        const storage = faultyStorage(memoryStorage({ database }));
        storages.push(storage);
        return storage;
      },
      // The suite opens one handle before it arms a fault; a clean pass has two writes.
      failStep: (nth) => (storages.at(-1) as FaultyStorage).failWrite(nth),
      dispose: async () => {},
    };
  },
  { describe, test, expect },
);

const SCHEMA: StorageSchema = {
  version: 1,
  tables: { notes: { columns: { id: 'integer' }, key: ['id'] } },
};

describe('a handle that is killed', () => {
  test('leaves nothing of its transaction, and others go on', async () => {
    const { first, second } = await twoHandles();
    let isBegun = (): void => {};
    const begun = new Promise<void>((resolve) => (isBegun = resolve));
    const settled: string[] = [];
    const endless = first.transact('write', async (tx) => {
      await put(tx, 1);
      isBegun();
      await new Promise(() => {});
    });
    void endless.finally(() => settled.push('killed'));
    await begun;
    const waiting = second.transact('write', async (tx) => await put(tx, 2));

    first.kill();
    await waiting;

    expect(await idsIn(second)).toEqual([2]);
    expect(settled).toEqual([]);
  });

  test('does nothing more, even if its body goes on', async () => {
    const { first, second } = await twoHandles();
    let goOn = (): void => {};
    const gate = new Promise<void>((resolve) => (goOn = resolve));
    const settled: string[] = [];
    const body = first.transact('write', async (tx) => {
      await put(tx, 1);
      await gate;
      return await put(tx, 2);
    });
    const queued = first.transact('write', async (tx) => await put(tx, 3));
    for (const each of [body, queued]) void each.finally(() => settled.push('settled'));
    await Promise.resolve();

    first.kill();
    goOn();

    expect(await idsIn(second)).toEqual([]);
    expect(settled).toEqual([]);
    await first.close();
  });
});

describe('a storage behind injected faults', () => {
  test('fails the write that was named, once, and keeps nothing of it', async () => {
    const storage = faultyStorage(memoryStorage());
    await storage.open(SCHEMA);
    const fault = storage.failWrite(2);

    const writing = storage.transact('write', async (tx) => {
      await put(tx, 1);
      await put(tx, 2);
    });

    await expect(writing).rejects.toMatchObject({ code: 'storage/quota-exceeded' });
    expect(fault.hasStruck()).toBe(true);
    expect(await idsIn(storage)).toEqual([]);
    await storage.transact('write', async (tx) => await put(tx, 3));
    expect(await idsIn(storage)).toEqual([3]);
  });
});

async function twoHandles(): Promise<{
  first: ReturnType<typeof memoryStorage>;
  second: ReturnType<typeof memoryStorage>;
}> {
  const database = memoryDatabase();
  const [first, second] = [memoryStorage({ database }), memoryStorage({ database })];
  await first.open(SCHEMA);
  await second.open(SCHEMA);
  return { first, second };
}

async function put(tx: StorageTransaction, id: number): Promise<void> {
  await tx.write([{ table: 'notes', put: { id } }]);
}

async function idsIn(storage: Storage): Promise<readonly unknown[]> {
  const records = await storage.transact(
    'read',
    async (tx) => await tx.scan('notes', { limit: 10 }),
  );
  return records.map((record) => record['id']);
}
