import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Outcome } from '../../core/model/outcome.ts';
import type { Remote } from '../../core/ports/remote.ts';
import { context, entry, httpPeers, idsOf, NOW, type Handler } from '../fakes/http-peer.ts';
import { httpRemote } from './index.ts';
import type { Fetch } from './index.ts';
import { PROBLEM_CONTENT_TYPE, ProblemType, PROTOCOL_CONTENT_TYPE } from './protocol.ts';

const { serverWith, remoteAt, remoteTo, stopServers } = httpPeers(afterEach);

const pushOne = async (remote: Remote): Promise<Outcome> =>
  (await remote.push([entry('a')], context()))[0] as Outcome;

function sendResults(response: ServerResponse, results: readonly unknown[]): void {
  response.writeHead(200, { 'content-type': PROTOCOL_CONTENT_TYPE });
  response.end(JSON.stringify({ protocol: 1, results }));
}

const applyAll: Handler = (_request, response, body) =>
  sendResults(
    response,
    idsOf(body).map((id) => ({ id, status: 'applied', version: `v-${id}` })),
  );

const answers =
  (status: number, headers: Record<string, string>, body: string): Handler =>
  (_request, response) => {
    response.writeHead(status, headers);
    response.end(body);
  };

const problem = { 'content-type': PROBLEM_CONTENT_TYPE };
const unknownFate = { kind: 'retry', scope: 'endpoint', ambiguous: true };
const unrecognised = { ...unknownFate, failure: { code: 'remote/protocol' } };

describe('the request', () => {
  test('carries the payload text as it is, and nothing that is absent', async () => {
    let seen = '';
    const remote = await remoteTo((request, response, body) => {
      seen = `${request.method} ${request.url} ${request.headers['content-type']} ${body}`;
      applyAll(request, response, body);
    });
    const payloadJson = '{ "n": 1.50, "t": "\\u00e9" }';
    const patch = entry('b', {
      isPatch: true,
      baseVersion: '7',
      group: 'g',
      entityId: 5,
      payloadJson,
    });

    await remote.push([entry('a', { operation: 'delete', payloadJson: null }), patch], context());

    expect(seen).toBe(
      `POST /v1/push ${PROTOCOL_CONTENT_TYPE} {"protocol":1,"operations":[` +
        '{"id":"a","idempotencyKey":"key-a","collection":"notes","entityId":"a",' +
        '"operation":"delete","schemaVersion":1,"payload":null},' +
        '{"id":"b","idempotencyKey":"key-b","collection":"notes","entityId":5,' +
        '"operation":"update","schemaVersion":1,"patch":true,"base":"7","group":"g",' +
        '"payload":{ "n": 1.50, "t": "\\u00e9" }}]}',
    );
  });

  test('asks for headers each time and tells for whom', async () => {
    const seen: unknown[] = [];
    let count = 0;
    const remote = await remoteTo(
      (request, response, body) => {
        seen.push(request.headers.authorization);
        applyAll(request, response, body);
      },
      { headers: async ({ principal }) => ({ authorization: `${principal} ${++count}` }) },
    );

    await pushOne(remote);
    await pushOne(remote);

    expect(seen).toEqual(['ada 1', 'ada 2']);
  });

  test('takes a path where there is a page that it can be a path of, and sends there', async () => {
    const urls: string[] = [];
    const create = (url: string): Remote =>
      httpRemote({ url, fetch: (to) => Promise.reject(new Error(String(urls.push(to)))) });
    expect(() => create('/sync')).toThrow(/absolute .* or in a page/);

    vi.stubGlobal('location', { origin: 'https://field.example:8443' });
    try {
      await pushOne(create('/'));
      await pushOne(create('/api/sync/'));
      // Of which folder, or of which server? And is it the same in the worker?
      for (const url of ['sync', './sync', '//a.example/sync', '/sync?a'])
        expect(() => create(url)).toThrow(/absolute/);
      vi.stubGlobal('location', { origin: 'null' });
      expect(() => create('/sync')).toThrow(/absolute/);
    } finally {
      vi.unstubAllGlobals();
    }

    expect(urls).toEqual([
      'https://field.example:8443/v1/push',
      'https://field.example:8443/api/sync/v1/push',
    ]);
  });

  test('refuses a URL or a batch that can never work', async () => {
    expect(() => httpRemote({ url: 'api.example.com' })).toThrow(/absolute/);
    expect(() => httpRemote({ url: 'https://a.example/?b' })).toThrow(/absolute/);
    expect(() => httpRemote({ url: 'https://a.example', maxBatch: 0 })).toThrow(/maxBatch/);
    const remote = remoteAt('http://127.0.0.1:1', { maxBatch: 1 });
    const pushing = remote.push([entry('a'), entry('b')], context());
    await expect(pushing).rejects.toMatchObject({ code: 'usage/invalid-argument' });
  });
});

