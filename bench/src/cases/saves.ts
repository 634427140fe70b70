import { createBackend, NexusStore, PrioritySyncQueue, type StoreBackend } from 'nexus-store';
import { sqliteStorage, type Durability } from 'nexus-store/sqlite';
import {
  atLeast,
  notAbove,
  type BenchCase,
  type Experiment,
  type Sample,
  type Setting,
  type Subject,
} from '../harness/bench-case.ts';
import { RawDatabase, type RawLayout } from '../support/raw-database.ts';
import { makeReports, type Report } from '../support/reports.ts';
import { StallMeter } from '../support/stall-meter.ts';
import { newPath, removeDatabase } from '../support/temporary-file.ts';

const GROUP = 'saves';
/** A burst shares transactions of this size in the raw reference. */
const RAW_BATCH = 1000;
/** Optimising compilers need about eight bursts until the times no longer fall, ours and theirs. */
const WARM_UPS = 8;
const SYNCHRONOUS = { strict: 'FULL', relaxed: 'NORMAL' } as const;

/** How reports are put into a store; resolves when all are durable. */
type Save = (store: NexusStore<Report>, reports: readonly Report[]) => Promise<Sample>;

export const SAVE_CASES: readonly BenchCase[] = [
  concurrentSaves('strict'),
  concurrentSaves('relaxed'),
  sequentialSaves('strict'),
  sequentialSaves('relaxed'),
  saveAll('strict'),
  enqueueItems('strict'),
];

/** All calls are made in one turn of the event loop, as with `Promise.all`. */
function concurrentSaves(durability: Durability): BenchCase {
  const title = `10,000 concurrent saves, ${durability}`;
  return {
    name: `concurrent-saves-${durability}`,
    group: GROUP,
    setUp: async (setting) => {
      const count = setting.size(10_000, 300);
      const subjects = [
        ours('ours', setting, durability, count, saveInOneTurn),
        ours('over turns', setting, durability, count, saveOverTurns),
        rawBatches('text', setting, durability, count),
        rawBatches('integer', setting, durability, count),
        { name: 'nothing', measure: () => doNothing(setting.size(150, 5)) },
      ];
      const experiment: Experiment = {
        subjects,
        figures: [
          {
            title: `${title} / raw, 1,000 a transaction, text id and index`,
            unit: 'saves/s',
            ours: ['ours', 'perSecond'],
            reference: ['text', 'perSecond'],
            bar: atLeast(0.8),
          },
          {
            title: `${title} / raw, 1,000 a transaction, integer key`,
            unit: 'saves/s',
            ours: ['ours', 'perSecond'],
            reference: ['integer', 'perSecond'],
          },
          {
            title: `${title}: the 10,000 calls themselves`,
            unit: 'ms',
            ours: ['ours', 'callsMs'],
          },
          {
            title: `${title}: longest stall after the calls`,
            unit: 'ms',
            ours: ['ours', 'stallMs'],
            reference: ['nothing', 'stallMs'],
            bar: notAbove(16),
          },
          {
            title: `${title}, 100 a turn / raw, text id and index`,
            unit: 'saves/s',
            ours: ['over turns', 'perSecond'],
            reference: ['text', 'perSecond'],
          },
          {
            title: `${title}, 100 a turn: longest stall`,
            unit: 'ms',
            ours: ['over turns', 'stallMs'],
            reference: ['nothing', 'stallMs'],
            bar: notAbove(16),
          },
        ],
        warmUps: WARM_UPS,
      };
      return experiment;
    },
  };
}

const saveInOneTurn: Save = async (store, reports) => {
  const meter = new StallMeter();
  const startedAt = performance.now();
  const saves = reports.map((report) => store.save(report));
  const calledAt = performance.now();
  meter.restart();
  await Promise.all(saves);
  const elapsedMs = performance.now() - startedAt;
  return {
    perSecond: perSecond(reports.length, elapsedMs),
    callsMs: calledAt - startedAt,
    stallMs: meter.stop(),
  };
};

