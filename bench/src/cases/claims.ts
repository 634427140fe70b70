import type { Storage } from 'nexus-store';
import { memoryStorage } from 'nexus-store/memory';
import { sqliteStorage, type Durability } from 'nexus-store/sqlite';
import {
  atMost,
  type BenchCase,
  type Experiment,
  type Figure,
  type Setting,
  type Subject,
} from '../harness/bench-case.ts';
import { aMillion, millionItems, millionSaves } from '../support/million.ts';
import { BATCH, ItemQueue, RawQueue, StoreQueue, type MeasuredQueue } from '../support/queues.ts';
import { RawDatabase, type RawLayout } from '../support/raw-database.ts';
import { newPath } from '../support/temporary-file.ts';

const GROUP = 'claims';
/** "Few": what a queue holds that nobody would call long. */
const FEW = 1000;
const WHAT = 'claim + complete 100';

type Kind = 'SQLite' | 'memory';

export const CLAIM_CASES: readonly BenchCase[] = [
  items('relaxed'),
  items('strict'),
  storeEntries('relaxed'),
  flatItems(),
  flatStore(),
  backedOffItems('SQLite'),
  backedOffItems('memory'),
  backedOffStore('SQLite'),
  oneLane('SQLite'),
  oneLane('memory'),
  manyLanes('SQLite'),
  manyLanes('memory'),
  deadHeads('SQLite'),
  deadHeads('memory'),
];

// ---- against the raw statements --------------------------------------------------------------------

function items(durability: Durability): BenchCase {
  return {
    name: `claim-items-${durability}`,
    group: GROUP,
    setUp: async (setting) => {
      const ours = new ItemQueue(newStorage('SQLite', setting, durability));
      await ours.fill(FEW);
      return experiment(
        setting,
        {
          ours,
          text: rawQueue('text', setting, durability, false),
          integer: rawQueue('integer', setting, durability, false),
        },
        againstRaw(`${WHAT}, PrioritySyncQueue, ${durability}`, 'entries only'),
      );
    },
  };
}

function storeEntries(durability: Durability): BenchCase {
  return {
    name: `claim-store-${durability}`,
    group: GROUP,
    setUp: async (setting) => {
      const ours = new StoreQueue(newStorage('SQLite', setting, durability));
      await ours.fill(FEW + longRun(setting));
      return experiment(
        setting,
        {
          ours,
          text: rawQueue('text', setting, durability, true),
          integer: rawQueue('integer', setting, durability, true),
        },
        againstRaw(
          `${WHAT}, store's queue through the engine, ${durability}`,
          'entries and row versions',
        ),
      );
    },
  };
}

function againstRaw(title: string, work: string): Figure[] {
  return [
    { ...figure(`${title} / raw ${work}, text id and index`, 'ours', 'text'), bar: atMost(1.5) },
    figure(`${title} / raw ${work}, integer key`, 'ours', 'integer'),
  ];
}

function rawQueue(
  layout: RawLayout,
  setting: Setting,
  durability: Durability,
  withRows: boolean,
): RawQueue {
  const synchronous = durability === 'strict' ? 'FULL' : 'NORMAL';
  const database = new RawDatabase(newPath(setting, 'raw'), layout, synchronous);
  const queue = new RawQueue(database, withRows);
  queue.fill(FEW);
  return queue;
}

// ---- flat, whatever the queue holds ----------------------------------------------------------------

function flatItems(): BenchCase {
  return {
    name: 'claim-flat-items',
    group: GROUP,
    setUp: async (setting) => {
      const few = new ItemQueue(newStorage('SQLite', setting, 'relaxed'));
      await few.fill(FEW);
      const million = new ItemQueue(relaxed(await millionItems(setting)));
      return experiment(setting, { few, million }, [
        flat(
          `${WHAT}, PrioritySyncQueue: ${aMillion(setting).toLocaleString('en-US')} pending / 1,000`,
          'million',
        ),
      ]);
    },
  };
}

function flatStore(): BenchCase {
  return {
    name: 'claim-flat-store',
    group: GROUP,
    setUp: async (setting) => {
      const few = await fewSaves('SQLite', setting);
      const million = new StoreQueue(relaxed(await millionSaves(setting)));
      return experiment(setting, { few, million }, [
        flat(
          `${WHAT}, store's queue: ${aMillion(setting).toLocaleString('en-US')} pending / 1,000`,
          'million',
        ),
      ]);
    },
  };
}

function backedOffItems(kind: Kind): BenchCase {
  return {
    name: `claim-backed-off-items-${kind.toLowerCase()}`,
    group: GROUP,
    setUp: async (setting) => {
      const few = new ItemQueue(newStorage(kind, setting, 'relaxed'));
      await few.fill(FEW);
      const behind = new ItemQueue(newStorage(kind, setting, 'relaxed'));
      await behind.fill(setting.size(100_000, 1000), 'critical');
      await behind.backOffAll();
      await behind.fill(FEW);
      return experiment(setting, { few, behind }, [
        flat(`${WHAT}, PrioritySyncQueue, ${kind}: 100,000 backed off ahead / none`, 'behind'),
      ]);
    },
  };
}

