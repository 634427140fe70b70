import { DatabaseSync } from 'node:sqlite';
import { ProblemType, PROTOCOL_CONTENT_TYPE } from 'nexus-store/http';
import type { WireOperation, WireProblem, WireResult } from 'nexus-store/http';
import { afterEach, describe, expect, test } from 'vitest';
import { createReceiver, OperationRefused } from './index.ts';
import type { Receiver, ReceiverOptions } from './index.ts';

const opened: Receiver[] = [];

afterEach(async () => {
  for (const receiver of opened.splice(0)) await receiver.close();
});

function receiverWith(options: Partial<ReceiverOptions> = {}): Receiver {
  const receiver = createReceiver({
    database: new DatabaseSync(':memory:'),
    authenticate: { 'token-a': 'ada', 'token-g': 'grace' },
    ...options,
  });
  opened.push(receiver);
  return receiver;
}

let made = 0;

function operation(entityId: string | number, fields: Partial<WireOperation> = {}): WireOperation {
  made += 1;
  return {
    id: `e${made}`,
    idempotencyKey: `key-${made}`,
    collection: 'notes',
    entityId,
    operation: 'create',
    payload: { title: 'first' },
    schemaVersion: 1,
    ...fields,
  };
}

const authorised = { authorization: 'Bearer token-a' };

function post(
  body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
  headers: Record<string, string> = {},
): Request {
  return new Request('http://server.test/api/v1/push', {
    method: 'POST',
    body,
    headers: { ...authorised, 'content-type': PROTOCOL_CONTENT_TYPE, ...headers },
    ...(body instanceof ReadableStream && { duplex: 'half' as const }),
  });
}

const pushOf = (operations: readonly unknown[]): Request =>
  post(JSON.stringify({ protocol: 1, operations }));

async function push(
  receiver: Receiver,
  ...operations: readonly unknown[]
): Promise<readonly WireResult[]> {
  const response = await receiver(pushOf(operations));
  const answer = (await response.json()) as { results: readonly WireResult[] };
  return answer.results;
}

async function refusal(response: Response): Promise<WireProblem> {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  const problem = (await response.json()) as WireProblem;
  expect(problem.status).toBe(response.status);
  return problem;
}

const pull = (receiver: Receiver, query: string, token = 'token-a'): Promise<Response> =>
  receiver(
    new Request(`http://server.test/v1/pull?${query}`, {
      headers: { authorization: `Bearer ${token}` },
    }),
  );

describe('who may ask', () => {
  test('nobody without a token, and the answer says which kind is wanted', async () => {
    const receiver = receiverWith();

    const without = await receiver(post('{}', { authorization: '' }));
    const wrong = await receiver(post('{}', { authorization: 'Bearer nobody' }));

    expect((await refusal(without)).type).toBe(ProblemType.unauthorised);
    expect(wrong.status).toBe(401);
    expect(wrong.headers.get('www-authenticate')).toBe(
      'Bearer realm="nexus-store", error="invalid_token"',
    );
  });

  test('a function may decide', async () => {
    const receiver = receiverWith({
      authenticate: async (token) => (token.startsWith('user:') ? token.slice(5) : null),
    });

    expect((await pull(receiver, 'collection=a', 'user')).status).toBe(401);
    expect((await pull(receiver, 'collection=a')).status).toBe(401);
  });

  test('users see and change their own data only, with keys and cursors of their own', async () => {
    const receiver = receiverWith();
    const mine = operation('a');
    await push(receiver, mine, operation('b'));
    const asGrace = (body: unknown): Promise<Response> =>
      receiver(post(JSON.stringify(body), { authorization: 'Bearer token-g' }));

    const theirs = await asGrace({ protocol: 1, operations: [{ ...mine, payload: 'other' }] });

    const applied = { id: mine.id, status: 'applied', version: '1' };
    expect(await theirs.json()).toEqual({ protocol: 1, results: [applied] });
    const page = (await (await pull(receiver, 'collection=notes', 'token-g')).json()) as object;
    expect(page).toMatchObject({ rows: [{ id: 'a', value: 'other' }] });
    expect((await receiver.arrivals('grace')).length).toBe(1);
  });

  test('a user may be throttled', async () => {
    const receiver = receiverWith({ throttle: (who) => (who === 'ada' ? 7 : undefined) });

    const response = await pull(receiver, 'collection=a');

    expect(response.headers.get('retry-after')).toBe('7');
    expect((await refusal(response)).type).toBe(ProblemType.throttled);
  });
});

