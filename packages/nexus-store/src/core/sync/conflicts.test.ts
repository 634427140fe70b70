import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import {
  answers,
  fixtures,
  type BackendFixture,
  type Note,
} from '../../testing/backend-fixture.ts';
import { deferred } from '../../testing/deferred.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import { MemoryServer } from '../../testing/memory-server.ts';
import type { ConflictContext, ConflictStrategy, Resolution } from './conflict-strategy.ts';

const world = fixtures(afterEach, () => memoryStorage());

/** A note known to both sides, then changed on both: `text` here, what is given there. */
async function clash(
  conflict: ConflictStrategy<Note> | undefined,
  theirs: Note | undefined,
  options: Parameters<typeof world>[0] = {},
): Promise<BackendFixture> {
  const fixture = world({ ...options, store: { ...(conflict === undefined ? {} : { conflict }) } });
  await fixture.notes.save({ id: 'a', text: 'base', at: 1 });
  await fixture.wait(fixture.backend.sync());
  fixture.remote.server.set('notes', 'a', theirs);
  await fixture.notes.save({ id: 'a', text: 'ours', at: 1 });
  return fixture;
}

const server = (fixture: BackendFixture): unknown => fixture.remote.server.value('notes', 'a');

describe('a conflict is settled', () => {
  const theirs = { id: 'a', text: 'theirs', at: 2 };
  const cases: readonly [string, ConflictStrategy<Note> | undefined, unknown][] = [
    [
      'by default field by field, ours where both changed',
      undefined,
      { id: 'a', text: 'ours', at: 2 },
    ],
    ['by merge-fields', 'merge-fields', { id: 'a', text: 'ours', at: 2 }],
    [
      'by merge-fields that prefers theirs',
      { strategy: 'merge-fields', prefer: 'remote' },
      { id: 'a', text: 'theirs', at: 2 },
    ],
    ['by client-wins', 'client-wins', { id: 'a', text: 'ours', at: 1 }],
    ['by server-wins', 'server-wins', theirs],
    ['by a function that keeps ours', () => ({ use: 'local' }), { id: 'a', text: 'ours', at: 1 }],
    ['by a function that takes theirs', async () => ({ use: 'remote' }), theirs],
    [
      'by a function that makes a third',
      ({ local, remote }) => ({
        use: 'merged',
        value: { id: 'a', text: `${remote?.text} and ${local?.text}` },
      }),
      { id: 'a', text: 'theirs and ours' },
    ],
    ['by a function that deletes', () => ({ use: 'merged', value: null }), undefined],
  ];

  test.each(cases)('%s', async (_, strategy, expected) => {
    const fixture = await clash(strategy, theirs);
    const write = await fixture.notes.save({ id: 'a', text: 'ours', at: 1 });

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ conflicts: 1, remaining: 0, stoppedBy: 'drained' });
    expect(server(fixture)).toEqual(expected);
    expect(await fixture.notes.get('a')).toEqual(expected);
    const isTheirs = expected === theirs;
    expect((await write.synced()).outcome).toBe(isTheirs ? 'superseded' : 'applied');
  });

  test.each([
    ['client-wins', { id: 'a', text: 'ours', at: 1 }],
    ['merge-fields', { id: 'a', text: 'ours', at: 1 }],
    ['server-wins', undefined],
  ] as const)('though the server deleted the row, by %s', async (strategy, expected) => {
    const fixture = await clash(strategy, undefined);

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ conflicts: 1, remaining: 0 });
    expect(server(fixture)).toEqual(expected);
    expect(await fixture.notes.get('a')).toEqual(expected);
  });

  test("with three sides that are the handler's own, and word that there is no screen", async () => {
    const seen: ConflictContext<Note>[] = [];
    const handler = (context: ConflictContext<Note>): Resolution<Note> => {
      seen.push(context);
      (context.base as { text: string }).text = 'changed by the handler';
      return { use: 'local' };
    };
    const fixture = await clash(handler, theirs, { headless: true });

    await fixture.wait(fixture.backend.sync());

    expect(seen[0]).toMatchObject({
      id: 'a',
      local: { id: 'a', text: 'ours', at: 1 },
      remote: theirs,
      headless: true,
    });
    expect(server(fixture)).toEqual({ id: 'a', text: 'ours', at: 1 });
  });
});

