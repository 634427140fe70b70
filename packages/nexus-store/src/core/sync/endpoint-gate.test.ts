import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import { deferred } from '../../testing/deferred.ts';
import { RemoteError } from '../model/errors.ts';

const world = fixtures(afterEach, () => memoryStorage());

async function failTimes(fixture: BackendFixture, times: number): Promise<void> {
  for (let count = 0; count < times; count += 1) {
    await fixture.wait(fixture.backend.sync());
  }
}

const hour = 3_600_000;

describe('the gate', () => {
  test('opens after five failures of the endpoint in a row, and not before', async () => {
    const fixture = world();
    fixture.remote.answerWith(() => answers.offline);
    await fixture.notes.save({ id: 'a' });

    await failTimes(fixture, 4);
    const before = fixture.typesOf('gate-opened').length;
    await failTimes(fixture, 1);

    expect(before).toBe(0);
    expect(fixture.typesOf('gate-opened')).toHaveLength(1);
  });

  test('that is open lets the best head probe alone; once that went, all follow', async () => {
    const fixture = world({ batchSize: 1 });
    fixture.remote.answerWith(() => answers.offline);
    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }, { id: 'c' }], { priority: 'low' });
    await fixture.notes.save({ id: 'best' }, { priority: 'high' });
    await failTimes(fixture, 6);
    const probes = fixture.requests.slice(-1);
    const answer = deferred();
    fixture.remote.answerNext({ answerAfter: answer.promise });
    fixture.remote.answerWith(undefined);

    const running = fixture.backend.sync();
    await fixture.settle();
    const inFlight = fixture.requests.length;
    await fixture.runtime.advance('100ms');
    const stillInFlight = fixture.requests.length;
    answer.resolve();
    await fixture.wait(running);

    expect(probes).toEqual([['best']]);
    expect(stillInFlight).toBe(inFlight);
    expect(fixture.arrivals).toHaveLength(4);
    expect(fixture.typesOf('gate-closed')).toHaveLength(1);
    expect(fixture.backend.status.current.blockedBy).toBeNull();
  });

  test('outlives the process', async () => {
    const database = memoryDatabase();
    const first = world({ storage: memoryStorage({ database }) });
    first.remote.answerWith(() => answers.endpoint(429, 10 * 60_000));
    await first.notes.save({ id: 'a' });
    await first.wait(first.backend.sync());
    await first.backend.close();

    const second = world({ storage: memoryStorage({ database }), runtime: first.runtime });
    const report = await second.wait(second.backend.sync());

    expect(report).toMatchObject({ stoppedBy: 'blocked', pushed: 0 });
    expect(second.requests).toEqual([]);
  });

  test('counts requests that fail side by side once', async () => {
    const fixture = world({ batchSize: 1, concurrency: 4 });
    const slowly = (): Promise<void> =>
      new Promise((resolve) => void fixture.runtime.timers.after(50, resolve));
    fixture.remote.answerWith(() => ({ until: slowly(), answer: answers.offline }));
    await fixture.notes.saveAll(['a', 'b', 'c', 'd', 'e', 'f'].map((id) => ({ id })));

    await failTimes(fixture, 4);

    expect(fixture.requests.length).toBeGreaterThanOrEqual(16);
    expect(fixture.typesOf('gate-opened')).toEqual([]);
  });

  test('keeps the wish of one request though another beside it succeeds later', async () => {
    const fixture = world({ batchSize: 1, concurrency: 2 });
    const late = deferred();
    fixture.remote.answerNext(
      { until: late.promise, answer: 'apply' },
      answers.endpoint(429, hour),
    );
    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }]);
    const running = fixture.backend.sync();
    await fixture.settle();
    await fixture.runtime.advance('1s');
    late.resolve();
    await fixture.wait(running);

    const again = await fixture.wait(fixture.backend.sync());

    expect(fixture.arrivals).toEqual(['create a']);
    expect(again).toMatchObject({ stoppedBy: 'blocked', remaining: 1 });
    expect(fixture.requests).toHaveLength(2);
  });

  test('grows its waits while a server answers everything with 500', async () => {
    const fixture = world({ autoSync: true, batchSize: 50 });
    fixture.remote.answerWith(() => answers.entry(500));
    await fixture.notes.saveAll(
      ['a', 'b', 'c', 'd'].map((id) => ({ id })),
      { priority: 'high' },
    );

    await fixture.runtime.advance('6h');

    expect(fixture.typesOf('gate-opened')).toHaveLength(1);
    expect(fixture.requests.length).toBeLessThan(600);
    const entries = await fixture.backend.pendingChanges();
    expect(entries).toHaveLength(4);
    expect(Math.max(...entries.map(({ attempts }) => attempts))).toBeLessThan(3);
  });
});