describe('a request that is not of the protocol', () => {
  const json = (operations: unknown): string => JSON.stringify({ protocol: 1, operations });

  test.each([
    ['text', 'hello', 400],
    ['truncated JSON', '{"protocol":1,"operations":[', 400],
    ['null', 'null', 400],
    ['no operations', '{"protocol":1}', 400],
    ['no protocol', '{"operations":[]}', 426],
    ['an operation without an id', json([{ collection: 'a' }]), 400],
    [
      'two operations with one id',
      json([operation('a', { id: 'x' }), operation('b', { id: 'x' })]),
      400,
    ],
  ])('%s is refused', async (_name, body, status) => {
    const response = await receiverWith()(post(body));

    expect((await refusal(response)).status).toBe(status);
  });

  test('bytes that are not UTF-8 are refused', async () => {
    const response = await receiverWith()(post(new Uint8Array([0x22, 0xff, 0x22])));

    expect((await refusal(response)).detail).toMatch(/UTF-8/);
  });

  test.each([
    ['text/plain', {}],
    ['application/json', { 'content-encoding': 'gzip' }],
  ])('a body of type %s with %j is refused', async (type, headers) => {
    const response = await receiverWith()(post('{}', { 'content-type': type, ...headers }));

    expect((await refusal(response)).type).toBe(ProblemType.unsupportedMediaType);
  });

  test('other paths and methods are refused', async () => {
    const receiver = receiverWith();

    const nowhere = await receiver(new Request('http://server.test/v2/push'));
    const wrong = await receiver(new Request('http://server.test/v1/push'));

    expect((await refusal(nowhere)).type).toBe(ProblemType.notFound);
    expect(wrong.headers.get('allow')).toBe('POST');
    expect((await refusal(wrong)).type).toBe(ProblemType.methodNotAllowed);
  });

  test.each([
    ['no key', { idempotencyKey: '' }],
    ['a long key', { idempotencyKey: 'k'.repeat(256) }],
    ['half a character in its id', { entityId: '\ud800' }],
    ['an object as id', { entityId: {} }],
    ['an unknown operation', { operation: 'upsert' }],
    ['a command without a name', { operation: 'command' }],
    ['a number as base', { base: 5 }],
    ['no payload', { payload: undefined }],
  ])('an operation with %s is rejected alone', async (_name, fields) => {
    const bad = { ...operation('a'), ...fields };

    const [good, rejected] = await push(receiverWith(), operation('b'), bad);

    expect(good?.status).toBe('applied');
    const problem = { type: ProblemType.malformed, status: 422 };
    expect(rejected).toMatchObject({ id: bad.id, status: 'rejected', problem });
  });

  test('a group that does not stand together is rejected as a whole', async () => {
    const receiver = receiverWith();
    const group = 'g';

    const results = await push(
      receiver,
      operation('a', { group }),
      operation('b'),
      operation('c', { group }),
    );

    expect(results.map((result) => result.status)).toEqual(['rejected', 'applied', 'rejected']);
  });
});

