import { afterEach, describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { fixtures } from '../../testing/backend-fixture.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import type { Storage } from '../ports/storage.ts';

// Where a transaction is a journey to another process, as in a browser, their number is what a drain costs.

const world = fixtures(afterEach, () => memoryStorage());

/** The storage, with the mode of each of its transactions on record. */
function watched(storage: Storage): { readonly storage: Storage; readonly modes: string[] } {
  const modes: string[] = [];
  return {
    modes,
    storage: {
      capabilities: storage.capabilities,
      open: (schema) => storage.open(schema),
      transact: (mode, body) => {
        modes.push(mode);
        return storage.transact(mode, body);
      },
      foreignCommits: () => storage.foreignCommits(),
      close: () => storage.close(),
    },
  };
}

describe('a drain of one entry a request', () => {
  test('takes about one commit for each: an answer and the next claim share it', async () => {
    const runtime = createVirtualRuntime(5);
    const latency = (): Promise<void> =>
      new Promise((resolve) => {
        runtime.timers.after(50, resolve);
      });
    const { storage, modes } = watched(memoryStorage());
    const remote = memoryRemote({ hints: false, latency });
    const fixture = world({ runtime, storage, remote, batchSize: 1, concurrency: 4 });
    const ids = Array.from({ length: 40 }, (_, i) => `n${String(i).padStart(2, '0')}`);
    for (const id of ids) await fixture.notes.save({ id });
    modes.length = 0;

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 40, stoppedBy: 'drained' });
    expect(fixture.requests.flat()).toEqual(ids);
    expect(modes.filter((mode) => mode === 'write').length).toBeLessThan(60);
  });

  test('claims nothing before a failure of the endpoint is stored', async () => {
    const fixture = world({ batchSize: 1, concurrency: 2 });
    fixture.remote.answerWith(() => 'refuse-connection');
    for (const id of ['a', 'b', 'c', 'd']) await fixture.notes.save({ id });

    const report = await fixture.wait(fixture.backend.sync());

    expect(report).toMatchObject({ pushed: 0, remaining: 4, stoppedBy: 'offline' });
    expect(fixture.requests.flat()).toEqual(['a', 'b']);
  });
});

describe('a start', () => {
  test('reaches its first request after one transaction to open, two looks and a claim', async () => {
    const database = memoryDatabase();
    const before = world({ storage: memoryStorage({ database }) });
    await before.notes.save({ id: 'a' });
    await before.wait(before.backend.close());
    const { storage, modes } = watched(memoryStorage({ database }));
    const seen: string[][] = [];
    const after = world({ storage });
    after.remote.answerWith(() => {
      seen.push([...modes]);
      return 'apply';
    });

    await after.wait(after.backend.sync());

    expect(seen).toEqual([['read', 'read', 'read', 'write']]);
  });
});
