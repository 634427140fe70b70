import { createBackend, NexusStore } from 'nexus-store';
import { httpRemote } from 'nexus-store/http';
import { sqliteStorage } from 'nexus-store/sqlite';
import {
  atLeast,
  type BenchCase,
  type Figure,
  type Setting,
  type Subject,
} from '../harness/bench-case.ts';
import { startDelayedServer, type DelayedServer } from '../support/delayed-server.ts';
import { RawDatabase } from '../support/raw-database.ts';
import { drainRaw } from '../support/raw-drain.ts';
import { makeReports, type Report } from '../support/reports.ts';
import { newPath, removeDatabase } from '../support/temporary-file.ts';

interface Shape {
  readonly concurrency: number;
  readonly batch: number;
}

/** What the engine does if it is not told otherwise. */
const DEFAULTS: Shape = { concurrency: 4, batch: 50 };
/** What `baselines.md` measured. */
const WIDE: Shape = { concurrency: 6, batch: 100 };
const ONE_BY_ONE: Shape = { concurrency: 1, batch: 100 };

export const DRAIN_CASES: readonly BenchCase[] = [
  drain('drain-50ms', 50, [DEFAULTS, WIDE], 10_000, 0.8),
  drain('drain-0ms', 0, [DEFAULTS, ONE_BY_ONE, WIDE], 10_000, undefined),
  singles(),
];

function drain(
  name: string,
  latencyMs: number,
  shapes: readonly Shape[],
  full: number,
  bar: number | undefined,
): BenchCase {
  return {
    name,
    group: 'drains',
    setUp: async (setting) => {
      const server = await startDelayedServer();
      const count = setting.size(full, 400);
      const subjects: Subject[] = [];
      const figures: Figure[] = [];
      for (const shape of shapes) {
        const label = `${shape.concurrency} x ${shape.batch}`;
        subjects.push(
          ours(`ours ${label}`, setting, server, latencyMs, shape, count),
          raw(`raw ${label}`, setting, server, latencyMs, shape, count),
        );
        figures.push({
          title: `drain ${full.toLocaleString('en-US')}, ${latencyMs} ms, ${label} / raw loop ${label}`,
          unit: 'items/s',
          ours: [`ours ${label}`, 'perSecond'],
          reference: [`raw ${label}`, 'perSecond'],
          ...(bar === undefined ? {} : { bar: atLeast(bar) }),
        });
      }
      return { subjects, figures, close: () => server.close() };
    },
  };
}

/** One entry in a request, for servers without a batch endpoint. */
function singles(): BenchCase {
  return {
    name: 'drain-singles',
    group: 'drains',
    setUp: async (setting) => {
      const server = await startDelayedServer();
      const count = setting.size(300, 20);
      const shape = { concurrency: 6, batch: 1 };
      return {
        subjects: [
          ours('ours', setting, server, 50, shape, count),
          raw('raw', setting, server, 50, shape, count),
        ],
        figures: [
          {
            title: 'drain 300, 50 ms, 6 x 1 / raw loop 6 x 1',
            unit: 'items/s',
            ours: ['ours', 'perSecond'],
            reference: ['raw', 'perSecond'],
          },
        ],
        close: () => server.close(),
      };
    },
  };
}

function ours(
  name: string,
  setting: Setting,
  server: DelayedServer,
  latencyMs: number,
  shape: Shape,
  count: number,
): Subject {
  return {
    name,
    measure: async () => {
      const path = newPath(setting, 'drain');
      const backend = createBackend({
        storage: sqliteStorage({ path }),
        remote: httpRemote({ url: server.url(latencyMs), pull: false, events: false }),
        autoSync: false,
        concurrency: shape.concurrency,
        batchSize: shape.batch,
      });
      const store = new NexusStore<Report>({ backend, collection: 'reports' });
      await store.saveAll(makeReports(count));
      const startedAt = performance.now();
      const report = await backend.sync();
      const elapsedMs = performance.now() - startedAt;
      await backend.close();
      removeDatabase(path);
      if (report.pushed !== count)
        throw new Error(`a drain ended early: ${JSON.stringify(report)}`);
      return { perSecond: (count * 1000) / elapsedMs };
    },
  };
}

function raw(
  name: string,
  setting: Setting,
  server: DelayedServer,
  latencyMs: number,
  shape: Shape,
  count: number,
): Subject {
  return {
    name,
    measure: async () => {
      const path = newPath(setting, 'drain-raw');
      const database = new RawDatabase(path, 'text', 'FULL');
      database.saveInBatches(makeReports(count), 1000);
      const startedAt = performance.now();
      const sent = await drainRaw(database, { url: server.url(latencyMs), ...shape });
      const elapsedMs = performance.now() - startedAt;
      database.close();
      removeDatabase(path);
      if (sent !== count) throw new Error(`the raw loop sent ${sent} of ${count}`);
      return { perSecond: (count * 1000) / elapsedMs };
    },
  };
}
