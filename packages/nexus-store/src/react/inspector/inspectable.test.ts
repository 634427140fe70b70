import { describe, expect, test, vi } from 'vitest';
import type { OutgoingEntry } from '../../core/ports/remote.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import { memoryRemoteHarness } from '../../testing/memory-remote-harness.ts';
import { testRemote } from '../../testing/remote-suite.ts';
import { inspectable } from './inspectable.ts';

testRemote('inspectable, switched to normal', async () => memoryRemoteHarness({}, inspectable), {
  describe,
  test,
  expect,
});

describe('an inspectable remote', () => {
  const entry: OutgoingEntry = {
    id: 'e1',
    idempotencyKey: 'key',
    collection: 'notes',
    entityId: 'a',
    operation: 'create',
    command: null,
    isPatch: false,
    baseVersion: null,
    payloadJson: '{}',
    payload: {},
    schemaVersion: 1,
    group: null,
    attempts: 0,
  };
  const contextOf = (signal = new AbortController().signal) => ({
    signal,
    maySend: () => true,
    now: 5,
    principal: null,
  });

  test('says that nothing left while it is switched off, and asks nobody', async () => {
    const remote = memoryRemote();
    const switched = inspectable(remote);
    switched.setNetwork('offline');

    const outcomes = await switched.push([entry, entry], contextOf());
    const pull = switched.pull({ collection: 'notes', cursor: null, limit: 10 }, contextOf());

    await expect(pull).rejects.toMatchObject({ code: 'remote/offline' });
    expect(outcomes).toMatchObject([
      { kind: 'retry', scope: 'endpoint', ambiguous: false, failure: { code: 'remote/offline' } },
      { kind: 'retry' },
    ]);
    expect(remote.attempts).toEqual([]);
  });

  test('ends the hints as it is switched off, and lets them begin again', async () => {
    const switched = inspectable(memoryRemote());
    const hints: unknown[] = [];
    const stopping = new AbortController();
    const listening = switched.listen((hint) => hints.push(hint), contextOf(stopping.signal));

    switched.setNetwork('offline');
    await expect(listening).rejects.toMatchObject({ code: 'remote/offline' });
    switched.setNetwork('normal');
    const again = switched.listen((hint) => hints.push(hint), contextOf(stopping.signal));
    stopping.abort();
    await again;

    expect(hints).toEqual([null, null]);
  });

  test('is late while the network is slow, as long as it is, and no longer than anybody waits', async () => {
    vi.useFakeTimers();
    try {
      const remote = memoryRemote();
      const switched = inspectable(remote, { slowBy: '2s' });
      switched.setNetwork('slow');
      const first = switched.push([entry], contextOf());
      await vi.advanceTimersByTimeAsync(1_999);
      const early = remote.attempts.length;
      await vi.advanceTimersByTimeAsync(1);
      const second = switched.push([entry], contextOf());
      switched.setNetwork('normal');
      const stopping = new AbortController();
      switched.setNetwork('slow');
      const third = switched.push([entry], contextOf(stopping.signal));
      stopping.abort();

      const outcomes = [await first, await second, await third].flat();

      expect(early).toBe(0);
      expect(outcomes.map(({ kind }) => kind)).toEqual(['applied', 'applied', 'retry']);
      expect(remote.attempts).toHaveLength(2);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});
