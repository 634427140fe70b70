import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import { RemoteError } from '../model/errors.ts';
import type { Outcome } from '../model/outcome.ts';
import { STORAGE_SCHEMA } from '../model/storage-schema.ts';
import type { Storage } from '../ports/storage.ts';

const world = fixtures(afterEach, () => memoryStorage());
const SECRET = 'ann@example.com';

/** Everything that stands in a database, whoever it belongs to. */
async function contentOf(disk: Storage): Promise<string> {
  await disk.open(STORAGE_SCHEMA);
  const found = await disk.transact('read', async (tx) => {
    const tables = Object.keys(STORAGE_SCHEMA.tables);
    return Promise.all(tables.map((table) => tx.scan(table, { limit: 10_000 })));
  });
  await disk.close();
  return JSON.stringify(found);
}

const withText = (outcome: Outcome, detail: string): Outcome =>
  'failure' in outcome && outcome.failure !== undefined
    ? ({ ...outcome, failure: { ...outcome.failure, detail } } as Outcome)
    : outcome;

async function failedPush(fixture: BackendFixture, outcome: Outcome): Promise<void> {
  await fixture.backend.signIn('ann');
  await fixture.notes.save({ id: 'a', text: 'x' });
  fixture.remote.answerNext(withText(outcome, `no access for ${SECRET}`));
  await fixture.wait(fixture.backend.sync());
  expect(JSON.stringify(fixture.backend.status.current)).toContain(SECRET);
}

async function failedPull(fixture: BackendFixture): Promise<void> {
  await fixture.backend.signIn('ann');
  const pull = fixture.remote.pull.bind(fixture.remote);
  fixture.remote.pull = async () => {
    throw new RemoteError('remote/rejected', `${SECRET} may not read notes`, { status: 403 });
  };
  await fixture.wait(fixture.backend.sync());
  fixture.remote.pull = pull;
  expect(JSON.stringify(fixture.backend.status.current)).toContain(SECRET);
}

const failures = [
  ['refused credentials', (fixture: BackendFixture) => failedPush(fixture, answers.unauthorised)],
  [
    'an endpoint that failed',
    (fixture: BackendFixture) => failedPush(fixture, answers.endpoint(503, 60_000)),
  ],
  ['a refused pull', failedPull],
] as const;

describe.each(failures)('of %s', (_, fail) => {
  test.each(['keep', 'discard'] as const)(
    'the next user is told nothing that the server said to the last one, who left with %s',
    async (pending) => {
      const database = memoryDatabase();
      const fixture = world({ storage: memoryStorage({ database }) });
      await fail(fixture);

      await fixture.wait(fixture.backend.signOut({ pending }));
      await fixture.wait(fixture.backend.signIn('bob'));
      const atOnce = JSON.stringify(fixture.backend.status.current);
      await fixture.wait(fixture.backend.sync());
      await fixture.runtime.advance(1_000);
      const here = JSON.stringify(fixture.backend.status.current);
      await fixture.wait(fixture.backend.close());
      const again = world({
        storage: memoryStorage({ database }),
        remote: memoryRemote({ hints: false, server: fixture.remote.server }),
        runtime: fixture.runtime,
      });
      await again.backend.open();
      await again.runtime.advance(1_000);

      expect(atOnce).not.toContain(SECRET);
      expect(here).not.toContain(SECRET);
      expect(JSON.stringify(again.backend.status.current)).not.toContain(SECRET);
    },
  );
});

test("that the last user's credentials were refused is not told to the next one", async () => {
  const fixture = world();
  await failedPush(fixture, answers.unauthorised);

  await fixture.wait(fixture.backend.signOut());
  await fixture.wait(fixture.backend.signIn('bob'));

  expect(fixture.backend.status.current).toMatchObject({ lastFailure: null, blockedBy: null });
  const cut = new AbortController();
  cut.abort();
  await fixture.wait(fixture.backend.sync({ signal: cut.signal }));
  expect(fixture.backend.status.current).toMatchObject({ lastFailure: null, blockedBy: null });
});

test('that the endpoint fails is told to the next user as well', async () => {
  const fixture = world();
  await failedPush(fixture, answers.endpoint(503, 60_000));

  await fixture.wait(fixture.backend.signOut({ pending: 'discard' }));
  await fixture.wait(fixture.backend.signIn('bob'));

  expect(fixture.backend.status.current.lastFailure).toEqual({
    code: 'remote/server',
    status: 503,
    at: 0,
  });
});

test('the same user finds the failure again after a restart, and after coming back', async () => {
  const fixture = world();
  await failedPush(fixture, answers.endpoint(503, 60_000));

  await fixture.wait(fixture.backend.signOut());
  await fixture.wait(fixture.backend.signIn('ann'));

  expect(fixture.backend.status.current.lastFailure).toMatchObject({
    detail: `no access for ${SECRET}`,
  });
});

test('nothing of a user who has discarded everything is left in any table', async () => {
  const database = memoryDatabase();
  const fixture = world({
    storage: memoryStorage({ database }),
    store: { indexes: ['text'], onRejected: 'skip' },
  });
  const { backend, notes, remote } = fixture;
  const bob = { id: 'other', text: 'bob' };
  await backend.signIn('bob');
  for (const text of ['was', bob.text]) {
    await notes.save({ ...bob, text });
    await fixture.wait(backend.sync());
  }
  await fixture.wait(backend.signOut());
  await backend.signIn(SECRET);
  await notes.save({ id: `acknowledged ${SECRET}`, text: SECRET });
  await fixture.wait(backend.sync());
  await notes.save({ id: `rejected ${SECRET}`, text: SECRET });
  remote.answerNext(withText(answers.rejected(422), SECRET));
  await fixture.wait(backend.sync());
  await notes.save({ id: `refused ${SECRET}`, text: SECRET });
  remote.answerNext(withText(answers.endpoint(503, 60_000), SECRET));
  await fixture.wait(backend.sync());
  const key = remote.server.applied.at(-1)?.idempotencyKey ?? '';
  expect(await contentOf(memoryStorage({ database }))).toContain(key);

  await fixture.wait(backend.signOut({ pending: 'discard' }));
  await fixture.settle();

  const left = await contentOf(memoryStorage({ database }));
  expect(left).not.toContain(SECRET);
  expect(left).not.toContain(key);
  expect(left).toContain(remote.server.applied[1]?.idempotencyKey);
  await fixture.wait(backend.signIn('bob'));
  expect(await notes.getAll({}, { policy: 'cache-only' })).toEqual([bob]);
});
