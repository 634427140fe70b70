import { afterEach, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { fixtures } from '../../testing/backend-fixture.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';

const world = fixtures(afterEach, () => memoryStorage());

interface Args {
  by: number;
}

function listener() {
  const told: unknown[] = [];
  const logger = {
    log: (level: string, _: string, fields?: object) => told.push([level, fields]),
  };
  return { told, runtime: createVirtualRuntime(1, { logger }) };
}

test('a merge that forgets its result is told of once for each command, and every command is sent', async () => {
  const { told, runtime } = listener();
  const fixture = world({
    runtime,
    store: {
      merge: (previous, next) => {
        (previous as Args).by += (next as Args).by;
      },
    },
  });
  await fixture.notes.save({ id: 'a', count: 0 });
  await fixture.wait(fixture.backend.sync());

  for (const by of [1, 2, 4]) await fixture.notes.command('a', 'increment', { by });
  for (const by of [1, 2]) await fixture.notes.command('a', 'decrement', { by });

  const waiting = await fixture.backend.pendingChanges();
  expect(waiting.map(({ command, payload }) => [command, payload])).toEqual([
    ['increment', { by: 1 }],
    ['increment', { by: 2 }],
    ['increment', { by: 4 }],
    ['decrement', { by: 1 }],
    ['decrement', { by: 2 }],
  ]);
  expect(told).toEqual(
    ['increment', 'decrement'].map((command) => [
      'error',
      { collection: 'notes', command, error: 'TypeError: merge gave back nothing' },
    ]),
  );
});

test('a command that cannot be applied to what others made of its row is told of once, however often they change it', async () => {
  const { told, runtime } = listener();
  const fixture = world({
    runtime,
    store: {
      applyCommand: (note) => {
        if (note.text === 'theirs') throw new TypeError('no such note');
        return note;
      },
    },
  });
  await fixture.notes.save({ id: 'a', count: 0 });
  await fixture.wait(fixture.backend.sync());
  for (const by of [1, 2]) await fixture.notes.command('a', 'increment', { by });

  for (const count of [1, 2, 3]) {
    fixture.remote.server.set('notes', 'a', { id: 'a', text: 'theirs', count });
    await fixture.wait(fixture.backend.fetch('notes'));
  }

  expect(await fixture.notes.get('a', { policy: 'cache-only' })).toMatchObject({ count: 3 });
  const ofCommands = told.filter((line) => JSON.stringify(line).includes('increment'));
  expect(ofCommands).toEqual([
    ['error', { collection: 'notes', command: 'increment', error: 'TypeError: no such note' }],
  ]);
});