describe('limits', () => {
  test('a body that is too large is refused while it arrives, whatever its headers say', async () => {
    let pulled = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled += 1;
        controller.enqueue(new Uint8Array(1_000).fill(0x20));
      },
    });
    const receiver = receiverWith({ limits: { maxBodyBytes: 10_000 } });

    const response = await receiver(post(endless, { 'content-length': '5' }));

    expect((await refusal(response)).type).toBe(ProblemType.tooLarge);
    expect(pulled).toBeLessThan(60);
  });

  test('a body of exactly the limit is accepted', async () => {
    const body = JSON.stringify({ protocol: 1, operations: [] });
    const receiver = receiverWith({ limits: { maxBodyBytes: body.length } });

    expect((await receiver(post(body))).status).toBe(200);
    expect((await receiver(post(`${body} `))).status).toBe(413);
  });

  test('too many operations are refused and none is applied', async () => {
    const receiver = receiverWith({ limits: { maxOperations: 2 } });

    const response = await receiver(pushOf([operation(1), operation(2), operation(3)]));

    expect((await refusal(response)).type).toBe(ProblemType.tooManyOperations);
    expect(await receiver.arrivals('ada')).toEqual([]);
  });

  test('a payload nested too deeply is rejected alone, however deep it is', async () => {
    const receiver = receiverWith();
    const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
    const json = (id: string, payload: string): string =>
      `{"id":"${id}","idempotencyKey":"k-${id}","collection":"notes","entityId":"${id}",` +
      `"operation":"create","schemaVersion":1,"payload":${payload}}`;
    const operations = [json('a', deep(500_000)), json('b', deep(1_900)), json('c', '"[[[\\"["')];

    const response = await receiver(post(`{"protocol":1,"operations":[${operations.join(',')}]}`));

    const { results } = (await response.json()) as { results: readonly WireResult[] };
    expect(results.map((result) => result.status)).toEqual(['rejected', 'applied', 'applied']);
  });

  test('patches cannot make a value grow without bound', async () => {
    const receiver = receiverWith({ limits: { maxValueBytes: 100 } });
    await push(receiver, operation('a'));
    const patch = (field: string): WireOperation =>
      operation('a', { operation: 'update', patch: true, payload: { [field]: 'x'.repeat(40) } });

    const [first] = await push(receiver, patch('one'));
    const [second] = await push(receiver, patch('two'));

    expect(first?.status).toBe('applied');
    expect(second).toMatchObject({ status: 'rejected', problem: { type: ProblemType.tooLarge } });
  });

  test('a page is bounded in rows and in bytes, and always makes progress', async () => {
    const receiver = receiverWith({ limits: { maxPageRows: 3, maxPageBytes: 1_000 } });
    const payload = 'x'.repeat(600);
    await push(receiver, ...['a', 'b'].map((id) => operation(id, { payload })));
    await push(receiver, ...['c', 'd', 'e', 'f'].map((id) => operation(id)));

    const sizes: number[] = [];
    for (let cursor = ''; ;) {
      const response = await pull(receiver, `collection=notes&limit=100${cursor}`);
      const page = (await response.json()) as { rows: []; cursor: string; more: boolean };
      sizes.push(page.rows.length);
      if (!page.more) break;
      cursor = `&cursor=${page.cursor}`;
    }

    expect(sizes).toEqual([1, 2, 3]);
  });
});

