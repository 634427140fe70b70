import { afterEach, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { answers, fixtures } from '../../testing/backend-fixture.ts';

const world = fixtures(afterEach, () => memoryStorage());

test('the app sees what was carried over, also if it cannot be sent yet', async () => {
  const database = memoryDatabase();
  const old = world({ storage: memoryStorage({ database }) });
  await old.notes.save({ id: 'a', text: 'old' });
  await old.backend.close();
  const migrate = ({ payload }: { readonly payload: unknown }) => ({
    ...(payload as object),
    done: true,
  });
  const fixture = world({
    storage: memoryStorage({ database }),
    store: { schemaVersion: 2, migrate },
  });
  fixture.remote.answerNext(answers.endpoint(503, 60_000));

  await fixture.wait(fixture.backend.sync());

  const [waiting] = await fixture.backend.pendingChanges();
  expect(waiting).toMatchObject({ schemaVersion: 2, payload: { text: 'old', done: true } });
  expect(await fixture.notes.get('a')).toEqual({ id: 'a', text: 'old', done: true });
});
