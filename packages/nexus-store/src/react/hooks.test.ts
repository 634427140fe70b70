// @vitest-environment happy-dom
import { setImmediate as turnOfEventLoop } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  createElement,
  useEffect,
  useLayoutEffect,
  type FunctionComponent,
  type ReactNode,
} from 'react';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { accessOf } from '../core/store/collection-access.ts';
import type { Query } from '../core/store/query.ts';
import { memoryStorage } from '../storage/memory/index.ts';
import { answers, type BackendFixture, type Note } from '../testing/backend-fixture.ts';
import type { Storage } from '../core/ports/storage.ts';
import { StorageError } from '../core/model/errors.ts';
import { NexusProvider } from './provider.ts';
import type { Reading } from './shared-watch.ts';
import type { Screen } from './fakes/screen.ts';
import { stage } from './fakes/stage.ts';
import { useItem, useItems } from './use-items.ts';
import { usePendingChanges, usePendingCount, useSyncMark, useSyncStatus } from './use-sync.ts';

const { open, newScreen } = stage({ beforeEach, afterEach }, () => memoryStorage());
const here = { policy: 'cache-only' } as const;

/** A screen whose effects see the fixture settled; time moves on by what the queue's readers wait for. */
function screenOf(
  fixture: BackendFixture,
  isStrict = false,
): {
  readonly screen: Screen;
  readonly show: (tree: ReactNode) => Promise<void>;
  readonly after: (action: () => unknown) => Promise<void>;
} {
  const screen = newScreen(isStrict);
  const settle = (): Promise<void> => fixture.runtime.advance(60);
  return {
    screen,
    show: (tree) =>
      screen.show(createElement(NexusProvider, { backend: fixture.backend }, tree), settle),
    after: (action) => screen.do(action, settle),
  };
}

type Notes = BackendFixture['notes'];