describe('a wish to wait', () => {
  test('is respected by an explicit sync, and by a wake-up, and by a fetch', async () => {
    const fixture = world({ autoSync: true });
    fixture.remote.answerNext(answers.endpoint(503, hour));
    await fixture.notes.save({ id: 'a' });
    const { nextAttemptAt } = await fixture.wait(fixture.backend.sync());

    await fixture.runtime.advance('59m');
    const early = await fixture.wait(fixture.backend.sync({ reason: 'wake-up' }));
    fixture.backend.wake();
    await fixture.notes.save({ id: 'b' }, { priority: 'critical' });
    await fixture.runtime.advance('10s');
    await expect(fixture.backend.fetch('notes')).rejects.toMatchObject({
      code: 'remote/throttled',
    });
    const requests = fixture.requests.length;
    await fixture.runtime.advance('2m');

    expect(nextAttemptAt).toBe(fixture.runtime.clock.now() - (61 * 60_000 + 10_000) + hour);
    expect(early).toMatchObject({ stoppedBy: 'blocked', pushed: 0 });
    expect(requests).toBe(1);
    expect(fixture.arrivals).toHaveLength(2);
  });

  test('is at most a day, whatever the server says', async () => {
    const fixture = world();
    fixture.remote.answerNext(answers.endpoint(503, 1e15));
    await fixture.notes.save({ id: 'a' });
    await fixture.wait(fixture.backend.sync());

    await fixture.runtime.advance('24h');
    const report = await fixture.wait(fixture.backend.sync());

    expect(report.pushed).toBe(1);
  });

  test('that a pull was answered with holds pushes too', async () => {
    const fixture = world();
    const pull = fixture.remote.pull.bind(fixture.remote);
    fixture.remote.pull = async () => {
      throw new RemoteError('remote/throttled', 'later', { status: 429, retryAfterMs: hour });
    };
    const first = await fixture.wait(fixture.backend.sync());
    fixture.remote.pull = pull;
    await fixture.notes.save({ id: 'a' });

    const second = await fixture.wait(fixture.backend.sync());

    expect(first.stoppedBy).toBe('blocked');
    expect(second).toMatchObject({ stoppedBy: 'blocked', pushed: 0 });
  });

  test.each([
    ['back by a day', -24 * hour],
    ['back by a minute', -60_000],
  ])('is kept once from anew, and no longer, when the clock is moved %s', async (_, jump) => {
    const fixture = world();
    fixture.remote.answerNext(answers.endpoint(503, 10 * 60_000));
    await fixture.notes.save({ id: 'a' });
    await fixture.wait(fixture.backend.sync());

    fixture.runtime.jumpWallClock(jump);
    const early = await fixture.wait(fixture.backend.sync());
    await fixture.runtime.advance('9m');
    const stillEarly = await fixture.wait(fixture.backend.sync());
    await fixture.runtime.advance('2m');
    const late = await fixture.wait(fixture.backend.sync());

    expect([early.pushed, stillEarly.pushed, late.pushed]).toEqual([0, 0, 1]);
  });

  test('does not come back with a clock that was moved past it, and is moved back', async () => {
    const fixture = world();
    fixture.remote.answerNext(answers.endpoint(503, hour));
    await fixture.notes.save({ id: 'a' });
    await fixture.wait(fixture.backend.sync());
    fixture.runtime.jumpWallClock(24 * hour);
    const past = await fixture.wait(fixture.backend.sync());
    fixture.runtime.jumpWallClock(-24 * hour);
    await fixture.notes.save({ id: 'b' });

    const back = await fixture.wait(fixture.backend.sync());

    expect([past.pushed, back.pushed]).toEqual([1, 1]);
  });

  test('is over when the clock is moved forward past it', async () => {
    const fixture = world();
    fixture.remote.answerNext(answers.endpoint(503, hour));
    await fixture.notes.save({ id: 'a' });
    await fixture.wait(fixture.backend.sync());

    fixture.runtime.jumpWallClock(2 * hour);
    const report = await fixture.wait(fixture.backend.sync());

    expect(report.pushed).toBe(1);
  });
});