function backedOffStore(kind: Kind): BenchCase {
  return lanes(
    `claim-backed-off-store-${kind.toLowerCase()}`,
    `${WHAT}, store's queue, ${kind}: 100,000 backed off ahead / none`,
    kind,
    async (store, setting) => {
      const count = setting.size(100_000, 1000);
      await store.fill(count);
      await store.send(count / BATCH, () => ({
        kind: 'retry',
        scope: 'entry',
        ambiguous: false,
        retryAfterMs: 3_600_000,
        failure: { code: 'bench/later', at: Date.now() },
      }));
    },
  );
}

function oneLane(kind: Kind): BenchCase {
  return lanes(
    `claim-one-lane-${kind.toLowerCase()}`,
    `${WHAT}, store's queue, ${kind}: 50,000 stuck in one lane / none`,
    kind,
    async (store, setting) => {
      await store.fillOneLane(setting.size(50_000, 500));
      await store.send(1, () => ({
        kind: 'retry',
        scope: 'entry',
        ambiguous: false,
        retryAfterMs: 3_600_000,
        failure: { code: 'bench/later', at: Date.now() },
      }));
    },
  );
}

function manyLanes(kind: Kind): BenchCase {
  return {
    name: `claim-many-lanes-${kind.toLowerCase()}`,
    group: GROUP,
    setUp: async (setting) => {
      // Of each lane only the head is sent in a measurement, so that the next one has to move up.
      const few = new StoreQueue(newStorage(kind, setting, 'relaxed'), 'lanes');
      await few.fillLanes(longRun(setting));
      const many = new StoreQueue(newStorage(kind, setting, 'relaxed'));
      await many.fillLanes(setting.size(50_000, 1000));
      return experiment(setting, { few, many }, [
        flat(`${WHAT}, store's queue, ${kind}: 50,000 lanes of two / 2,100 lanes of two`, 'many'),
      ]);
    },
  };
}

function deadHeads(kind: Kind): BenchCase {
  return lanes(
    `claim-dead-heads-${kind.toLowerCase()}`,
    `${WHAT}, store's queue, ${kind}: dead head in every second of 50,000 lanes / none`,
    kind,
    async (store, setting) => {
      const count = setting.size(50_000, 500);
      await store.fillLanes(count);
      let sent = 0;
      await store.send(count / BATCH, () => {
        sent += 1;
        if (sent % 2 === 0) return { kind: 'applied', version: '1' };
        return {
          kind: 'rejected',
          failure: { code: 'remote/rejected', status: 422, at: Date.now() },
        };
      });
    },
  );
}

/** A store whose queue holds what `prepare` puts there, and then some that may be sent. */
function lanes(
  name: string,
  title: string,
  kind: Kind,
  prepare: (store: StoreQueue, setting: Setting) => Promise<void>,
): BenchCase {
  return {
    name,
    group: GROUP,
    setUp: async (setting) => {
      const few = await fewSaves(kind, setting);
      const crowded = new StoreQueue(newStorage(kind, setting, 'relaxed'));
      await prepare(crowded, setting);
      await crowded.fill(FEW + longRun(setting));
      return experiment(setting, { few, crowded }, [flat(title, 'crowded')]);
    },
  };
}

async function fewSaves(kind: Kind, setting: Setting): Promise<StoreQueue> {
  const few = new StoreQueue(newStorage(kind, setting, 'relaxed'));
  await few.fill(FEW + longRun(setting));
  return few;
}

// ---- pieces ----------------------------------------------------------------------------------------

/** How often a hundred are claimed in one measurement. */
function cycles(setting: Setting): number {
  return setting.size(20, 4);
}

/** What a run of the engine takes before the queue is filled again. */
function longRun(setting: Setting): number {
  return (cycles(setting) + 1) * BATCH;
}

function experiment(
  setting: Setting,
  queues: Readonly<Record<string, MeasuredQueue>>,
  figures: readonly Figure[],
): Experiment {
  const subjects = Object.entries(queues).map(([name, queue]): Subject => ({
    name,
    measure: async () => ({ ms: await queue.cycle(cycles(setting)) }),
  }));
  return {
    subjects,
    figures,
    rounds: 7,
    warmUps: 5,
    close: async () => {
      for (const queue of Object.values(queues)) await queue.close();
    },
  };
}

function figure(title: string, subject: string, reference: string): Figure {
  return { title, unit: 'ms', ours: [subject, 'ms'], reference: [reference, 'ms'] };
}

function flat(title: string, subject: string): Figure {
  return { ...figure(title, subject, 'few'), bar: atMost(1.3) };
}

function newStorage(kind: Kind, setting: Setting, durability: Durability): Storage {
  if (kind === 'memory') return memoryStorage();
  return sqliteStorage({ path: newPath(setting, 'queue'), durability });
}

function relaxed(path: string): Storage {
  return sqliteStorage({ path, durability: 'relaxed' });
}
