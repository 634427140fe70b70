import { afterEach, describe, expect, test } from 'vitest';
import type { Outcome } from '../model/outcome.ts';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import { answers, BackendFixture, fixtures } from '../../testing/backend-fixture.ts';
import type { OutgoingEntry } from '../ports/remote.ts';

const world = fixtures(afterEach, () => memoryStorage());

/** Two notes of different lanes, then a sync. */
async function syncTwo(fixture: BackendFixture): Promise<void> {
  await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }]);
  await fixture.wait(fixture.backend.sync());
}

async function only(fixture: BackendFixture, id = 'a') {
  const all = [
    ...(await fixture.backend.pendingChanges()),
    ...(await fixture.backend.deadLetters()),
  ];
  return all.find((entry) => entry.entityId === id);
}

describe('one entry answered with', () => {
  const cases: readonly [string, Outcome, Record<string, unknown>, string][] = [
    ['no answer', answers.offline, { state: 'pending', isAmbiguous: true, attempts: 0 }, 'offline'],
    [
      'a captive portal',
      answers.portal,
      { state: 'pending', isAmbiguous: true, attempts: 0 },
      'offline',
    ],
    [
      '401',
      answers.unauthorised,
      { state: 'pending', isAmbiguous: false, attempts: 0, lastFailure: null, notBefore: null },
      'blocked',
    ],
    ['403', answers.rejected(403), { state: 'dead', attempts: 1 }, 'drained'],
    ['413', answers.tooLarge, { state: 'dead', attempts: 1 }, 'drained'],
    ['422', answers.rejected(422), { state: 'dead', attempts: 1 }, 'drained'],
    ['423', answers.entry(423), { state: 'pending', isAmbiguous: false, attempts: 1 }, 'drained'],
    ['426', answers.upgrade, { state: 'pending', isAmbiguous: false, attempts: 0 }, 'blocked'],
    [
      '429',
      answers.endpoint(429, 60_000),
      { state: 'pending', isAmbiguous: false, attempts: 0 },
      'blocked',
    ],
    ['500', answers.entry(500), { state: 'pending', isAmbiguous: true, attempts: 1 }, 'drained'],
    [
      '503',
      answers.endpoint(503),
      { state: 'pending', isAmbiguous: false, attempts: 0 },
      'blocked',
    ],
  ];

  test.each(cases)('%s', async (_, outcome, expected, stoppedBy) => {
    const fixture = world();
    fixture.remote.answerWith(() => outcome);
    await fixture.notes.save({ id: 'a' });

    const report = await fixture.wait(fixture.backend.sync());

    expect(await only(fixture)).toMatchObject(expected);
    expect(report.stoppedBy).toBe(stoppedBy);
    expect(report.dead).toBe(expected['state'] === 'dead' ? 1 : 0);
  });
});

describe('a batch', () => {
  test('of which one entry is rejected buries that one and applies the rest', async () => {
    const fixture = world();
    fixture.remote.answerWith(
      () => (sent: OutgoingEntry) => (sent.entityId === 'a' ? answers.rejected(422) : undefined),
    );

    await syncTwo(fixture);

    expect(fixture.arrivals).toEqual(['create b']);
    expect(await only(fixture)).toMatchObject({ state: 'dead' });
  });

  test('that is too large is halved until it fits, and only a lone entry is buried', async () => {
    const fixture = world({ batchSize: 8, concurrency: 1 });
    fixture.remote.answerWith(({ batch }) => {
      const isHuge = batch.some(({ entityId }) => entityId === 'huge');
      return isHuge || batch.length > 2 ? answers.tooLarge : 'apply';
    });
    await fixture.notes.saveAll(['1', '2', '3', 'huge', '5', '6', '7', '8'].map((id) => ({ id })));

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 7, dead: 1, remaining: 0, stoppedBy: 'drained' });
    expect((await fixture.backend.deadLetters()).map(({ entityId }) => entityId)).toEqual(['huge']);
    expect(Math.max(...fixture.requests.slice(2).map((ids) => ids.length))).toBeLessThanOrEqual(2);
  });

  test('answered 500 for one poisonous entry is isolated: that one pays, the others go', async () => {
    const fixture = world({ batchSize: 8 });
    fixture.remote.answerWith(({ batch }) =>
      batch.some(({ entityId }) => entityId === '3') ? answers.entry(500) : 'apply',
    );
    await fixture.notes.saveAll(['1', '2', '3', '4', '5', '6'].map((id) => ({ id })));

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 5, remaining: 1, stoppedBy: 'drained' });
    expect(await only(fixture, '3')).toMatchObject({ attempts: 1, isAmbiguous: true });
    expect(fixture.backend.status.current.blockedBy).toBeNull();
  });

  test('with several poisonous entries and one good is no failure of the endpoint', async () => {
    const fixture = world();
    fixture.remote.answerWith(
      () => (sent: OutgoingEntry) => (sent.entityId === 'good' ? undefined : answers.entry(500)),
    );
    await fixture.notes.saveAll(['1', '2', '3', '4', 'good'].map((id) => ({ id })));

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 1, remaining: 4, stoppedBy: 'drained' });
    const attempts = (await fixture.backend.pendingChanges()).map((entry) => entry.attempts);
    expect(attempts).toEqual([1, 1, 1, 1]);
  });
});