describe('a handler', () => {
  test('that is slow does not hold back the acknowledgements of its batch', async () => {
    const answer = deferred<Resolution<Note>>();
    const fixture = await clash(() => answer.promise, { id: 'a', text: 'theirs' });
    await fixture.notes.save({ id: 'b' });
    const running = fixture.backend.sync();
    await fixture.settle();
    const pending = (await fixture.backend.pendingChanges()).map(({ entityId }) => entityId);

    answer.resolve({ use: 'local' });
    const report = await fixture.wait(running);

    expect(pending).toEqual(['a']);
    expect(report).toMatchObject({ pushed: 2, remaining: 0 });
  });

  test('that hangs parks its lane before the claim ends, and the run goes on', async () => {
    let signal: AbortSignal | undefined;
    const handler = (context: ConflictContext<Note>): Promise<Resolution<Note>> => {
      signal = context.signal;
      return new Promise(() => {});
    };
    const fixture = await clash(handler, { id: 'a', text: 'theirs' });

    const report = await fixture.wait(fixture.backend.sync());

    expect(report.stoppedBy).toBe('drained');
    expect(report.durationMs).toBeLessThan(40_000);
    expect(signal?.aborted).toBe(true);
    const [entry] = await fixture.backend.pendingChanges();
    expect(entry).toMatchObject({
      state: 'conflict',
      lastFailure: { code: 'store/conflict-handler-failed' },
    });
    expect(fixture.typesOf('claim-lost')).toEqual([]);
  });

  test('that the end of the run cuts off is asked again by the next one', async () => {
    let asked = 0;
    const handler = (): Promise<Resolution<Note>> | Resolution<Note> => {
      asked += 1;
      return asked === 1 ? new Promise(() => {}) : { use: 'local' };
    };
    const fixture = await clash(handler, { id: 'a', text: 'theirs' });

    const first = await fixture.wait(fixture.backend.sync({ budget: '10s' }));
    const second = await fixture.wait(fixture.backend.sync());

    expect(first).toMatchObject({ stoppedBy: 'deadline', remaining: 1, pushed: 0 });
    expect(second).toMatchObject({ stoppedBy: 'drained', pushed: 1 });
    expect(asked).toBe(2);
  });

  test.each([
    ['throws', () => Promise.reject(new Error('boom'))],
    ['gives back nothing', () => undefined as never],
    ['gives back what cannot be stored', () => ({ use: 'merged', value: (() => {}) as never })],
  ] as [string, ConflictStrategy<Note>][])('that %s parks its lane', async (_, handler) => {
    const fixture = await clash(handler, { id: 'a', text: 'theirs' });

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ stoppedBy: 'drained', remaining: 0 });
    expect(fixture.backend.status.current.conflicts).toBe(1);
  });

  test('is asked ten times for one entry, then people are', async () => {
    let asked = 0;
    const fixture = await clash(
      () => {
        asked += 1;
        return { use: 'local' };
      },
      { id: 'a', text: 'theirs' },
    );
    let version = 100;
    fixture.remote.answerWith(() => {
      version += 1;
      return answers.conflict({ id: 'a', text: 'theirs' }, String(version));
    });

    const report = await fixture.wait(fixture.backend.sync());

    expect(asked).toBe(10);
    expect(report).toMatchObject({ conflicts: 11, stoppedBy: 'drained' });
    const [entry] = await fixture.backend.pendingChanges();
    expect(entry).toMatchObject({
      state: 'conflict',
      lastFailure: { code: 'store/conflict-rounds' },
    });
  });
});

