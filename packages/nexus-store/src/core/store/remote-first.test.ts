import { afterEach, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures } from '../../testing/backend-fixture.ts';

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
