import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

// A process of its own: whatever the test environment adds would hide a use of the DOM.
test('the hooks need no DOM: they load and render where there is none, as in React Native', () => {
  const script = `
    import { createElement } from 'react';
    import { renderToString } from 'react-dom/server';
    import { createBackend, NexusStore } from 'nexus-store';
    import { memoryStorage } from 'nexus-store/memory';
    import { NexusProvider, useItems, usePendingCount } from 'nexus-store/react';
    import 'nexus-store/inspectable';
    import 'nexus-store/inspector';
    import 'nexus-store/react/inspector';
    for (const name of ['window', 'document', 'navigator', 'localStorage'])
      Object.defineProperty(globalThis, name, { configurable: true, get() { throw new Error('used ' + name); } });
    const backend = createBackend({ storage: memoryStorage() });
    const notes = new NexusStore({ backend, collection: 'notes' });
    const List = () => useItems(notes).status + ' ' + usePendingCount();
    console.log(renderToString(createElement(NexusProvider, { backend }, createElement(List))));
  `;

  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--conditions=nexus-source', '--input-type=module', '--eval', script],
    { encoding: 'utf8', cwd: import.meta.dirname },
  );

  expect(stderr).toBe('');
  expect(stdout).toBe('loading undefined\n');
});
