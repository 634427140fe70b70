import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import {
  answers,
  fixtures,
  type BackendFixture,
  type BackendFixtureOptions,
} from '../../testing/backend-fixture.ts';
import { memoryRemote, type PushAnswer } from '../../testing/memory-remote.ts';
import { MemoryServer } from '../../testing/memory-server.ts';

const world = fixtures(afterEach, () => memoryStorage());

/** On the way of each request that carries this entity something breaks. */
function breaksWith(fixture: BackendFixture, entity: string, answer: PushAnswer): void {
  fixture.remote.answerWith(({ batch }) =>
    batch.some(({ entityId }) => entityId === entity) ? answer : 'apply',
  );
}

async function days(fixture: BackendFixture, count: number): Promise<void> {
  for (let day = 0; day < count; day += 1) await fixture.runtime.advance('1d');
}

async function attemptsOf(fixture: BackendFixture): Promise<Record<string, number>> {
  const entries = await fixture.backend.pendingChanges();
  return Object.fromEntries(entries.map(({ entityId, attempts }) => [entityId, attempts]));
}

const BREAKS: readonly (readonly [string, PushAnswer])[] = [
  ['504', answers.endpoint(504)],
  ['no answer', 'lose-request'],
  ['a page that is not ours', answers.portal],
];

