import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { PROTOCOL_CONTENT_TYPE } from 'nexus-store/http';
import { afterEach, describe, expect, test } from 'vitest';
import { createReceiver, serve } from './index.ts';
import type { Receiver, ReceiverLimits, ReceiverOptions, RunningServer } from './index.ts';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end();
});

function receiverWith(options: Partial<ReceiverOptions> = {}): Receiver {
  const database = new DatabaseSync(':memory:');
  const receiver = createReceiver({ database, authenticate: { t: 'u' }, ...options });
  endings.push(() => receiver.close());
  return receiver;
}

async function started(): Promise<RunningServer> {
  const server = await serve({ database: ':memory:', port: 0, authenticate: { t: 'u' } });
  endings.push(() => server.close());
  return server;
}

const headers = { authorization: 'Bearer t', 'content-type': PROTOCOL_CONTENT_TYPE };

async function push(receiver: Receiver, ...operations: readonly object[]): Promise<Response> {
  const whole = operations.map((operation, index) => ({
    id: `e${index}`,
    idempotencyKey: `k${Math.random()}`,
    collection: 'c',
    entityId: 'a',
    operation: 'create',
    payload: {},
    ...operation,
  }));
  const body = JSON.stringify({ protocol: 1, operations: whole });
  return receiver(new Request('http://a/v1/push', { method: 'POST', headers, body }));
}

async function results(
  response: Response,
): Promise<readonly { status: string; value?: unknown }[]> {
  return ((await response.json()) as { results: { status: string }[] }).results;
}

describe('a token that is none', () => {
  test.each([
    ['a plain object', (token: string) => ({ t: 'u' })[token]],
    ['a map', (token: string) => new Map([['t', 'u']]).get(token)],
    ['an empty id', () => ''],
    ['an object', () => ({ id: 'u' })],
  ])('is refused, whatever a table of the owner gives for it: %s', async (_name, lookUp) => {
    const authenticate = lookUp as ReceiverOptions['authenticate'];
    const receiver = receiverWith({ authenticate });

    for (const token of ['unknown', 'constructor', '__proto__', 'toString']) {
      const authorization = `Bearer ${token}`;
      const response = await receiver(
        new Request('http://a/v1/pull?collection=c', { headers: { authorization } }),
      );
      expect.soft(response.status, token).toBe(401);
    }
  });

  test('a server without anybody, or with limits that are none, is not made', () => {
    const database = new DatabaseSync(':memory:');
    const wrong: readonly object[] = [
      {},
      { database },
      { database, authenticate: null },
      { database, authenticate: {}, limits: { maxBodyBytes: Number.NaN } },
      { database, authenticate: {}, limits: { maxBodySize: 1 } },
      { database, authenticate: {}, busyTimeoutMs: '5s' },
    ];
    for (const options of wrong) {
      expect(() => createReceiver(options as ReceiverOptions)).toThrow(
        /database|authenticate|limit|busyTimeoutMs/,
      );
    }
    database.close();
  });

  test('a limit that is undefined is the default, not none', async () => {
    const limits = { maxOperations: undefined } as unknown as Partial<ReceiverLimits>;
    const receiver = receiverWith({ limits });

    expect((await push(receiver, ...Array<object>(1_001).fill({}))).status).toBe(413);
  });
});

test('who may not come any more is not told of changes for ever', async () => {
  const tokens = new Map([['t', 'u']]);
  const authenticate = (token: string): string | null => tokens.get(token) ?? null;
  const receiver = receiverWith({ authenticate, streamLifetimeMs: 50 });
  const events = (): Promise<Response> =>
    receiver(new Request('http://a/v1/events', { headers: { authorization: 'Bearer t' } }));
  const stream = await events();
  tokens.clear();

  // Ends, or this waits for ever.
  expect(await stream.text()).toBe(': connected\n\n');

  expect(receiver.streams).toBe(0);
  expect((await events()).status).toBe(401);
});

