import { afterEach, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { fixtures } from '../../testing/backend-fixture.ts';
import { STORAGE_SCHEMA } from '../model/storage-schema.ts';
import { NexusStore } from './nexus-store.ts';

const world = fixtures(afterEach, () => memoryStorage());
const here = { policy: 'cache-only' } as const;

type Row = { readonly id: string } & Readonly<Record<string, string>>;

/** Every object has something under these names. */
const NAMES = ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf'] as const;

const own = (id: string, field: string, value: string): Row =>
  Object.fromEntries([
    ['id', id],
    [field, value],
  ]) as Row;

test.each(NAMES)('a collection, a field and an index may be called %s', async (name) => {
  const database = memoryDatabase();
  const open = (indexes: readonly string[]) => {
    const fixture = world({ storage: memoryStorage({ database }), store: { indexes: ['text'] } });
    const { backend } = fixture;
    const rows = new NexusStore<Row>({ backend, collection: name, indexes });
    return { fixture, backend, rows };
  };
  const { backend, fixture, rows } = open([name]);
  await rows.saveAll([own('a', name, 'x'), own('b', name, 'y'), { id: 'c' }]);
  await fixture.notes.save({ id: 'n', text: 'beside' });
  await backend.transaction((tx) => tx.store(rows).patch('b', own('b', name, 'z')));
  const counts = [rows.pendingChangesCount.current, fixture.notes.pendingChangesCount.current];
  const waiting = await rows.pendingChanges();
  const found = await rows.getAll({ where: { [name]: 'z' } } as never, here);
  const inOrder = await rows.getAll({ orderBy: name, limit: 9 } as never, here);
  const report = await fixture.wait(backend.sync());
  fixture.remote.server.set(name, 'd', own('d', name, 'of the server'));
  await backend.fetch(name);
  const marks = backend.watchSyncMark(name, 'd');
  const stop = marks.subscribe(() => {});
  await fixture.runtime.advance(100);
  stop();
  await fixture.wait(backend.close());

  const later = open([]);
  await later.backend.open();
  const left = await later.rows.getAll({ where: { [name]: 'of the server' } } as never, here);
  await later.rows.deleteAll();

  expect(counts).toEqual([3, 1]);
  expect(waiting).toHaveLength(3);
  expect(found).toEqual([own('b', name, 'z')]);
  expect(inOrder.map(({ id }) => id)).toEqual(['c', 'a', 'b']);
  expect(report).toMatchObject({ pushed: 4, remaining: 0 });
  expect(marks.current).toBe('synced');
  expect(left).toEqual([own('d', name, 'of the server')]);
  expect(await later.rows.getAll({}, here)).toEqual([]);
});

test.each(NAMES)('fields called %s are merged one by one', async (name) => {
  const fixture = world();
  const rows = new NexusStore<Row>({ backend: fixture.backend, collection: 'rows' });
  await rows.save({ id: 'a', both: 'was' });
  await fixture.wait(fixture.backend.sync());
  fixture.remote.server.set('rows', 'a', { ...own('a', name, 'theirs'), both: 'was' });
  await rows.patch('a', { both: 'ours' } as Partial<Row>);

  await fixture.wait(fixture.backend.sync());

  const merged = { ...own('a', name, 'theirs'), both: 'ours' };
  expect(await rows.get('a', here)).toEqual(merged);
  expect(fixture.remote.server.value('rows', 'a')).toEqual(merged);
});

test.each(NAMES)('the queue is counted anew with a collection called %s', async (name) => {
  const database = memoryDatabase();
  const first = world({ storage: memoryStorage({ database }) });
  const rows = new NexusStore<Row>({ backend: first.backend, collection: name });
  await rows.saveAll([{ id: 'a' }, { id: 'b' }]);
  await first.wait(first.backend.close());
  const storage = memoryStorage({ database });
  await storage.open(STORAGE_SCHEMA);
  await storage.transact('write', (tx) =>
    tx.write([{ table: 'meta', put: { name: 'queue', value: '{' } }]),
  );
  await storage.close();

  const second = world({ storage: memoryStorage({ database }) });
  const again = new NexusStore<Row>({ backend: second.backend, collection: name });
  await second.backend.open();
  await again.save({ id: 'c' });

  expect(again.pendingChangesCount.current).toBe(3);
  expect(await again.pendingChanges()).toHaveLength(3);
});