describe.each(BREAKS)('one entry that is met by %s', (_name, answer) => {
  test('does not hold up the others, and is dead with the reason in the end', async () => {
    const fixture = world({ autoSync: true });
    breaksWith(fixture, 'bad', answer);
    await fixture.notes.save({ id: 'bad', text: 'x' }, { priority: 'critical' });
    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
    await fixture.runtime.advance('10m');
    const early = fixture.arrivals.length;

    const late: number[] = [];
    for (let day = 0; day < 12; day += 1) {
      await fixture.notes.save({ id: `day ${day}` });
      await fixture.runtime.advance('3h');
      late.push(fixture.arrivals.length);
    }

    expect(early).toBe(3);
    expect(late).toEqual(Array.from({ length: 12 }, (_, day) => 4 + day));
    const [dead, ...others] = await fixture.backend.deadLetters();
    expect(others).toEqual([]);
    expect(dead).toMatchObject({ entityId: 'bad', attempts: 10 });
    expect(dead?.lastFailure?.code).toMatch(/^remote\//);
    expect(fixture.requests.length).toBeLessThan(120);
  });

  test('does not hold up a stream of better ones, and neither does it when it is found', async () => {
    const fixture = world({ autoSync: true });
    breaksWith(fixture, 'bad', answer);
    await fixture.notes.save({ id: 'bad' }, { priority: 'low' });
    await fixture.notes.saveAll(Array.from({ length: 200 }, (_, index) => ({ id: `${index}` })));
    await fixture.runtime.advance('2m');
    const first = fixture.arrivals.length;

    const late: number[] = [];
    for (let count = 0; count < 200; count += 1) {
      await fixture.notes.save({ id: `new ${count}` }, { priority: 'critical' });
      await fixture.runtime.advance('15s');
      late.push(201 + count - fixture.arrivals.length);
    }

    expect(first).toBe(200);
    // While the gate is open, a way that is broken for all is as likely.
    const found = late.indexOf(0);
    expect(found).toBeLessThan(20);
    expect(Math.max(...late.slice(found))).toBeLessThan(2);
    expect(late.slice(found).filter((waiting) => waiting > 0).length).toBeLessThan(5);
    expect((await attemptsOf(fixture))['bad']).toBeGreaterThan(3);
  });

  test('is found in the middle of full requests in a few runs', async () => {
    const fixture = world({ concurrency: 1 });
    breaksWith(fixture, 'bad', answer);
    const ids = Array.from({ length: 60 }, (_, index) => (index === 30 ? 'bad' : `${index}`));
    await fixture.notes.saveAll(ids.map((id) => ({ id })));

    const sent: number[] = [];
    for (let run = 0; run < 12; run += 1) {
      await fixture.wait(fixture.backend.sync());
      sent.push(fixture.arrivals.length);
    }

    expect(sent[1]).toBe(25);
    expect(sent.at(-1)).toBe(59);
  });

  test('is dead in the end once it was to blame, also where nothing can be sent beside it any more', async () => {
    const fixture = world({ autoSync: true });
    breaksWith(fixture, 'bad', answer);
    const { entry } = await fixture.notes.save({ id: 'bad' });
    await fixture.notes.save({ id: 'a' });
    await fixture.runtime.advance('1h');
    await fixture.notes.save({ id: 'b' });
    await fixture.notes.save({ id: 'after' }, { after: [entry ?? { id: '' }] });

    await fixture.runtime.advance('12h');
    const early = await fixture.backend.deadLetters();
    await days(fixture, 9);

    expect(early).toEqual([]);
    const [dead] = await fixture.backend.deadLetters();
    expect(dead).toMatchObject({ entityId: 'bad', attempts: 10 });
  });

  test('gets nothing held against it while nothing else shows that the server works', async () => {
    const fixture = world({ autoSync: true });
    breaksWith(fixture, 'bad', answer);
    await fixture.notes.save({ id: 'bad' });

    await days(fixture, 10);

    expect(await attemptsOf(fixture)).toEqual({ bad: 0 });
    expect(await fixture.backend.deadLetters()).toEqual([]);
    expect(fixture.requests.length).toBeLessThan(900);
  });

  test('lets the others go in runs of one request at a time, each in a process of its own', async () => {
    const database = memoryDatabase();
    const server = new MemoryServer();
    const start = (runtime?: BackendFixtureOptions['runtime']): BackendFixture => {
      const fixture = world({
        storage: memoryStorage({ database }),
        remote: memoryRemote({ hints: false, server }),
        concurrency: 1,
        batchSize: 2,
        ...(runtime !== undefined && { runtime }),
      });
      breaksWith(fixture, 'bad', answer);
      return fixture;
    };
    let fixture = start();
    await fixture.notes.save({ id: 'bad' }, { priority: 'high' });

    for (let day = 0; day < 28; day += 1) {
      await fixture.notes.save({ id: `day ${day}` });
      await fixture.wait(fixture.backend.sync({ budget: '25s' }));
      await fixture.backend.close();
      await fixture.runtime.advance('1d');
      fixture = start(fixture.runtime);
    }

    expect(server.applied.length).toBe(28);
    expect(await fixture.backend.deadLetters()).toMatchObject([{ entityId: 'bad', attempts: 10 }]);
  });
});

test('what is answered with a conflict is not put together again with what breaks the way', async () => {
  const fixture = world({ concurrency: 1 });
  let conflicts = 0;
  const theirs = (): PushAnswer => ({
    kind: 'conflict',
    remote: { id: 'a', text: `theirs ${conflicts}` },
    version: `${(conflicts += 1)}`,
  });
  fixture.remote.answerWith(({ batch }) => {
    if (batch.some(({ entityId }) => entityId === 'bad')) return 'lose-request';
    return conflicts < 2 ? theirs() : 'apply';
  });
  await fixture.notes.saveAll([{ id: 'a', text: 'ours' }, { id: 'bad' }]);

  for (let run = 0; run < 8; run += 1) await fixture.wait(fixture.backend.sync());

  expect(conflicts).toBe(2);
  expect((await fixture.backend.pendingChanges()).map(({ entityId }) => entityId)).toEqual(['bad']);
});

describe('a way that is broken for all', () => {
  test.each(BREAKS)('costs no attempt, and one request each time: %s', async (_name, answer) => {
    const fixture = world({ batchSize: 1 });
    fixture.remote.answerWith(() => answer);
    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
    await fixture.notes.save({ id: 'best' }, { priority: 'critical' });
    for (let run = 0; run < 5; run += 1) await fixture.wait(fixture.backend.sync());
    const before = fixture.requests.length;

    for (let run = 0; run < 12; run += 1) await fixture.wait(fixture.backend.sync());

    const probes = fixture.requests.slice(before).map(([entity]) => entity);
    expect(probes.slice(0, 8)).toEqual(['best', 'a', 'b', 'c', 'best', 'a', 'b', 'c']);
    expect(probes).toHaveLength(12);
    expect(await attemptsOf(fixture)).toEqual({ best: 0, a: 0, b: 0, c: 0 });
  });

  test('and mended leaves nothing held against anybody, and the best goes next', async () => {
    const fixture = world({ batchSize: 1, concurrency: 1 });
    fixture.remote.answerWith(() => answers.offline);
    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }]);
    await fixture.notes.save({ id: 'best' }, { priority: 'critical' });
    for (let run = 0; run < 6; run += 1) await fixture.wait(fixture.backend.sync());
    fixture.remote.answerWith(undefined);

    await fixture.wait(fixture.backend.sync());

    expect(fixture.arrivals).toEqual(['create a', 'create best', 'create b']);
  });

  test('again, just as a suspect is sent, costs that one an attempt and no other', async () => {
    const fixture = world({ batchSize: 1, concurrency: 1 });
    fixture.remote.answerWith(() => answers.offline);
    await fixture.notes.saveAll(['a', 'b', 'c', 'd', 'e'].map((id) => ({ id })));
    for (let run = 0; run < 12; run += 1) await fixture.wait(fixture.backend.sync());
    await fixture.notes.saveAll([{ id: 'x' }, { id: 'y' }], { priority: 'high' });
    fixture.remote.answerNext('apply', 'apply');

    for (let run = 0; run < 8; run += 1) await fixture.wait(fixture.backend.sync());

    expect(fixture.arrivals).toEqual(['create x', 'create y']);
    const attempts = Object.values(await attemptsOf(fixture));
    expect(attempts.toSorted((a, b) => a - b)).toEqual([0, 0, 0, 0, 1]);
  });
});