/** Renders what a hook gives, and keeps each of its answers. */
function probe<R>(use: () => R): { readonly seen: R[]; readonly Probe: FunctionComponent } {
  const seen: R[] = [];
  const Probe: FunctionComponent = () => {
    const result = use();
    useLayoutEffect(() => void seen.push(result));
    return null;
  };
  return { seen, Probe };
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const textsOf = ({ value }: Reading<readonly Note[]>): unknown => value?.map(({ text }) => text);

describe('useItem', () => {
  test('says loading, then what there is, then each change, and that it is gone', async () => {
    const fixture = open();
    await fixture.notes.save({ id: 'a', text: 'one' });
    const { seen, Probe } = probe(() => useItem(fixture.notes, 'a', here));
    const { show, after } = screenOf(fixture);

    await show(createElement(Probe));
    await after(() => fixture.notes.patch('a', { text: 'two' }));
    await after(() => fixture.notes.delete('a'));

    expect(seen.map(({ status, value }) => [status, value?.text])).toEqual([
      ['loading', undefined],
      ['ready', 'one'],
      ['ready', 'two'],
      ['ready', undefined],
    ]);
  });

  test('follows another id, and asks for nothing without one', async () => {
    const fixture = open();
    await fixture.notes.saveAll([
      { id: 'a', text: 'of a' },
      { id: 'b', text: 'of b' },
    ]);
    const shown: (string | undefined)[] = [];
    const One: FunctionComponent<{ id: string | null }> = ({ id }) => {
      const { status, value } = useItem(fixture.notes, id, here);
      useLayoutEffect(() => void shown.push(value?.text ?? status));
      return null;
    };
    const { show } = screenOf(fixture);

    for (const id of ['a', 'b', null]) await show(createElement(One, { id }));

    expect(shown).toEqual(['loading', 'of a', 'loading', 'of b', 'loading']);
  });

  test('shows a read that failed as failed, keeps what was read before, and reads again when asked', async () => {
    const storage = unreadable(memoryStorage());
    const fixture = open({ storage });
    await fixture.notes.save({ id: 'a', text: 'one' });
    const { seen, Probe } = probe(() => useItem(fixture.notes, 'a', here));
    const { show, after } = screenOf(fixture);
    await show(createElement(Probe));

    storage.isBroken = true;
    await after(() => fixture.notes.save({ id: 'a', text: 'two' }));
    const failed = seen.at(-1);
    storage.isBroken = false;
    await after(() => failed?.refresh());

    expect(failed).toMatchObject({ status: 'failed', value: { text: 'one' } });
    expect(failed?.error).toMatchObject({ code: 'storage/unavailable' });
    expect(seen.at(-1)).toMatchObject({ status: 'ready', value: { text: 'two' } });
  });

  test('never shows one user what another one saw', async () => {
    const fixture = open();
    await fixture.backend.signIn('ann');
    await fixture.notes.save({ id: 'a', text: 'of ann' });
    const { seen, Probe } = probe(() => useItem(fixture.notes, 'a', here));
    const { show, after } = screenOf(fixture);
    await show(createElement(Probe));

    await after(() => fixture.backend.signOut());
    const byNobody = seen.at(-1);
    await show(null);
    await after(() => fixture.backend.signIn('ann'));
    await show(createElement(Probe));
    await show(null);
    await after(() => fixture.backend.signIn('bob'));
    const before = seen.length;
    await show(createElement(Probe));

    expect(byNobody).toMatchObject({ status: 'ready', value: undefined });
    expect(seen.slice(before).map(({ value }) => value)).toEqual([undefined, undefined]);
  });
});

describe('useItems', () => {
  test('keeps the array and the items that did not change, however the query is written', async () => {
    const fixture = open();
    await fixture.notes.saveAll([
      { id: 'a', text: 'one', done: false },
      { id: 'b', text: 'two', done: false },
    ]);
    // A new object in each rendering.
    const { seen, Probe } = probe(() =>
      useItems(fixture.notes, { where: { done: false }, orderBy: ['text'] }, here),
    );
    const { show, after } = screenOf(fixture);
    await show(createElement(Probe));
    const [first] = seen.slice(-1);

    await show(createElement(Probe));
    const again = seen.at(-1);
    await after(() => fixture.notes.patch('b', { text: 'three' }));
    const changed = seen.at(-1);

    expect(again).toBe(first);
    expect(changed && textsOf(changed)).toEqual(['one', 'three']);
    expect(changed?.value?.[0]).toBe(first?.value?.[0]);
  });

  test('does not render, subscribe or read again without a change', async () => {
    const fixture = open();
    await fixture.notes.save({ id: 'a', text: 'one' });
    let subscriptions = 0;
    const watchAll = fixture.notes.watchAll.bind(fixture.notes);
    fixture.notes.watchAll = (...args) => {
      subscriptions += 1;
      return watchAll(...args);
    };
    const { seen, Probe } = probe(() => useItems(fixture.notes, { where: { id: 'a' } }, here));
    const { screen, show, after } = screenOf(fixture);
    await show(createElement(Probe));
    const commits = screen.commits;

    await after(() => fixture.notes.save({ id: 'a', text: 'one' }));
    await after(() => fixture.notes.save({ id: 'b', text: 'not asked for' }));
    await after(() => fixture.backend.refresh());
    await show(createElement(Probe));
    await show(createElement(Probe));

    expect(screen.commits - commits).toBe(2);
    expect(new Set(seen.slice(1)).size).toBe(1);
    expect(subscriptions).toBe(1);
  });

  test('is one reading for all that ask the same, and what was read is there at once', async () => {
    const fixture = open();
    await fixture.notes.save({ id: 'a', text: 'one' });
    const query = (): Query<Note> => ({ where: { text: 'one' } });
    const first = probe(() => useItems(fixture.notes, query(), here));
    const second = probe(() => useItems(fixture.notes, query(), here));
    const late = probe(() => useItems(fixture.notes, query(), here));
    const { show } = screenOf(fixture);

    await show([createElement(first.Probe, { key: 1 }), createElement(second.Probe, { key: 2 })]);
    await show(createElement(late.Probe, { key: 3 }));

    expect(first.seen.at(-1)).toBe(second.seen.at(-1));
    expect(late.seen.map(({ status }) => status)).toEqual(['ready']);
  });

  test('tells an empty collection from one that was not read', async () => {
    const fixture = open();
    const { seen, Probe } = probe(() => useItems(fixture.notes, {}, here));

    await screenOf(fixture).show(createElement(Probe));

    expect(seen.map(({ status, value }) => [status, value])).toEqual([
      ['loading', undefined],
      ['ready', []],
    ]);
  });

  test('asks for dates, big numbers and what JSON does not know as they are', async () => {
    const fixture = open();
    await fixture.notes.saveAll([
      { id: 'a', at: 5 },
      { id: 'b', at: Infinity },
    ]);
    const wants: Query<Note>[] = [{ where: { at: Infinity } }, { where: { at: { lt: Infinity } } }];
    const ids: unknown[] = [];
    const All: FunctionComponent<{ query: Query<Note> }> = ({ query }) => {
      const { value } = useItems(fixture.notes, query, here);
      useEffect(() => void ids.push(value?.map(({ id }) => id)), [value]);
      return null;
    };
    const { show } = screenOf(fixture);

    for (const query of wants) await show(createElement(All, { query }));

    expect(ids.filter((found) => found !== undefined)).toEqual([['b'], ['a']]);
  });
});

describe('a component that leaves', () => {
  test('stops watching, also in strict mode', async () => {
    const fixture = open();
    const { watchers } = watchersOf(fixture.notes);
    let effects = 0;
    const List: FunctionComponent = () => {
      useEffect(() => void (effects += 1), []);
      useItems(fixture.notes, {}, here);
      useItem(fixture.notes, 'a', here);
      useSyncMark(fixture.notes, 'a');
      usePendingChanges();
      return null;
    };
    const { show } = screenOf(fixture, true);

    await show(createElement(List));
    const during = watchers();
    await show(null);

    expect(effects).toBe(2);
    expect(during).toBe(4);
    expect(watchers()).toBe(0);
  });

  test('leaves nothing behind in memory after a while', async () => {
    const fixture = open();
    await fixture.notes.save({ id: 'a', text: 'one' });
    const { show } = screenOf(fixture);
    const readings: WeakRef<object>[] = [];
    const One: FunctionComponent = () => {
      const reading = useItems(fixture.notes, { limit: 7 }, here);
      useEffect(() => void (reading.value && readings.push(new WeakRef(reading.value))), [reading]);
      return null;
    };

    await show(createElement(One));
    await show(null);
    await fixture.runtime.advance('6s');
    // Another tree, so that React keeps no alternate of the old one.
    for (let round = 0; round < 3; round += 1) await show(createElement('p', { key: round }));
    // What is read of a reference is kept until the turn of the event loop ends.
    for (let turns = 0; turns < 100 && readings[0]?.deref() !== undefined; turns += 1) {
      await turnOfEventLoop();
      collectGarbage();
    }

    expect(readings).toHaveLength(1);
    expect(readings[0]?.deref()).toBeUndefined();
  });
});

describe('the hooks of the queue', () => {
  test('count what waits, of one store or of all, and know nothing before it was read', async () => {
    const fixture = open();
    const { seen, Probe } = probe(
      () => [usePendingCount(), usePendingCount(fixture.notes)] as const,
    );
    const { show, after } = screenOf(fixture);

    await show(createElement(Probe));
    await after(() => fixture.notes.saveAll([{ id: 'a' }, { id: 'b' }]));
    await after(() => fixture.wait(fixture.backend.sync()));

    expect(seen[0]).toEqual([undefined, undefined]);
    expect(seen.find(([all]) => all !== undefined)).toEqual([0, 0]);
    expect(seen).toContainEqual([2, 2]);
    expect(seen.at(-1)).toEqual([0, 0]);
  });

  test('render for what was selected of the status, and for nothing else', async () => {
    const fixture = open();
    const { seen, Probe } = probe(() =>
      useSyncStatus(({ phase, blockedBy }) => ({ isOpen: phase !== 'closed', blockedBy })),
    );
    const { show, after } = screenOf(fixture);

    await show(createElement(Probe));
    for (const id of ['a', 'b', 'c']) await after(() => fixture.notes.save({ id }));
    await after(() => fixture.backend.pause());

    expect(seen).toEqual([
      { isOpen: false, blockedBy: null },
      { isOpen: true, blockedBy: null },
      { isOpen: true, blockedBy: { reason: 'paused', until: null } },
    ]);
  });

  test('list what waits in its order, and keep what did not change', async () => {
    const fixture = open();
    await fixture.notes.save({ id: 'a', text: 'first' });
    const { seen, Probe } = probe(() => usePendingChanges(fixture.notes));
    const { show, after } = screenOf(fixture);
    await show(createElement(Probe));
    const before = seen.at(-1);

    await after(() => fixture.notes.save({ id: 'b' }, { priority: 'critical' }));
    const after2 = seen.at(-1);
    fixture.remote.answerNext(answers.entry(500));
    await after(() => fixture.wait(fixture.backend.sync({ budget: '5s' })));

    expect(before?.value?.map(({ entityId }) => entityId)).toEqual(['a']);
    expect(after2?.value?.map(({ entityId }) => entityId)).toEqual(['b', 'a']);
    expect(after2?.value?.[1]).toBe(before?.value?.[0]);
    expect(seen.at(-1)?.value).toEqual([]);
  });

  test('mark how far an entity has come: pending, claimed, dead, synced', async () => {
    const fixture = open();
    const { seen, Probe } = probe(() => useSyncMark(fixture.notes, 'a'));
    const { show, after } = screenOf(fixture);
    await show(createElement(Probe));

    await after(() => fixture.notes.save({ id: 'a' }));
    fixture.remote.answerNext('hang');
    await after(async () => {
      void fixture.backend.sync({ budget: '10s' });
      await fixture.runtime.advance(100);
    });
    await after(() => fixture.runtime.advance('11s'));
    fixture.remote.answerNext(answers.rejected(422));
    await after(() => fixture.wait(fixture.backend.sync()));
    const [letter] = await fixture.backend.deadLetters();
    await after(() => fixture.backend.retry(letter?.id ?? ''));
    await after(() => fixture.wait(fixture.backend.sync()));

    const marks = seen.filter((mark, index) => mark !== seen[index - 1]);
    expect(marks).toEqual([
      'unknown',
      'synced',
      'pending',
      'claimed',
      'pending',
      'claimed',
      'dead',
      'pending',
      'synced',
    ]);
  });

  test('say what is missing outside a provider', async () => {
    const { Probe } = probe(() => useSyncStatus());
    const screen = newScreen();
    const complaints = console.error;
    console.error = () => {};

    try {
      await expect(screen.show(createElement(Probe))).rejects.toMatchObject({
        code: 'usage/invalid-argument',
      });
    } finally {
      console.error = complaints;
    }
  });
});

/** A storage whose reads fail while it is said to be broken; writes go on. */
function unreadable(storage: Storage): Storage & { isBroken: boolean } {
  const made = {
    isBroken: false,
    capabilities: storage.capabilities,
    open: (schema) => storage.open(schema),
    transact: async (mode, body) => {
      if (made.isBroken && mode === 'read') throw new StorageError('storage/unavailable', 'broken');
      return storage.transact(mode, body);
    },
    foreignCommits: () => storage.foreignCommits(),
    close: () => storage.close(),
  } satisfies Storage & { isBroken: boolean } as Storage & { isBroken: boolean };
  return made;
}

/** How many watched values the core follows. */
function watchersOf(notes: Notes): { readonly watchers: () => number } {
  const { watchers } = accessOf(notes).core;
  const all = new Set<unknown>();
  const add = watchers.add.bind(watchers);
  const remove = watchers.remove.bind(watchers);
  watchers.add = (watched) => {
    all.add(watched);
    add(watched);
  };
  watchers.remove = (watched) => {
    all.delete(watched);
    remove(watched);
  };
  return { watchers: () => all.size };
}