describe('an operation', () => {
  test('with a number too large for JSON is not an entity that all such numbers share', async () => {
    const receiver = receiverWith();
    const operation = `{"id":"e1","idempotencyKey":"k","collection":"c","entityId":1e999,"operation":"create","payload":1}`;
    const body = `{"protocol":1,"operations":[${operation}]}`;

    const response = await receiver(
      new Request('http://a/v1/push', { method: 'POST', headers, body }),
    );

    expect(await results(response)).toMatchObject([{ status: 'rejected' }]);
    expect(await receiver.arrivals('u')).toEqual([]);
  });

  test.each(['id', 'idempotencyKey', 'collection', 'entityId', 'base', 'group'])(
    'with a %s of a megabyte is refused, and not stored',
    async (name) => {
      const receiver = receiverWith();

      const response = await push(receiver, { [name]: 'x'.repeat(1_000_000) });

      if (name === 'id') expect(response.status).toBe(400);
      else expect(await results(response)).toMatchObject([{ status: 'rejected' }]);
      expect(await receiver.arrivals('u')).toEqual([]);
    },
  );

  test('that many ask a large value of does not become gigabytes: the rest comes again', async () => {
    const receiver = receiverWith();
    await push(receiver, { payload: { n: 0, text: '€'.repeat(300_000) } });
    const command = { operation: 'command', command: 'increment', payload: { field: 'n', by: 1 } };

    const response = await push(receiver, ...Array<object>(1_000).fill(command));
    const text = await response.text();

    expect(text.length).toBeLessThan(4_000_000);
    const answered = (JSON.parse(text) as { results: object[] }).results;
    expect(answered).toHaveLength(1_000);
    expect(answered.filter((result) => Object.hasOwn(result, 'value'))).toHaveLength(4);
    expect(answered.at(-1)).toMatchObject({
      status: 'retry',
      scope: 'endpoint',
      problem: { type: 'urn:nexus-store:problem:busy' },
    });
    // What was told to come again was not applied.
    expect(await receiver.arrivals('u')).toHaveLength(1 + 4);
  });

  test('whose handler gives what JSON cannot say fails alone, and its owner hears of it', async () => {
    const heard: unknown[] = [];
    const handlers = { later: async () => ({ a: 1 }), method: () => () => {}, broken: () => null };
    const receiver = receiverWith({
      commands: {
        ...handlers,
        broken: () => {
          throw new Error('a bug of the owner');
        },
      },
      onError: (error) => heard.push(error),
    });
    await push(receiver, { payload: { a: 0 } });

    const commands = Object.keys(handlers).map((command) => ({ operation: 'command', command }));
    for (const command of commands) {
      const [result] = await results(await push(receiver, command));
      expect(result).toMatchObject({ status: 'retry' });
    }

    expect(heard).toHaveLength(3);
    const pulled = await receiver(new Request('http://a/v1/pull?collection=c', { headers }));
    expect(await pulled.json()).toMatchObject({ rows: [{ value: { a: 0 } }] });
  });
});

describe('a connection', () => {
  const talk = (server: RunningServer): Socket => {
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    endings.push(() => socket.destroy());
    return socket;
  };

  test.each([
    ['a host that is none', 'GET /v1/pull HTTP/1.1\r\nHost: a b/../\r\n\r\n'],
    [
      'two lengths',
      'POST /v1/push HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx',
    ],
    [
      'length and chunks at once',
      'POST /v1/push HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a header without end', `GET /health HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(40_000)}`],
    ['no HTTP', '\u0016\u0003\u0001\u0002\u0000'],
  ])('that sends %s is refused, and the server goes on', async (_name, bytes) => {
    const server = await started();
    const socket = talk(server);
    let answer = '';
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text));

    socket.write(bytes);
    await once(socket, 'data');

    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
  });

  test('without credentials never gets its body read', async () => {
    const server = await started();
    const socket = talk(server);
    let answer = '';
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text));

    const head = `POST /v1/push HTTP/1.1\r\nHost: a\r\nContent-Type: ${PROTOCOL_CONTENT_TYPE}\r\n`;
    socket.write(`${head}Content-Length: 4000000\r\n\r\n{`);
    await once(socket, 'data');

    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  });

  test('that listens to hints and never reads costs the server next to nothing', async () => {
    const server = await started();
    const socket = talk(server);
    socket.write('GET /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\n\r\n');
    while (server.receiver.streams === 0) await new Promise((resolve) => setImmediate(resolve));
    socket.pause();
    const before = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed;

    // Far more hints than any buffer of the system holds.
    for (let round = 0; round < 60; round += 1) {
      const operations = Array.from({ length: 500 }, (_, n) => ({
        collection: `${round}-${n}-${'c'.repeat(200)}`,
      }));
      await push(server.receiver, ...operations);
    }

    const grown = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed - before;
    expect(grown).toBeLessThan(60_000_000);
    expect(server.receiver.streams).toBe(1);
    socket.destroy();
    while (server.receiver.streams > 0) {
      await push(server.receiver, { collection: 'last' });
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
});