const saveOverTurns: Save = async (store, reports) => {
  const meter = new StallMeter();
  const startedAt = performance.now();
  const saves: Promise<unknown>[] = [];
  for (let start = 0; start < reports.length; start += 100) {
    for (const report of reports.slice(start, start + 100)) saves.push(store.save(report));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(saves);
  return {
    perSecond: perSecond(reports.length, performance.now() - startedAt),
    stallMs: meter.stop(),
  };
};

/** What the machine itself does to an event loop that has nothing to do. */
async function doNothing(durationMs: number): Promise<Sample> {
  const meter = new StallMeter();
  const endAt = performance.now() + durationMs;
  while (performance.now() < endAt) await new Promise((resolve) => setImmediate(resolve));
  return { stallMs: meter.stop() };
}

function sequentialSaves(durability: Durability): BenchCase {
  const title = `sequential awaited saves, ${durability}`;
  return {
    name: `sequential-saves-${durability}`,
    group: GROUP,
    setUp: async (setting) => {
      const count = setting.size(3000, 50);
      const figure = (layout: RawLayout, words: string) => ({
        title: `${title} / raw, one transaction each, ${words}`,
        unit: 'saves/s',
        ours: ['ours', 'perSecond'] as const,
        reference: [layout, 'perSecond'] as const,
      });
      return {
        subjects: [
          ours('ours', setting, durability, count, saveOneByOne),
          rawSequential('text', setting, durability, count),
          rawSequential('integer', setting, durability, count),
        ],
        figures: [
          { ...figure('text', 'text id and index'), bar: atLeast(0.85) },
          figure('integer', 'integer key'),
        ],
        warmUps: WARM_UPS,
      };
    },
  };
}

const saveOneByOne: Save = async (store, reports) => {
  const startedAt = performance.now();
  for (const report of reports) await store.save(report);
  return { perSecond: perSecond(reports.length, performance.now() - startedAt) };
};

function saveAll(durability: Durability): BenchCase {
  const figure = (layout: RawLayout, words: string) => ({
    title: `saveAll of 10,000, ${durability} / raw, 1,000 a transaction, ${words}`,
    unit: 'saves/s',
    ours: ['ours', 'perSecond'] as const,
    reference: [layout, 'perSecond'] as const,
  });
  return {
    name: 'save-all',
    group: GROUP,
    setUp: async (setting) => {
      const count = setting.size(10_000, 300);
      return {
        subjects: [
          ours('ours', setting, durability, count, saveTogether),
          rawBatches('text', setting, durability, count),
          rawBatches('integer', setting, durability, count),
        ],
        figures: [
          { ...figure('text', 'text id and index'), bar: atLeast(0.8) },
          figure('integer', 'integer key'),
        ],
        warmUps: WARM_UPS,
      };
    },
  };
}

const saveTogether: Save = async (store, reports) => {
  const startedAt = performance.now();
  await store.saveAll(reports);
  return { perSecond: perSecond(reports.length, performance.now() - startedAt) };
};

/** `PrioritySyncQueue` on its own: no row of a store. */
function enqueueItems(durability: Durability): BenchCase {
  return {
    name: 'concurrent-enqueues',
    group: GROUP,
    setUp: async (setting) => {
      const count = setting.size(10_000, 300);
      return {
        subjects: [oursEnqueue(setting, durability, count), rawEnqueue(setting, durability, count)],
        figures: [
          {
            title: `10,000 concurrent enqueues, ${durability} / raw entry only, 1,000 a transaction, text id`,
            unit: 'items/s',
            ours: ['ours', 'perSecond'],
            reference: ['raw', 'perSecond'],
          },
        ],
        warmUps: WARM_UPS,
      };
    },
  };
}

function oursEnqueue(setting: Setting, durability: Durability, count: number): Subject {
  return {
    name: 'ours',
    measure: async () => {
      const path = newPath(setting, 'items');
      const queue = new PrioritySyncQueue<Report>({ storage: sqliteStorage({ path, durability }) });
      await queue.enqueue(makeReports(1)[0] as Report);
      const reports = makeReports(count);
      const startedAt = performance.now();
      await Promise.all(reports.map((report) => queue.enqueue(report)));
      const elapsedMs = performance.now() - startedAt;
      await queue.close();
      removeDatabase(path);
      return { perSecond: perSecond(count, elapsedMs) };
    },
  };
}

function rawEnqueue(setting: Setting, durability: Durability, count: number): Subject {
  return onRaw('raw', 'text', setting, durability, count, (database, reports) => {
    for (let start = 0; start < reports.length; start += RAW_BATCH) {
      database.transaction(() => {
        for (const report of reports.slice(start, start + RAW_BATCH))
          database.enqueue(JSON.stringify(report), report.id);
      });
    }
  });
}

// ---- subjects ------------------------------------------------------------------------------------

function ours(
  name: string,
  setting: Setting,
  durability: Durability,
  count: number,
  save: Save,
): Subject {
  return {
    name,
    measure: async () => {
      const path = newPath(setting, 'store');
      const backend: StoreBackend = createBackend({
        storage: sqliteStorage({ path, durability }),
        autoSync: false,
      });
      const store = new NexusStore<Report>({ backend, collection: 'reports' });
      await backend.open();
      const reports = makeReports(count);
      const sample = await save(store, reports);
      await backend.close();
      removeDatabase(path);
      return sample;
    },
  };
}

function rawBatches(
  layout: RawLayout,
  setting: Setting,
  durability: Durability,
  count: number,
): Subject {
  return onRaw(layout, layout, setting, durability, count, (database, reports) =>
    database.saveInBatches(reports, RAW_BATCH),
  );
}

function rawSequential(
  layout: RawLayout,
  setting: Setting,
  durability: Durability,
  count: number,
): Subject {
  return onRaw(layout, layout, setting, durability, count, (database, reports) =>
    database.saveInBatches(reports, 1),
  );
}

function onRaw(
  name: string,
  layout: RawLayout,
  setting: Setting,
  durability: Durability,
  count: number,
  work: (database: RawDatabase, reports: readonly Report[]) => void,
): Subject {
  return {
    name,
    measure: () => {
      const path = newPath(setting, 'raw');
      const database = new RawDatabase(path, layout, SYNCHRONOUS[durability]);
      const reports = makeReports(count);
      const startedAt = performance.now();
      work(database, reports);
      const elapsedMs = performance.now() - startedAt;
      database.close();
      removeDatabase(path);
      return { perSecond: perSecond(count, elapsedMs) };
    },
  };
}

function perSecond(count: number, elapsedMs: number): number {
  return (count * 1000) / elapsedMs;
}
