import { afterEach, describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { fixtures } from '../../testing/backend-fixture.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import { httpRemote, type WireOperation, type WirePushRequest } from './index.ts';
import { PROBLEM_CONTENT_TYPE, ProblemType, PROTOCOL_CONTENT_TYPE } from './protocol.ts';
import type { Fetch } from './transport.ts';

const world = fixtures(afterEach, () => memoryStorage());
const url = 'https://example.test';
const TOO_LONG = 9 * 1_048_576;

/** A server that applies each key once, and answers a push as `answer` says. */
function serverWith(answer: (operations: readonly WireOperation[]) => Response): {
  readonly applied: readonly WireOperation[];
  readonly fetch: Fetch;
} {
  const applied: WireOperation[] = [];
  const keys = new Set<string>();
  const fetch: Fetch = async (_url, { body }) => {
    const { operations } = JSON.parse(body as string) as WirePushRequest;
    const response = answer(operations);
    for (const operation of response.ok ? operations : []) {
      if (!keys.has(operation.idempotencyKey)) applied.push(operation);
      keys.add(operation.idempotencyKey);
    }
    return response;
  };
  return { applied, fetch };
}

function results(operations: readonly WireOperation[], fill: number = 0): Response {
  const all = operations.map(({ id }) => ({ id, status: 'applied', version: '1' }));
  const text = JSON.stringify({ protocol: 1, results: all });
  return new Response(text + ' '.repeat(fill), {
    headers: { 'content-type': PROTOCOL_CONTENT_TYPE },
  });
}

function problem(status: number, type: ProblemType): Response {
  const headers = { 'content-type': PROBLEM_CONTENT_TYPE };
  return new Response(JSON.stringify({ type, status, title: 'No' }), { status, headers });
}

describe('an answer that is longer than a client reads', () => {
  test('is held against the entry that it is for, and the others go', async () => {
    const { applied, fetch } = serverWith((operations) =>
      results(operations, operations.some(({ entityId }) => entityId === 'long') ? TOO_LONG : 0),
    );
    const fixture = world({
      remote: httpRemote({ url, fetch }),
      store: { pull: false },
      maxAttempts: 3,
    });
    await fixture.notes.save({ id: 'long' }, { priority: 'high' });
    await fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }]);

    const first = await fixture.wait(fixture.backend.sync());
    for (let day = 0; day < 2; day += 1) {
      await fixture.runtime.advance('1d');
      await fixture.wait(fixture.backend.sync());
    }

    expect(first).toMatchObject({ stoppedBy: 'drained', pushed: 2, remaining: 1 });
    expect(new Set(applied.map(({ entityId }) => entityId))).toEqual(new Set(['a', 'b', 'long']));
    expect(applied).toHaveLength(3);
    expect(await fixture.backend.deadLetters()).toMatchObject([
      { entityId: 'long', isAmbiguous: true, lastFailure: { code: 'remote/protocol' } },
    ]);
  });

  test('leaves the fate unknown of what is refused after it: a retry does not apply it twice', async () => {
    let says: 'too much' | 'no' | 'yes' = 'too much';
    const { applied, fetch } = serverWith((operations) => {
      if (says === 'no') return problem(403, ProblemType.forbidden);
      const fill = says === 'too much' ? TOO_LONG : 0;
      if (says === 'too much') says = 'no';
      return results(operations, fill);
    });
    const fixture = world({ remote: httpRemote({ url, fetch }), store: { pull: false } });
    await fixture.notes.command('a', 'increment', { by: 1 });
    await fixture.notes.command('b', 'increment', { by: 1 });
    for (let day = 0; day < 2; day += 1) {
      await fixture.wait(fixture.backend.sync());
      await fixture.runtime.advance('1d');
    }
    const dead = await fixture.backend.deadLetters();
    says = 'yes';

    for (const { id } of dead) await fixture.backend.retry(id);
    await fixture.wait(fixture.backend.sync());

    expect(dead).toMatchObject([
      { entityId: 'a', isAmbiguous: true, lastFailure: { status: 403 } },
      { entityId: 'b', isAmbiguous: true, lastFailure: { status: 403 } },
    ]);
    expect(applied.map(({ entityId }) => entityId)).toEqual(['a', 'b']);
  });
});

test('credentials that take too long for the window say nothing of the server', async () => {
  const runtime = createVirtualRuntime(1);
  const slowly = (): Promise<void> =>
    new Promise((resolve) => void runtime.timers.after(23_500, resolve));
  const { applied, fetch } = serverWith((operations) => results(operations));
  const fixture = world({
    runtime,
    remote: httpRemote({
      url,
      fetch,
      headers: async () => {
        await slowly();
        return {};
      },
    }),
    store: { pull: false },
    requestTimeout: '60s',
    lease: '120s',
  });
  await fixture.notes.save({ id: 'a' });

  const short = await fixture.wait(fixture.backend.sync({ budget: '25s' }));
  const { lastFailure } = fixture.backend.status.current;
  const [waiting] = await fixture.backend.pendingChanges();
  const long = await fixture.wait(fixture.backend.sync({ budget: '60s' }));

  expect(short).toMatchObject({ stoppedBy: 'deadline', remaining: 1 });
  expect(lastFailure).toBeNull();
  expect(waiting).toMatchObject({ attempts: 0, isAmbiguous: false });
  expect(long).toMatchObject({ stoppedBy: 'drained', pushed: 1 });
  expect(applied).toHaveLength(1);
});
