import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { OutgoingEntry, Remote, RemoteContext } from '../../core/ports/remote.ts';
import { httpRemote } from './index.ts';
import type { HttpRemoteOptions } from './index.ts';
import { PROTOCOL_CONTENT_TYPE } from './protocol.ts';

const ours = { 'content-type': PROTOCOL_CONTENT_TYPE };
const MIB = 1_048_576;

let server: Server | undefined;
let remote: Remote | undefined;
afterEach(async () => {
  await remote?.close();
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(0) : server.close(resolve)));
  server = undefined;
  remote = undefined;
});

type Handler = (body: string, response: ServerResponse, request: IncomingMessage) => void;

/** A remote to a real server that answers as told. */
async function remoteTo(
  handler: Handler,
  options: Partial<HttpRemoteOptions> = {},
): Promise<Remote> {
  server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => handler(body, response, request));
  });
  const listening = server;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const { port } = listening.address() as AddressInfo;
  remote = httpRemote({ url: `http://127.0.0.1:${port}`, ...options });
  return remote;
}

const context = (): RemoteContext => ({
  signal: new AbortController().signal,
  maySend: () => true,
  now: Date.UTC(2026, 10, 22),
  principal: 'ada',
});

function entry(id: string, fields: Partial<OutgoingEntry> = {}): OutgoingEntry {
  return {
    id,
    idempotencyKey: `key-${id}`,
    collection: 'notes',
    entityId: id,
    operation: 'update',
    command: null,
    isPatch: false,
    baseVersion: null,
    payloadJson: '1',
    payload: 1,
    schemaVersion: 1,
    group: null,
    attempts: 0,
    ...fields,
  };
}

const operationsOf = (body: string): readonly { id: string }[] =>
  (JSON.parse(body) as { operations: { id: string }[] }).operations;

const conflictsWith =
  (value: string): Handler =>
  (body, response) => {
    const results = operationsOf(body).map(({ id }) => ({
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
    const remote_ = await remoteTo((body, response, request) => {
      requests.push(operationsOf(body).length);
      answer(body, response, request);
    });

    const outcomes = await remote_.push(
      ['a', 'b', 'c', 'd'].map((id) => entry(id)),
      context(),
    );

    expect(outcomes.map(({ kind }) => kind)).toEqual(Array(4).fill('conflict'));
    expect(requests).toEqual([4, 2, 2]);
  });

  test('of one entry, or of a group that stands together, is no answer', async () => {
    const remote_ = await remoteTo(conflictsWith('x'.repeat(5 * MIB)));
    const unknown = {
      kind: 'retry',
      scope: 'endpoint',
      ambiguous: true,
      failure: { code: 'remote/protocol' },
    };

    const group = ['a', 'b'].map((id) => entry(id, { group: 'g' }));

    expect(await remote_.push(group, context())).toMatchObject([unknown, unknown]);
  });

  test.each([
    ['was withheld', { isWithheld: true, status: 200 }],
    ['was refused for its credentials', { isWithheld: false, status: 401 }],
  ])('may have been applied, also where the request for a part %s', async (_what, part) => {
    let isFirst = true;
    let isWithheld = false;
    const large = conflictsWith('x'.repeat(5 * MIB));
    const remote_ = await remoteTo((body, response, request) => {
      if (!isFirst) return response.writeHead(part.status, ours).end();
      isFirst = false;
      isWithheld = part.isWithheld;
      return large(body, response, request);
    });

    const batch = ['a', 'b'].map((id) => entry(id));
    const outcomes = await remote_.push(batch, { ...context(), maySend: () => !isWithheld });

    const perhaps = { kind: 'retry', scope: 'endpoint', ambiguous: true };
    expect(outcomes).toMatchObject([perhaps, perhaps]);
  });
});

describe('a problem type with the name of something every object has', () => {
  test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])(
    '%s is judged by its status',
    async (type) => {
      const problem = { type, status: 503 };
      const remote_ = await remoteTo((body, response) => {
        const results = [{ id: operationsOf(body)[0]?.id, status: 'retry', problem }];
        response.writeHead(200, ours).end(JSON.stringify({ protocol: 1, results }));
      });

      expect(await remote_.push([entry('a')], context())).toMatchObject([
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
    const remote_ = await remoteTo(
      (_body, response, request) => {
        seen = request.headers.authorization;
        response.writeHead(500).end();
      },
      { headers: async () => new Headers({ Authorization: 'Bearer t' }) },
    );

    await remote_.push([entry('a')], context());

    expect(seen).toBe('Bearer t');
  });

  test.each([
    ['a token with the line end of its file', { authorization: 'Bearer secret\nX: y' }],
    ['a name that is none', { 'not a name': 'secret' }],
    ['nothing at all', undefined],
    ['a text', 'Bearer secret'],
  ])('that cannot be sent are no credentials: %s', async (_name, headers) => {
    let requests = 0;
    const remote_ = await remoteTo(
      (_body, response) => {
        requests += 1;
        response.end();
      },
      { headers: async () => headers as Record<string, string> },
    );

    const [outcome] = await remote_.push([entry('a')], context());

    expect(outcome).toMatchObject({
      kind: 'unauthorised',
      failure: { code: 'remote/unauthorised' },
    });
    expect(JSON.stringify(outcome)).not.toContain('secret');
    expect(requests).toBe(0);
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
