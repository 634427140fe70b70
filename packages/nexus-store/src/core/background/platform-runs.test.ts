import { describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { ManualScheduler } from '../../testing/manual-scheduler.ts';
import { createVirtualRuntime, VIRTUAL_START_AT as START } from '../../testing/virtual-runtime.ts';
import { StoreBackend } from '../store/store-backend.ts';
import { NexusStore } from '../store/nexus-store.ts';
import { BackgroundSyncService } from './background-sync-service.ts';
import { JOURNAL_LIMIT, newRecord, type JournalRecord } from './journal.ts';
import { inOrder, revisionFor, type PlatformRun } from './platform-runs.ts';

const MINUTE = 60_000;
const LONGEST = 10 * MINUTE;

const run = (runId: string, beganAt: number, more: Partial<PlatformRun> = {}): PlatformRun => ({
  ...{ runId, requestId: 'sync', attempt: 1, beganAt },
  ...{ endedAt: beganAt + MINUTE, result: 'retry', stopReason: 'timeout', error: null },
  ...more,
});

const record = (
  runId: string,
  beganAt: number,
  more: Partial<JournalRecord> = {},
): JournalRecord => ({
  ...newRecord(
    {
      ...{ id: 'sync', runId, attempt: 1, reason: 'scheduled', appState: 'headless' },
      ...{ deadline: Infinity, signal: new AbortController().signal, complete: () => {} },
    },
    beganAt,
  ),
  ...more,
});

const numbered = (...records: readonly JournalRecord[]) =>
  records.map((one, index) => ({ id: index + 1, record: one }));

describe("what the platform's log adds to the journal", () => {
  test('is the run that JavaScript never took up, and the end that it did not live to write', () => {
    const known = numbered(record('a', 0, { endedAt: 1 }), record('b', 5 * MINUTE));
    const runs = [
      run('a', 0),
      run('b', 5 * MINUTE, { stopReason: 'expired' }),
      run('c', 20 * MINUTE, { stopReason: null }),
    ];

    const { changed, added } = revisionFor(known, runs, 60 * MINUTE, LONGEST);

    expect(changed).toEqual([
      {
        id: 2,
        record: {
          ...known[1]?.record,
          ...{ endedAt: 6 * MINUTE, result: 'retry', stopReason: 'expired' },
          source: 'service-and-platform',
        },
      },
    ]);
    expect(added).toMatchObject([
      {
        runId: 'c',
        source: 'platform',
        appState: 'unknown',
        endedAt: 21 * MINUTE,
        result: 'retry',
      },
    ]);
  });

  test('is not a run that may be at work', () => {
    const open = { endedAt: null, result: null, stopReason: null };
    const runs = [run('old', 0, open), run('new', 55 * MINUTE, open)];

    const { added } = revisionFor([], runs, 60 * MINUTE, LONGEST);

    expect(added.map(({ runId }) => runId)).toEqual(['old']);
  });

  test('is nothing twice, and nothing that the journal has dropped', () => {
    const full = Array.from({ length: JOURNAL_LIMIT }, (_, index) =>
      record(`run-${index}`, (index + 10) * MINUTE, { endedAt: 1 }),
    );
    const runs = [run('dropped', 5 * MINUTE), run('run-0', 10 * MINUTE)];

    const revision = revisionFor(numbered(...full), runs, 24 * 60 * MINUTE, LONGEST);

    expect(revision).toEqual({ changed: [], added: [] });
  });

  test('stands where it belongs by its beginning, and own records keep their order', () => {
    const own = [record('a', 10), record('b', 30), record('set-back', 5), record('c', 40)];
    const late = [record('y', 35, { source: 'platform' }), record('x', 20, { source: 'platform' })];

    const order = inOrder([...own, ...late]).map(({ runId }) => runId);

    expect(order).toEqual(['a', 'x', 'b', 'set-back', 'y', 'c']);
  });
});

/** One process whose platform tells `runs`. */
async function boot(
  runs: () => Promise<readonly PlatformRun[]>,
  database = memoryDatabase(),
  hasBackend = true,
) {
  const runtime = createVirtualRuntime(1, { settleTurns: 200 });
  const backend = new StoreBackend(runtime, {
    storage: memoryStorage({ database }),
    autoSync: false,
  });
  const service = new BackgroundSyncService(runtime, {
    scheduler: new ManualScheduler(runtime),
    ...(hasBackend ? { backend } : {}),
    id: 'sync',
    platformRuns: runs,
  });
  const settled = async <T>(promise: Promise<T>): Promise<T> => {
    promise.catch(() => {});
    await runtime.advance('2s');
    return promise;
  };
  await settled(service.initialize());
  await settled(new NexusStore<{ id: string }>({ backend, collection: 'notes' }).save({ id: 'a' }));
  return {
    history: () => settled(service.history()),
    codes: async () =>
      (await settled(service.explain())).reasons.map(({ code, message }) => [code, message]),
    database,
  };
}

describe.each([
  ['kept beside the queue', true],
  ['kept for the life of the process', false],
])('a journal %s', (_, hasBackend) => {
  test('takes up the runs of the platform, once', async () => {
    const missed = run('missed', START - 60 * MINUTE);
    const app = await boot(async () => [missed], memoryDatabase(), hasBackend);

    const [first, second] = [await app.history(), await app.history()];

    expect(first).toMatchObject([{ runId: 'missed', requestId: 'sync', source: 'platform' }]);
    expect(second).toEqual(first);
  });
});

describe('a service on a platform with a log of its own', () => {
  test('explains that runs did not start, and forgets it once one did', async () => {
    const runs = [run('a', START - 60 * MINUTE), run('b', START - 30 * MINUTE)];
    const app = await boot(async () => runs);

    const missed = await app.codes();

    expect(missed).toContainEqual([
      'run-did-not-start',
      "The system began the last 2 background runs, but the app's JavaScript did not come up in time, or defines no background sync.",
    ]);
  });

  test('keeps what it took up for the next process, where the platform has forgotten it', async () => {
    const first = await boot(async () => [run('a', START - 60 * MINUTE)]);
    await first.history();

    const second = await boot(async () => [], first.database);

    expect(await second.history()).toMatchObject([{ runId: 'a', source: 'platform' }]);
  });

  test('goes on where the platform does not answer, or fails', async () => {
    const silent = await boot(() => new Promise(() => {}));
    const broken = await boot(() => Promise.reject(new Error('no bridge')));

    expect(await silent.history()).toEqual([]);
    expect(await broken.history()).toEqual([]);
    expect(await broken.codes()).not.toEqual([]);
  });
});
