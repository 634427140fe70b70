import { afterEach, describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import { memoryRemote, type PushAnswer } from '../../testing/memory-remote.ts';
import { createSeededRandom } from '../../testing/seeded-random.ts';
import { RemoteError } from '../model/errors.ts';

const world = fixtures(afterEach, () => memoryStorage());

function breaksWith(fixture: BackendFixture, entity: string, answer: PushAnswer): void {
  fixture.remote.answerWith(({ batch }) =>
    batch.some(({ entityId }) => entityId === entity) ? answer : 'apply',
  );
}

/** Pulls are lost while this says so. Returns how many were asked for. */
function pullsFail(fixture: BackendFixture, isLost: () => boolean): () => number {
  const pull = fixture.remote.pull.bind(fixture.remote);
  let count = 0;
  fixture.remote.pull = async (request, context) => {
    count += 1;
    if (isLost()) throw new RemoteError('remote/offline', 'no network');
    return pull(request, context);
  };
  return () => count;
}

async function days(fixture: BackendFixture, count: number): Promise<void> {
  for (let day = 0; day < count; day += 1) await fixture.runtime.advance('1d');
}

async function attempts(fixture: BackendFixture): Promise<readonly number[]> {
  return (await fixture.backend.pendingChanges()).map((entry) => entry.attempts);
}

const BREAKS: readonly (readonly [string, PushAnswer])[] = [
  ['503', answers.endpoint(503)],
  ['404', answers.endpoint(404)],
  ['no answer', 'lose-request'],
  ['a page that is not ours', answers.portal],
];

describe.each(BREAKS)('an entry that is left alone and met by %s', (_name, answer) => {
  test.each([0, 9])('keeps no news away, beside %i others before', async (others) => {
    const fixture = world();
    breaksWith(fixture, 'bad', answer);
    const ids = Array.from({ length: others }, (_, index) => `${index}`);
    await fixture.notes.saveAll(['bad', ...ids].map((id) => ({ id })));

    for (let run = 0; run < 30; run += 1) {
      await fixture.wait(fixture.backend.sync());
      await fixture.runtime.advance('20m');
    }
    fixture.remote.server.set('notes', 'news', { id: 'news' });
    for (let run = 0; run < 30; run += 1) {
      await fixture.wait(fixture.backend.sync());
      await fixture.runtime.advance('20m');
    }

    expect(fixture.arrivals).toHaveLength(others);
    expect(await fixture.notes.get('news', { policy: 'cache-only' })).toBeDefined();
    expect(fixture.backend.status.current.blockedBy).toBeNull();
    const [paid = 0] = await attempts(fixture);
    // Only a push that worked beside it begins to speak against it.
    if (others === 0) expect(paid).toBe(0);
    else expect(paid).toBeGreaterThan(2);
  });

  test('waits ever longer, and pays nothing for as long as only pulls work', async () => {
    const fixture = world({ autoSync: true });
    breaksWith(fixture, 'bad', answer);
    await fixture.notes.save({ id: 'bad' });

    await days(fixture, 10);
    const before = fixture.requests.length;
    await days(fixture, 1);

    expect(await attempts(fixture)).toEqual([0]);
    expect(before).toBeLessThan(600);
    expect(fixture.requests.length - before).toBeLessThan(70);
    fixture.remote.answerWith(undefined);
    await days(fixture, 1);
    expect(fixture.arrivals).toEqual(['create bad']);
  });

  test('is dead within days once others are taken beside it', async () => {
    const fixture = world({ autoSync: true });
    breaksWith(fixture, 'bad', answer);
    await fixture.notes.save({ id: 'bad' });
    await days(fixture, 3);
    for (const id of ['one', 'two']) {
      await fixture.notes.save({ id });
      await fixture.runtime.advance('2h');
    }

    await days(fixture, 4);

    expect(await fixture.backend.deadLetters()).toMatchObject([{ entityId: 'bad', attempts: 10 }]);
  });

  test('pays nothing while pulls fail too', async () => {
    const fixture = world({ autoSync: true });
    breaksWith(fixture, 'bad', answer);
    const pulls = pullsFail(fixture, () => true);
    await fixture.notes.save({ id: 'bad' });

    await days(fixture, 10);

    expect(await attempts(fixture)).toEqual([0]);
    expect(fixture.requests.length).toBeLessThan(900);
    expect(pulls()).toBeLessThan(900);
  });

  test.each([
    ['by the remote', false, true],
    ['by the store', true, false],
  ])('pays nothing where nothing is pulled %s', async (_by, remote, store) => {
    const fixture = world({
      autoSync: true,
      remote: memoryRemote({ hints: false, pull: remote }),
      store: { pull: store },
    });
    breaksWith(fixture, 'bad', answer);
    await fixture.notes.save({ id: 'bad' });

    await days(fixture, 10);

    expect(await attempts(fixture)).toEqual([0]);
  });
});

test('a server that serves reads alone for days costs several writes nothing, and is not stormed', async () => {
  const fixture = world({ autoSync: true });
  fixture.remote.answerWith(() => answers.endpoint(503));
  const pulls = pullsFail(fixture, () => false);
  await fixture.notes.saveAll(['a', 'b', 'c', 'd'].map((id) => ({ id })));
  await fixture.runtime.advance('1h');
  fixture.remote.server.set('notes', 'news', { id: 'news' });

  await days(fixture, 10);

  expect(await attempts(fixture)).toEqual([0, 0, 0, 0]);
  expect(await fixture.notes.get('news', { policy: 'cache-only' })).toBeDefined();
  expect(fixture.requests.length).toBeLessThan(900);
  expect(pulls()).toBeLessThan(900);
});

describe('one that was to blame once, on a device without a network,', () => {
  async function blamed(): Promise<BackendFixture> {
    const fixture = world({ autoSync: true });
    let isOffline = true;
    pullsFail(fixture, () => isOffline);
    fixture.remote.answerWith(() => answers.offline);
    await fixture.notes.save({ id: 'photo' });
    await fixture.runtime.advance('20m');
    isOffline = false;
    breaksWith(fixture, 'photo', answers.offline);
    for (const id of ['one', 'two', 'three']) {
      await fixture.notes.save({ id });
      await fixture.runtime.advance('1h');
    }
    isOffline = true;
    fixture.remote.answerWith(() => answers.offline);
    return fixture;
  }

  test.each([0, 1, 5])('pays nothing more, also beside %i others', async (others) => {
    const fixture = await blamed();
    // Something worked since the last failure, so the next one may still cost its part.
    await fixture.runtime.advance('2h');
    const [paid = 0] = await attempts(fixture);
    for (let count = 0; count < others; count += 1) await fixture.notes.save({ id: `${count}` });

    await days(fixture, 14);

    expect(paid).toBeGreaterThan(0);
    expect(fixture.arrivals).toHaveLength(3);
    const now = await attempts(fixture);
    expect(now).toEqual([paid, ...Array.from({ length: others }, () => 0)]);
  });

  test('is an entry like others once it is tried again', async () => {
    const fixture = await blamed();
    fixture.remote.answerWith(undefined);
    const [photo] = await fixture.backend.pendingChanges();
    await fixture.notes.save({ id: 'new' });

    await fixture.backend.retry(photo?.id ?? '');
    await fixture.wait(fixture.backend.sync());

    expect(fixture.requests.at(-1)).toEqual(['photo', 'new']);
  });
});

test('on a line that loses most requests nothing dies, and little waits', async () => {
  let waiting = 0;
  for (const seed of [1, 2, 3, 4]) {
    const fixture = world({ autoSync: true });
    const random = createSeededRandom(seed, 'line');
    fixture.remote.answerWith(() => (random.chance(0.85) ? answers.offline : 'apply'));
    for (let count = 0; count < 144; count += 1) {
      await fixture.notes.save({ id: `${count}` });
      await fixture.runtime.advance('10m');
    }
    expect(await fixture.backend.deadLetters()).toEqual([]);
    waiting += (await fixture.backend.pendingChanges()).length;
    await fixture.wait(fixture.backend.close());
  }

  expect(waiting).toBeLessThan(60);
}, 30_000);