describe('an answer that is no acknowledgement', () => {
  const ours = { 'content-type': PROTOCOL_CONTENT_TYPE };

  test.each([
    ['the page of a captive portal', 200, { 'content-type': 'text/html' }, '<html>Welcome'],
    ['JSON of another type', 200, { 'content-type': 'application/json' }, '{"protocol":1}'],
    ['no content', 204, {}, ''],
    ['truncated JSON', 200, ours, '{"protocol":1,"results":[{"id":"a","status":"app'],
    ['another protocol', 200, ours, '{"protocol":2,"results":[]}'],
    ['results that are no list', 200, ours, '{"protocol":1,"results":{}}'],
    ['null', 200, ours, 'null'],
    ['a redirect', 302, { location: '/login' }, ''],
    ['a permanent redirect', 308, { location: 'https://elsewhere.example/' }, ''],
    ['nobody at this address', 404, { 'content-type': 'text/html' }, 'nope'],
    ['a page without end', 200, { 'content-type': 'text/html' }, ' '.repeat(9 * 1024 * 1024)],
  ])('%s leaves the fate unknown', async (_name, status, headers, body) => {
    const remote = await remoteTo(answers(status, headers, body));

    expect(await pushOne(remote)).toMatchObject(unrecognised);
  });

  test('bytes that are not UTF-8 are not read as something else', async () => {
    const remote = await remoteTo((_request, response) => {
      response.writeHead(200, ours);
      response.end(Buffer.from('{"protocol":1,"results":[{"id":"a","value":"\xff"}]}', 'latin1'));
    });

    expect(await pushOne(remote)).toMatchObject(unknownFate);
  });

  test('a connection cut in the middle of the body leaves the fate unknown', async () => {
    const remote = await remoteTo((_request, response) => {
      response.writeHead(200, { ...ours, 'content-length': '1000' });
      response.write('{"protocol":1,');
      setImmediate(() => response.destroy());
    });

    const outcome = await pushOne(remote);

    expect(outcome).toMatchObject({ ...unknownFate, failure: { code: 'remote/offline' } });
  });

  test('a connection cut before the answer leaves the fate unknown', async () => {
    const remote = await remoteTo((request) => request.socket.destroy());

    expect(await pushOne(remote)).toMatchObject(unknownFate);
  });

  test('a server that hangs is left when the signal aborts', async () => {
    const controller = new AbortController();
    const remote = await remoteTo(() => controller.abort());

    const outcomes = await remote.push([entry('a'), entry('b')], context(controller.signal));

    const timedOut = { ...unknownFate, failure: { code: 'remote/timeout' } };
    expect(outcomes).toMatchObject([timedOut, timedOut]);
  });

  test('a server that hangs in the middle of the body is left too', async () => {
    const controller = new AbortController();
    const remote = await remoteTo((_request, response) => {
      response.writeHead(200, ours);
      response.write('{"protocol":1', () => controller.abort());
    });

    const [outcome] = await remote.push([entry('a')], context(controller.signal));

    expect(outcome).toMatchObject(unknownFate);
  });

  test('nobody listening is certainly not applied', async () => {
    const url = await serverWith(() => {});
    await stopServers();

    const outcome = await pushOne(remoteAt(url));

    const failure = { code: 'remote/offline' };
    expect(outcome).toMatchObject({ kind: 'retry', scope: 'endpoint', ambiguous: false, failure });
  });

  test.each([
    ['ENOTFOUND', false],
    ['EAI_AGAIN', false],
    ['ECONNREFUSED', false],
    ['ECONNRESET', true],
    ['UND_ERR_SOCKET', true],
  ])('the network error %s is ambiguous: %s', async (code, ambiguous) => {
    const fetch: Fetch = async () => {
      throw new TypeError('fetch failed', { cause: { code } });
    };

    expect(await pushOne(remoteAt('http://a.test', { fetch }))).toMatchObject({ ambiguous });
  });
});

