import { afterEach, describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures, type Note } from '../../testing/backend-fixture.ts';
import type { NexusStore } from './nexus-store.ts';

const world = fixtures(afterEach, () => memoryStorage());

const isRefused = { code: 'usage/invalid-argument' };
const byFunction = { id: (note: Note) => `${note.id}` };

/** Whatever happened, everything here is found under the id that its value names. */
async function expectOwnIds(notes: NexusStore<Note>): Promise<void> {
  for (const note of await notes.getAll({}, { policy: 'cache-only' }))
    expect(await notes.get(note.id, { policy: 'cache-only' })).toEqual(note);
}

describe.each([
  ['named by a field', {}],
  ['named by a function', byFunction],
])('an entity %s keeps its id', (_, store) => {
  test.each(['queue', 'local-only', 'remote-first'] as const)(
    'when a patch would change it, with the policy %s',
    async (policy) => {
      const fixture = world({ store });
      await fixture.notes.save({ id: 'n', at: 1 });
      await fixture.wait(fixture.backend.sync());

      const renamed = fixture.wait(fixture.notes.patch('n', { id: 'm', at: 2 }, { policy }));

      await expect(renamed).rejects.toMatchObject(isRefused);
      expect(await fixture.notes.get('n')).toEqual({ id: 'n', at: 1 });
      await fixture.wait(fixture.notes.patch('n', { id: 'n', at: 3 }, { policy }));
      await fixture.wait(fixture.backend.sync());
      expect(await fixture.notes.get('n')).toEqual({ id: 'n', at: 3 });
      const sent = policy === 'local-only' ? 1 : 3;
      expect(fixture.remote.server.value('notes', 'n')).toEqual({ id: 'n', at: sent });
    },
  );

  test('when a patch would take it away', async () => {
    const { notes } = world({ store });
    await notes.save({ id: 'n' });

    await expect(notes.patch('n', { id: undefined } as never)).rejects.toMatchObject(isRefused);
  });

  test('in a transaction, of which nothing is stored then', async () => {
    const { backend, notes } = world({ store });
    await notes.save({ id: 'n' });

    const renamed = backend.transaction(async (tx) => {
      await tx.store(notes).save({ id: 'other' });
      await tx.store(notes).patch('n', { id: 'm' });
    });

    await expect(renamed).rejects.toMatchObject(isRefused);
    expect(await notes.getAll()).toEqual([{ id: 'n' }]);
  });

  test('when a command would change it', async () => {
    const { notes } = world({
      store: { ...store, applyCommand: (note: Note) => ({ ...note, id: 'm' }) },
    });
    await notes.save({ id: 'n' });

    await expect(notes.command('n', 'rename')).rejects.toMatchObject(isRefused);
  });

  test('when the server has a row with another: the page is refused, and nothing of it kept', async () => {
    const fixture = world({ store });
    fixture.remote.server.set('notes', 'a', { id: 'a' });
    fixture.remote.server.set('notes', 'n', { id: 'm' });

    const read = fixture.wait(fixture.notes.getAll({}, { policy: 'network-only' }));

    await expect(read).rejects.toMatchObject({ code: 'remote/protocol' });
    expect(await fixture.notes.getAll({}, { policy: 'cache-only' })).toEqual([]);
    fixture.remote.server.set('notes', 'n', { id: 'n' });
    expect(await fixture.wait(fixture.notes.getAll({}, { policy: 'network-only' }))).toEqual([
      { id: 'a' },
      { id: 'n' },
    ]);
  });

  test('when the server acknowledges a write with a value that has another', async () => {
    const fixture = world({ store: { ...store, pull: false } });
    const write = await fixture.notes.save({ id: 'n', at: 1 });
    fixture.remote.answerNext(() => ({ kind: 'applied', version: '1', value: { id: 'm' } }));

    await fixture.wait(fixture.backend.sync());

    expect(await write.synced()).toMatchObject({ outcome: 'applied' });
    expect(await fixture.notes.get('n')).toEqual({ id: 'n', at: 1 });
    fixture.remote.answerNext(() => ({ kind: 'applied', version: '2', value: { id: 'm' } }));
    await fixture.wait(fixture.notes.patch('n', { at: 2 }, { policy: 'remote-first' }));
    expect(await fixture.notes.get('n')).toEqual({ id: 'n', at: 2 });
    await expectOwnIds(fixture.notes);
  });

  test('when a conflict handler merges to another: people decide, who cannot change it either', async () => {
    const fixture = world({
      store: { ...store, conflict: () => ({ use: 'merged', value: { id: 'm', text: 'both' } }) },
    });
    await fixture.notes.save({ id: 'n', text: 'ours' });
    fixture.remote.answerNext(() => answers.conflict({ id: 'n', text: 'theirs' }, '7'));

    await fixture.wait(fixture.backend.sync());

    const [parked] = await fixture.notes.pendingChanges();
    expect(parked).toMatchObject({
      state: 'conflict',
      payload: { id: 'n', text: 'ours' },
      lastFailure: { code: 'store/conflict-handler-failed' },
    });
    const resolve = (id: string): Promise<boolean> =>
      fixture.backend.resolveConflict(parked?.id ?? '', { use: 'merged', value: { id } });
    await expect(resolve('m')).rejects.toMatchObject(isRefused);
    expect(await resolve('n')).toBe(true);
    expect(await fixture.notes.get('n')).toEqual({ id: 'n' });
  });

  test("when the server's side of a conflict has another: it is fetched instead", async () => {
    const fixture = world({ store: { ...store, conflict: 'server-wins' } });
    await fixture.notes.save({ id: 'n', text: 'ours' });
    fixture.remote.server.set('notes', 'n', { id: 'n', text: 'theirs' });
    fixture.remote.answerNext(() => answers.conflict({ id: 'm', text: 'theirs' }, '7'));

    await fixture.wait(fixture.backend.sync());

    expect(await fixture.notes.getAll({}, { policy: 'cache-only' })).toEqual([
      { id: 'n', text: 'theirs' },
    ]);
  });
});

test('a value without an id of its own is kept under the id it came with', async () => {
  const fixture = world();
  fixture.remote.server.set('notes', 'n', { text: 'x' });

  await fixture.wait(fixture.backend.sync());

  expect(await fixture.notes.get('n')).toEqual({ text: 'x' });
});