describe('refused credentials', () => {
  test('block their user, leave every entry as it was, and send nothing by themselves', async () => {
    const fixture = world({ autoSync: true });
    await fixture.backend.signIn('ann');
    fixture.remote.answerWith(() => answers.unauthorised);
    await fixture.notes.save({ id: 'a' }, { priority: 'critical' });
    const before = await fixture.backend.pendingChanges();
    await fixture.runtime.advance('1s');
    const requests = fixture.requests.length;

    await fixture.notes.save({ id: 'b' }, { priority: 'critical' });
    await fixture.runtime.advance('1h');

    expect(requests).toBe(1);
    expect(fixture.requests).toHaveLength(1);
    expect((await fixture.backend.pendingChanges())[0]).toEqual(before[0]);
    expect(fixture.backend.status.current).toMatchObject({
      blockedBy: { reason: 'unauthorised', until: null },
      nextAttemptAt: null,
    });
    expect(fixture.typesOf('unauthorised')).toHaveLength(1);
  });

  test('are tried once by an explicit sync, and forgotten when that works', async () => {
    const fixture = world({ autoSync: true });
    fixture.remote.answerNext(answers.unauthorised);
    await fixture.notes.save({ id: 'a' });
    const first = await fixture.wait(fixture.backend.sync());

    const second = await fixture.wait(fixture.backend.sync());

    expect([first.stoppedBy, second.stoppedBy]).toEqual(['blocked', 'drained']);
    expect(fixture.backend.status.current.blockedBy).toBeNull();
  });

  test('do not block another user, and not the same one who signs in anew', async () => {
    const fixture = world({ autoSync: true });
    await fixture.backend.signIn('ann');
    fixture.remote.answerWith(({ principal }) =>
      principal === 'ann' ? answers.unauthorised : 'apply',
    );
    await fixture.notes.save({ id: 'a' }, { priority: 'critical' });
    await fixture.runtime.advance('1s');

    await fixture.backend.signIn('bob');
    await fixture.notes.save({ id: 'b' }, { priority: 'critical' });
    await fixture.runtime.advance('1s');
    const ofBob = fixture.arrivals;
    await fixture.backend.signIn('ann');
    fixture.remote.answerWith(undefined);
    await fixture.backend.signIn('ann');
    await fixture.runtime.advance('1s');

    expect(ofBob).toEqual(['create b']);
    expect(fixture.arrivals).toEqual(['create b', 'create a']);
  });

  test('keep a wish to wait that came before, though the user signs in anew', async () => {
    const fixture = world();
    fixture.remote.answerNext(answers.endpoint(503, hour));
    await fixture.notes.save({ id: 'a' });
    await fixture.wait(fixture.backend.sync());

    await fixture.backend.signIn('ann');
    await fixture.backend.signOut();
    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ stoppedBy: 'blocked', pushed: 0 });
  });
});

test('a server that wants a newer app blocks everyone, and says so', async () => {
  const fixture = world({ autoSync: true });
  fixture.remote.answerWith(() => answers.upgrade);
  await fixture.notes.save({ id: 'a' }, { priority: 'critical' });
  await fixture.runtime.advance('1h');

  expect(fixture.requests).toHaveLength(1);
  expect(fixture.backend.status.current.blockedBy).toEqual({
    reason: 'upgrade-required',
    until: null,
  });
  expect(fixture.typesOf('upgrade-required')).toHaveLength(1);
});

test('a pull that works ends the failures that pulls had before', async () => {
  const fixture = world();
  const pull = fixture.remote.pull.bind(fixture.remote);
  fixture.remote.pull = async () => {
    throw new RemoteError('remote/offline', 'no network');
  };
  await failTimes(fixture, 5);
  fixture.remote.pull = pull;

  const report = await fixture.wait(fixture.backend.sync());

  expect(report.stoppedBy).toBe('drained');
  expect(fixture.typesOf('gate-opened', 'gate-closed')).toEqual(['gate-opened', 'gate-closed']);
  expect(fixture.backend.status.current.lastFailure).toBeNull();
});

test('a wish to wait that another context was told stops a run in its middle', async () => {
  const database = memoryDatabase();
  const one = world({ storage: memoryStorage({ database }), batchSize: 1, concurrency: 1 });
  const two = world({ storage: memoryStorage({ database }), runtime: one.runtime });
  const held = deferred();
  one.remote.answerNext({ until: held.promise, answer: 'apply' });
  await one.notes.saveAll([{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
  const running = one.backend.sync();
  await one.settle();
  two.remote.answerNext(answers.endpoint(503, hour));
  await two.wait(two.backend.sync());

  held.resolve();
  const report = await one.wait(running);

  expect(report).toMatchObject({ pushed: 1, remaining: 2, stoppedBy: 'blocked' });
  expect(one.requests).toHaveLength(1);
});

test('a wish to wait counts though another context has taken the entries over meanwhile', async () => {
  const database = memoryDatabase();
  const late = world({ storage: memoryStorage({ database }) });
  const other = world({ storage: memoryStorage({ database }), runtime: late.runtime });
  const held = deferred();
  late.remote.push = async (batch) => {
    await held.promise;
    return batch.map(() => answers.endpoint(429, hour));
  };
  await late.notes.save({ id: 'a' });
  const running = late.backend.sync();
  await late.settle();
  await late.backend.writer.write(async (uow) => {
    for (const fence of (await uow.leases()).keys()) await uow.deleteLease(fence);
  });

  held.resolve();
  await late.wait(running);
  const report = await other.wait(other.backend.sync());

  expect(late.typesOf('claim-lost')).toHaveLength(1);
  expect(report).toMatchObject({ stoppedBy: 'blocked', pushed: 0 });
});
