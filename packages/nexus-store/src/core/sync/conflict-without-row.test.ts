import { afterEach, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { fixtures } from '../../testing/backend-fixture.ts';
import type { Outcome } from '../model/outcome.ts';

const world = fixtures(afterEach, () => memoryStorage());

/** What a plain 409 without a body is. */
const bare: Outcome = {
  kind: 'conflict',
  remote: undefined,
  failure: { code: 'remote/rejected', status: 409, detail: 'no', at: 0 },
};

test('a conflict without its row is settled with the row that a pull brings', async () => {
  const fixture = world({ store: { conflict: 'server-wins' } });
  fixture.remote.server.set('notes', 'a', { id: 'a', text: 'theirs' });
  fixture.remote.answerNext(bare);
  await fixture.notes.save({ id: 'a', text: 'ours' });

  const report = await fixture.wait(fixture.backend.sync());

  expect(report).toMatchObject({ conflicts: 1, remaining: 0, dead: 0 });
  expect(await fixture.notes.get('a')).toEqual({ id: 'a', text: 'theirs' });
});

test('one whose row nobody has is sent again, and says that it is a conflict', async () => {
  const fixture = world();
  fixture.remote.answerNext(bare);
  await fixture.notes.save({ id: 'a' });

  await fixture.wait(fixture.backend.sync());

  const [entry] = await fixture.backend.pendingChanges();
  expect(entry).toMatchObject({
    state: 'pending',
    attempts: 1,
    isAmbiguous: false,
    lastFailure: { code: 'store/conflict', status: 409, detail: 'no' },
  });
  await fixture.runtime.advance('1m');
  await fixture.wait(fixture.backend.sync());
  expect(fixture.arrivals).toEqual(['create a']);
});

test('one that never ends is a dead letter after as many attempts as any other', async () => {
  const fixture = world({ maxAttempts: 3 });
  fixture.remote.answerWith(() => bare);
  await fixture.notes.save({ id: 'a' });

  for (let run = 0; run < 5; run += 1) {
    await fixture.wait(fixture.backend.sync());
    await fixture.runtime.advance('10m');
  }

  expect(fixture.requests).toHaveLength(3);
  expect(await fixture.backend.deadLetters()).toMatchObject([
    { attempts: 3, lastFailure: { code: 'store/conflict', status: 409 } },
  ]);
});
