import { afterEach, describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import type { Live } from '../model/live.ts';
import type { Watch } from './watchers.ts';

const world = fixtures(afterEach, () => memoryStorage());
const here = { policy: 'cache-only' } as const;
const SECRET = 'secret of ann';

/** What can be watched, with what it shows before anything was read, and what it shows to ann. */
const watches = {
  'an entity': ({ notes }) => [notes.watch('n1', here), undefined, SECRET],
  'a query': ({ notes }) => [notes.watchAll({}, here), [], SECRET],
  'the queue': ({ backend }) => [backend.watchPendingChanges(), [], SECRET],
  'the queue of an entity': ({ backend }) => [
    backend.watchPendingChanges({ collection: 'notes', entityId: 'n1' }),
    [],
    SECRET,
  ],
  'a sync mark': ({ backend }) => [backend.watchSyncMark('notes', 'n1'), 'unknown', 'pending'],
} satisfies Record<string, (fixture: BackendFixture) => [Watch<unknown>, unknown, string]>;

const switches = {
  'another user': ({ backend }) => backend.signIn('bob'),
  'nobody, then another user': async ({ backend }) => {
    await backend.signOut();
    await backend.signIn('bob');
  },
  nobody: ({ backend }) => backend.signOut(),
  'nobody, who has nothing any more': ({ backend }) => backend.signOut({ pending: 'discard' }),
} satisfies Record<string, (fixture: BackendFixture) => Promise<void>>;

const kinds = Object.entries(watches).flatMap(([what, open]) =>
  Object.entries(switches).map(([whom, change]) => [what, whom, open, change] as const),
);

/** Everything that a listener is given. */
function listen(live: Live<unknown>): { readonly seen: unknown[]; readonly stop: () => void } {
  const seen: unknown[] = [];
  return { seen, stop: live.subscribe((value) => seen.push(value)) };
}

describe.each(kinds)('%s, watched when the user becomes %s,', (_, __, open, change) => {
  async function watched() {
    const fixture = world();
    await fixture.backend.signIn('ann');
    await fixture.notes.save({ id: 'n1', text: SECRET });
    const [watch, initial, shown] = open(fixture);
    return { fixture, watch, initial, shown, become: () => fixture.wait(change(fixture)) };
  }

  test('is empty at once, and to whoever begins to listen', async () => {
    const { fixture, watch, initial, shown, become } = await watched();
    listen(watch).stop();
    await fixture.runtime.advance(100);
    const before = JSON.stringify(watch.current);

    await become();
    const current = watch.current;
    const { seen, stop } = listen(watch);
    await fixture.runtime.advance(100);
    stop();

    expect(before).toContain(shown);
    expect(current).toEqual(initial);
    expect(seen[0]).toEqual(initial);
    expect(JSON.stringify(seen)).not.toContain(shown);
  });

  test('shows those who go on listening nothing of the one before', async () => {
    const { fixture, watch, initial, shown, become } = await watched();
    const iterator = watch[Symbol.asyncIterator]();
    const listened = listen(watch);
    const states = listen(watch.state);
    // Each is looked at by those who hear of the other.
    const crossed: unknown[] = [];
    const looks = [
      watch.subscribe(() => crossed.push(watch.state.current.value)),
      watch.state.subscribe(() => crossed.push(watch.current)),
    ];
    await fixture.runtime.advance(100);
    const before = JSON.stringify(listened.seen);
    for (const { seen } of [listened, states]) seen.length = 0;
    await iterator.next();
    crossed.length = 0;

    await become();
    const { current } = watch;
    const late = listen(watch);
    await fixture.runtime.advance(100);
    const next = await iterator.next();
    await iterator.return?.();
    for (const end of [...looks, listened.stop, states.stop, late.stop]) end();

    expect(before).toContain(shown);
    expect(listened.seen[0]).toEqual(initial);
    expect(states.seen[0]).toMatchObject({ status: 'loading', value: undefined });
    expect(states.seen.at(-1)).toMatchObject({ status: 'ready' });
    for (const seen of [current, late.seen, listened.seen, states.seen, crossed, next])
      expect(JSON.stringify([seen])).not.toContain(shown);
  });
});
