import { DatabaseSync } from 'node:sqlite';
import { ProblemType, PROTOCOL_CONTENT_TYPE } from 'nexus-store/http';
import type { WireResult } from 'nexus-store/http';
import { afterEach, describe, expect, test } from 'vitest';
import { createReceiver } from './index.ts';
import type { Receiver } from './index.ts';

/** Every member of an operation, sent as what it is not, to an entity whose value is worth something. */

const headers = { authorization: 'Bearer t', 'content-type': PROTOCOL_CONTENT_TYPE };
const PRECIOUS = { title: 'first', body: 'precious' };

const opened: Receiver[] = [];
afterEach(async () => {
  for (const receiver of opened.splice(0)) await receiver.close();
});

/** Has a row `a` at version 1. */
async function receiverWithRow(): Promise<Receiver> {
  const receiver = createReceiver({
    database: new DatabaseSync(':memory:'),
    authenticate: { t: 'u' },
  });
  opened.push(receiver);
  const create = { ...update('setup'), operation: 'create', payload: PRECIOUS };
  expect(await push(receiver, create)).toMatchObject([{ status: 'applied' }]);
  return receiver;
}

function update(id: string): Readonly<Record<string, unknown>> {
  const names = { id, idempotencyKey: `key-${id}`, collection: 'notes', entityId: 'a' };
  return { ...names, operation: 'update', payload: { title: 'U' } };
}

/** An update of `a` with one member as this JSON text. */
function updateWith(name: string, json: string): string {
  const { [name]: _left, ...rest } = update('bad');
  return `${JSON.stringify(rest).slice(0, -1)},${JSON.stringify(name)}:${json}}`;
}

async function pushText(receiver: Receiver, operations: readonly string[]): Promise<Response> {
  const body = `{"protocol":1,"operations":[${operations.join(',')}]}`;
  return receiver(new Request('http://server.test/v1/push', { method: 'POST', headers, body }));
}

async function push(
  receiver: Receiver,
  ...operations: readonly object[]
): Promise<readonly WireResult[]> {
  return resultsOf(
    await pushText(
      receiver,
      operations.map((operation) => JSON.stringify(operation)),
    ),
  );
}

async function resultsOf(response: Response): Promise<readonly WireResult[]> {
  return ((await response.json()) as { results: readonly WireResult[] }).results;
}

async function rows(receiver: Receiver): Promise<readonly unknown[]> {
  const request = new Request('http://server.test/v1/pull?collection=notes', { headers });
  const { rows: found } = (await (await receiver(request)).json()) as { rows: unknown[] };
  return found;
}

const malformed = {
  status: 'rejected',
  problem: { type: ProblemType.malformed, status: 422 },
};

/** JSON of every type, with those that a looser language takes for each other. */
const VALUES = {
  'a text': '"x"',
  'the text true': '"true"',
  'the text false': '"false"',
  'an empty text': '""',
  'half a character': '"\\ud800"',
  'a long text': `"${'x'.repeat(256)}"`,
  one: '1',
  zero: '0',
  'a fraction': '1.5',
  'a number beyond all': '1e999',
  'a number below all': '-1e999',
  'a number of 400 digits': '9'.repeat(400),
  true: 'true',
  false: 'false',
  null: 'null',
  'an empty list': '[]',
  'a list with a text': '["x"]',
  'an empty object': '{}',
  'an object with a value': '{"value":"x"}',
} as const;
type Kind = keyof typeof VALUES;

/** What each member may be; everything else of the table is refused. `id` is a matter of its own. */
const ALLOWED: Readonly<Record<string, readonly Kind[]>> = {
  idempotencyKey: ['a text', 'the text true', 'the text false'],
  collection: ['a text', 'the text true', 'the text false'],
  entityId: ['a text', 'the text true', 'the text false', 'one', 'zero', 'a fraction'],
  operation: [],
  patch: ['true', 'false'],
  command: ['null'],
  base: ['a text', 'the text true', 'the text false', 'an empty text', 'half a character', 'null'],
  group: ['a text', 'the text true', 'the text false', 'an empty text', 'half a character', 'null'],
  schemaVersion: ['one', 'zero', 'a fraction'],
  payload: (Object.keys(VALUES) as Kind[]).filter(
    (kind) => !/beyond|below|400/.test(kind), // They would be stored as null.
  ),
};

