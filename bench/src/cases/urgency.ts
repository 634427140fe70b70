import { createBackend, NexusStore } from 'nexus-store';
import { httpRemote } from 'nexus-store/http';
import { sqliteStorage } from 'nexus-store/sqlite';
import { notAbove, type BenchCase, type Sample, type Setting } from '../harness/bench-case.ts';
import { quantile } from '../harness/statistics.ts';
import { startDelayedServer, type DelayedServer } from '../support/delayed-server.ts';
import { makeReports, type Report } from '../support/reports.ts';
import { newPath, removeDatabase } from '../support/temporary-file.ts';

const ROUND_TRIP_MS = 50;
/** Two round trips and 50 ms. */
const BAR_MS = 2 * ROUND_TRIP_MS + 50;

export const URGENCY_CASES: readonly BenchCase[] = [
  {
    name: 'critical-save',
    group: 'urgency',
    setUp: async (setting) => {
      const server = await startDelayedServer();
      const title = 'critical save until the server has it, 100,000 low pending, 50 ms';
      return {
        subjects: [{ name: 'ours', measure: () => measureUrgency(setting, server) }],
        figures: [
          { title: `${title}: median`, unit: 'ms', ours: ['ours', 'median'] },
          { title: `${title}: p99`, unit: 'ms', ours: ['ours', 'p99'], bar: notAbove(BAR_MS) },
          { title: `${title}: longest`, unit: 'ms', ours: ['ours', 'longest'] },
          {
            title: `${title}: low sent meanwhile`,
            unit: 'items/s',
            ours: ['ours', 'lowPerSecond'],
          },
        ],
        rounds: 3,
        warmUps: 0,
        close: () => server.close(),
      };
    },
  },
];

/** Saves critical entries every now and then while a long drain is under way. */
async function measureUrgency(setting: Setting, server: DelayedServer): Promise<Sample> {
  const path = newPath(setting, 'urgent');
  const backend = createBackend({
    storage: sqliteStorage({ path }),
    remote: httpRemote({ url: server.url(ROUND_TRIP_MS), pull: false, events: false }),
    limits: { maxEntries: 1e6, maxBytes: 1e9 },
  });
  const low = new NexusStore<Report>({ backend, collection: 'reports', priority: 'low' });
  const urgent = new NexusStore<Report>({ backend, collection: 'urgent', priority: 'critical' });
  const pending = setting.size(100_000, 2000);
  for (let made = 0; made < pending; made += 1000) await low.saveAll(makeReports(1000));

  const drained = backend.sync();
  const startedAt = performance.now();
  const savedAt = new Map<string, number>();
  // The waits are no multiple of the latency, so that saves fall on every phase of a request.
  for (const report of makeReports(setting.size(150, 8))) {
    await new Promise((resolve) => setTimeout(resolve, 60 + Math.random() * 60));
    savedAt.set(report.id, performance.timeOrigin + performance.now());
    await urgent.save(report);
  }
  await waitUntilSent(server, savedAt);
  const elapsedS = (performance.now() - startedAt) / 1000;
  const left = backend.status.current.pending.low;
  if (left === 0 && !setting.isQuick) throw new Error('the low entries ran out: nothing was ahead');
  await backend.close();
  await drained;
  removeDatabase(path);

  const arrivals = await server.arrivals();
  const latencies = [...savedAt].map(([id, at]) => (arrivals[id] ?? Number.NaN) - at);
  return {
    median: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    longest: Math.max(...latencies),
    lowPerSecond: (pending - left) / elapsedS,
  };
}

const PATIENCE_MS = 10_000;

async function waitUntilSent(
  server: DelayedServer,
  savedAt: ReadonlyMap<string, number>,
): Promise<void> {
  const endAt = performance.now() + PATIENCE_MS;
  while (performance.now() < endAt) {
    const arrivals = await server.arrivals();
    if ([...savedAt.keys()].every((id) => arrivals[id] !== undefined)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('a critical entry did not arrive');
}
