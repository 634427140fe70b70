import { afterEach, describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { fixtures } from '../../testing/backend-fixture.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import { PrioritySyncQueue } from '../queue/priority-sync-queue.ts';
import { NexusStore } from './nexus-store.ts';

const world = fixtures(afterEach, () => memoryStorage());

/** Stored as UTF-8 they would be one name. */
const HALVES = ['x\ud800', 'x\ud801', '\udc00x'];
const WHOLE = ['x', 'naïve', '\ud83e\uddff', 'x\0y'];

const INVALID = { code: 'usage/invalid-argument' };

describe('half a surrogate pair is refused in', () => {
  test.each(HALVES)('the name of a collection, %j', async (name) => {
    const { backend } = world();

    expect(() => new NexusStore({ backend, collection: name })).toThrowError(
      expect.objectContaining(INVALID),
    );
    await expect(backend.fetch(name)).rejects.toMatchObject(INVALID);
    await expect(backend.pendingChanges({ collection: name })).rejects.toMatchObject(INVALID);
    expect(() => world({ withoutStore: { pull: [name] } })).toThrowError(
      expect.objectContaining(INVALID),
    );
  });

  test.each(HALVES)('the id of a user, %j, whose text is not repeated', async (id) => {
    const { backend } = world();

    const error = await backend.signIn(id).catch((caught: unknown) => caught);

    expect(error).toMatchObject(INVALID);
    expect(String(error)).not.toContain('x\ud800');
    expect(backend.principal).toBeNull();
  });

  test.each(HALVES)('the name of a command, %j', async (name) => {
    const { notes } = world();
    await notes.save({ id: 'a' });

    await expect(notes.command('a', name, 1)).rejects.toMatchObject(INVALID);
  });

  test.each(HALVES)('the name of a queue, %j', (name) => {
    const options = { storage: memoryStorage(), name };

    expect(() => new PrioritySyncQueue(createVirtualRuntime(1), options)).toThrowError(
      expect.objectContaining(INVALID),
    );
  });
});

test.each(WHOLE)('%j names a collection and a user', async (name) => {
  const { backend } = world();
  await backend.signIn(name);
  const store = new NexusStore<{ id: string }>({ backend, collection: name });
  await store.save({ id: 'a' });

  expect(await backend.pendingChanges({ collection: name })).toHaveLength(1);
  expect(backend.principal).toBe(name);
});