describe('a suspect', () => {
  async function suspected(fixture: BackendFixture, answer: PushAnswer): Promise<void> {
    breaksWith(fixture, 'bad', answer);
    await fixture.notes.save({ id: 'bad', text: 'x' }, { priority: 'high' });
    for (let run = 0; run < 6; run += 1) {
      await fixture.wait(fixture.backend.sync());
      await fixture.runtime.advance('1m');
    }
  }

  test('that the server asks to wait is not blamed, and the wish counts for all', async () => {
    const fixture = world();
    await suspected(fixture, answers.endpoint(504));
    breaksWith(fixture, 'bad', answers.endpoint(503, 3_600_000));
    await fixture.notes.save({ id: 'a' });

    await fixture.wait(fixture.backend.sync());
    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ stoppedBy: 'blocked', remaining: 1 });
    expect(fixture.arrivals).toEqual(['create a']);
    expect(await attemptsOf(fixture)).toEqual({ bad: 0 });
  });

  test('that was answered goes with the others again', async () => {
    const fixture = world();
    await suspected(fixture, answers.endpoint(504));
    breaksWith(fixture, 'bad', answers.entry(423));
    await fixture.notes.save({ id: 'a' });
    await fixture.wait(fixture.backend.sync());
    await fixture.runtime.advance('1h');
    fixture.remote.answerWith(undefined);
    await fixture.notes.save({ id: 'b' });

    await fixture.wait(fixture.backend.sync());

    expect(fixture.requests.at(-1)).toEqual(['bad', 'b']);
  });

  test('of a transaction takes its mates along, and no others', async () => {
    const fixture = world({ maxAttempts: 1, batchSize: 1, concurrency: 1 });
    breaksWith(fixture, 'bad', answers.endpoint(504));
    await fixture.backend.transaction(async (tx) => {
      await tx.store(fixture.notes).save({ id: 'mate' });
      await tx.store(fixture.notes).save({ id: 'bad' });
    });
    for (let run = 0; run < 6; run += 1) await fixture.wait(fixture.backend.sync());
    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }], { priority: 'high' });

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ stoppedBy: 'drained', remaining: 0, dead: 2 });
    expect(fixture.arrivals).toEqual(['create a', 'create b']);
  });

  test('that is proven does not keep anything from being fetched', async () => {
    const fixture = world();
    await suspected(fixture, answers.endpoint(504));
    await fixture.notes.save({ id: 'a' });
    await fixture.wait(fixture.backend.sync());
    await fixture.runtime.advance('1h');
    await fixture.notes.save({ id: 'b' });
    fixture.remote.server.set('notes', 'news', { id: 'news' });

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ stoppedBy: 'drained', pushed: 1, remaining: 1 });
    expect(fixture.requests.at(-1)).toEqual(['bad']);
    expect(await fixture.notes.get('news', { policy: 'cache-only' })).toBeDefined();
    expect(await attemptsOf(fixture)).toEqual({ bad: 1 });
  });
});

test('what is taken beside the fifth failure does not put together again what was to be told apart', async () => {
  const fixture = world({ batchSize: 32, concurrency: 2, store: { pull: false } });
  breaksWith(fixture, 'bad', answers.endpoint(503));
  await fixture.notes.saveAll([{ id: 'good' }, { id: 'bad' }]);
  await fixture.wait(fixture.backend.sync());

  for (let day = 0; day < 5; day += 1) {
    for (let run = 0; run < 3; run += 1) {
      await fixture.runtime.advance('6h');
      await fixture.wait(fixture.backend.sync());
    }
    await fixture.notes.save({ id: `day ${day}` });
    await fixture.runtime.advance('6h');
    await fixture.wait(fixture.backend.sync());
  }

  expect(fixture.arrivals).toContain('create good');
});