describe('results', () => {
  const pushResults = async (results: readonly unknown[]): Promise<readonly Outcome[]> => {
    const remote = await remoteTo((_request, response) => sendResults(response, results));
    return remote.push([entry('a'), entry('b')], context());
  };

  test('are matched by id, in any order, and unknown members are ignored', async () => {
    const outcomes = await pushResults([
      { id: 'unknown', status: 'applied' },
      {
        id: 'b',
        status: 'conflict',
        remote: { at: { $nexus: 'date', value: null } },
        version: '2',
      },
      null,
      {
        id: 'a',
        status: 'applied',
        version: '1',
        value: { x: { $nexus: 'bigint', value: '5' } },
        z: 1,
      },
    ]);

    expect(outcomes).toMatchObject([
      { kind: 'applied', version: '1', value: { x: 5n } },
      { kind: 'conflict', version: '2', remote: { at: new Date(Number.NaN) } },
    ]);
  });

  const unknownEntry = { kind: 'retry', scope: 'entry', ambiguous: true };

  test.each([
    ['is missing', []],
    [
      'comes twice',
      [
        { id: 'a', status: 'applied' },
        { id: 'a', status: 'applied' },
      ],
    ],
    ['has a status of the future', [{ id: 'a', status: 'parked' }]],
    ['is a conflict without a row', [{ id: 'a', status: 'conflict' }]],
    [
      'has a value that cannot be read',
      [{ id: 'a', status: 'applied', value: { $nexus: 'bigint', value: 'x' } }],
    ],
  ])('an entry whose result %s has an unknown fate', async (_name, results) => {
    const outcomes = await pushResults([...results, { id: 'b', status: 'applied' }]);

    expect(outcomes).toMatchObject([unknownEntry, { kind: 'applied' }]);
  });

  test('a retry says scope, ambiguity and how long', async () => {
    const problem = { type: ProblemType.keyInProgress, title: 'In progress', status: 409 };

    const outcomes = await pushResults([
      { id: 'a', status: 'retry', ambiguous: true, problem, retryAfter: 2 },
      { id: 'b', status: 'retry', scope: 'endpoint' },
    ]);

    expect(outcomes).toMatchObject([
      {
        kind: 'retry',
        scope: 'entry',
        ambiguous: true,
        retryAfterMs: 2_000,
        failure: { status: 409 },
      },
      { kind: 'retry', scope: 'endpoint', ambiguous: false },
    ]);
  });

  test('a rejection keeps the status and the words of its problem', async () => {
    const problem = { type: 'about:blank', title: 'No', status: 403, detail: 'not yours' };

    const [outcome] = await pushResults([{ id: 'a', status: 'rejected', problem }]);

    const failure = { code: 'remote/rejected', status: 403, detail: 'No: not yours', at: NOW };
    expect(outcome).toEqual({ kind: 'rejected', failure });
  });
});

