// @vitest-environment happy-dom
import { createElement, useLayoutEffect, type FunctionComponent } from 'react';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Storage } from '../core/ports/storage.ts';
import { StorageError } from '../core/model/errors.ts';
import { NexusStore } from '../core/store/nexus-store.ts';
import { memoryStorage } from '../storage/memory/index.ts';
import { deferred } from '../testing/deferred.ts';
import { type BackendFixture, type Note } from '../testing/backend-fixture.ts';
import { NexusProvider } from './provider.ts';
import type { Reading } from './shared-watch.ts';
import { stage } from './fakes/stage.ts';
import { useItem, useItems, type ItemOptions } from './use-items.ts';

const { open, newScreen } = stage({ beforeEach, afterEach }, () => memoryStorage());
const keeping: ItemOptions = { policy: 'cache-only', keepsPrevious: true };

interface HeldStorage extends Storage {
  /** Reading transactions begin once this is done. */
  held: Promise<unknown> | undefined;
  isBroken: boolean;
}

function heldStorage(): HeldStorage {
  const storage = memoryStorage();
  const made: HeldStorage = {
    held: undefined,
    isBroken: false,
    capabilities: storage.capabilities,
    open: (schema) => storage.open(schema),
    transact: async (mode, body) => {
      if (mode === 'read') await made.held;
      if (mode === 'read' && made.isBroken) throw new StorageError('storage/unavailable', 'broken');
      return storage.transact(mode, body);
    },
    foreignCommits: () => storage.foreignCommits(),
    close: () => storage.close(),
  };
  return made;
}

/** A screen that searches as people type. */
function search() {
  const storage = heldStorage();
  const fixture = open({ storage });
  const screen = newScreen();
  const seen: Reading<readonly Note[]>[] = [];
  const Search: FunctionComponent<{
    notes: NexusStore<Note>;
    text: string;
    options: ItemOptions;
  }> = ({ notes, text, options }) => {
    const reading = useItems(notes, { where: { text } }, options);
    useLayoutEffect(() => void seen.push(reading));
    return null;
  };
  const type = (text: string, options = keeping, { notes } = fixture): Promise<void> =>
    screen.show(
      createElement(
        NexusProvider,
        { backend: fixture.backend },
        createElement(Search, { notes, text, options }),
      ),
      () => fixture.runtime.advance(60),
    );
  return { fixture, storage, screen, seen, type };
}

const lineOf = ({ status, value, isPrevious }: Reading<readonly Note[]>): string =>
  `${status}${isPrevious ? ' previous' : ''} ${value?.map(({ id }) => id).join() ?? '-'}`;