describe('refusals in a row', () => {
  test("of three lanes with 500 are the endpoint's fault: attempts are given back", async () => {
    const fixture = world({ batchSize: 1, concurrency: 1 });
    fixture.remote.answerWith(() => answers.entry(500));
    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }, { id: 'c' }, { id: 'd' }]);

    const report = await fixture.wait(fixture.backend.sync());

    expect(fixture.requests).toHaveLength(3);
    expect(report).toMatchObject({ stoppedBy: 'blocked', remaining: 4, dead: 0 });
    const entries = await fixture.backend.pendingChanges();
    expect(entries.map(({ attempts, notBefore }) => [attempts, notBefore])).toEqual(
      entries.map(() => [0, null]),
    );
    expect(entries.filter(({ isAmbiguous }) => isAmbiguous)).toHaveLength(3);
  });

  test('of three lanes with 403 bring the buried ones back', async () => {
    const fixture = world({ batchSize: 1, concurrency: 1, store: { ttl: '7d' } });
    fixture.remote.answerWith(() => answers.rejected(403));
    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
    const before = await fixture.backend.pendingChanges();

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ stoppedBy: 'blocked', remaining: 3, dead: 0 });
    expect(await fixture.backend.deadLetters()).toEqual([]);
    const after = await fixture.backend.pendingChanges();
    expect(after.map(({ attempts }) => attempts)).toEqual([0, 0, 0]);
    expect(after.map(({ expiresAt }) => expiresAt)).toEqual(
      before.map(({ expiresAt }) => expiresAt),
    );
  });

  test('of a whole batch with 403 touch no entry', async () => {
    const fixture = world();
    fixture.remote.answerWith(() => answers.rejected(403));
    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }, { id: 'c' }]);

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ stoppedBy: 'blocked', remaining: 3, dead: 0 });
    expect(fixture.typesOf('entry-buried')).toEqual([]);
  });

  test('of two lanes with 403 and then success bury both', async () => {
    const fixture = world({ batchSize: 1, concurrency: 1 });
    fixture.remote.answerNext(answers.rejected(403), answers.rejected(403));
    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }, { id: 'c' }]);

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ stoppedBy: 'drained', pushed: 1, dead: 2 });
  });

  test('of one transaction over many lanes count once', async () => {
    const fixture = world({ batchSize: 10 });
    fixture.remote.answerWith(({ batch }) =>
      batch.every(({ group }) => group === null) ? 'apply' : answers.entry(500),
    );
    await fixture.backend.transaction(async (tx) => {
      for (const id of ['a', 'b', 'c', 'd']) await tx.store(fixture.notes).save({ id });
    });

    const report = await fixture.wait(fixture.backend.sync());

    expect(report.stoppedBy).toBe('drained');
    const entries = await fixture.backend.pendingChanges();
    expect(entries.map(({ attempts }) => attempts)).toEqual([1, 1, 1, 1]);
    expect(new Set(entries.map(({ notBefore }) => notBefore)).size).toBe(1);
  });
});