describe('what an operation does', () => {
  test('a patch merges fields, also those with odd names, and never a prototype', async () => {
    const receiver = receiverWith();
    await push(receiver, operation('a', { payload: { one: 1, two: 2 } }));
    const odd = JSON.parse('{"$nexus":"object","value":[["__proto__",{"bad":1}],["two",3]]}');
    const patch = { operation: 'update', patch: true } as const;

    const [first] = await push(receiver, operation('a', { ...patch, payload: odd }));
    const [second] = await push(receiver, operation('a', { ...patch, payload: { one: 0 } }));
    const own = JSON.parse('{"__proto__":5}');
    const [third] = await push(receiver, operation('a', { ...patch, payload: own }));

    const merged = (one: number, proto: unknown): unknown => ({
      $nexus: 'object',
      value: [
        ['one', one],
        ['two', 3],
        ['__proto__', proto],
      ],
    });
    expect(first).toMatchObject({ value: merged(1, { bad: 1 }) });
    expect(second).toMatchObject({ value: merged(0, { bad: 1 }) });
    expect(third).toMatchObject({ value: merged(0, 5) });
  });

  test.each([[[1]], ['text'], [5], [null], [{ $nexus: 'date', value: null }]])(
    'a patch %j is refused',
    async (payload) => {
      const receiver = receiverWith();
      await push(receiver, operation('a'));

      const [result] = await push(
        receiver,
        operation('a', { operation: 'update', patch: true, payload }),
      );

      expect(result).toMatchObject({ status: 'rejected', problem: { type: ProblemType.refused } });
    },
  );

  test('commands are the server owner’s; what they refuse is told, what they break is not applied', async () => {
    const receiver = receiverWith({
      commands: {
        append: ({ value, args }) => [...((value ?? []) as unknown[]), args],
        refuse: () => {
          throw new OperationRefused('not today');
        },
        break: () => {
          throw new Error('a bug');
        },
      },
    });
    const command = (name: string): WireOperation =>
      operation(name, { operation: 'command', command: name, payload: 1 });
    const increment = operation('x', {
      operation: 'command',
      command: 'increment',
      payload: { field: 'n', by: 1 },
    });

    const results = await push(receiver, ...['append', 'refuse', 'break'].map(command), increment);

    expect(results).toMatchObject([
      { status: 'applied', value: [1] },
      { status: 'rejected', problem: { detail: 'not today' } },
      { status: 'retry', problem: { status: 500 } },
      { status: 'conflict', remote: null },
    ]);
  });

  test('a forbidden operation is rejected with 403', async () => {
    const receiver = receiverWith({
      forbids: ({ collection }, who) =>
        collection === 'audit' ? `${who} may only read` : undefined,
    });

    const [result] = await push(receiver, operation('a', { collection: 'audit' }));

    const problem = { status: 403, detail: 'ada may only read' };
    expect(result).toMatchObject({ status: 'rejected', problem });
  });

  test('the arrival log numbers what was applied, in order, once', async () => {
    const receiver = receiverWith();
    const [a, b] = [operation('a'), operation('b')];
    await push(receiver, b, operation('c', { operation: 'update' }), a);
    await push(receiver, a, b);

    const log = await receiver.arrivals('ada');

    expect(log.map(({ arrival, entity }) => [arrival, entity])).toEqual([
      [1, '"b"'],
      [2, '"a"'],
    ]);
  });
});

describe('forgetting', () => {
  const DAY = 86_400_000;

  test('keys are remembered for 30 days; then a version that still stands is recognised', async () => {
    let now = 0;
    const receiver = receiverWith({ now: () => now });
    const [create, update] = [operation('a'), operation('b')];
    await push(receiver, create, update);
    await push(receiver, operation('b', { operation: 'update', payload: 'new' }));

    now = 30 * DAY;
    await receiver.sweep();
    expect((await receiver.arrivals('ada')).length).toBe(3);
    now += 1;
    await receiver.sweep();

    expect(await receiver.arrivals('ada')).toEqual([]);
    const results = await push(receiver, create, update);
    expect(results.map((result) => result.status)).toEqual(['applied', 'conflict']);
  });

  test('more keys than one round forgets are forgotten, newer ones kept', async () => {
    let now = 0;
    const receiver = receiverWith({ now: () => now, limits: { maxOperations: 5_000 } });
    await push(receiver, ...Array.from({ length: 2_500 }, (_, index) => operation(index)));
    now = 31 * DAY;
    await push(receiver, operation('new'));

    await receiver.sweep();

    expect((await receiver.arrivals('ada')).map(({ arrival }) => arrival)).toEqual([2_501]);
  });

  test('a full pull does not expire on its way for deletions before its first page', async () => {
    let now = 0;
    const receiver = receiverWith({ now: () => now });
    await push(receiver, ...['a', 'b', 'c', 'd'].map((id) => operation(id)));
    await push(receiver, operation('d', { operation: 'delete' }));
    const first = (await (await pull(receiver, 'collection=notes&limit=1')).json()) as {
      cursor: string;
    };

    now = 91 * DAY;
    await receiver.sweep();

    const next = await pull(receiver, `collection=notes&limit=1&cursor=${first.cursor}`);
    expect(next.status).toBe(200);
    expect(await next.json()).toMatchObject({ rows: [{ id: 'b' }] });
  });

  test('it does expire for a deletion that came after its first page', async () => {
    let now = 0;
    const receiver = receiverWith({ now: () => now });
    await push(receiver, ...['a', 'b', 'c'].map((id) => operation(id)));
    const first = (await (await pull(receiver, 'collection=notes&limit=1')).json()) as {
      cursor: string;
    };
    await push(receiver, operation('a', { operation: 'delete' }));

    now = 91 * DAY;
    await receiver.sweep();

    const next = await pull(receiver, `collection=notes&limit=1&cursor=${first.cursor}`);
    expect((await refusal(next)).type).toBe(ProblemType.cursorExpired);
  });

  test('a cursor of another server has expired, and what never was a cursor is refused', async () => {
    const [one, two] = [receiverWith(), receiverWith()];
    const { cursor } = (await (await pull(one, 'collection=notes')).json()) as { cursor: string };

    expect((await pull(two, `collection=notes&cursor=${cursor}`)).status).toBe(410);
    expect((await pull(two, 'collection=notes&cursor=hello')).status).toBe(400);
    expect((await pull(two, 'limit=5')).status).toBe(400);
    expect((await pull(two, 'collection=notes&limit=0')).status).toBe(400);
  });
});