describe('what may not be sent any more', () => {
  const heldBack = {
    kind: 'retry',
    scope: 'endpoint',
    ambiguous: false,
    withheld: true,
    failure: { code: 'remote/timeout' },
  };

  test('stays here while credentials took their time', async () => {
    let requests = 0;
    let maySend = true;
    const remote = await remoteTo(
      (request, response, body) => {
        requests += 1;
        applyAll(request, response, body);
      },
      {
        headers: async () => {
          maySend = false;
          return {};
        },
      },
    );

    const outcomes = await remote.push([entry('a')], { ...context(), maySend: () => maySend });

    expect([outcomes, requests]).toMatchObject([[heldBack], 0]);
  });

  test('is not sent again with new credentials after a late refusal', async () => {
    let requests = 0;
    let maySend = true;
    const remote = await remoteTo(
      (_request, response) => {
        requests += 1;
        maySend = false;
        response.writeHead(401);
        response.end();
      },
      { refreshCredentials: async () => {} },
    );

    const outcomes = await remote.push([entry('a')], { ...context(), maySend: () => maySend });

    expect([outcomes, requests]).toMatchObject([[heldBack], 1]);
  });

  test('is not sent in parts after a batch was refused as a whole', async () => {
    let requests = 0;
    let maySend = true;
    const remote = await remoteTo((_request, response) => {
      requests += 1;
      maySend = false;
      response.writeHead(422, problem);
      response.end();
    });

    const batch = [entry('a'), entry('b')];
    const outcomes = await remote.push(batch, { ...context(), maySend: () => maySend });

    expect([outcomes, requests]).toMatchObject([[heldBack, heldBack], 1]);
  });
});

