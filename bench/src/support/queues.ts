import {
  createBackend,
  NexusStore,
  PrioritySyncQueue,
  type SyncPriority,
  type Storage,
  type StoreBackend,
  type SyncReport,
} from 'nexus-store';
import { median } from '../harness/statistics.ts';
import { InstantRemote, type Answer } from './instant-remote.ts';
import type { RawDatabase } from './raw-database.ts';
import { makeReports, type Report } from './reports.ts';

/** What one claim takes. */
export const BATCH = 100;
const NO_LIMITS = { maxEntries: 1e9, maxBytes: 1e15, maxEntryBytes: 1e9 } as const;
/** So many are written at a time while a queue is filled. */
const CHUNK = 5000;

/** A queue that is measured by claiming and completing a hundred entries at a time. */
export interface MeasuredQueue {
  /** Median time for a hundred entries, claimed and completed; as many come anew afterwards. */
  cycle(times: number): Promise<number>;
  close(): Promise<void>;
}

/** One in a hundred is critical, one in ten high or better. */
export function priorityAt(index: number): SyncPriority {
  const percent = index % 100;
  return percent === 0 ? 'critical' : percent < 10 ? 'high' : percent < 70 ? 'normal' : 'low';
}

/** `PrioritySyncQueue`, through its public methods. */
export class ItemQueue implements MeasuredQueue {
  readonly queue: PrioritySyncQueue<Report>;

  constructor(storage: Storage) {
    this.queue = new PrioritySyncQueue<Report>({ storage, limits: NO_LIMITS, lease: '1h' });
  }

  async fill(count: number, priority?: SyncPriority): Promise<void> {
    for (let made = 0; made < count; made += CHUNK) {
      const reports = makeReports(Math.min(CHUNK, count - made));
      await Promise.all(
        reports.map((report, index) => this.queue.enqueue(report, priority ?? priorityAt(index))),
      );
    }
  }

  /** Everything that is in the queue is tried, fails, and waits for an hour. */
  async backOffAll(): Promise<void> {
    for (;;) {
      const claim = await this.queue.claim({ limit: 500 });
      if (claim === undefined) return;
      await this.queue.release(claim, { delay: '1h' });
    }
  }

  async cycle(times: number): Promise<number> {
    const elapsed: number[] = [];
    for (let i = 0; i < times; i += 1) {
      const startedAt = performance.now();
      const claim = await this.queue.claim({ limit: BATCH });
      if (claim?.items.length !== BATCH) throw new Error('the queue ran dry');
      await this.queue.complete(claim);
      elapsed.push(performance.now() - startedAt);
      await this.fill(BATCH);
    }
    return median(elapsed);
  }

  close(): Promise<void> {
    return this.queue.close();
  }
}

/** A store's queue, drained by its engine into a server that answers at once. */
export class StoreQueue implements MeasuredQueue {
  readonly backend: StoreBackend;
  readonly store: NexusStore<Report>;
  readonly remote: InstantRemote = new InstantRemote(BATCH);
  readonly #refill: 'entities' | 'lanes';

  /** @param refill what comes after each measurement: as many entities, or fresh lanes of two */
  constructor(storage: Storage, refill: 'entities' | 'lanes' = 'entities') {
    this.#refill = refill;
    this.backend = createBackend({
      storage,
      remote: this.remote,
      autoSync: false,
      concurrency: 1,
      batchSize: BATCH,
      limits: NO_LIMITS,
    });
    this.store = new NexusStore<Report>({
      backend: this.backend,
      collection: 'reports',
      coalesce: false,
    });
  }

  /** So many entities with one entry each. */
  async fill(count: number): Promise<void> {
    for (let made = 0; made < count; made += CHUNK)
      await this.store.saveAll(makeReports(Math.min(CHUNK, count - made)));
  }

  /** So many entities with two entries each. */
  async fillLanes(count: number): Promise<void> {
    const reports = makeReports(count);
    for (const _entry of [1, 2]) {
      for (let start = 0; start < count; start += CHUNK)
        await this.store.saveAll(reports.slice(start, start + CHUNK));
    }
  }

  /** One entity with so many entries. */
  async fillOneLane(count: number): Promise<void> {
    const [report] = makeReports(1);
    for (let made = 0; made < count; made += CHUNK) {
      const times = Math.min(CHUNK, count - made);
      await this.store.saveAll(Array.from({ length: times }, () => report as Report));
    }
  }

  /** Sends so many requests and lets the server answer this. */
  async send(requests: number, answer?: Answer): Promise<SyncReport> {
    return this.backend.sync({ signal: this.remote.arm(requests, answer) });
  }

  async cycle(times: number): Promise<number> {
    const report = await this.send(times + 1);
    const { gapsMs, requests } = this.remote;
    if (gapsMs.length < times / 2) {
      throw new Error(`only ${requests} requests were made: ${JSON.stringify(report)}`);
    }
    const ms = median(gapsMs);
    const count = this.remote.requests * BATCH;
    if (this.#refill === 'entities') {
      await this.fill(count);
    } else {
      await this.send(Number.POSITIVE_INFINITY);
      await this.fillLanes(count);
    }
    return ms;
  }

  close(): Promise<void> {
    return this.backend.close();
  }
}

/** The same by hand. */
export class RawQueue implements MeasuredQueue {
  readonly #database: RawDatabase;
  readonly #withRows: boolean;

  /** @param withRows also tell the row of each entry the version that the server gave it */
  constructor(database: RawDatabase, withRows: boolean) {
    this.#database = database;
    this.#withRows = withRows;
  }

  fill(count: number): void {
    for (let made = 0; made < count; made += CHUNK) {
      const reports = makeReports(Math.min(CHUNK, count - made));
      this.#database.transaction(() => {
        reports.forEach((report, index) => {
          if (this.#withRows) this.#database.save(report);
          else this.#database.enqueue(JSON.stringify(report), report.id, RANKS[priorityAt(index)]);
        });
      });
    }
  }

  async cycle(times: number): Promise<number> {
    const elapsed: number[] = [];
    for (let i = 0; i < times; i += 1) {
      const startedAt = performance.now();
      const entries = this.#database.claim(BATCH);
      const items = entries.map(({ payload }): unknown => JSON.parse(payload));
      if (items.length !== BATCH) throw new Error('the queue ran dry');
      this.#database.complete(entries, this.#withRows ? '1' : undefined);
      elapsed.push(performance.now() - startedAt);
      this.fill(BATCH);
    }
    return median(elapsed);
  }

  async close(): Promise<void> {
    this.#database.close();
  }
}

const RANKS = { critical: 0, high: 1, normal: 2, low: 3 } as const;
