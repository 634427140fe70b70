import { afterEach, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { fixtures } from '../../testing/backend-fixture.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import { MemoryServer } from '../../testing/memory-server.ts';

const world = fixtures(afterEach, () => memoryStorage());

test('who decides a conflict of a later write of a transaction sees what a pull has brought since', async () => {
  const remote = memoryRemote({ server: new MemoryServer({ seal: () => undefined }) });
  const fixture = world({ store: { coalesce: false, conflict: 'manual' }, remote });
  const { backend, notes } = fixture;
  await notes.save({ id: 'a', text: 'base' });
  await fixture.wait(backend.sync());
  await backend.transaction(async (tx) => {
    await tx.store(notes).patch('a', { text: 'ours' });
    await tx.store(notes).command('a', 'seal', null);
  });
  await fixture.wait(backend.sync());
  const parked = (await backend.pendingChanges()).find(({ state }) => state === 'conflict');
  expect(parked).toMatchObject({ operation: 'command' });

  remote.server.set('notes', 'a', { id: 'a', text: 'theirs', at: 2 });
  await fixture.wait(backend.fetch('notes'));

  const sides = await backend.conflictOf(parked?.id ?? '');
  expect(sides?.remote).toEqual({ id: 'a', text: 'theirs', at: 2 });
});
