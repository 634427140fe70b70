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
