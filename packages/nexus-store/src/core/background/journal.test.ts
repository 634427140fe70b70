import { describe, expect, test } from 'vitest';
import { memoryDatabase, memoryStorage } from '../../storage/memory/index.ts';
import { createVirtualRuntime } from '../../testing/virtual-runtime.ts';
import type { WakeUp } from '../ports/platform-scheduler.ts';
import { StoreBackend } from '../store/store-backend.ts';
import { newRecord, type Journal } from './journal.ts';
import { NEW_STATE } from './service-state.ts';
import { StoredJournal } from './stored-journal.ts';
import { TransientJournal } from './transient-journal.ts';

const database = memoryDatabase();
const backendOf = (shared = memoryDatabase()): StoreBackend =>
  new StoreBackend(createVirtualRuntime(1), { storage: memoryStorage({ database: shared }) });
const stored = (backend = backendOf()): Journal =>
  new StoredJournal(backend.writer, () => backend.open());

const wakeUp: WakeUp = {
  id: 'sync',
  runId: 'run',
  attempt: 1,
  reason: 'scheduled',
  appState: 'headless',
  deadline: Infinity,
  signal: new AbortController().signal,
  complete: () => {},
};
const record = (index: number): ReturnType<typeof newRecord> =>
  newRecord({ ...wakeUp, runId: `run-${index}` }, index);

describe.each([
  ['kept beside the queue', () => stored()],
  ['kept for the life of the process', () => new TransientJournal()],
])('a journal %s', (_, create) => {
  test('keeps the last two hundred records, oldest first', async () => {
    const journal = create();

    for (let index = 1; index <= 205; index++) await journal.begin(record(index), (state) => state);
    const records = await journal.records();

    expect(records).toHaveLength(200);
    expect([records[0]?.runId, records.at(-1)?.runId]).toEqual(['run-6', 'run-205']);
  });

  test('shows a run that has not ended, and its end in the same place', async () => {
    const journal = create();
    const { id } = await journal.begin(record(1), (state) => state);
    await journal.begin(record(2), (state) => state);
    const before = await journal.records();

    await journal.end(id, { ...record(1), endedAt: 9, result: 'success' }, (state) => state);

    expect(before[0]).toMatchObject({ runId: 'run-1', endedAt: null, result: null });
    expect(await journal.records()).toMatchObject([{ endedAt: 9 }, { endedAt: null }]);
  });

  test('changes the state together with a record, and only what the change says', async () => {
    const journal = create();

    const { state } = await journal.begin(record(1), (before) => ({
      ...before,
      status: 'running',
    }));
    await Promise.all([
      journal.changeState((before) => ({ ...before, failures: before.failures + 1 })),
      journal.changeState((before) => ({ ...before, failures: before.failures + 1 })),
    ]);

    expect(state.status).toBe('running');
    expect(await journal.readState()).toMatchObject({ status: 'running', failures: 2 });
  });
});

describe('the journal beside the queue', () => {
  test('is there for the next process', async () => {
    await stored(backendOf(database)).begin(record(1), (state) => ({ ...state, failures: 3 }));

    const next = stored(backendOf(database));

    expect(await next.records()).toHaveLength(1);
    expect(await next.readState()).toMatchObject({ failures: 3 });
  });

  test('leaves out a damaged record, and reads a damaged state as a new one', async () => {
    const backend = backendOf();
    const journal = stored(backend);
    for (const index of [1, 2, 3]) await journal.begin(record(index), (state) => state);
    await backend.writer.write((uow) => {
      uow.put('journal', [2], { id: 2, record: '{"runId":' });
      uow.put('meta', ['background'], { name: 'background', value: 'nonsense' });
    });

    const records = await journal.records();

    expect(records.map(({ runId }) => runId)).toEqual(['run-1', 'run-3']);
    expect(await journal.readState()).toEqual(NEW_STATE);
  });
});
