// @vitest-environment happy-dom
import { createElement, type FunctionComponent } from 'react';
import { renderToString } from 'react-dom/server';
import { afterEach, describe, expect, test } from 'vitest';
import { memoryStorage } from '../storage/memory/index.ts';
import { fixtures, type BackendFixture } from '../testing/backend-fixture.ts';
import {
  EMPTY,
  faultsOf,
  FLAGS,
  FUNCTIONS,
  IDS,
  optionCases,
  UNDEFINED,
  type Hostile,
  type HostileCase,
} from '../testing/hostile-arguments.ts';
import { inspectable } from './inspector/inspectable.ts';
import { mountInspector } from './inspector/mount-inspector.ts';
import { NexusInspector } from './inspector/nexus-inspector.ts';
import { NexusProvider, useBackend } from './provider.ts';
import { useItem, useItems } from './use-items.ts';
import { usePendingChanges, usePendingCount, useSyncMark, useSyncStatus } from './use-sync.ts';

const world = fixtures(afterEach, () => memoryStorage());
const opened: BackendFixture[] = [];
afterEach(async () => {
  for (const { runtime } of opened.splice(0)) await runtime.advance('10s');
});

function open(): BackendFixture {
  const fixture = world();
  opened.push(fixture);
  return fixture;
}

/** Renders a component that calls the hook; what it throws while rendering is thrown here. */
function rendering(use: (fixture: BackendFixture, x: Hostile) => unknown): (x: Hostile) => void {
  return (x) => {
    const fixture = open();
    const { backend } = fixture;
    const Probe: FunctionComponent = () => {
      use(fixture, x);
      return null;
    };
    renderToString(createElement(NexusProvider, { backend }, createElement(Probe)));
  };
}

const NOTHING = ['undefined', 'null'];

const CASES: Readonly<Record<string, HostileCase>> = {
  'useItem(x, id)': { call: rendering((_, x) => useItem(x, 'a')), names: 'store' },
  'useItem(store, x)': {
    call: rendering(({ notes }, x) => useItem(notes, x)),
    accepts: [...NOTHING, ...IDS],
    names: 'useItem needs an id',
  },
  'useItem(store, id, x)': {
    call: rendering(({ notes }, x) => useItem(notes, 'a', x)),
    accepts: EMPTY,
  },
  ...optionCases(
    'useItem',
    rendering(({ notes }, x) => useItem(notes, 'a', x)),
    {
      policy: UNDEFINED,
      keepsPrevious: FLAGS,
    },
  ),
  'useItems(x)': { call: rendering((_, x) => useItems(x)), names: 'store' },
  'useItems(store, x)': { call: rendering(({ notes }, x) => useItems(notes, x)), accepts: EMPTY },
  'useItems(store, query, x)': {
    call: rendering(({ notes }, x) => useItems(notes, {}, x)),
    accepts: EMPTY,
  },
  'useSyncStatus(x)': {
    call: rendering((_, x) => useSyncStatus(x)),
    accepts: FUNCTIONS,
    names: 'select',
  },
  'usePendingCount(x)': {
    call: rendering((_, x) => usePendingCount(x)),
    accepts: UNDEFINED,
    names: 'store',
  },
  'usePendingChanges(x)': {
    call: rendering((_, x) => usePendingChanges(x)),
    accepts: UNDEFINED,
    names: 'store',
  },
  'usePendingChanges(store, x)': {
    call: rendering(({ notes }, x) => usePendingChanges(notes, x)),
    accepts: EMPTY,
  },
  ...optionCases(
    'usePendingChanges',
    rendering(({ notes }, x) => usePendingChanges(notes, x)),
    { limit: UNDEFINED },
  ),
  'usePendingChanges(store, { entityId: x })': {
    call: rendering(({ notes }, x) => usePendingChanges(notes, { entityId: x })),
    accepts: [...UNDEFINED, ...IDS],
    names: 'usePendingChanges needs an id',
  },
  'useSyncMark(x, id)': { call: rendering((_, x) => useSyncMark(x, 'a')), names: 'store' },
  'useSyncMark(store, x)': {
    call: rendering(({ notes }, x) => useSyncMark(notes, x)),
    accepts: [...NOTHING, ...IDS],
    names: 'useSyncMark needs an id',
  },
  'useBackend(x)': {
    call: rendering((_, x) => useBackend(x)),
    accepts: UNDEFINED,
    names: 'store',
  },
  'NexusProvider { backend: x }': {
    call: (x) => renderToString(createElement(NexusProvider, { backend: x })),
    names: 'backend',
  },
  'NexusProvider { background: x }': {
    call: (x) => {
      const { backend } = open();
      renderToString(createElement(NexusProvider, { backend, background: x }));
    },
    accepts: UNDEFINED,
    names: 'background',
  },
  'inspectable(x)': { call: (x) => inspectable(x), names: 'remote' },
  'inspectable(remote, x)': { call: (x) => inspectable(open().remote, x), accepts: EMPTY },
  ...optionCases('inspectable', (options) => inspectable(open().remote, options), {
    slowBy: ['undefined', 'zero', 'fraction', 'huge'],
  }),
  'inspectable.setNetwork(x)': {
    call: (x) => inspectable(open().remote).setNetwork(x),
    names: 'condition',
  },
  'mountInspector(x)': {
    call: (x) => mountInspector(x, { backend: open().backend })(),
    names: 'host',
  },
  'mountInspector(host, x)': { call: (x) => mountInspector(document.createElement('div'), x)() },
  ...optionCases(
    'mountInspector',
    (options) => {
      const host = document.createElement('div');
      mountInspector(host, { backend: open().backend, ...options })();
    },
    { backend: [], background: UNDEFINED, remote: UNDEFINED, theme: UNDEFINED },
  ),
  ...optionCases(
    'NexusInspector',
    (props) => {
      const { backend } = open();
      const inspector = createElement(NexusInspector, props);
      renderToString(createElement(NexusProvider, { backend }, inspector));
    },
    { backend: NOTHING, background: NOTHING, remote: UNDEFINED, theme: UNDEFINED },
  ),
};

describe('a hostile argument', () => {
  test.each(Object.entries(CASES))(
    'of %s is refused by code while it renders, or harmless',
    async (_name, subject) => {
      const complaints = console.error;
      console.error = () => {};

      const faults = await faultsOf(subject);

      console.error = complaints;
      expect(faults).toEqual([]);
    },
  );
});

test('an id that nobody knows yet asks for nothing', () => {
  const { backend, notes } = open();
  const seen: unknown[] = [];
  const Probe: FunctionComponent<{ id: null | undefined }> = ({ id }) => {
    seen.push([useItem(notes, id).status, useSyncMark(notes, id)]);
    return null;
  };

  for (const id of [null, undefined])
    renderToString(createElement(NexusProvider, { backend }, createElement(Probe, { id })));

  expect(seen).toEqual([
    ['loading', 'unknown'],
    ['loading', 'unknown'],
  ]);
});
