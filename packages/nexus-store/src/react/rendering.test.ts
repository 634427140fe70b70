// @vitest-environment happy-dom
import {
  createElement,
  startTransition,
  StrictMode,
  useLayoutEffect,
  useState,
  type FunctionComponent,
  type ReactNode,
} from 'react';
import { createRoot } from 'react-dom/client';
import { renderToString } from 'react-dom/server';
import { afterEach, describe, expect, test } from 'vitest';
import { BackgroundSyncService } from '../core/background/background-sync-service.ts';
import { memoryStorage } from '../storage/memory/index.ts';
import { fixtures, type BackendFixture } from '../testing/backend-fixture.ts';
import { manualScheduler } from '../testing/manual-scheduler.ts';
import { NexusProvider } from './provider.ts';
import { Screen, setActing } from './fakes/screen.ts';
import { useItem, useItems } from './use-items.ts';
import { useBackgroundSync, usePendingCount, useSyncMark, useSyncStatus } from './use-sync.ts';

const world = fixtures(afterEach, () => memoryStorage());
const opened: BackendFixture[] = [];
const here = { policy: 'cache-only' } as const;

afterEach(async () => {
  for (const { runtime } of opened.splice(0)) await runtime.advance('10s');
});

function open(): BackendFixture {
  const fixture = world();
  opened.push(fixture);
  return fixture;
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

describe('many readers of one entity', () => {
  /**
   * Mounts slow readers in a transition, which React renders in slices, while writes go on in between.
   * Returns, for each commit, how many different values were on the screen.
   */
  async function valuesAtEachCommit(
    use: (fixture: BackendFixture) => string | undefined,
  ): Promise<{ readonly commits: readonly number[]; readonly writes: number }> {
    setActing(false);
    const fixture = open();
    await fixture.notes.save({ id: 'a', text: '0' });
    const box = document.createElement('div');
    const commits: number[] = [];
    let show = (_isShown: boolean): void => {};
    const Reader: FunctionComponent = () => {
      const text = use(fixture);
      const until = performance.now() + 2;
      while (performance.now() < until);
      return createElement('i', null, text);
    };
    const App: FunctionComponent = () => {
      const [isShown, setShown] = useState(false);
      show = setShown;
      useLayoutEffect(() => {
        const shown = new Set(Array.from(box.querySelectorAll('i'), (node) => node.textContent));
        if (isShown) commits.push(shown.size);
      });
      const readers = Array.from({ length: 40 }, (_, key) => createElement(Reader, { key }));
      // The first keeps the value watched before the others come.
      return [createElement(Reader, { key: 'first' }), isShown && readers];
    };
    const root = createRoot(box);
    root.render(createElement(App));
    while (box.textContent !== '0') {
      await turn();
      await fixture.settle();
    }

    startTransition(() => show(true));
    let writes = 0;
    while (box.querySelectorAll('i').length < 41) {
      // Writes without end would keep React from ever finishing the transition.
      if (writes < 12) {
        writes += 1;
        await fixture.notes.save({ id: 'a', text: String(writes) });
        await fixture.settle();
      }
      await turn();
    }
    root.unmount();
    return { commits, writes };
  }

  test('show one value in every commit, however often it changes while they are rendered', async () => {
    const { commits, writes } = await valuesAtEachCommit(
      (fixture) => useItem(fixture.notes, 'a', here).value?.text,
    );

    expect(writes).toBe(12);
    expect(commits.length).toBeGreaterThan(0);
    expect(new Set(commits)).toEqual(new Set([1]));
  });

  test('would show several if they looked at the live value while rendering', async () => {
    const watched = new WeakMap<
      BackendFixture,
      { readonly current: { text?: string } | undefined }
    >();
    const { commits } = await valuesAtEachCommit((fixture) => {
      const [, renew] = useState(0);
      let live = watched.get(fixture);
      if (live === undefined) {
        const made = fixture.notes.watch('a', here);
        made.subscribe(() => {});
        watched.set(fixture, (live = made));
      }
      useLayoutEffect(() => {
        const stop = fixture.notes.watch('a', here).subscribe(() => renew((count) => count + 1));
        return stop;
      }, [fixture]);
      return live.current?.text;
    });

    expect(Math.max(...commits)).toBeGreaterThan(1);
  });
});

function Everything({ fixture }: { readonly fixture: BackendFixture }): ReactNode {
  const item = useItem(fixture.notes, 'a', here);
  const items = useItems(fixture.notes, { where: { id: 'a' } }, here);
  const count = usePendingCount(fixture.notes);
  const phase = useSyncStatus((status) => status.phase);
  const mark = useSyncMark(fixture.notes, 'a');
  return [item.status, item.value?.text, items.value?.length, count, phase, mark].join(' ');
}

describe('on a server', () => {
  const tree = (fixture: BackendFixture): ReactNode =>
    createElement(
      NexusProvider,
      { backend: fixture.backend },
      createElement(StrictMode, null, createElement(Everything, { fixture })),
    );

  test('everything is rendered as not known yet, and no database is opened', async () => {
    const fixture = open();

    const html = renderToString(tree(fixture));
    await fixture.settle();

    expect(html).toBe('loading    closed unknown');
    expect(fixture.backend.isOpen).toBe(false);
  });

  test('what was rendered is taken over by the browser without complaint, and comes to life', async () => {
    setActing(true);
    const fixture = open();
    const html = renderToString(tree(fixture));
    await fixture.notes.save({ id: 'a', text: 'one' });
    const screen = new Screen();

    const complaints = await screen.hydrate(html, tree(fixture), () => fixture.runtime.advance(60));
    const { text } = screen;
    await screen.leave();

    expect(complaints).toEqual([]);
    expect(text).toBe('ready one 1 1 idle pending');
  });
});

describe('useBackgroundSync', () => {
  test('follows the status, and hands on what people ask for', async () => {
    setActing(true);
    const fixture = open();
    const scheduler = manualScheduler(fixture.runtime);
    const background = new BackgroundSyncService(fixture.runtime, {
      scheduler,
      backend: fixture.backend,
    });
    const statuses: string[] = [];
    let cancel: (() => Promise<void>) | undefined;
    const Probe: FunctionComponent = () => {
      const sync = useBackgroundSync();
      cancel = sync.cancelSync;
      useLayoutEffect(() => void statuses.push(sync.status), [sync]);
      return String(sync.isSupported);
    };
    const screen = new Screen();
    const settle = (): Promise<void> => fixture.runtime.advance(60);
    await screen.show(
      createElement(NexusProvider, { backend: fixture.backend, background }, createElement(Probe)),
      settle,
    );

    await screen.do(() => background.initialize({ minInterval: '15m' }), settle);
    await screen.do(() => scheduler.wake('nexus-store.sync'), settle);
    await screen.do(() => cancel?.(), settle);
    const { text } = screen;
    await screen.leave();
    await background.dispose();

    expect(text).toBe('true');
    expect(statuses).toEqual(['idle', 'scheduled', 'running', 'completed', 'idle']);
  });
});
