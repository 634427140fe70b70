import { afterEach, describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import type { PushAnswer } from '../../testing/memory-remote.ts';

const world = fixtures(afterEach, () => memoryStorage());

/** A delete of a note becomes a dead letter whose fate is unknown, and leaves its lane. */
async function buriedDelete(last: PushAnswer): Promise<BackendFixture> {
  const fixture = world({ maxAttempts: 1, store: { onRejected: 'revert' } });
  await fixture.notes.save({ id: 'a', text: 'first' });
  await fixture.wait(fixture.backend.sync());
  await fixture.notes.delete('a');
  fixture.remote.answerNext(last);
  await fixture.wait(fixture.backend.sync());
  fixture.remote.answerNext(answers.entry(500));
  await fixture.runtime.advance('10m');
  await fixture.wait(fixture.backend.sync());
  expect(await fixture.backend.deadLetters()).toHaveLength(1);
  return fixture;
}

describe('a dead letter of unknown fate that is retried after newer writes', () => {
  test('was applied long ago: the newer value stays', async () => {
    const fixture = await buriedDelete('lose-answer');
    await fixture.notes.save({ id: 'a', text: 'newer' });
    await fixture.wait(fixture.backend.sync());

    await fixture.backend.retryAll();
    const waiting = await fixture.notes.get('a');
    await fixture.wait(fixture.backend.sync());

    expect(waiting).toBeUndefined();
    expect(await fixture.notes.get('a', { policy: 'cache-only' })).toEqual({
      id: 'a',
      text: 'newer',
    });
    expect(fixture.remote.server.value('notes', 'a')).toEqual({ id: 'a', text: 'newer' });
  });

  test('takes effect only now: the pull after it brings that', async () => {
    const fixture = await buriedDelete('lose-request');
    await fixture.notes.save({ id: 'a', text: 'newer' });
    await fixture.wait(fixture.backend.sync());

    await fixture.backend.retryAll();
    await fixture.wait(fixture.backend.sync());

    expect(await fixture.notes.get('a', { policy: 'cache-only' })).toBeUndefined();
    expect(fixture.remote.server.value('notes', 'a') ?? null).toBeNull();
  });
});
