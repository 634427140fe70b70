import { join } from 'node:path';
import { PrioritySyncQueue } from 'nexus-store';
import { sqliteStorage } from 'nexus-store/sqlite';
import { atLeast, type BenchCase, type Figure, type Subject } from '../harness/bench-case.ts';
import { startDelayedServer } from '../support/delayed-server.ts';
import { makeReports, type Report } from '../support/reports.ts';
import { newPath } from '../support/temporary-file.ts';
import { loadPeer } from './install-peers.ts';
import { ours, PEERS, type Peer, type PeerStore } from './peer-stores.ts';

const GROUP = 'peers';

/** The bars of `baselines.md`: how many times faster than each peer. */
type Bars = Readonly<Record<string, number>>;

type Work = (store: PeerStore, reports: readonly Report[], url: string) => Promise<unknown>;

export const PEER_CASES: readonly BenchCase[] = [
  storeCase(
    'peer-concurrent-saves',
    'concurrent saves of 5,000',
    5000,
    (store, reports) => Promise.all(reports.map((report) => store.save(report))),
    { PouchDB: 12, PowerSync: 30 },
  ),
  storeCase(
    'peer-sequential-saves',
    'sequential awaited saves of 1,000',
    1000,
    async (store, reports) => {
      for (const report of reports) await store.save(report);
    },
    { PouchDB: 3.5, PowerSync: 7 },
  ),
  storeCase(
    'peer-bulk',
    'one call for 10,000',
    10_000,
    (store, reports) => store.saveAll(reports),
    { PouchDB: 1.2, PowerSync: 1.2 },
  ),
  drainCase(50, { PowerSync: 4, RxDB: 4 }),
  drainCase(0, { PowerSync: 1.15 }),
  queueCase(),
];

function storeCase(name: string, title: string, full: number, work: Work, bars: Bars): BenchCase {
  return {
    name,
    group: GROUP,
    setUp: async (setting) => {
      const count = setting.size(full, 50);
      return {
        subjects: [ours, ...PEERS].map((peer) =>
          subject(peer, setting.folder, count, async () => {}, work, ''),
        ),
        figures: PEERS.map((peer) => versus(title, peer, bars)),
      };
    },
  };
}

function drainCase(latencyMs: number, bars: Bars): BenchCase {
  return {
    name: `peer-drain-${latencyMs}ms`,
    group: GROUP,
    setUp: async (setting) => {
      const server = await startDelayedServer();
      const url = server.url(latencyMs);
      const draining = PEERS.filter(({ name }) => name !== 'PouchDB');
      const count = setting.size(1000, 50);
      return {
        subjects: [ours, ...draining].map((peer) =>
          subject(
            peer,
            setting.folder,
            count,
            (store, reports) => store.saveAll(reports),
            (store) => store.drain?.(url) ?? Promise.reject(new Error('cannot drain')),
            url,
          ),
        ),
        figures: draining.map((peer) =>
          versus(`drain of 1,000 at ${latencyMs} ms, batches`, peer, bars),
        ),
        close: () => server.close(),
      };
    },
  };
}

function subject(
  peer: Peer,
  folder: string,
  count: number,
  prepare: Work,
  work: Work,
  url: string,
): Subject {
  return {
    name: peer.name,
    measure: async () => {
      const store = await peer.open(folder);
      const reports = makeReports(count);
      await prepare(store, reports, url);
      const startedAt = performance.now();
      await work(store, reports, url);
      const elapsedMs = performance.now() - startedAt;
      await store.close();
      return { perSecond: (count * 1000) / elapsedMs };
    },
  };
}

function versus(title: string, peer: Peer, bars: Bars): Figure {
  const bar = bars[peer.name];
  return {
    title: `${title} / ${peer.name} (${peer.note})`,
    unit: '/s',
    ours: [ours.name, 'perSecond'],
    reference: [peer.name, 'perSecond'],
    ...(bar === undefined ? {} : { bar: atLeast(bar) }),
  };
}

interface PlainQueue {
  addMany(type: string, data: readonly unknown[]): unknown;
  getAndMarkJobAsProcessing(type: string): { readonly id: number } | undefined;
  markJobAsDone(id: number): void;
  close(): void;
}

interface Plainjob {
  readonly better: (database: object) => object;
  readonly defineQueue: (options: object) => PlainQueue;
}

function queueCase(): BenchCase {
  return {
    name: 'peer-queue',
    group: GROUP,
    setUp: async (setting) => {
      const count = setting.size(5000, 200);
      return {
        subjects: [
          {
            name: 'nexus-store',
            measure: async () => {
              const path = newPath(setting, 'queue');
              const queue = new PrioritySyncQueue<Report>({
                storage: sqliteStorage({ path, durability: 'relaxed' }),
              });
              await Promise.all(makeReports(count).map((report) => queue.enqueue(report)));
              const startedAt = performance.now();
              for (let done = 0; done < count;) {
                const claim = await queue.claim({ limit: 100 });
                if (claim === undefined) throw new Error('the queue ran dry');
                await queue.complete(claim);
                done += claim.items.length;
              }
              const elapsedMs = performance.now() - startedAt;
              await queue.close();
              return { perSecond: (count * 1000) / elapsedMs };
            },
          },
          { name: 'plainjob', measure: () => measurePlainjob(setting.folder, count) },
        ],
        figures: [
          {
            title:
              'claim + complete of 5,000 / plainjob (one at a time, no priorities, keeps them)',
            unit: '/s',
            ours: ['nexus-store', 'perSecond'],
            reference: ['plainjob', 'perSecond'],
            bar: atLeast(2.5),
          },
        ],
      };
    },
  };
}

let plainQueues = 0;

function measurePlainjob(folder: string, count: number): { perSecond: number } {
  const { better, defineQueue } = loadPeer<Plainjob>('plainjob');
  const Database = loadPeer<new (path: string) => object>('better-sqlite3');
  plainQueues += 1;
  const connection = better(new Database(join(folder, `plainjob-${plainQueues}.db`)));
  const queue = defineQueue({ connection, logger: SILENT });
  queue.addMany('report', makeReports(count));
  const startedAt = performance.now();
  for (let done = 0; done < count; done += 1) {
    const job = queue.getAndMarkJobAsProcessing('report');
    if (job === undefined) throw new Error('plainjob ran dry');
    queue.markJobAsDone(job.id);
  }
  const elapsedMs = performance.now() - startedAt;
  queue.close();
  return { perSecond: (count * 1000) / elapsedMs };
}

const nothing = (): void => {};
const SILENT = { error: nothing, warn: nothing, info: nothing, debug: nothing };
