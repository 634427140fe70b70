import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { BackgroundFixture, settled } from '../../testing/background-fixture.ts';
import { fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import type { MemoryRemote } from '../../testing/memory-remote.ts';
import { httpRemote, type WireOperation, type WirePushRequest } from './index.ts';
import { PROBLEM_CONTENT_TYPE, ProblemType, PROTOCOL_CONTENT_TYPE } from './protocol.ts';
import type { Fetch } from './transport.ts';

// Somebody between this device and the sync server answers in its place.

const world = fixtures(afterEach, () => memoryStorage());
const url = 'https://example.test';

const page = (status: number): Response =>
  new Response('<html>Proxy says no</html>', { status, headers: { 'content-type': 'text/html' } });
const line = (status: number): Response => new Response('no', { status });
const nothing = (status: number): Response => new Response(null, { status });
const json = (status: number): Response =>
  Response.json({ detail: 'Method Not Allowed' }, { status });

/** Answers in the server's place to what it does not let through. */
type InTheWay = (operations: readonly WireOperation[]) => Response | undefined;

/** A server that applies each key once, and whoever stands before it. */
class Way {
  readonly applied: string[] = [];
  requests = 0;
  stands: InTheWay = () => undefined;
  readonly #keys = new Set<string>();

  readonly fetch: Fetch = async (_url, { body }) => {
    const { operations } = JSON.parse(body as string) as WirePushRequest;
    this.requests += 1;
    const refusal = this.stands(operations);
    if (refusal !== undefined) return refusal;
    for (const { idempotencyKey, entityId } of operations) {
      if (!this.#keys.has(idempotencyKey)) this.applied.push(String(entityId));
      this.#keys.add(idempotencyKey);
    }
    const results = operations.map(({ id }) => ({ id, status: 'applied', version: '1' }));
    return ours({ protocol: 1, results });
  };
}

function ours(answer: object): Response {
  return new Response(JSON.stringify(answer), {
    headers: { 'content-type': PROTOCOL_CONTENT_TYPE },
  });
}

const PAGES = [
  400, 402, 403, 404, 405, 406, 409, 410, 411, 412, 414, 415, 417, 422, 423, 424, 428, 431, 451,
  501, 505,
];
const BARE = [400, 403, 404, 405, 411, 415, 422, 431, 501, 505];
/** How a framework answers a POST at an address that takes none, or none of this kind. */
const FRAMEWORK = [404, 405, 406, 410, 411, 414, 415, 417, 418, 419, 428, 431, 501, 505];
/** Of hosts and proxies that mean an overload or a timeout, and that no standard defines. */
const INVENTED = [508, 509, 529, 561, 598, 599];

describe('whoever refuses everything in the place of the server', () => {
  test.each([
    ...PAGES.map((status) => ['a page', status, page, 'remote/protocol'] as const),
    ...BARE.map((status) => ['a line', status, line, 'remote/protocol'] as const),
    ...BARE.map((status) => ['nothing', status, nothing, 'remote/protocol'] as const),
    ...FRAMEWORK.map((status) => ['JSON', status, json, 'remote/protocol'] as const),
    ...INVENTED.map((status) => ['a page', status, page, 'remote/server'] as const),
    ...INVENTED.map((status) => ['JSON', status, json, 'remote/server'] as const),
  ])('with %s and %i buries nothing, in however many runs', async (_name, status, answer, code) => {
    const way = new Way();
    way.stands = () => answer(status);
    const remote = httpRemote({ url, fetch: way.fetch });
    const fixture = world({ remote, store: { pull: false, onRejected: 'revert' } });
    const ids = Array.from({ length: 100 }, (_, index) => `${index}`);
    await fixture.notes.saveAll(ids.map((id) => ({ id, text: 'precious' })));

    for (let day = 0; day < 15; day += 1) {
      await fixture.wait(fixture.backend.sync());
      await fixture.runtime.advance('1d');
    }

    expect(await fixture.backend.deadLetters()).toEqual([]);
    expect(await fixture.notes.getAll()).toHaveLength(100);
    expect(way.requests).toBeLessThan(25);
    expect(fixture.backend.status.current.lastFailure).toMatchObject({ code, status });

    way.stands = () => undefined;
    for (let run = 0; way.applied.length < 100 && run < 12; run += 1)
      await fixture.wait(fixture.backend.sync());
    expect(way.applied.toSorted()).toEqual(ids.toSorted());
  });
});

const SWEEPING = [
  ['a line', 400, line],
  ['nothing', 501, nothing],
  ['JSON', 405, json],
] as const;

describe.each(SWEEPING)('%s with %i', (_name, status, answer) => {
  const refused = (): Way => {
    const way = new Way();
    way.stands = () => answer(status);
    return way;
  };

  test('to a write that is alone is the answer to it', async () => {
    const remote = httpRemote({ url, fetch: refused().fetch });
    const fixture = world({ remote, store: { pull: false } });
    await fixture.notes.save({ id: 'a' });

    await fixture.wait(fixture.backend.sync());

    const lastFailure = { code: 'remote/rejected', status };
    expect(await fixture.backend.deadLetters()).toMatchObject([{ entityId: 'a', lastFailure }]);
  });

  test('to three in a row is no answer to any, and they come back', async () => {
    const way = refused();
    const remote = httpRemote({ url, fetch: way.fetch });
    const fixture = world({ remote, store: { pull: false } });
    const dead: number[] = [];
    for (const id of ['a', 'b', 'c']) {
      await fixture.notes.save({ id });
      await fixture.wait(fixture.backend.sync());
      dead.push((await fixture.backend.deadLetters()).length);
    }
    way.stands = () => undefined;

    await fixture.wait(fixture.backend.sync());

    expect(dead).toEqual([1, 2, 0]);
    expect(way.applied).toEqual(['a', 'b', 'c']);
  });

  test('to a full request and to what is left gives back what was taken for an answer', async () => {
    const way = refused();
    const remote = httpRemote({ url, fetch: way.fetch });
    const fixture = world({ remote, store: { pull: false }, batchSize: 4, concurrency: 4 });
    await fixture.notes.saveAll(['a', 'b', 'c', 'd', 'e'].map((id) => ({ id })));

    for (let run = 0; run < 12; run += 1) {
      await fixture.wait(fixture.backend.sync());
      expect(await fixture.backend.deadLetters()).toEqual([]);
    }
  });

  test('to everything buries nothing in processes that live for one run each', async () => {
    const way = refused();
    const database = memoryDatabase();
    let runtime: BackendFixture['runtime'] | undefined;
    for (let day = 0; day < 20; day += 1) {
      const fixture = world({
        storage: memoryStorage({ database }),
        remote: httpRemote({ url, fetch: way.fetch }),
        store: { pull: false },
        ...(runtime !== undefined && { runtime }),
      });
      if (day === 0) await fixture.notes.saveAll(['a', 'b', 'c', 'd'].map((id) => ({ id })));
      await fixture.wait(fixture.backend.sync({ budget: '25s' }));
      expect(await fixture.backend.deadLetters()).toEqual([]);
      await fixture.backend.close();
      await fixture.runtime.advance('1d');
      runtime = fixture.runtime;
    }
  });
});

describe('whoever refuses one payload in the place of the server', () => {
  test.each([
    ['a page', 400, page],
    ['a page', 403, page],
    ['a line', 405, line],
    ['nothing', 501, nothing],
    ['JSON', 405, json],
    ['a page', 529, page, 'remote/server'],
  ])(
    'with %s and %i does not stop the others',
    async (_name, status, answer, code = 'remote/protocol') => {
      const way = new Way();
      way.stands = (operations) =>
        operations.some(({ entityId }) => entityId === 'bad') ? answer(status) : undefined;
      const remote = httpRemote({ url, fetch: way.fetch, events: false });
      const fixture = world({ remote, autoSync: true, store: { pull: false } });
      await fixture.notes.save({ id: 'bad' }, { priority: 'critical' });
      await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
      await fixture.runtime.advance('10m');
      const early = way.applied.toSorted();

      const late: number[] = [];
      for (let day = 0; day < 30; day += 1) {
        await fixture.notes.save({ id: `day ${day}` });
        await fixture.runtime.advance('1d');
        late.push(way.applied.length);
      }

      expect(early).toEqual(['a', 'b', 'c']);
      expect(late).toEqual(Array.from({ length: 30 }, (_, day) => 4 + day));
      expect(await fixture.backend.deadLetters()).toMatchObject([
        { entityId: 'bad', attempts: 10, lastFailure: { code, status } },
      ]);
      // Two an hour: the backoff holds, whatever it takes until the entry is known to be the cause.
      expect(way.requests).toBeLessThan(30 * 24 * 2);
    },
  );
});

describe('whoever refuses one of two in the place of the server', () => {
  test.each([
    ['a line', 403, line],
    ['nothing', 501, nothing],
    ['JSON', 405, json],
  ])('with %s and %i does not bury the other', async (_name, status, answer) => {
    const way = new Way();
    way.stands = (operations) =>
      operations.some(({ entityId }) => entityId === 'bad') ? answer(status) : undefined;
    const fixture = world({
      remote: httpRemote({ url, fetch: way.fetch }),
      store: { pull: false },
    });
    await fixture.notes.saveAll([{ id: 'bad' }, { id: 'good' }]);

    await fixture.wait(fixture.backend.sync());

    expect(way.applied).toEqual(['good']);
    expect(await fixture.backend.deadLetters()).toMatchObject([{ entityId: 'bad' }]);
    expect(way.requests).toBe(3);
  });

  test('is believed after an outage as well, once the other was taken', async () => {
    const way = new Way();
    way.stands = () => line(503);
    const fixture = world({
      remote: httpRemote({ url, fetch: way.fetch }),
      store: { pull: false },
    });
    await fixture.notes.saveAll([{ id: 'bad' }, { id: 'good' }]);
    await fixture.wait(fixture.backend.sync());
    way.stands = (operations) =>
      operations.some(({ entityId }) => entityId === 'bad') ? line(400) : undefined;

    await fixture.wait(fixture.backend.sync());

    expect(way.applied).toEqual(['good']);
    expect(await fixture.backend.deadLetters()).toMatchObject([{ entityId: 'bad' }]);
  });
});

test('a server that cannot read its cursor any more is asked for everything', async () => {
  const asked: (string | null)[] = [];
  let rows = ['a', 'b'];
  let cursor = 'old';
  const fetch: Fetch = async (from) => {
    const given = new URL(from).searchParams.get('cursor');
    asked.push(given);
    if (given !== null && given !== cursor) {
      const type = ProblemType.cursorInvalid;
      const headers = { 'content-type': PROBLEM_CONTENT_TYPE };
      const problem = JSON.stringify({ type, status: 400, title: 'No cursor of this server' });
      return new Response(problem, { status: 400, headers });
    }
    const all = given === null ? rows : [];
    return ours({
      protocol: 1,
      rows: all.map((id) => ({ id, version: cursor, value: { id }, operationId: null })),
      tombstones: [],
      cursor,
      more: false,
    });
  };
  const fixture = world({ remote: httpRemote({ url, fetch, events: false }) });
  await fixture.wait(fixture.backend.sync());
  rows = ['a', 'c'];
  cursor = 'new';

  const reports = [
    await fixture.wait(fixture.backend.sync()),
    await fixture.wait(fixture.backend.sync()),
  ];

  expect(reports).toMatchObject([{ stoppedBy: 'drained' }, { stoppedBy: 'drained' }]);
  expect(asked).toEqual([null, 'old', null, 'new']);
  expect(await fixture.notes.getAll()).toEqual([{ id: 'a' }, { id: 'c' }]);
});

describe('a device that has fetched nothing yet, and has nothing to send', () => {
  test.each([
    ['503', () => line(503), /answers 503/],
    ['404', () => page(404), /status 404/],
    ['the page of a captive portal', () => page(200), /status 200/],
    ['401', () => nothing(401), /credentials/],
  ])('is told why by explain(): %s', async (_name, answer, words) => {
    const remote = httpRemote({ url, fetch: async () => answer(), events: false });
    const app = new BackgroundFixture({
      storage: memoryStorage(),
      remote: remote as MemoryRemote,
    });
    await app.init();

    await settled(app.runtime, app.backend.sync());
    const { pending, reasons } = await settled(app.runtime, app.service.explain());

    expect(pending).toBe(0);
    expect(reasons).toMatchObject([{ code: 'fetch-failed' }]);
    expect(reasons[0]?.message).toMatch(words);
    await settled(app.runtime, app.service.dispose());
    await settled(app.runtime, app.backend.close());
  });
});
