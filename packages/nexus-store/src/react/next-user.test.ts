// @vitest-environment happy-dom
import {
  createElement,
  useCallback,
  useLayoutEffect,
  useSyncExternalStore,
  type FunctionComponent,
} from 'react';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Live } from '../core/model/live.ts';
import { memoryStorage } from '../storage/memory/index.ts';
import type { BackendFixture } from '../testing/backend-fixture.ts';
import { stage } from './fakes/stage.ts';
import { NexusProvider } from './provider.ts';
import { useItem, useItems } from './use-items.ts';
import { usePendingChanges, useSyncMark } from './use-sync.ts';

const { open, newScreen } = stage({ beforeEach, afterEach }, () => memoryStorage());
const here = { policy: 'cache-only' } as const;
const SECRET = 'secret of ann';

/** As the documentation of `Live` says. */
function useLive<T>(live: Live<T>): T {
  const subscribe = useCallback((onChange: () => void) => live.subscribe(onChange), [live]);
  return useSyncExternalStore(subscribe, () => live.current);
}

/** Hooks that show ann's note, and what each gives of it. */
const hooks = {
  useItem: ({ notes }: BackendFixture) => ({ use: () => useItem(notes, 'n1', here).value }),
  useItems: ({ notes }: BackendFixture) => ({ use: () => useItems(notes, {}, here).value }),
  'useItems that keeps what was before': ({ notes }: BackendFixture) => ({
    use: () => useItems(notes, {}, { ...here, keepsPrevious: true }).value,
  }),
  usePendingChanges: ({ notes }: BackendFixture) => ({ use: () => usePendingChanges(notes).value }),
  useSyncMark: ({ notes }: BackendFixture) => ({
    use: () => (useSyncMark(notes, 'n1') === 'pending' ? SECRET : ''),
  }),
  'a watch of its own': ({ notes }: BackendFixture) => {
    const all = notes.watchAll({}, here);
    return { use: () => useLive(all) };
  },
};

describe.each(Object.entries(hooks))('%s', (_, hookOf) => {
  async function shown() {
    const fixture = open();
    await fixture.backend.signIn('ann');
    await fixture.notes.save({ id: 'n1', text: SECRET });
    const { use } = hookOf(fixture);
    const renders: string[] = [];
    const Probe: FunctionComponent = () => {
      const seen = JSON.stringify([use()]);
      // What is on the screen, and who is signed in by then.
      useLayoutEffect(() => void renders.push(`${fixture.backend.principal}: ${seen}`));
      return seen;
    };
    const screen = newScreen();
    const settle = (): Promise<void> => fixture.runtime.advance(100);
    const show = (isShown: boolean): Promise<void> =>
      screen.show(
        createElement(NexusProvider, { backend: fixture.backend }, isShown && createElement(Probe)),
        settle,
      );
    await show(true);
    expect(screen.text).toContain(SECRET);
    return { fixture, screen, renders, settle, show };
  }

  const ofOthers = (renders: readonly string[]): readonly string[] =>
    renders.filter((line) => line.includes(SECRET) && !line.startsWith('ann: '));

  test.each(['bob', null])('on the screen shows %s nothing that ann saw', async (whom) => {
    const { fixture, screen, renders, settle } = await shown();
    const { backend } = fixture;

    await screen.do(() => (whom === null ? backend.signOut() : backend.signIn(whom)), settle);

    expect(screen.text).not.toContain(SECRET);
    expect(ofOthers(renders)).toEqual([]);
  });

  test('that comes back within seconds begins with nothing that ann saw', async () => {
    const { fixture, screen, renders, settle, show } = await shown();
    await show(false);
    await screen.do(() => fixture.backend.signOut({ pending: 'discard' }), settle);
    await screen.do(() => fixture.backend.signIn('bob'), settle);

    await show(true);

    expect(screen.text).not.toContain(SECRET);
    expect(ofOthers(renders)).toEqual([]);
  });
});