describe('a parked conflict', () => {
  test('shows its sides, holds its own lane only, and goes on once it is resolved', async () => {
    const fixture = await clash('manual', { id: 'a', text: 'theirs', at: 2 });
    await fixture.notes.save({ id: 'b' });
    await fixture.wait(fixture.backend.sync());
    const [parked] = await fixture.backend.pendingChanges();
    await fixture.notes.save({ id: 'a', text: 'later', at: 1 });

    const sides = await fixture.backend.conflictOf(parked?.id ?? '');
    const resolved = await fixture.backend.resolveConflict(parked?.id ?? '', {
      use: 'merged',
      value: { id: 'a', text: 'agreed', at: 2 },
    });
    const again = await fixture.backend.resolveConflict(parked?.id ?? '', { use: 'local' });
    await fixture.wait(fixture.backend.sync());

    expect(sides).toMatchObject({
      id: 'a',
      base: { id: 'a', text: 'base', at: 1 },
      local: { id: 'a', text: 'ours', at: 1 },
      remote: { id: 'a', text: 'theirs', at: 2 },
    });
    expect([resolved, again]).toEqual([true, false]);
    expect(fixture.arrivals).toContain('create b');
    // What was written before the agreement does not undo it: people are asked about that as well.
    expect(server(fixture)).toEqual({ id: 'a', text: 'agreed', at: 2 });
    const [next] = await fixture.backend.pendingChanges();
    expect(await fixture.backend.conflictOf(next?.id ?? '')).toMatchObject({
      base: { id: 'a', text: 'ours', at: 1 },
      local: { id: 'a', text: 'later', at: 1 },
      remote: { id: 'a', text: 'agreed', at: 2 },
    });
  });

  test('is not decided about what nobody has seen', async () => {
    const fixture = await clash('manual', { id: 'a', text: 'theirs' });
    await fixture.wait(fixture.backend.sync());
    await fixture.runtime.advance('1s');
    const [parked] = await fixture.backend.pendingChanges();
    const id = parked?.id ?? '';
    const seen = await fixture.backend.conflictOf(id);
    fixture.remote.server.set('notes', 'a', { id: 'a', text: 'theirs, newer' });
    await fixture.wait(fixture.backend.sync());
    const about = (sides: typeof seen): { remoteVersion: string | null | undefined } => ({
      remoteVersion: sides?.remoteVersion,
    });

    await expect(
      fixture.backend.resolveConflict(id, { use: 'local' }, about(seen)),
    ).rejects.toMatchObject({ code: 'store/conflict-changed' });
    const again = await fixture.backend.conflictOf(id);
    const decided = await fixture.backend.resolveConflict(id, { use: 'local' }, about(again));

    expect(again?.remote).toEqual({ id: 'a', text: 'theirs, newer' });
    expect(decided).toBe(true);
  });

  test('is decided on what a pull brought since', async () => {
    const fixture = await clash('manual', { id: 'a', text: 'theirs' });
    await fixture.wait(fixture.backend.sync());
    await fixture.runtime.advance('1s');
    fixture.remote.server.set('notes', 'a', { id: 'a', text: 'theirs, newer' });
    await fixture.wait(fixture.backend.sync());
    const [parked] = await fixture.backend.pendingChanges();

    const sides = await fixture.backend.conflictOf(parked?.id ?? '');
    await fixture.backend.resolveConflict(parked?.id ?? '', { use: 'remote' });

    expect(sides?.remote).toEqual({ id: 'a', text: 'theirs, newer' });
    expect(await fixture.notes.get('a')).toEqual({ id: 'a', text: 'theirs, newer' });
    expect(await fixture.backend.pendingChanges()).toEqual([]);
  });

  test('outlives the process', async () => {
    const database = memoryDatabase();
    const first = await clash(
      'manual',
      { id: 'a', text: 'theirs' },
      { storage: memoryStorage({ database }) },
    );
    await first.wait(first.backend.sync());
    await first.backend.close();

    const second = world({ storage: memoryStorage({ database }) });
    const [parked] = await second.backend.pendingChanges();

    expect(await second.backend.conflictOf(parked?.id ?? '')).toMatchObject({
      remote: { id: 'a', text: 'theirs' },
    });
  });

  test('of one entry in a transaction holds the whole, and frees the rest with it', async () => {
    const fixture = await clash('manual', { id: 'a', text: 'theirs' });
    await fixture.backend.cancel((await fixture.backend.pendingChanges())[0]?.id ?? '');
    await fixture.backend.transaction(async (tx) => {
      await tx.store(fixture.notes).save({ id: 'a', text: 'ours' });
      await tx.store(fixture.notes).save({ id: 'b', text: 'ours' });
    });

    await fixture.wait(fixture.backend.sync());
    const parked = (await fixture.backend.pendingChanges()).find(
      ({ state }) => state === 'conflict',
    );
    const before = server({ ...fixture, remote: fixture.remote } as BackendFixture);
    await fixture.backend.resolveConflict(parked?.id ?? '', { use: 'remote' });
    const report = await fixture.wait(fixture.backend.sync());

    expect(before).toEqual({ id: 'a', text: 'theirs' });
    expect(report).toMatchObject({ pushed: 1, remaining: 0 });
    expect(fixture.remote.server.value('notes', 'b')).toEqual({ id: 'b', text: 'ours' });
    expect(server(fixture)).toEqual({ id: 'a', text: 'theirs' });
  });
});