describe('an entry', () => {
  test('becomes a dead letter with its last allowed attempt, and keeps what is unknown of it', async () => {
    const fixture = world({ maxAttempts: 3 });
    fixture.remote.answerWith(() => answers.entry(500));
    await fixture.notes.save({ id: 'a' });
    const key = (await only(fixture))?.idempotencyKey;

    for (let attempt = 0; attempt < 3; attempt += 1) {
      await fixture.wait(fixture.backend.sync());
      await fixture.runtime.advance('1h');
    }

    expect(await only(fixture)).toMatchObject({ state: 'dead', attempts: 3, isAmbiguous: true });
    fixture.remote.answerWith(undefined);
    await fixture.backend.retry((await only(fixture))?.id ?? '');
    expect(await only(fixture)).toMatchObject({ idempotencyKey: key, attempts: 0 });
  });

  test('waits at least as long as the server asked, at most a day', async () => {
    const fixture = world();
    fixture.remote.answerWith(
      () => (sent: OutgoingEntry) => answers.entry(423, sent.entityId === 'a' ? 3_600_000 : 1e12),
    );
    const now = fixture.runtime.clock.now();

    await syncTwo(fixture);

    expect((await only(fixture))?.notBefore).toBe(now + 3_600_000);
    expect((await only(fixture, 'b'))?.notBefore).toBe(now + 24 * 3_600_000);
    await fixture.runtime.advance('59m');
    await fixture.wait(fixture.backend.sync());
    expect(fixture.requests).toHaveLength(1);
  });

  test('waits whole milliseconds, whatever the server asked for', async () => {
    const fixture = world();
    const wishes: Readonly<Record<string, number>> = { a: 3_600_000.25, b: Number.NaN, c: -5 };
    fixture.remote.answerWith(
      () => (sent: OutgoingEntry) => answers.entry(423, wishes[String(sent.entityId)]),
    );
    const now = fixture.runtime.clock.now();
    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }, { id: 'c' }]);

    const report = await fixture.wait(fixture.backend.sync());

    const entries = await Promise.all(['a', 'b', 'c'].map((id) => only(fixture, id)));
    const waits = entries.map((entry) => (entry?.notBefore ?? Number.NaN) - now);
    expect(waits[0]).toBe(3_600_001);
    for (const wait of waits.slice(1)) expect(wait).toSatisfy(Number.isInteger);
    expect(Math.max(...waits.slice(1))).toBeLessThanOrEqual(1_000);
    expect(report.nextAttemptAt).toSatisfy(Number.isInteger);
  });

  test.each([
    ['linear', [1, 2, 3, 4].map((step) => step * 1_000)],
    ['exponential', [1, 2, 4, 8].map((step) => step * 1_000)],
  ] as const)('waits longer after each attempt, %s, with full jitter', async (policy, ceilings) => {
    const fixture = world({ backoff: { policy, initial: '1s' } });
    fixture.remote.answerWith(() => answers.entry(423));
    await fixture.notes.save({ id: 'a' });

    for (const ceiling of ceilings) {
      await fixture.wait(fixture.backend.sync());
      const wait = ((await only(fixture))?.notBefore ?? 0) - fixture.runtime.clock.now();
      expect(wait).toBeGreaterThanOrEqual(250);
      expect(wait).toBeLessThanOrEqual(Math.max(250, ceiling));
      await fixture.runtime.advance('1m');
    }
  });

  test('whose time to live is over is buried instead of sent', async () => {
    const fixture = world();
    await fixture.notes.save({ id: 'a' }, { ttl: '1h' });
    await fixture.runtime.advance('61m');

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 0, dead: 1 });
    expect((await only(fixture))?.lastFailure?.code).toBe('queue/expired');
    expect(fixture.requests).toEqual([]);
  });

  test('whose fate is unknown is sent again with the same key, and applied once', async () => {
    const fixture = world();
    fixture.remote.answerNext('lose-answer');
    await fixture.notes.save({ id: 'a' });

    await fixture.wait(fixture.backend.sync());
    await fixture.notes.save({ id: 'a', text: 'later' });
    await fixture.wait(fixture.backend.sync());

    expect(fixture.arrivals).toEqual(['create a', 'update a']);
    expect(fixture.remote.server.replayCount).toBe(1);
  });
});

