import { afterEach, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import { deferred } from '../../testing/deferred.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import { MemoryServer } from '../../testing/memory-server.ts';
import type { VirtualRuntime } from '../../testing/virtual-runtime.ts';

const world = fixtures(afterEach, () => memoryStorage());

test('a wish to wait that a remote-first write was told holds back the queue as well', async () => {
  const fixture = world();
  fixture.remote.answerNext(answers.endpoint(429, 60_000));
  const direct = fixture.notes.save({ id: 'a' }, { policy: 'remote-first' });
  await expect(fixture.wait(direct)).rejects.toMatchObject({ code: 'remote/throttled' });

  await fixture.notes.save({ id: 'b' });
  const early = await fixture.wait(fixture.backend.sync());
  await fixture.runtime.advance('61s');
  const late = await fixture.wait(fixture.backend.sync());

  expect([early.stoppedBy, early.pushed, late.pushed]).toEqual(['blocked', 0, 1]);
});

test('a remote-first write that the server refused says nothing against the server', async () => {
  const fixture = world();
  fixture.remote.answerNext(answers.rejected(422));
  const direct = fixture.notes.save({ id: 'a' }, { policy: 'remote-first' });
  await expect(fixture.wait(direct)).rejects.toMatchObject({ code: 'remote/rejected' });

  await fixture.notes.save({ id: 'b' });
  const report = await fixture.wait(fixture.backend.sync());

  expect(report).toMatchObject({ stoppedBy: 'drained', pushed: 1 });
});

test('an acknowledgement that is stored late does not undo what was acknowledged after it', async () => {
  const database = memoryDatabase();
  const server = new MemoryServer();
  const contextOf = (runtime?: VirtualRuntime): BackendFixture =>
    world({
      storage: memoryStorage({ database }),
      remote: memoryRemote({ hints: false, server }),
      ...(runtime === undefined ? {} : { runtime }),
    });
  const slow = contextOf();
  const quick = contextOf(slow.runtime);
  await slow.notes.save({ id: 'a', count: 1 });
  await slow.wait(slow.backend.sync());
  const arrives = deferred();
  const push = slow.remote.push.bind(slow.remote);
  slow.remote.push = async (batch, context) => {
    const outcomes = await push(batch, context);
    await arrives.promise;
    return outcomes;
  };
  const direct = slow.notes.save({ id: 'a', count: 2 }, { policy: 'remote-first' });
  await slow.settle();
  await quick.backend.fetch('notes');
  await quick.notes.save({ id: 'a', count: 3 });
  await quick.wait(quick.backend.sync());
  const shown: unknown[] = [];
  slow.notes.watch('a', { policy: 'cache-only' }).subscribe((note) => shown.push(note?.count));
  await slow.settle();

  arrives.resolve();
  await slow.wait(direct);
  await slow.settle();

  expect(shown.filter((count) => count !== undefined)).toEqual([3]);
  expect(await slow.notes.get('a', { policy: 'cache-only' })).toEqual({ id: 'a', count: 3 });
});

test('what was sent in between, and is another write now, goes under another key', async () => {
  const fixture = world({ remote: memoryRemote({ hints: false, pull: false }) });
  const held = deferred();
  fixture.remote.answerNext({ answerAfter: held.promise }, answers.entry(423));
  const direct = fixture.notes.save({ id: 'a', count: 1 }, { policy: 'remote-first' });
  await fixture.settle();
  await fixture.notes.save({ id: 'a', count: 2 });
  await fixture.wait(fixture.backend.sync());
  held.resolve();
  await fixture.wait(direct);
  await fixture.runtime.advance('1h');

  await fixture.wait(fixture.backend.sync());

  const [, before, after] = fixture.remote.attempts.map(({ batch }) => batch[0]);
  expect([before?.operation, after?.operation]).toEqual(['create', 'update']);
  expect(after?.idempotencyKey).not.toBe(before?.idempotencyKey);
  expect(fixture.remote.server.value('notes', 'a')).toEqual({ id: 'a', count: 2 });
});

test('writes of one entity at once go one after the other, and the last of them is kept', async () => {
  const fixture = world({ remote: memoryRemote({ hints: false, pull: false }) });
  const arrives = deferred();
  fixture.remote.answerNext({ answerAfter: arrives.promise });
  const direct = { policy: 'remote-first' } as const;

  const first = fixture.notes.save({ id: 'a', text: 'first' }, direct);
  await fixture.settle();
  const second = fixture.notes.patch('a', { text: 'second' }, direct);
  const deleted = fixture.notes.delete('a', direct);
  const last = fixture.notes.save({ id: 'a', text: 'last' }, direct);
  await fixture.wait(fixture.notes.save({ id: 'b' }, direct));

  expect(fixture.requests).toEqual([['a'], ['b']]);
  arrives.resolve();
  await fixture.wait(Promise.all([first, second, deleted, last]));
  expect(fixture.arrivals).toEqual(['create a', 'create b', 'update a', 'delete a', 'create a']);
  expect(await fixture.notes.get('a', { policy: 'cache-only' })).toEqual({ id: 'a', text: 'last' });
  expect(fixture.remote.server.value('notes', 'a')).toEqual({ id: 'a', text: 'last' });
});

test('a write of an entity that is refused does not hold up the one behind it', async () => {
  const fixture = world();
  fixture.remote.answerNext(answers.rejected(422));
  const refused = fixture.notes.save({ id: 'a', text: 'bad' }, { policy: 'remote-first' });
  const taken = fixture.notes.save({ id: 'a', text: 'good' }, { policy: 'remote-first' });

  await expect(fixture.wait(refused)).rejects.toMatchObject({ code: 'remote/rejected' });
  await fixture.wait(taken);

  expect(fixture.remote.server.value('notes', 'a')).toEqual({ id: 'a', text: 'good' });
});

test('a write whose time went by while an earlier one was sent is not sent', async () => {
  const fixture = world();
  fixture.remote.answerNext({ until: new Promise(() => {}), answer: 'apply' });
  const slow = fixture.notes.save({ id: 'a', text: 'slow' }, { policy: 'remote-first' });
  const late = fixture.notes.save({ id: 'a', text: 'late' }, { policy: 'remote-first' });

  const ends = await fixture.wait(Promise.allSettled([slow, late]));

  expect(ends).toMatchObject([
    { reason: { code: 'remote/timeout' } },
    { reason: { code: 'remote/timeout' } },
  ]);
  expect(fixture.requests).toEqual([['a']]);
});

test('an acknowledgement is kept where nothing is fetched, though the row has changed since: nothing else would bring it', async () => {
  const fixture = world({ remote: memoryRemote({ hints: false, pull: false }) });
  await fixture.notes.save({ id: 'a', count: 1 });
  await fixture.wait(fixture.backend.sync());
  const leaves = deferred();
  const push = fixture.remote.push.bind(fixture.remote);
  fixture.remote.push = async (batch, context) => {
    if (batch[0]?.operation === 'command') await leaves.promise;
    return push(batch, context);
  };
  const increment = { field: 'count', by: 1 };
  const direct = fixture.notes.command('a', 'increment', increment, { policy: 'remote-first' });
  await fixture.settle();
  await fixture.notes.save({ id: 'a', count: 10 });
  await fixture.wait(fixture.backend.sync());

  leaves.resolve();
  await fixture.wait(direct);

  expect(await fixture.notes.get('a')).toEqual({ id: 'a', count: 11 });
  await fixture.notes.save({ id: 'a', count: 12 });
  expect(await fixture.wait(fixture.backend.sync())).toMatchObject({ conflicts: 0, pushed: 1 });
});