describe('a command that meets a conflict', () => {
  test.each([
    ['merge-fields', 1],
    ['server-wins', 0],
  ] as const)('with %s leaves %i for people', async (conflict, conflicts) => {
    const fixture = world({ store: { conflict } });
    await fixture.notes.command('ghost', 'increment', { field: 'count', by: 1 });

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ conflicts: 1, remaining: 0 });
    expect(fixture.backend.status.current.conflicts).toBe(conflicts);
  });
});

describe('an answer that does not say what the server has', () => {
  test('is completed by a pull, then settled as ever', async () => {
    const fixture = await clash('merge-fields', { id: 'a', text: 'base', at: 5 });
    fixture.remote.answerNext(() => answers.conflict(undefined));

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ conflicts: 1, remaining: 0, pushed: 1 });
    expect(server(fixture)).toEqual({ id: 'a', text: 'ours', at: 5 });
  });

  test('waits where nothing can be pulled, and never counts as deleted', async () => {
    const fixture = world({ remote: memoryRemote({ hints: false, pull: false }) });
    await fixture.notes.save({ id: 'a', text: 'ours' });
    fixture.remote.answerNext(() => answers.conflict(undefined));

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ conflicts: 1, remaining: 1 });
    const [entry] = await fixture.backend.pendingChanges();
    expect(entry).toMatchObject({ state: 'pending', operation: 'create', attempts: 1 });
  });
});

test('a pull that brings another row while the handler thinks makes the entry be asked anew', async () => {
  const thinking = deferred<Resolution<Note>>();
  const remotes: unknown[] = [];
  const fixture = await clash(
    ({ remote }) => {
      remotes.push(remote);
      return remotes.length === 1 ? thinking.promise : { use: 'remote' };
    },
    { id: 'a', text: 'theirs' },
  );
  const running = fixture.backend.sync();
  await fixture.settle();
  fixture.remote.server.set('notes', 'a', { id: 'a', text: 'newer' });
  await fixture.wait(fixture.backend.fetch('notes'));

  thinking.resolve({ use: 'remote' });
  await fixture.wait(running);

  expect(remotes).toEqual([
    { id: 'a', text: 'theirs' },
    { id: 'a', text: 'newer' },
  ]);
  expect(await fixture.notes.get('a')).toEqual({ id: 'a', text: 'newer' });
});

test('after an acknowledgement the base of what waits behind moves forward: no conflict with oneself', async () => {
  const fixture = world({ store: { coalesce: false, conflict: 'manual' } });
  for (const text of ['1', '2', '3']) await fixture.notes.save({ id: 'a', text });

  const report = await fixture.wait(fixture.backend.sync());
  await fixture.notes.patch('a', { at: 4 });
  const patched = await fixture.wait(fixture.backend.sync());

  expect([report.conflicts, patched.conflicts]).toEqual([0, 0]);
  expect(server(fixture)).toEqual({ id: 'a', text: '3', at: 4 });
});

test('a row seen through an earlier write of the same transaction, which was taken back with it, is not kept', async () => {
  const seen: unknown[] = [];
  const fixture = world({
    store: {
      coalesce: false,
      conflict: ({ remote }) => {
        seen.push(remote);
        return { use: 'merged', value: { id: 'a', text: 'settled' } };
      },
    },
    remote: memoryRemote({ server: new MemoryServer({ seal: () => undefined }) }),
  });
  await fixture.notes.save({ id: 'a', text: 'base' });
  await fixture.wait(fixture.backend.sync());
  await fixture.backend.transaction(async (tx) => {
    await tx.store(fixture.notes).save({ id: 'a', text: 'ours' });
    await tx.store(fixture.notes).command('a', 'seal', null);
  });

  const report = await fixture.wait(fixture.backend.sync());

  expect(seen).toEqual([{ id: 'a', text: 'ours' }]);
  expect(report).toMatchObject({ conflicts: 1, remaining: 0, dead: 0 });
  expect(server(fixture)).toEqual({ id: 'a', text: 'settled' });
});
