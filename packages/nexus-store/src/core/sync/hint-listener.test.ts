import { afterEach, describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import { RemoteError } from '../model/errors.ts';
import type { Remote } from '../ports/remote.ts';

const world = fixtures(afterEach, () => memoryStorage());

/** A backend whose streams of hints behave as told, one after the other; the last way stays. */
function listening(...ways: readonly Remote['listen'][]): {
  readonly fixture: BackendFixture;
  readonly begunAt: number[];
} {
  const fixture = world({ autoSync: true, remote: memoryRemote() });
  const begunAt: number[] = [];
  fixture.remote.listen = (onHint, context) => {
    const way = ways[Math.min(begunAt.length, ways.length - 1)] as Remote['listen'];
    begunAt.push(fixture.runtime.clock.elapsed());
    return way(onHint, context);
  };
  return { fixture, begunAt };
}

const untilAborted: Remote['listen'] = (_onHint, { signal }) =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
const refused =
  (status: number, retryAfterMs?: number): Remote['listen'] =>
  () =>
    Promise.reject(
      new RemoteError(status === 503 ? 'remote/server' : 'remote/rejected', 'no', {
        status,
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      }),
    );

describe('a stream of hints', () => {
  test('that nobody answers is asked for again', async () => {
    const { fixture, begunAt } = listening(untilAborted);
    await fixture.backend.open();

    await fixture.runtime.advance('2m');

    expect(begunAt.length).toBeGreaterThan(1);
    expect(begunAt[1]).toBeGreaterThanOrEqual(30_000);
  });

  test('that has become silent is opened anew, and one that speaks is left alone', async () => {
    const silent: Remote['listen'] = (onHint, context) => {
      onHint(null);
      return untilAborted(onHint, context);
    };
    const { fixture, begunAt } = listening(silent);
    await fixture.backend.open();

    await fixture.runtime.advance('14m');
    const early = begunAt.length;
    await fixture.runtime.advance('3m');

    expect([early, begunAt.length]).toEqual([1, 2]);
  });

  test('waits as long as the server asks it to, and sync does not', async () => {
    const { fixture, begunAt } = listening(refused(503, 1_800_000), untilAborted);
    await fixture.backend.open();
    await fixture.runtime.advance('1m');
    fixture.backend.wake();
    await fixture.runtime.advance('20m');
    const early = begunAt.length;
    const report = await fixture.wait(fixture.backend.sync());
    await fixture.runtime.advance('9m');

    expect([early, begunAt.length]).toEqual([1, 2]);
    expect(report.stoppedBy).toBe('drained');
  });

  test.each([
    [404, 1],
    [403, 2],
  ])('refused with %i is begun %i times in a while', async (status, times) => {
    const { fixture, begunAt } = listening(refused(status), untilAborted);
    await fixture.backend.open();

    await fixture.runtime.advance('20s');

    expect(begunAt).toHaveLength(times);
  });
});