describe('an operation whose member is not what it must be is refused, and nothing is changed', () => {
  const refused = Object.entries(ALLOWED).flatMap(([name, allowed]) =>
    (Object.keys(VALUES) as Kind[])
      .filter((kind) => !allowed.includes(kind))
      .map((kind) => ({ name, kind })),
  );

  test.each(refused)('$name: $kind', async ({ name, kind }) => {
    const receiver = await receiverWithRow();

    const response = await pushText(receiver, [updateWith(name, VALUES[kind])]);

    expect(await resultsOf(response)).toMatchObject([{ id: 'bad', ...malformed }]);
    expect(await rows(receiver)).toMatchObject([{ id: 'a', version: '1', value: PRECIOUS }]);
    expect(await receiver.arrivals('u')).toHaveLength(1);
  });

  const accepted = Object.entries(ALLOWED).flatMap(([name, allowed]) =>
    allowed.map((kind) => ({ name, kind })),
  );

  test.each(accepted)('but $name may be: $kind', async ({ name, kind }) => {
    const receiver = await receiverWithRow();

    const [result] = await resultsOf(await pushText(receiver, [updateWith(name, VALUES[kind])]));

    expect(result).not.toMatchObject(malformed);
  });

  test.each(['"x"', '1', 'null', 'true'])(
    'the id decides nothing but who is answered: %s',
    async (json) => {
      const receiver = await receiverWithRow();

      const response = await pushText(receiver, [updateWith('id', json)]);

      expect(response.status).toBe(json === '"x"' ? 200 : 400);
    },
  );
});

test.each([['idempotencyKey'], ['collection'], ['entityId'], ['operation'], ['payload']])(
  'an operation without %s is refused',
  async (name) => {
    const receiver = await receiverWithRow();
    const { [name]: _left, ...rest } = update('bad');

    expect(await push(receiver, rest)).toMatchObject([malformed]);
    expect(await rows(receiver)).toMatchObject([{ version: '1', value: PRECIOUS }]);
  },
);

describe('a patch', () => {
  test('that says so changes only its fields, and one that says no replaces the value', async () => {
    const receiver = await receiverWithRow();

    await push(receiver, { ...update('yes'), patch: true });
    expect(await rows(receiver)).toMatchObject([{ value: { title: 'U', body: 'precious' } }]);

    await push(receiver, { ...update('no'), patch: false });
    expect(await rows(receiver)).toEqual([
      { id: 'a', version: '3', value: { title: 'U' }, operationId: 'key-no' },
    ]);
  });

  test.each(['create', 'delete', 'command'])(
    'of the operation %s is refused',
    async (operation) => {
      const receiver = await receiverWithRow();
      const command = operation === 'command' ? { command: 'increment' } : {};

      const results = await push(receiver, {
        ...update('bad'),
        ...command,
        operation,
        patch: true,
      });

      expect(results).toMatchObject([malformed]);
      expect(await rows(receiver)).toMatchObject([{ version: '1', value: PRECIOUS }]);
    },
  );
});

test.each(['create', 'update', 'delete'])(
  'a command that is a %s is refused',
  async (operation) => {
    const receiver = await receiverWithRow();
    const payload = { field: 'count', by: 1 };

    const results = await push(receiver, {
      ...update('bad'),
      operation,
      command: 'increment',
      payload,
    });

    expect(results).toMatchObject([malformed]);
    expect(await rows(receiver)).toMatchObject([{ version: '1', value: PRECIOUS }]);
  },
);

test.each([
  ['deep inside', '{"title":"U","list":[{"n":[1,-1e400]}]}'],
  ['with a point and a sign', '{"n":1.5e+309}'],
  ['as the whole payload', '1E309'],
])('a number that no double holds is refused, not stored as null: %s', async (_name, payload) => {
  const receiver = await receiverWithRow();

  const response = await pushText(receiver, [updateWith('payload', payload)]);

  expect(await resultsOf(response)).toMatchObject([malformed]);
  expect(await rows(receiver)).toMatchObject([{ version: '1', value: PRECIOUS }]);
});

test('large numbers and texts that look like numbers are no such number', async () => {
  const receiver = await receiverWithRow();
  const payload = { n: 1.5e308, tiny: 5e-324, text: `1e999 ${'9'.repeat(400)}` };

  const results = await push(receiver, { ...update('fine'), payload });

  expect(results).toMatchObject([{ status: 'applied' }]);
  expect(await rows(receiver)).toMatchObject([{ value: payload }]);
});

describe('after an operation that is refused for its form', () => {
  test('nothing later of its entity is applied, and everything else is', async () => {
    const receiver = await receiverWithRow();

    const results = await push(
      receiver,
      { ...update('bad'), patch: 1 },
      { ...update('later'), payload: { title: 'made on the one before' } },
      { ...update('other'), entityId: 'b', operation: 'create' },
    );

    expect(results).toMatchObject([
      malformed,
      { status: 'retry', problem: { type: ProblemType.predecessorFailed } },
      { status: 'applied' },
    ]);
    expect(await rows(receiver)).toMatchObject([{ id: 'a', value: PRECIOUS }, { id: 'b' }]);
  });

  test('also where the whole group is refused for standing apart', async () => {
    const receiver = await receiverWithRow();

    const results = await push(
      receiver,
      { ...update('g1'), group: 'g' },
      { ...update('other'), entityId: 'b', operation: 'create' },
      { ...update('g2'), entityId: 'c', operation: 'create', group: 'g' },
      update('later'),
    );

    expect(results.map(({ status }) => status)).toEqual([
      'rejected',
      'applied',
      'rejected',
      'retry',
    ]);
    expect(await rows(receiver)).toMatchObject([{ id: 'a', value: PRECIOUS }, { id: 'b' }]);
  });
});