describe('events', () => {
  test('tell of a captive portal', async () => {
    const fixture = world();
    fixture.remote.answerNext(answers.portal);
    await fixture.notes.save({ id: 'a' });

    await fixture.wait(fixture.backend.sync());

    expect(fixture.typesOf('answer-not-recognised')).toHaveLength(1);
  });

  test('tell the life of an entry, in order', async () => {
    const fixture = world();
    fixture.remote.answerNext(answers.entry(423));
    await fixture.notes.save({ id: 'a' });
    await fixture.wait(fixture.backend.sync());
    await fixture.runtime.advance('1m');
    await fixture.wait(fixture.backend.sync());

    expect(fixture.events.map(({ type }) => type)).toEqual([
      'entry-enqueued',
      'sync-started',
      'push-started',
      'entry-released',
      'sync-finished',
      'sync-started',
      'push-started',
      'entry-applied',
      'rows-pulled',
      'sync-finished',
    ]);
  });

  test('are heard for every write of saveAll and of a transaction', async () => {
    const fixture = world();

    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }]);
    await fixture.backend.transaction(async (tx) => {
      await tx.store(fixture.notes).save({ id: 'a', text: 'x' });
      await tx.store(fixture.notes).delete('b');
    });

    expect(
      fixture.events.map((event) =>
        event.type === 'entry-enqueued' ? event.operation : event.type,
      ),
    ).toEqual(['create', 'create', 'update', 'delete']);
  });
});