describe('a hook that keeps what the query before had', () => {
  test('never falls back to loading, and says what is not the answer yet', async () => {
    const { fixture, seen, type } = search();
    await fixture.notes.saveAll([
      { id: 'a', text: 'r' },
      { id: 'b', text: 'ro' },
    ]);

    for (const text of ['r', 'ro', 'roo']) await type(text);

    expect(seen.map(lineOf)).toEqual([
      'loading -',
      'ready a',
      'ready previous a',
      'ready b',
      'ready previous b',
      'ready ',
    ]);
  });

  test('keeps it over queries that were never answered, follows it, and gives the same object', async () => {
    const { fixture, storage, screen, seen, type } = search();
    await fixture.notes.save({ id: 'a', text: 'r' });
    await type('r');
    const held = deferred();
    storage.held = held.promise;

    await type('ro');
    await type('roo');
    await type('roo');
    const waiting = seen.slice(-3);
    await screen.do(
      () => held.resolve(),
      () => fixture.runtime.advance(60),
    );

    expect(waiting.map(lineOf)).toEqual(Array<string>(3).fill('ready previous a'));
    expect(waiting[2]).toBe(waiting[1]);
    expect(seen.at(-1)).toMatchObject({ status: 'ready', value: [], isPrevious: false });
  });

  test('follows what it shows meanwhile', async () => {
    const { fixture, screen, seen, type } = search();
    await fixture.notes.save({ id: 'a', text: 'r', at: 1 });
    await type('r');
    // What is read next never comes.
    const find = fixture.notes.watchAll.bind(fixture.notes);
    fixture.notes.watchAll = (query, options) =>
      JSON.stringify(query).includes('never') ? unanswered() : find(query, options);
    await type('never');

    await screen.do(
      () => fixture.notes.patch('a', { at: 2 }),
      () => fixture.runtime.advance(60),
    );

    expect(seen.at(-1)).toMatchObject({ isPrevious: true, value: [{ id: 'a', at: 2 }] });
  });

  test('is off where nobody asked for it', async () => {
    const { fixture, seen, type } = search();
    await fixture.notes.save({ id: 'a', text: 'r' });

    for (const text of ['r', 'ro']) await type(text, { policy: 'cache-only' });

    expect(seen.map(lineOf)).toEqual(['loading -', 'ready a', 'loading -', 'ready ']);
  });

  test('shows a query that failed as failed', async () => {
    const { fixture, storage, seen, type } = search();
    await fixture.notes.save({ id: 'a', text: 'r' });
    await type('r');

    storage.isBroken = true;
    await type('ro');

    expect(seen.slice(-2).map(lineOf)).toEqual(['ready previous a', 'failed -']);
  });

  test('shows nobody what another user saw, also while nothing else is read yet', async () => {
    const { fixture, storage, screen, seen, type } = search();
    await fixture.backend.signIn('ann');
    await fixture.notes.save({ id: 'a', text: 'r' });
    await type('r');
    const held = deferred();
    storage.held = held.promise;
    await type('ro');
    const asAnn = seen.at(-1);

    let signingIn: Promise<void> | undefined;
    await screen.do(
      () => void (signingIn = fixture.backend.signIn('bob')),
      () => fixture.runtime.advance(60),
    );
    const asBob = seen.at(-1);
    await screen.do(async () => {
      held.resolve();
      await signingIn;
    });

    expect(asAnn && lineOf(asAnn)).toBe('ready previous a');
    expect(asBob && lineOf(asBob)).toBe('loading -');
  });

  test('shows nothing of another store', async () => {
    const { fixture, seen, type } = search();
    const tasks = new NexusStore<Note>({ backend: fixture.backend, collection: 'tasks' });
    await fixture.notes.save({ id: 'a', text: 'r' });
    await type('r');

    await type('ro', keeping, { ...fixture, notes: tasks } as BackendFixture);

    expect(seen.slice(-2).map(lineOf)).toEqual(['loading -', 'ready ']);
  });

  test('goes from one entity to the next, and has none where none is asked for', async () => {
    const { fixture, screen } = search();
    await fixture.notes.saveAll([
      { id: 'a', text: 'of a' },
      { id: 'b', text: 'of b' },
    ]);
    const shown: unknown[] = [];
    const One: FunctionComponent<{ id: string | null }> = ({ id }) => {
      const { status, value, isPrevious } = useItem(fixture.notes, id, keeping);
      useLayoutEffect(() => void shown.push([value?.text ?? status, isPrevious]));
      return null;
    };

    for (const id of ['a', 'b', null])
      await screen.show(createElement(One, { id }), () => fixture.runtime.advance(60));

    expect(shown).toEqual([
      ['loading', false],
      ['of a', false],
      ['of a', true],
      ['of b', false],
      ['loading', false],
    ]);
  });
});

/** A watch that is never answered. */
function unanswered(): ReturnType<NexusStore<Note>['watchAll']> {
  const state = { status: 'loading', value: undefined, error: undefined } as const;
  const forever = {
    current: state,
    subscribe: () => () => {},
    async *[Symbol.asyncIterator]() {},
  };
  return { ...forever, current: [], state: forever, refresh: () => {} } as never;
}
