import { afterEach, describe, expect, test } from 'vitest';
import { context, entry, httpPeers, idsOf, type Handler } from '../fakes/http-peer.ts';
import { httpRemote } from './index.ts';
import type { HttpRemoteOptions } from './index.ts';
import { PROTOCOL_CONTENT_TYPE } from './protocol.ts';

const ours = { 'content-type': PROTOCOL_CONTENT_TYPE };
const MIB = 1_048_576;

const { remoteTo } = httpPeers(afterEach);

const conflictsWith =
  (value: string): Handler =>
  (_request, response, body) => {
    const results = idsOf(body).map((id) => ({
      id,
      status: 'conflict',
      version: '2',
      remote: value,
    }));
    response.writeHead(200, ours).end(JSON.stringify({ protocol: 1, results }));
  };

describe('an answer that is larger than a client reads', () => {
  test('is asked for again in smaller parts, and each entry gets its own', async () => {
    const requests: number[] = [];
    const answer = conflictsWith('x'.repeat(3 * MIB));
    const remote = await remoteTo((request, response, body) => {
      requests.push(idsOf(body).length);
      answer(request, response, body);
    });

    const outcomes = await remote.push(
      ['a', 'b', 'c', 'd'].map((id) => entry(id)),
      context(),
    );

    expect(outcomes.map(({ kind }) => kind)).toEqual(Array(4).fill('conflict'));
    expect(requests).toEqual([4, 2, 2]);
  });

  test('of one entry, or of a group that stands together, is a failure of these alone', async () => {
    const remote = await remoteTo(conflictsWith('x'.repeat(5 * MIB)));
    const unknown = {
      kind: 'retry',
      scope: 'entry',
      ambiguous: true,
      failure: { code: 'remote/protocol' },
    };

    const group = ['a', 'b'].map((id) => entry(id, { group: 'g' }));

    expect(await remote.push(group, context())).toMatchObject([unknown, unknown]);
  });

  test.each([
    ['was withheld', { isWithheld: true, status: 200, scope: 'endpoint' }],
    ['was refused for its credentials', { isWithheld: false, status: 401, scope: 'endpoint' }],
    ['was refused', { isWithheld: false, status: 403, scope: 'entry' }],
    ['was refused for its size', { isWithheld: false, status: 413, scope: 'entry' }],
  ])('may have been applied, also where the request for a part %s', async (_what, part) => {
    let isFirst = true;
    let isWithheld = false;
    const large = conflictsWith('x'.repeat(5 * MIB));
    const remote = await remoteTo((request, response, body) => {
      if (!isFirst) return response.writeHead(part.status, ours).end();
      isFirst = false;
      isWithheld = part.isWithheld;
      return large(request, response, body);
    });

    const batch = ['a', 'b'].map((id) => entry(id));
    const outcomes = await remote.push(batch, { ...context(), maySend: () => !isWithheld });

    const perhaps = { kind: 'retry', scope: part.scope, ambiguous: true };
    expect(outcomes).toMatchObject([perhaps, perhaps]);
  });
});

describe('a problem type with the name of something every object has', () => {
  test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])(
    '%s is judged by its status',
    async (type) => {
      const problem = { type, status: 503 };
      const remote = await remoteTo((_request, response, body) => {
        const results = [{ id: idsOf(body)[0], status: 'retry', problem }];
        response.writeHead(200, ours).end(JSON.stringify({ protocol: 1, results }));
      });

      expect(await remote.push([entry('a')], context())).toMatchObject([
        { kind: 'retry', scope: 'entry', failure: { code: 'remote/server', status: 503 } },
      ]);
    },
  );
});

describe('headers', () => {
  test('that are a text by mistake are refused without being repeated', () => {
    const options = { url: 'http://a', headers: 'Bearer secret' } as unknown as HttpRemoteOptions;

    expect(() => httpRemote(options)).toThrow(
      /headers must be an object or a function, not a string/,
    );
    expect(() => httpRemote(options)).not.toThrow(/secret/);
  });

  test('may be a Headers object', async () => {
    let seen: unknown;
    const remote = await remoteTo(
      (request, response) => {
        seen = request.headers.authorization;
        response.writeHead(500).end();
      },
      { headers: async () => new Headers({ Authorization: 'Bearer t' }) },
    );

    await remote.push([entry('a')], context());

    expect(seen).toBe('Bearer t');
  });

  test.each([
    ['a token with the line end of its file', { authorization: 'Bearer secret\nX: y' }],
    ['a name that is none', { 'not a name': 'secret' }],
    ['nothing at all', undefined],
    ['null', null],
    ['a text', 'Bearer secret'],
    ['a number', 42],
    ['a list of texts', ['Bearer secret']],
    ['a list of pairs', [['authorization', 'Bearer secret']]],
    ['a value that is undefined', { authorization: undefined }],
    ['a value that is null', { authorization: null }],
    ['a value that is a number', { authorization: 12345 }],
    ['a value that is a list', { authorization: ['Bearer secret'] }],
    ['a value that is an object', { authorization: { token: 'secret' } }],
    ['a value that is a function', { authorization: () => 'secret' }],
    ['a token for a name', { 'Bearer secret.12345': undefined }],
  ])('that cannot be sent are no credentials: %s', async (_name, headers) => {
    let requests = 0;
    const remote = await remoteTo(
      (_request, response) => {
        requests += 1;
        response.end();
      },
      { headers: async () => headers as Record<string, string> },
    );

    const [outcome] = await remote.push([entry('a')], context());

    expect(outcome).toMatchObject({
      kind: 'unauthorised',
      failure: { code: 'remote/unauthorised' },
    });
    expect(outcome).toMatchObject({
      failure: { detail: expect.stringContaining('headers gave what cannot be sent') as string },
    });
    expect(JSON.stringify(outcome)).not.toMatch(/secret|12345/);
    expect(requests).toBe(0);
  });

  test('of another class than the platform has are read as such', async () => {
    let seen: unknown;
    const remote = await remoteTo(
      (request, response) => {
        seen = request.headers.authorization;
        response.writeHead(500).end();
      },
      {
        headers: () => {
          const kept = new Map([['authorization', 'Bearer t']]);
          return { forEach: kept.forEach.bind(kept) } as unknown as Headers;
        },
      },
    );

    await remote.push([entry('a')], context());

    expect(seen).toBe('Bearer t');
  });

  test.each([
    ['undefined', { authorization: undefined }, /authorization is undefined/],
    ['a number', { authorization: 12345 }, /authorization is of type number/],
    ['a line end', { authorization: 'Bearer secret\nX: y' }, /no header may have/],
  ])('that are fixed and hold %s are refused at once', (_name, headers, message) => {
    const create = (): unknown => httpRemote({ url: 'http://a', headers: headers as never });

    expect(create).toThrow(expect.objectContaining({ code: 'usage/invalid-argument' }));
    expect(create).toThrow(message);
    expect(create).not.toThrow(/secret|12345/);
  });
});

test.each(['https://user:password@api.example.com', 'http://user@a', 'http://[', 'http://a b'])(
  'the URL %s is refused at the call',
  (url) => {
    expect(() => httpRemote({ url })).toThrow(
      expect.objectContaining({ code: 'usage/invalid-argument' }),
    );
  },
);
