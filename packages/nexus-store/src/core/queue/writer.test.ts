import { describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { faultyStorage, createVirtualRuntime } from '../../testing/index.ts';
import { StorageError } from '../model/errors.ts';
import type { Storage } from '../ports/storage.ts';
import { openStorage } from './open-storage.ts';
import { Writer } from './writer.ts';

async function open(storage: Storage = memoryStorage()) {
  await openStorage(storage);
  let commits = 0;
  const counting: Storage = {
    ...storage,
    capabilities: storage.capabilities,
    transact: (mode, body) => {
      if (mode === 'write') commits += 1;
      return storage.transact(mode, body);
    },
  };
  const runtime = createVirtualRuntime(1);
  return { writer: new Writer(runtime, counting), runtime, storage, commits: () => commits };
}

describe('the writer', () => {
  test('shares one commit among the writes of a turn', async () => {
    const { writer, commits } = await open();

    const results = await Promise.all([1, 2, 3].map((n) => writer.write(() => n)));

    expect(results).toEqual([1, 2, 3]);
    expect(commits()).toBe(1);
  });

  test('bounds a shared commit, and keeps the order of arrival', async () => {
    const { writer, commits } = await open();
    const order: number[] = [];

    await Promise.all(Array.from({ length: 5_000 }, (_, n) => writer.write(() => order.push(n))));

    expect(commits()).toBeGreaterThanOrEqual(5);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  });

  test('gives a large write a commit of its own, and starves nobody behind it', async () => {
    const { writer, commits } = await open();
    const order: string[] = [];

    await Promise.all([
      writer.write(() => order.push('small')),
      writer.write(() => order.push('large'), { cost: 100_000 }),
      writer.write(() => order.push('behind')),
    ]);

    expect(order).toEqual(['small', 'large', 'behind']);
    expect(commits()).toBe(3);
  });

  test('takes writes that come while it commits into the next commit', async () => {
    const { writer, commits } = await open();

    await writer.write(async () => {
      void writer.write(() => 0);
    });
    await writer.write(() => 0);

    expect(commits()).toBe(2);
  });

  test('fails only the write that failed', async () => {
    const { writer } = await open();

    const results = await Promise.allSettled([
      writer.write(() => 'one'),
      writer.write(() => {
        throw new Error('sync');
      }),
      writer.write(async () => {
        throw new Error('async');
      }),
      writer.write(async () => 'four'),
    ]);

    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
      'fulfilled',
    ]);
  });

  test('tries each write alone after a commit failed that may be one write too large', async () => {
    const storage = faultyStorage(memoryStorage());
    const { writer } = await open(storage);
    const put = (name: string) =>
      writer.write((uow) => uow.put('meta', [name], { name, value: '1' }));
    storage.failWrite(1, 'storage/quota-exceeded');

    await Promise.all(['a', 'b', 'c'].map(put));

    const stored = await writer.read((uow) => uow.scan('meta', { limit: 9 }));
    expect(stored.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  });

  test('rejects the write alone that cannot be stored', async () => {
    const { writer } = await open();

    const results = await Promise.allSettled([
      writer.write((uow) => uow.put('meta', ['a'], { name: 'a', value: '1' })),
      writer.write((uow) => uow.put('meta', ['b'], { name: 'b', value: {} as never })),
    ]);

    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    const stored = await writer.read((uow) => uow.scan('meta', { limit: 9 }));
    expect(stored.map(({ name }) => name)).toEqual(['a']);
  });

  test('does not repeat hundreds of writes when the database itself is busy', async () => {
    const { writer, storage, commits } = await open();
    storage.transact = () => Promise.reject(new StorageError('storage/busy', 'locked'));

    const results = await Promise.allSettled([1, 2, 3].map((n) => writer.write(() => n)));

    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    expect(commits()).toBe(1);
  });

  test('goes on after a failure', async () => {
    const storage = faultyStorage(memoryStorage());
    const { writer } = await open(storage);
    storage.failWrite(1, 'storage/unavailable');
    const put = () => writer.write((uow) => uow.put('meta', ['a'], { name: 'a', value: '1' }));

    await expect(put()).rejects.toMatchObject({ code: 'storage/unavailable' });
    await put();
  });

  test('settles writes whose listener or logger throws, once', async () => {
    const storage = memoryStorage();
    await openStorage(storage);
    let runs = 0;
    const logged: string[] = [];
    const runtime = {
      ...createVirtualRuntime(1),
      logger: { log: (_level: string, message: string) => logged.push(message) },
    };
    const writer = new Writer(runtime, storage, {
      afterCommit: () => {
        throw new Error('listener');
      },
    });

    expect(await writer.write(() => ++runs)).toBe(1);
    expect(runs).toBe(1);
    expect(logged).toEqual(['a listener failed after a commit']);
  });

  test('leaves the event loop its turn during a long series of writes', async () => {
    const { writer, runtime } = await open();
    let turns = 0;
    let elapsed = 0;
    const clock = { now: () => 0, elapsed: () => (elapsed += 3) };
    const timers = {
      after: () => () => {},
      yield: async () => {
        turns += 1;
      },
    };
    const storage = memoryStorage();
    await openStorage(storage);
    const busy = new Writer({ ...runtime, clock, timers }, storage);

    await Promise.all(Array.from({ length: 8_000 }, () => busy.write(() => 0)));

    expect(turns).toBeGreaterThan(2);
    expect(await writer.write(() => 1)).toBe(1);
  });

  test('rejects what comes after the storage was closed', async () => {
    const { writer, storage } = await open();
    await storage.close();

    await expect(writer.write(() => 0)).rejects.toMatchObject({ code: 'storage/closed' });
  });
});

describe('a shared storage', () => {
  test('is opened once, however many ask', async () => {
    const storage = memoryStorage();

    await Promise.all([openStorage(storage), openStorage(storage)]);

    expect(await storage.transact('read', async (tx) => tx.scan('meta', { limit: 1 }))).toEqual([]);
  });

  test('that failed to open may be tried again', async () => {
    const inner = memoryStorage();
    let failures = 1;
    const storage: Storage = {
      capabilities: inner.capabilities,
      open: (schema) =>
        failures-- > 0
          ? Promise.reject(new StorageError('storage/unavailable', 'not yet'))
          : inner.open(schema),
      transact: (mode, body) => inner.transact(mode, body),
      foreignCommits: () => inner.foreignCommits(),
      close: () => inner.close(),
    };

    await expect(openStorage(storage)).rejects.toMatchObject({ code: 'storage/unavailable' });
    await openStorage(storage);
  });
});
