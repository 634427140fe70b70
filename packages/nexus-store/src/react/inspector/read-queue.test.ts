import { afterEach, describe, expect, test } from 'vitest';
import type { Storage, StorageTransaction } from '../../core/ports/storage.ts';
import { memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures } from '../../testing/backend-fixture.ts';
import { readLane, readQueue, SECTIONS, type SectionName } from './read-queue.ts';

const world = fixtures(afterEach, () => memoryStorage());

const limits = (limit: number): Record<SectionName, number> =>
  Object.fromEntries(SECTIONS.map((name) => [name, limit])) as Record<SectionName, number>;

/** A storage that counts the records it gives out. */
function countingStorage(): Storage & { given: number } {
  const storage = memoryStorage();
  const counting = (tx: StorageTransaction): StorageTransaction => ({
    get: async (table, keys) => noted(await tx.get(table, keys)),
    scan: async (table, range) => noted(await tx.scan(table, range)),
    write: (changes) => tx.write(changes),
  });
  const noted = <R extends readonly unknown[]>(records: R): R => {
    made.given += records.length;
    return records;
  };
  const made: Storage & { given: number } = {
    given: 0,
    capabilities: storage.capabilities,
    open: (schema) => storage.open(schema),
    transact: (mode, body) => storage.transact(mode, (tx) => body(counting(tx))),
    foreignCommits: () => storage.foreignCommits(),
    close: () => storage.close(),
  };
  return made;
}

describe('the picture of the queue', () => {
  test('shows what waits by priority, what blocks what, and what was given up', async () => {
    const fixture = world({ store: { conflict: 'manual' } });
    const { backend, notes, remote } = fixture;
    const names = ['dead', 'conflict', 'failing'];
    remote.answerWith(
      () =>
        ({ entityId }) =>
          ({
            dead: answers.rejected(422),
            conflict: answers.conflict({ id: 'conflict' }, 'v2'),
            failing: answers.entry(500),
          })[String(entityId)],
    );
    await notes.saveAll(names.map((id) => ({ id })));
    await fixture.wait(backend.sync());
    await notes.patch('dead', { text: 'behind it' });
    await notes.patch('dead', { text: 'folded into that' });
    const parent = await notes.save({ id: 'parent' }, { priority: 'low' });
    const after = parent.entry === null ? [] : [parent.entry];
    await notes.save({ id: 'child' }, { after, priority: 'high' });
    await notes.save({ id: 'urgent' }, { priority: 'critical' });
    await backend.transaction(async (tx) => {
      await tx.store(notes).save({ id: 'left' });
      await tx.store(notes).save({ id: 'right' });
    });

    const picture = await readQueue(backend, limits(10));

    const shown = Object.fromEntries(
      SECTIONS.map((name) => [
        name,
        picture[name].items.map(({ entry, place }) => `${entry.entityId}: ${place}`),
      ]),
    );
    expect(shown).toEqual({
      sending: [],
      critical: ['urgent: ready'],
      // Lifted by the child that waits for it.
      high: ['parent: ready'],
      normal: ['left: with-transaction'],
      low: [],
      'backing-off': ['failing: backing-off'],
      after: ['child: after'],
      conflict: ['conflict: conflict'],
      dead: ['dead: dead'],
    });
    expect(picture.dead.items[0]).toMatchObject({ behind: 1, lane: [{ operation: 'update' }] });
    expect(picture.high.items[0]?.dependents).toEqual([picture.after.items[0]?.entry.id]);
    expect(picture.normal.items[0]?.group).toHaveLength(2);
  });

  test('shows what is on its way, once', async () => {
    const fixture = world();
    fixture.remote.answerNext('hang');
    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }]);
    const run = fixture.backend.sync({ budget: '10s' });
    await fixture.runtime.advance(100);

    const picture = await readQueue(fixture.backend, limits(10));
    await fixture.wait(run);

    expect(picture.sending.items.map(({ entry, place }) => [entry.entityId, place])).toEqual([
      ['a', 'sending'],
      ['b', 'sending'],
    ]);
    expect(picture.normal.items).toEqual([]);
  });

  test('reads as much of a queue of 20,000 as of one of 200', async () => {
    const given: number[] = [];
    for (const size of [200, 20_000]) {
      const storage = countingStorage();
      const fixture = world({ storage });
      const values = Array.from({ length: size }, (_, index) => ({ id: `n${index}` }));
      for (let from = 0; from < size; from += 1_000)
        await fixture.notes.saveAll(values.slice(from, from + 1_000));
      await fixture.runtime.advance('1s');
      storage.given = 0;
      const picture = await readQueue(fixture.backend, limits(5));
      given.push(storage.given);
      expect(picture.normal).toMatchObject({ hasMore: true });
      expect(picture.normal.items).toHaveLength(5);
    }

    expect(given[1]).toBe(given[0]);
    expect(given[0]).toBeLessThan(100);
  });

  test('shows a lane from its head on, from whichever entry somebody looks', async () => {
    const fixture = world();
    fixture.remote.answerNext(answers.rejected(422));
    await fixture.notes.save({ id: 'a', text: 'first' });
    await fixture.wait(fixture.backend.sync());
    await fixture.notes.command('a', 'paint');
    await fixture.notes.command('a', 'dry');
    const [, last] = await fixture.backend.pendingChanges();

    const lane = await readLane(fixture.backend, last?.id ?? '', 10);
    const gone = await readLane(fixture.backend, 'e999', 10);

    expect(lane.map(({ entry, place }) => [entry.command ?? entry.operation, place])).toEqual([
      ['create', 'dead'],
      ['paint', 'behind'],
      ['dry', 'behind'],
    ]);
    expect(gone).toEqual([]);
  });
});