describe('events', () => {
  const events = (receiver: Receiver, token = 'token-a', signal?: AbortSignal): Promise<Response> =>
    receiver(
      new Request('http://server.test/v1/events', {
        headers: { authorization: `Bearer ${token}` },
        ...(signal && { signal }),
      }),
    );

  async function nextText(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
    return new TextDecoder().decode((await reader.read()).value);
  }

  test('tell a user, and nobody else, which collection changed', async () => {
    const receiver = receiverWith();
    const mine = (
      await events(receiver)
    ).body?.getReader() as ReadableStreamDefaultReader<Uint8Array>;
    const other = (await events(receiver, 'token-g')).body?.getReader();
    expect(await nextText(mine)).toBe(': connected\n\n');

    await push(receiver, operation('a'), operation('b'));

    expect(await nextText(mine)).toBe('event: change\ndata: {"collection":"notes"}\n\n');
    await receiver.close();
    await other?.read();
    expect((await other?.read())?.done).toBe(true);
    opened.length = 0;
  });

  test('are joined while nobody reads', async () => {
    const receiver = receiverWith();
    const reader = (
      await events(receiver)
    ).body?.getReader() as ReadableStreamDefaultReader<Uint8Array>;
    for (let count = 0; count < 50; count += 1) {
      await push(receiver, operation(`n${count}`, { collection: `c${count % 2}` }));
    }

    await nextText(reader);
    const text = await nextText(reader);

    expect(text.match(/event: change/g)?.length).toBe(2);
  });

  test('beat while nothing happens', async () => {
    const receiver = receiverWith({ heartbeatMs: 1 });
    const reader = (
      await events(receiver)
    ).body?.getReader() as ReadableStreamDefaultReader<Uint8Array>;
    await nextText(reader);

    expect(await nextText(reader)).toBe(': alive\n\n');
  });

  test('have a bounded number of streams, freed when a client leaves', async () => {
    const receiver = receiverWith({ limits: { maxStreamsPerPrincipal: 2, maxStreams: 3 } });
    const first = await events(receiver);
    await events(receiver);

    const third = await events(receiver);
    expect(third.headers.get('retry-after')).toBe('60');
    expect((await refusal(third)).type).toBe(ProblemType.busy);
    expect((await events(receiver, 'token-g')).status).toBe(200);
    expect((await events(receiver, 'token-g')).status).toBe(503);

    await first.body?.cancel();
    expect((await events(receiver)).status).toBe(200);
    expect(receiver.streams).toBe(3);
  });
});
