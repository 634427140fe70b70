import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import {
  answers,
  fixtures,
  type BackendFixture,
  type BackendFixtureOptions,
} from '../../testing/backend-fixture.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import { MemoryServer } from '../../testing/memory-server.ts';
import { whileFirstPageTravels } from '../../testing/travelling-pages.ts';

const world = fixtures(afterEach, () => memoryStorage());

const kept = (fixture: BackendFixture, id: string): Promise<unknown> =>
  fixture.notes.get(id, { policy: 'cache-only' });

describe('a page that is older than what a context that fetches nothing has sent', () => {
  /** The second context is a command line, or a worker: what it sends is fetched by the first alone. */
  function withSender(
    sender: BackendFixtureOptions['store'] | 'without store',
    options: Partial<BackendFixtureOptions> = {},
  ): readonly [BackendFixture, BackendFixture, MemoryServer] {
    const database = memoryDatabase();
    const server = new MemoryServer();
    const one = world({
      ...options,
      storage: memoryStorage({ database }),
      remote: memoryRemote({ hints: false, server }),
    });
    const two = world({
      ...options,
      storage: memoryStorage({ database }),
      remote: memoryRemote({ hints: false, server, pull: false }),
      runtime: one.runtime,
      store:
        sender === 'without store' ? { collection: 'elsewhere' } : { ...options.store, ...sender },
    });
    return [one, two, server];
  }

  const SENDERS = [
    ['has no store for the collection', 'without store'],
    ['has a remote that cannot', {}],
    ['was told not to', { pull: false }],
  ] as const;

  test.each(SENDERS)('since it %s does not undo the save', async (_, sender) => {
    const [one, two, server] = withSender(sender);
    await one.notes.save({ id: 'a', text: 'old' });
    await one.wait(two.backend.sync());
    const shown: unknown[] = [];
    one.notes.watch('a').subscribe((note) => shown.push(note?.text));
    const requests = whileFirstPageTravels(one, async () => {
      await one.notes.save({ id: 'a', text: 'ours' });
      await two.backend.sync();
    });

    await one.wait(one.backend.fetch('notes'));
    await one.settle();

    expect(requests()).toBe(2);
    expect(shown.slice(shown.indexOf('ours'))).toEqual(['ours']);
    expect(await kept(one, 'a')).toEqual({ id: 'a', text: 'ours' });
    expect(server.value('notes', 'a')).toEqual({ id: 'a', text: 'ours' });
  });

  test.each(SENDERS)('since it %s does not bring back what was deleted', async (_, sender) => {
    const [one, two] = withSender(sender);
    await one.notes.save({ id: 'a', text: 'old' });
    await one.wait(two.backend.sync());
    whileFirstPageTravels(one, async () => {
      await one.notes.delete('a');
      await two.backend.sync();
    });

    await one.wait(one.backend.fetch('notes'));

    expect(await kept(one, 'a')).toBeUndefined();
  });

  test('does not make the next save conflict with our own', async () => {
    const [one, two, server] = withSender({}, { store: { conflict: 'server-wins' } });
    await one.notes.save({ id: 'a', text: 'old' });
    await one.wait(two.backend.sync());
    whileFirstPageTravels(one, async () => {
      await one.notes.save({ id: 'a', text: 'first' });
      await two.backend.sync();
    });
    await one.wait(one.backend.fetch('notes'));

    await one.notes.save({ id: 'a', text: 'second' });
    await one.wait(one.backend.sync());

    expect(one.typesOf('conflict-resolved', 'entry-conflicted')).toEqual([]);
    expect(server.value('notes', 'a')).toEqual({ id: 'a', text: 'second' });
  });

  test('does not undo a direct write of a store that is told not to fetch', async () => {
    const [one, two] = withSender({ collection: 'notes', pull: false });
    await one.notes.save({ id: 'a', count: 1 });
    await one.wait(one.backend.sync());
    one.remote.server.expireCursors();
    const shown: unknown[] = [];
    one.notes.watch('a').subscribe((note) => shown.push(note?.count));
    whileFirstPageTravels(one, async () => {
      await two.notes.save({ id: 'a', count: 2 }, { policy: 'remote-first' });
    });

    await one.wait(one.backend.fetch('notes'));
    await one.settle();

    expect(shown.slice(shown.indexOf(2))).toEqual([2]);
    expect(await kept(one, 'a')).toEqual({ id: 'a', count: 2 });
  });

  test('does not take back what a conflict told of the row', async () => {
    const [one, two, server] = withSender({}, { store: { conflict: 'server-wins' } });
    await one.notes.save({ id: 'a', text: 'old' });
    await one.wait(one.backend.sync());
    server.set('notes', 'a', { id: 'a', text: 'theirs' });
    const shown: unknown[] = [];
    const requests = whileFirstPageTravels(one, async () => {
      server.set('notes', 'a', { id: 'a', text: 'theirs, later' });
      await one.notes.save({ id: 'a', text: 'ours' });
      await two.backend.sync();
      one.notes.watch('a').subscribe((note) => shown.push(note?.text));
      await one.settle();
    });

    await one.wait(one.backend.fetch('notes'));
    await one.settle();

    expect(requests()).toBe(2);
    expect(shown.filter((text) => text !== undefined)).toEqual(['theirs, later']);
    expect(await kept(one, 'a')).toEqual({ id: 'a', text: 'theirs, later' });
  });

  test('does not undo anything where the record that says that pages were fetched was damaged', async () => {
    const [one, two, server] = withSender('without store');
    server.set('notes', 'a', { id: 'a', text: 'old' });
    await one.wait(one.backend.sync());
    await one.backend.writer.write(async (uow) => {
      uow.put('meta', ['queue'], { name: 'queue', value: '{' });
    });
    server.set('notes', 'a', { id: 'a', text: 'theirs' });
    whileFirstPageTravels(one, async () => {
      await one.notes.command('a', 'increment', { field: 'count', by: 1 });
      await two.backend.sync();
    });

    await one.wait(one.backend.fetch('notes'));

    expect(await kept(one, 'a')).toEqual({ id: 'a', text: 'theirs', count: 1 });
  });

  test('costs nothing to know where nothing is ever fetched', async () => {
    const database = memoryDatabase();
    const storage = memoryStorage({ database });
    const fixture = world({ storage, remote: memoryRemote({ hints: false, pull: false }) });
    await fixture.notes.save({ id: 'a' });

    await fixture.wait(fixture.backend.sync());

    const facts = await fixture.backend.writer.read((uow) => uow.scan('meta', { limit: 100 }));
    expect(facts.map(({ name }) => name)).not.toContain('acknowledged:1');
  });

  test('does not hide the row of an entry that comes back with an unknown fate', async () => {
    const [app, tool, server] = withSender('without store', {
      maxAttempts: 1,
      store: { onRejected: 'revert' },
    });
    await app.notes.save({ id: 'a', text: 'first' });
    await app.wait(app.backend.sync());
    await app.notes.delete('a');
    app.remote.answerNext('lose-answer');
    await app.wait(app.backend.sync());
    app.remote.answerNext(answers.entry(500));
    await app.runtime.advance('10m');
    await app.wait(app.backend.sync());
    await app.notes.save({ id: 'a', text: 'newer' });
    await app.wait(app.backend.sync());
    expect(await app.backend.deadLetters()).toHaveLength(1);

    await app.backend.retryAll();
    await app.wait(tool.backend.sync());

    expect(await app.backend.pendingChanges()).toEqual([]);
    expect(server.value('notes', 'a')).toEqual({ id: 'a', text: 'newer' });
    expect(await kept(app, 'a')).toEqual({ id: 'a', text: 'newer' });
  });
});