describe('credentials', () => {
  test('a refused push is sent again once with fresh credentials', async () => {
    let token = 'old';
    const remote = await remoteTo(
      (request, response, body) => {
        if (request.headers.authorization === 'new') applyAll(request, response, body);
        else answers(401, {}, '')(request, response, body);
      },
      {
        headers: () => ({ authorization: token }),
        refreshCredentials: async () => {
          token = 'new';
        },
      },
    );

    expect(await pushOne(remote)).toEqual({ kind: 'applied', version: 'v-a' });
  });

  test('twenty pushes that are refused for good share one refresh', async () => {
    let refreshes = 0;
    let requests = 0;
    const remote = await remoteTo(
      (request, response, body) => {
        requests += 1;
        answers(401, { 'www-authenticate': 'Bearer' }, 'no')(request, response, body);
      },
      {
        refreshCredentials: async () => {
          refreshes += 1;
        },
      },
    );

    const outcomes = await Promise.all(Array.from({ length: 20 }, () => pushOne(remote)));

    expect([...new Set(outcomes.map((outcome) => outcome.kind))]).toEqual(['unauthorised']);
    expect([refreshes, requests]).toEqual([1, 40]);
  });

  test('a push refused with credentials that were replaced meanwhile needs no refresh', async () => {
    const late: (() => void)[] = [];
    let refreshes = 0;
    const remote = await remoteTo(
      (request, response, body) => {
        const refuse = (): void => answers(401, {}, '')(request, response, body);
        if (request.headers.authorization === '1') applyAll(request, response, body);
        else if (idsOf(body).includes('late')) late.push(refuse);
        else refuse();
      },
      {
        headers: () => ({ authorization: String(refreshes) }),
        refreshCredentials: async () => {
          refreshes += 1;
        },
      },
    );
    const pushingLate = remote.push([entry('late')], context());
    while (late.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await pushOne(remote);

    late[0]?.();

    expect((await pushingLate)[0]?.kind).toBe('applied');
    expect(refreshes).toBe(1);
  });

  test('each principal has a refresh of its own', async () => {
    const refreshed: unknown[] = [];
    const remote = await remoteTo(answers(401, {}, ''), {
      refreshCredentials: async ({ principal }) => {
        refreshed.push(principal);
      },
    });

    await remote.push([entry('a')], context());
    await remote.push([entry('a')], { ...context(), principal: 'grace' });

    expect(refreshed).toEqual(['ada', 'grace']);
  });

  test('without a way to refresh, and when the refresh is refused, nothing is sent again', async () => {
    let requests = 0;
    const refuse: Handler = (request, response, body) => {
      requests += 1;
      answers(401, {}, '')(request, response, body);
    };
    const plain = await remoteTo(refuse);
    const refusing = await remoteTo(refuse, {
      refreshCredentials: () => Promise.reject(new Error('signed out')),
    });

    expect((await pushOne(plain)).kind).toBe('unauthorised');
    expect((await pushOne(refusing)).kind).toBe('unauthorised');
    expect(requests).toBe(2);
  });

  test('a refresh that cannot reach its server signs nobody out', async () => {
    const remote = await remoteTo(answers(401, {}, ''), {
      refreshCredentials: () => Promise.reject(new TypeError('fetch failed')),
    });

    const expected = { kind: 'retry', scope: 'endpoint', ambiguous: false };
    expect(await pushOne(remote)).toMatchObject(expected);
  });

  test('a refresh that fails is tried again by the next push', async () => {
    let refreshes = 0;
    const remote = await remoteTo(answers(401, {}, ''), {
      refreshCredentials: async () => {
        refreshes += 1;
        throw new Error('not now');
      },
    });

    await pushOne(remote);
    await pushOne(remote);

    expect(refreshes).toBe(2);
  });

  test('headers that fail mean that nobody is signed in, and nothing was sent', async () => {
    const remote = remoteAt('http://a.test', {
      headers: () => Promise.reject(new Error('no token')),
      fetch: () => Promise.reject(new Error('must not be called')),
    });

    expect((await pushOne(remote)).kind).toBe('unauthorised');
  });
});

describe('a refusal', () => {
  test('of the size lets the engine split the batch', async () => {
    const remote = await remoteTo(answers(413, {}, 'too big'));

    const outcomes = await remote.push([entry('a'), entry('b')], context());

    expect(outcomes.map((outcome) => outcome.kind)).toEqual(['too-large', 'too-large']);
  });

  test.each([
    ['seconds', { 'retry-after': '90' }],
    [
      'a date',
      { 'retry-after': 'Sun, 22 Nov 2026 08:01:30 GMT', date: 'Sun, 22 Nov 2026 08:00:00 GMT' },
    ],
  ])('with Retry-After as %s says how long to wait', async (_name, headers) => {
    const remote = await remoteTo(answers(429, headers, ''));

    expect(await pushOne(remote)).toMatchObject({
      kind: 'retry',
      scope: 'endpoint',
      ambiguous: false,
      retryAfterMs: 90_000,
      failure: { code: 'remote/throttled', status: 429 },
    });
  });

  test('with 500 concerns the entry and may have been applied', async () => {
    const remote = await remoteTo(answers(500, { 'content-type': 'text/plain' }, 'oops'));

    expect(await pushOne(remote)).toMatchObject({
      kind: 'retry',
      scope: 'entry',
      ambiguous: true,
      failure: { code: 'remote/server', status: 500, detail: 'oops' },
    });
  });

  test('that one bad entry caused does not bury the others', async () => {
    const remote = await remoteTo((request, response, body) => {
      if (idsOf(body).includes('bad')) answers(400, problem, 'bad')(request, response, body);
      else applyAll(request, response, body);
    });
    const names = ['a', 'b', 'bad', 'c', 'd', 'e'];

    const outcomes = await remote.push(
      names.map((name) => entry(name)),
      context(),
    );

    expect(outcomes.map((outcome) => outcome.kind)).toEqual(
      names.map((name) => (name === 'bad' ? 'rejected' : 'applied')),
    );
  });

  test.each([
    ['JSON', { 'content-type': 'application/json; charset=utf-8' }, 'null'],
    ['JSON of some kind', { 'content-type': 'application/vnd.api+json' }, ''],
    ['an object that is called a page', { 'content-type': 'text/html' }, ' {"error":"bad"}'],
  ])('in %s is that of a server of some make', async (_name, headers, body) => {
    const requests: number[] = [];
    const remote = await remoteTo((request, response, text) => {
      requests.push(idsOf(text).length);
      answers(422, headers, body)(request, response, text);
    });

    const outcomes = await remote.push([entry('a'), entry('b')], context());

    expect(outcomes).toMatchObject([{ kind: 'rejected' }, { kind: 'rejected' }]);
    expect(requests).toEqual([2, 1, 1]);
  });

  test.each([
    ['a page', { 'content-type': 'text/html; charset=utf-8' }, '<h1>Proxy says no'],
    ['a page without a type', {}, '\n<!doctype html>'],
  ])('that is %s is nobody’s, and is asked for once', async (_name, headers, body) => {
    let requests = 0;
    const remote = await remoteTo((request, response, text) => {
      requests += 1;
      answers(400, headers as Record<string, string>, body)(request, response, text);
    });

    const outcomes = await remote.push([entry('a'), entry('b')], context());

    const foreign = {
      kind: 'retry',
      scope: 'endpoint',
      ambiguous: false,
      failure: { code: 'remote/protocol', status: 400 },
    };
    expect(outcomes).toMatchObject([foreign, foreign]);
    expect(requests).toBe(1);
  });

  test.each([
    ['a line', { 'content-type': 'text/plain' }, 'Bad Request'],
    ['a line that is called a page', { 'content-type': 'text/html' }, 'Bad Request'],
    ['a number', { 'content-type': 'text/plain' }, '400'],
    ['nothing', {}, ''],
  ])('that is %s may be anybody’s: a few are tried one by one, many are not', async (...given) => {
    const [, headers, body] = given;
    const requests: number[] = [];
    const remote = await remoteTo((request, response, text) => {
      requests.push(idsOf(text).length);
      answers(400, headers as Record<string, string>, body)(request, response, text);
    });

    const few = await remote.push([entry('a'), entry('b')], context());
    const many = await remote.push(
      ['a', 'b', 'c', 'd'].map((id) => entry(id)),
      context(),
    );

    const refused = {
      kind: 'rejected',
      sweeping: true,
      failure: { code: 'remote/rejected', status: 400 },
    };
    expect(few).toMatchObject([refused, refused]);
    expect(many).toMatchObject([refused, refused, refused, refused]);
    expect(requests).toEqual([2, 1, 1, 4]);
  });

  test('never tears a group apart', async () => {
    const batches: (readonly string[])[] = [];
    const remote = await remoteTo((request, response, body) => {
      batches.push(idsOf(body));
      answers(400, problem, '')(request, response, body);
    });
    const group = 'g';

    const outcomes = await remote.push(
      [entry('a'), entry('b', { group }), entry('c', { group }), entry('d', { group })],
      context(),
    );

    expect(batches).toEqual([['a', 'b', 'c', 'd'], ['a'], ['b', 'c', 'd']]);
    expect(new Set(outcomes.map((outcome) => outcome.kind))).toEqual(new Set(['rejected']));
  });

  test('keeps at most 1 KiB of the body, and never our payload or credentials', async () => {
    const page = (echo: string): string => `<h1>no</h1> ${echo} ${'é'.repeat(2_000)}`;
    const echoes = [
      'Bearer a-secret-token',
      entry('a').payloadJson ?? '',
      JSON.stringify({ body: entry('a').payloadJson }),
      '{&quot;secret&quot;:&quot;payload of a&quot;}',
    ];
    for (const echo of echoes) {
      const remote = await remoteTo(answers(403, problem, page(echo)), {
        headers: { authorization: 'Bearer a-secret-token' },
      });

      const outcome = await pushOne(remote);

      const detail = 'failure' in outcome ? (outcome.failure?.detail ?? '') : '';
      expect(detail).toMatch(/^<h1>no<\/h1>/);
      expect(detail).not.toMatch(/payload of a|secret-token/);
      expect(Buffer.byteLength(detail)).toBeLessThanOrEqual(1024);
    }
    const plain = await remoteTo(answers(403, problem, page('')));
    const outcome = await pushOne(plain);
    expect(Buffer.byteLength(JSON.stringify(outcome))).toBeGreaterThan(1000);
  });

  test.each([
    ['authorization', 'Bearer eyJhbGciOiJIUzI1NiJ9.c2VjcmV0', 'eyJhbGciOiJIUzI1NiJ9.c2VjcmV0'],
    ['authorization', 'Token token="a-secret-token", coder="x"', 'a-secret-token'],
    ['cookie', 'theme=dark; session=a-secret-session', 'a-secret-session'],
  ])('never keeps what stands in %s: %s', async (name, value, echo) => {
    const text = `the Bearer token is expired: ${echo} is not accepted`;
    const remote = await remoteTo(answers(500, {}, text), { headers: { [name]: value } });

    expect(await pushOne(remote)).toMatchObject({
      failure: { detail: 'the Bearer token is expired: [echo of the request]' },
    });
  });

  test('with a body without end is judged by its status', async () => {
    const remote = await remoteTo(answers(403, problem, 'x'.repeat(5_000_000)));

    expect(await pushOne(remote)).toMatchObject({ kind: 'rejected', failure: { status: 403 } });
  });
});

describe('the hook of the app', () => {
  test('is asked first about an answer, and about each result', async () => {
    const remote = await remoteTo(
      (_request, response, body) =>
        idsOf(body).includes('a')
          ? sendResults(response, [
              { id: 'a', status: 'applied' },
              { id: 'b', status: 'applied' },
            ])
          : answers(418, { 'x-app': 'yes' }, 'tea')(_request, response, body),
      {
        classify: ({ status, result, entry: about, header }) => {
          if (status === 418 && header('x-app') === 'yes')
            return { kind: 'applied', version: 'tea' };
          if (result !== null && about.id === 'b') return { kind: 'applied', version: 'hook' };
          return undefined;
        },
      },
    );

    expect(await remote.push([entry('a'), entry('b')], context())).toEqual([
      { kind: 'applied' },
      { kind: 'applied', version: 'hook' },
    ]);
    expect(await remote.push([entry('c')], context())).toEqual([
      { kind: 'applied', version: 'tea' },
    ]);
  });

  test('that throws leaves the answer to the table', async () => {
    const remote = await remoteTo(applyAll, {
      classify: () => {
        throw new Error('a bug');
      },
    });

    expect((await pushOne(remote)).kind).toBe('applied');
  });
});

describe('a pull', () => {
  const page = { protocol: 1, rows: [], tombstones: [], cursor: 'c', more: false };
  const request = { collection: 'a b&c', cursor: 'x/y', limit: 5 };
  const ours = { 'content-type': PROTOCOL_CONTENT_TYPE };

  test('asks for one page and says how often the server wants to be asked', async () => {
    let url = '';
    const intervals: number[] = [];
    const remote = await remoteTo(
      (incoming, response) => {
        url = incoming.url ?? '';
        answers(200, { ...ours, 'sync-interval': '900' }, JSON.stringify(page))(
          incoming,
          response,
          '',
        );
      },
      { onSyncInterval: (intervalMs) => intervals.push(intervalMs) },
    );

    expect(await remote.pull(request, context())).toEqual({
      rows: [],
      cursor: 'c',
      hasMore: false,
    });
    expect(url).toBe('/v1/pull?collection=a%20b%26c&limit=5&cursor=x%2Fy');
    expect(intervals).toEqual([900_000]);
  });

  test.each([
    ['a row without a value', { rows: [{ id: 'a', version: '1' }] }],
    ['a row without a version', { rows: [{ id: 'a', value: 1 }] }],
    ['a row without an id', { rows: [{ version: '1', value: 1 }] }],
    [
      'a value that cannot be read',
      {
        rows: [
          { id: 'a', version: '1', value: { $nexus: 'bigint', value: '' } },
          { id: 'b', version: '1', value: { $nexus: 'bigint', value: 'x' } },
        ],
      },
    ],
    ['no cursor', { cursor: null }],
    ['no tombstones', { tombstones: undefined }],
  ])('refuses a whole page for %s', async (_name, fault) => {
    const remote = await remoteTo(answers(200, ours, JSON.stringify({ ...page, ...fault })));

    await expect(remote.pull(request, context())).rejects.toMatchObject({
      code: 'remote/protocol',
    });
  });

  test.each([
    [410, 'x', {}, { code: 'remote/cursor-expired', status: 410 }],
    [410, null, {}, { code: 'remote/protocol' }],
    [401, null, {}, { code: 'remote/unauthorised' }],
    [429, null, { 'retry-after': '3' }, { code: 'remote/throttled', retryAfterMs: 3_000 }],
    [426, null, {}, { code: 'remote/upgrade-required' }],
    [500, null, {}, { code: 'remote/server', status: 500 }],
    [403, null, {}, { code: 'remote/rejected', status: 403 }],
    [405, null, {}, { code: 'remote/rejected', status: 405 }],
    [200, null, { 'content-type': 'text/html' }, { code: 'remote/protocol' }],
  ])(
    'that is answered %i with the cursor %j rejects by code',
    async (status, cursor, headers, expected) => {
      const remote = await remoteTo(answers(status, headers as Record<string, string>, ''));

      await expect(remote.pull({ ...request, cursor }, context())).rejects.toMatchObject(expected);
    },
  );

  test.each([
    [400, ProblemType.cursorInvalid, 'x', 'remote/cursor-expired'],
    [400, ProblemType.cursorExpired, 'x', 'remote/cursor-expired'],
    [400, ProblemType.cursorInvalid, null, 'remote/rejected'],
    [400, ProblemType.malformed, 'x', 'remote/rejected'],
  ])('that is answered %i %s with the cursor %j is %s', async (status, type, cursor, code) => {
    const text = JSON.stringify({ type, status, title: 'No' });
    const remote = await remoteTo(answers(status, problem, text));

    await expect(remote.pull({ ...request, cursor }, context())).rejects.toMatchObject({
      code,
      status,
    });
  });

  test('that is aborted rejects', async () => {
    const controller = new AbortController();
    const remote = await remoteTo(() => controller.abort());

    const pulling = remote.pull(request, context(controller.signal));

    await expect(pulling).rejects.toMatchObject({ code: 'remote/timeout' });
  });
});

describe('listening', () => {
  const events = { 'content-type': 'text/event-stream' };

  test('hears hints until the stream ends, which is an error for the caller to judge', async () => {
    const remote = await remoteTo(
      answers(
        200,
        events,
        ': hi\n\nevent: change\ndata: {"collection":"notes"}\n\nevent: change\ndata: ?\n\nevent: change\ndata: {}\n\nevent: other\ndata: {}\n\n',
      ),
    );
    const heard: unknown[] = [];

    const listening = remote.listen((collection) => heard.push(collection), context());

    await expect(listening).rejects.toMatchObject({ code: 'remote/offline' });
    expect(heard).toEqual([null, 'notes', null]);
  });

  test('resolves when it is aborted or the remote is closed', async () => {
    const controller = new AbortController();
    const remote = await remoteTo((_request, response) => {
      response.writeHead(200, events);
      response.write(': hi\n\n');
    });

    const byAbort = remote.listen(() => controller.abort(), context(controller.signal));
    const byClose = remote.listen(() => void remote.close(), context());

    await expect(byAbort).resolves.toBeUndefined();
    await expect(byClose).resolves.toBeUndefined();
  });

  test.each([
    [200, { 'content-type': 'text/html' }, 'remote/protocol'],
    [401, {}, 'remote/unauthorised'],
    [503, { 'retry-after': '5' }, 'remote/server'],
    [404, {}, 'remote/protocol'],
  ])('that is answered %i rejects by code', async (status, headers, code) => {
    const remote = await remoteTo(answers(status, headers as Record<string, string>, ''));

    await expect(remote.listen(() => {}, context())).rejects.toMatchObject({ code });
  });
});

describe('a problem', () => {
  test('of our server that says busy is certainly not applied', async () => {
    const busy = JSON.stringify({ type: ProblemType.busy, title: 'Busy', status: 503 });
    const remote = await remoteTo(answers(503, problem, busy));

    expect(await pushOne(remote)).toMatchObject({ scope: 'endpoint', ambiguous: false });
  });
});
