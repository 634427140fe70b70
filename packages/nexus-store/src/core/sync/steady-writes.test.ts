import { afterEach, describe, expect, test } from 'vitest';
import { memoryStorage } from '../../storage/memory/index.ts';
import { fixtures, type BackendFixture } from '../../testing/backend-fixture.ts';
import { memoryRemote } from '../../testing/memory-remote.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';

const world = fixtures(afterEach, () => memoryStorage());

function slowWorld(latencyMs: number, autoSync: boolean): BackendFixture {
  const runtime = createVirtualRuntime(3);
  const latency = (): Promise<void> =>
    new Promise((resolve) => {
      runtime.timers.after(latencyMs, resolve);
    });
  return world({ runtime, autoSync, remote: memoryRemote({ hints: false, latency }) });
}

interface Steady {
  readonly everyMs: number;
  readonly priority: 'critical' | 'normal' | 'low';
  readonly count: number;
}

async function write(
  fixture: BackendFixture,
  { everyMs, priority, count }: Steady,
  after: (index: number) => unknown = () => {},
): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    await fixture.notes.save({ id: `steady ${index}` }, { priority });
    await fixture.runtime.advance(everyMs);
    await after(index);
  }
}

describe.each([
  [1_500, 1_000, 'normal'],
  [300, 250, 'normal'],
  [1_500, 1_000, 'critical'],
  [300, 250, 'critical'],
  [1_500, 1_000, 'low'],
] as const)(
  'while a request takes %i ms and a write comes every %i ms (%s)',
  (rtt, every, priority) => {
    test('a run comes to its end, and news come', async () => {
      const fixture = slowWorld(rtt, true);
      await fixture.wait(fixture.backend.sync());
      fixture.remote.server.set('notes', 'news', { id: 'news' });
      await fixture.notes.save({ id: 'before' });
      let endedAt = -1;
      let newsAt = -1;
      let index = 0;
      const isNews = async (): Promise<void> => {
        index += 1;
        if (newsAt >= 0) return;
        if ((await fixture.notes.get('news', { policy: 'cache-only' })) !== undefined)
          newsAt = index;
      };
      const asked = fixture.backend.sync().then(() => (endedAt = index));

      await write(fixture, { everyMs: every, priority, count: 120 }, isNews);

      expect(newsAt).toBeGreaterThan(0);
      expect(newsAt * every).toBeLessThan(16 * rtt);
      expect(endedAt).toBeGreaterThan(0);
      expect(endedAt * every).toBeLessThan(24 * rtt);
      // What came last goes by itself.
      await asked;
      await fixture.runtime.advance('5m');
      expect(fixture.arrivals).toHaveLength(121);
    });
  },
);

describe('a call at the end of a run', () => {
  test('counts on its write, and gets a run of its own for it', async () => {
    const fixture = slowWorld(1_000, false);
    const fates: string[] = [];
    const calls: Promise<unknown>[] = [fixture.backend.sync()];

    await write(fixture, { everyMs: 700, priority: 'normal', count: 40 }, (index) => {
      const id = `create steady ${index}`;
      const call = fixture.backend.sync().then(({ stoppedBy }) => {
        fates.push(`${stoppedBy} ${fixture.arrivals.includes(id)}`);
      });
      calls.push(call);
    });
    await fixture.wait(Promise.all(calls));

    expect(new Set(fates)).toEqual(new Set(['drained true']));
    expect(fixture.typesOf('sync-finished').length).toBeGreaterThan(2);
  });

  test('waits no longer than it may', async () => {
    const fixture = slowWorld(1_000, false);
    const { clock } = fixture.runtime;
    const first = fixture.backend.sync();
    await fixture.runtime.advance(500);
    await fixture.notes.save({ id: 'sent at the end' });
    await fixture.runtime.advance(1_000);
    await fixture.notes.save({ id: 'too late' });
    fixture.remote.pull = () => new Promise(() => {});
    const from = clock.elapsed();
    let endedAt = 0;

    const late = fixture.backend.sync({ budget: '12s' }).then((report) => {
      endedAt = clock.elapsed();
      return report;
    });
    const reports = await fixture.wait(Promise.all([first, late]));

    expect(reports[1]).not.toBe(reports[0]);
    expect(endedAt - from).toBeLessThanOrEqual(12_000);
  });
});
