import { afterEach, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { fixtures } from '../../testing/backend-fixture.ts';
import type { PullPage, PullRequest } from '../ports/remote.ts';

const world = fixtures(afterEach, () => memoryStorage());

/** Pages by number, whatever is asked for: the cursor counts them. */
function pagesOf(page: (number: number) => Partial<PullPage>) {
  const asked: PullRequest[] = [];
  const pull = async (request: PullRequest): Promise<PullPage> => {
    asked.push(request);
    const number = Number(request.cursor ?? 0) + 1;
    return { rows: [], hasMore: number < 1_000, cursor: String(number), ...page(number) };
  };
  return { asked, pull };
}

const row = (id: string) => ({
  id,
  version: '1',
  value: { id },
  isDeleted: false,
  operationId: null,
});

test('a server that has more without end, and nothing to give, is left alone for a while', async () => {
  const fixture = world();
  const { asked, pull } = pagesOf(() => ({}));
  fixture.remote.pull = pull;

  const report = await fixture.wait(fixture.backend.sync());

  expect(asked).toHaveLength(10);
  expect(report).toMatchObject({ stoppedBy: 'offline', pulled: 0 });
  expect(fixture.backend.status.current.lastFailure).toMatchObject({ code: 'remote/protocol' });
  await expect(fixture.wait(fixture.backend.fetch('notes'))).rejects.toMatchObject({
    code: 'remote/protocol',
  });
  expect(asked).toHaveLength(20);
});

test('a server that filters gets to its end over empty pages, where it left off', async () => {
  const fixture = world();
  const { asked, pull } = pagesOf((number) => {
    if (number === 15) return { rows: [row('a')] };
    return number === 20 ? { rows: [row('b')], hasMore: false } : {};
  });
  fixture.remote.pull = pull;

  const first = await fixture.wait(fixture.backend.sync());
  const second = await fixture.wait(fixture.backend.sync());

  expect([first.pulled, second.pulled]).toEqual([0, 2]);
  expect(second.stoppedBy).toBe('drained');
  expect(asked.map(({ cursor }) => Number(cursor))).toEqual(
    Array.from({ length: 20 }, (_, index) => index),
  );
});