describe('a broken remote', () => {
  const breaks: readonly [string, () => Promise<readonly Outcome[]>][] = [
    ['throws', () => Promise.reject(new TypeError('boom'))],
    ['gives no outcomes', async () => undefined as never],
    ['gives too few', async () => []],
    ['gives too many', async () => [{ kind: 'applied' }, { kind: 'applied' }, { kind: 'applied' }]],
  ];

  test.each(breaks)('that %s costs no entry an attempt and loses none', async (_, push) => {
    const fixture = world();
    const honest = fixture.remote.push.bind(fixture.remote);
    fixture.remote.push = push;
    await syncTwo(fixture);
    const held = await fixture.backend.pendingChanges();

    fixture.remote.push = honest;
    await fixture.runtime.advance('10m');
    await fixture.wait(fixture.backend.sync());

    expect(held.map(({ attempts, isAmbiguous }) => [attempts, isAmbiguous])).toEqual([
      [0, true],
      [0, true],
    ]);
    expect(fixture.arrivals).toEqual(['create a', 'create b']);
  });

  test('that gives an unknown outcome keeps that entry, ambiguous, and the others go', async () => {
    const fixture = world();
    fixture.remote.answerNext((sent) =>
      sent.entityId === 'a' ? ({ kind: 'whatever' } as never) : undefined,
    );

    await syncTwo(fixture);

    expect(fixture.arrivals).toEqual(['create b']);
    expect(await only(fixture)).toMatchObject({ isAmbiguous: true, state: 'pending' });
  });

  test.each([
    ['a number', { kind: 'applied', version: 5 }],
    ['an object', { kind: 'applied', version: { at: 5 } }],
    ['a number, and a value', { kind: 'applied', version: 5, value: { id: 'a', text: 'theirs' } }],
  ])('whose version is %s has applied the entry all the same', async (_, outcome) => {
    const fixture = world({ remote: memoryRemote({ hints: false, pull: false }) });
    fixture.remote.answerNext(() => outcome as never);
    await fixture.notes.save({ id: 'a', text: 'mine' });

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 1, remaining: 0 });
    const value = 'value' in outcome ? outcome.value : { id: 'a', text: 'mine' };
    expect(await fixture.notes.get('a')).toEqual(value);
    await fixture.notes.patch('a', { at: 1 });
    await fixture.wait(fixture.backend.sync());
    expect(fixture.remote.attempts.at(-1)?.batch[0]).toMatchObject({ baseVersion: null });
  });

  const circle: { self?: unknown } = {};
  circle.self = circle;
  const anything: readonly [string, unknown][] = [
    ['nothing', undefined],
    ['a text', 'boom'],
    ['a number', 1n],
    ['a circle', circle],
    ['a function', () => 1],
  ];

  test.each(anything)(
    'with %s in every part of its outcomes keeps every entry',
    async (_, junk) => {
      const fixture = world();
      const ids: Record<string, unknown> = {
        conflict: { version: junk, remote: () => junk, failure: junk },
        rejected: { failure: { code: junk, at: junk, detail: junk, status: junk, more: junk } },
        tooLarge: { failure: { code: junk, at: junk, detail: junk, status: junk, more: junk } },
        retry: {
          scope: junk,
          ambiguous: junk,
          retryAfterMs: junk,
          withheld: junk,
          upgradeRequired: junk,
          failure: { code: junk, at: junk, detail: junk, status: junk, more: junk },
        },
        bare: { failure: junk },
      };
      const kinds: Record<string, string> = { tooLarge: 'too-large', bare: 'rejected' };
      fixture.remote.answerNext(({ entityId }) => {
        const kind = kinds[String(entityId)] ?? String(entityId);
        return { kind, ...(ids[String(entityId)] as object) } as never;
      });
      await fixture.notes.saveAll(Object.keys(ids).map((id) => ({ id })));

      await fixture.wait(fixture.backend.sync());

      const all = [
        ...(await fixture.backend.pendingChanges()),
        ...(await fixture.backend.deadLetters()),
      ];
      expect(all.map(({ entityId }) => String(entityId)).sort()).toEqual(Object.keys(ids).sort());
      expect(all.filter(({ state }) => state === 'claimed')).toEqual([]);
      for (const { lastFailure } of all) {
        expect(lastFailure?.code).toMatch(/^(remote\/|store\/|boom$)/);
        expect(lastFailure?.at).toSatisfy(Number.isFinite);
      }
    },
  );

  test.each([
    ['cannot be stored', circle],
    ['has another id', { id: 'zz' }],
  ])('whose side of a conflict %s deletes nothing', async (_, remote) => {
    const fixture = world({
      remote: memoryRemote({ hints: false, pull: false }),
      store: { conflict: 'server-wins' },
    });
    fixture.remote.answerNext(() => ({ kind: 'conflict', remote, version: '7' }) as never);
    await fixture.notes.save({ id: 'a', text: 'mine' });

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 0, remaining: 1 });
    expect(await fixture.notes.get('a')).toEqual({ id: 'a', text: 'mine' });
    expect(await only(fixture)).toMatchObject({
      state: 'pending',
      lastFailure: { code: 'store/conflict' },
    });
  });

  test('that gives a list with holes keeps its entries, ambiguous', async () => {
    const fixture = world();
    fixture.remote.push = async ({ length }) => Object.assign([] as Outcome[], { length });

    await syncTwo(fixture);

    const held = await fixture.backend.pendingChanges();
    expect(held.map(({ state, isAmbiguous }) => [state, isAmbiguous])).toEqual([
      ['pending', true],
      ['pending', true],
    ]);
  });

  test('whose value cannot be stored has applied the entry all the same', async () => {
    const fixture = world({ remote: memoryRemote({ hints: false, pull: false }) });
    fixture.remote.answerNext(() => ({ kind: 'applied', version: '7', value: () => {} }));
    await fixture.notes.save({ id: 'a', text: 'mine' });

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 1, remaining: 0 });
    expect(await fixture.notes.get('a')).toEqual({ id: 'a', text: 'mine' });
  });
});

test('a restart in the middle of a send resends the same key once the lease is over', async () => {
  const database = memoryDatabase();
  const storage = memoryStorage({ database });
  const runtime = createVirtualRuntime(7);
  const process = runtime.createProcess();
  const first = new BackendFixture({ storage, runtime, process });
  first.remote.answerWith(() => 'hang');
  await first.notes.save({ id: 'a' });
  void first.backend.sync().catch(() => {});
  await first.settle();
  process.kill();
  storage.kill();

  const again = world({
    storage: memoryStorage({ database }),
    runtime,
    remote: first.remote,
  });
  first.remote.answerWith(undefined);
  await again.runtime.advance('30s');
  const early = await again.wait(again.backend.sync());
  await again.runtime.advance('11s');
  const late = await again.wait(again.backend.sync());

  expect(early).toMatchObject({ pushed: 0, remaining: 1 });
  expect(late).toMatchObject({ pushed: 1, remaining: 0 });
  const keys = again.remote.attempts.map(({ batch }) => batch[0]?.idempotencyKey);
  expect(new Set(keys).size).toBe(1);
});
