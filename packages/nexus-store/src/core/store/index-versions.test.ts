import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { databases, type TestDatabase } from '../../storage/fakes/databases.ts';
import { memoryStorage } from '../../storage/memory/index.ts';
import { fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import type { Storage } from '../ports/storage.ts';

const world = fixtures(afterEach, () => memoryStorage());

/** Versions of one app that have one database open, each with its own idea of what is indexed. */
describe.each(databases)('versions of an app, over $name,', (kind: TestDatabase) => {
  let database: () => Storage;
  beforeEach(() => {
    database = kind.create();
  });

  function version(indexes: readonly ('text' | 'at')[]): BackendFixture {
    return world({ storage: database(), store: { indexes } });
  }

  async function byText({ notes }: BackendFixture, text: string): Promise<readonly string[]> {
    const found = await notes.getAll({ where: { text } }, { policy: 'cache-only' });
    return found.map(({ id }) => id);
  }

  /** The places that rows have in an index on disk. */
  function placesOf({ backend }: BackendFixture, field: string): Promise<readonly unknown[]> {
    return backend.writer.read((uow) =>
      uow.scan('fields', { prefix: [0, 'notes', field], limit: 1_000 }),
    );
  }

  test('keep an index true that only the new one declares', async () => {
    const old = version([]);
    await old.notes.save({ id: 'before', text: 'x' });
    const next = version(['text']);
    await next.backend.open();

    await old.notes.save({ id: 'after', text: 'x' });
    await old.notes.save({ id: 'before', text: 'y' });

    expect(await byText(next, 'x')).toEqual(['after']);
    expect(await byText(next, 'y')).toEqual(['before']);
  });

  test('lose nothing that the old one writes while the new one builds its index', async () => {
    const old = version([]);
    await old.notes.saveAll(
      Array.from({ length: 700 }, (_, index) => ({ id: `n${index}`, text: 'x' })),
    );
    const next = version(['text']);

    const building = next.backend.open();
    for (let index = 0; index < 30; index += 1) {
      await old.notes.save({ id: `n${index * 20}`, text: 'y' });
      await old.notes.save({ id: `a${index}`, text: 'y' });
    }
    await building;

    expect(await byText(next, 'x')).toHaveLength(670);
    expect(await byText(next, 'y')).toHaveLength(60);
  });

  test('find everything by an index that the new one has dropped, and build it again', async () => {
    const old = version(['text']);
    await old.notes.save({ id: 'a', text: 'x' });
    const next = version([]);
    await next.notes.save({ id: 'b', text: 'x' });
    expect(await placesOf(next, 'text')).toEqual([]);

    const atOnce = await byText(old, 'x');
    await old.notes.save({ id: 'c', text: 'x' });
    await next.notes.save({ id: 'd', text: 'x' });

    expect(atOnce).toEqual(['a', 'b']);
    expect(await byText(old, 'x')).toEqual(['a', 'b', 'c', 'd']);
    expect(await placesOf(old, 'text')).toHaveLength(4);
  });

  test('that declare different ones do not build them for each other again and again', async () => {
    const one = version(['text']);
    await one.notes.save({ id: 'a', text: 'x', at: 1 });
    const two = version(['at']);
    const ask = async (): Promise<void> => {
      await byText(one, 'x');
      await two.notes.getAll({ where: { at: 1 } }, { policy: 'cache-only' });
    };
    for (let turn = 0; turn < 3; turn += 1) {
      await ask();
      await one.notes.save({ id: 'a', text: 'x', at: 1 });
    }
    const before = await one.backend.writer.read((uow) => uow.get('meta', ['queue']));

    await ask();
    await ask();

    expect(await one.backend.writer.read((uow) => uow.get('meta', ['queue']))).toEqual(before);
    expect(await placesOf(one, 'text')).toHaveLength(1);
    expect(await placesOf(one, 'at')).toHaveLength(1);
  });

  test('that start side by side find everything by their own', async () => {
    const first = version([]);
    await first.notes.saveAll(
      Array.from({ length: 500 }, (_, index) => ({ id: `n${index}`, text: 'x', at: index % 2 })),
    );
    const [one, two] = [version(['text']), version(['at'])];
    await Promise.all([one.backend.open(), two.backend.open()]);

    await one.notes.save({ id: 'one', text: 'x', at: 1 });
    await two.notes.save({ id: 'two', text: 'x', at: 1 });

    const where = { at: 1 };
    expect(await byText(one, 'x')).toHaveLength(502);
    expect(await two.notes.getAll({ where }, { policy: 'cache-only' })).toHaveLength(252);
  });
});
