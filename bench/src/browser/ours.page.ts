// nexus-store over IndexedDB, through its public entries.
import { createBackend, NexusStore, PrioritySyncQueue } from 'nexus-store';
import type { Outcome, Remote } from 'nexus-store';
import { httpRemote } from 'nexus-store/http';
import { indexedDbStorage } from 'nexus-store/indexeddb';
import { median } from '../harness/statistics.ts';
import { makeReports, type Report } from '../support/reports.ts';
import type { Durability, Speed } from './measured.ts';
import { settled, speed } from './measured.ts';

const NO_LIMITS = { maxEntries: Infinity, maxBytes: Infinity } as const;
const CHUNK = 5000;
let databases = 0;

const newName = (): string => `ours-${(databases += 1)}-${Date.now()}`;

export async function ourConcurrentSaves(count: number, durability: Durability): Promise<Speed> {
  return await inNewStore(durability, async (store) => {
    const reports = makeReports(count);
    const startedAt = performance.now();
    await Promise.all(reports.map((report) => store.save(report)));
    return speed(count, performance.now() - startedAt);
  });
}

export async function ourSequentialSaves(count: number, durability: Durability): Promise<Speed> {
  return await inNewStore(durability, async (store) => {
    const reports = makeReports(count);
    const startedAt = performance.now();
    for (const report of reports) await store.save(report);
    return speed(count, performance.now() - startedAt);
  });
}

export async function ourEnqueues(count: number, durability: Durability): Promise<Speed> {
  const name = newName();
  const queue = new PrioritySyncQueue<Report>({ storage: indexedDbStorage({ name, durability }) });
  const reports = makeReports(count + 1);
  await queue.enqueue(reports.pop() as Report);
  const startedAt = performance.now();
  await Promise.all(reports.map((report) => queue.enqueue(report)));
  const elapsedMs = performance.now() - startedAt;
  await queue.close();
  await remove(name);
  return speed(count, elapsedMs);
}

/** Median time to claim and complete a hundred items of so many, all of one priority. */
export async function ourClaims(pending: number, times: number): Promise<{ ms: number }> {
  return await claims(`our-claims-${pending}`, pending, times, async (queue, reports) => {
    await Promise.all(reports.map((report) => queue.enqueue(report)));
  });
}

/** The same with priorities mixed, so that what is acknowledged does not lie together. */
export async function ourScatteredClaims(pending: number, times: number): Promise<{ ms: number }> {
  const name = `our-scattered-${pending}`;
  return await claims(name, pending, times, async (queue, reports) => {
    // Every second one is more urgent than its neighbour: among what is left every second is missing.
    await Promise.all(
      reports.map((report, i) => queue.enqueue(report, i % 2 === 0 ? 'high' : 'low')),
    );
  });
}

async function claims(
  name: string,
  pending: number,
  times: number,
  enqueue: (queue: PrioritySyncQueue<Report>, reports: readonly Report[]) => Promise<void>,
): Promise<{ ms: number }> {
  const storage = indexedDbStorage({ name });
  const queue = new PrioritySyncQueue<Report>({ storage, limits: NO_LIMITS, lease: '1h' });
  const missing = pending - (await queue.length());
  for (let made = 0; made < missing; made += CHUNK) {
    await enqueue(queue, makeReports(Math.min(CHUNK, missing - made)));
  }
  await settled(missing);
  const elapsed: number[] = [];
  for (let i = 0; i < times; i += 1) {
    const startedAt = performance.now();
    const claim = await queue.claim({ limit: 100 });
    if (claim?.items.length !== 100) throw new Error('the queue ran dry');
    await queue.complete(claim);
    elapsed.push(performance.now() - startedAt);
    await enqueue(queue, makeReports(100));
  }
  await queue.close();
  return { ms: median(elapsed) };
}

/** Everything saved and then sent to a server, with so many requests under way. */
export async function ourDrain(
  url: string,
  count: number,
  batch: number,
  concurrency: number,
): Promise<Speed> {
  const name = newName();
  const backend = createBackend({
    storage: indexedDbStorage({ name }),
    remote: httpRemote({ url, pull: false, events: false }),
    autoSync: false,
    concurrency,
    batchSize: batch,
  });
  const store = new NexusStore<Report>({ backend, collection: 'reports' });
  await store.saveAll(makeReports(count));
  const startedAt = performance.now();
  const report = await backend.sync();
  const elapsedMs = performance.now() - startedAt;
  if (report.pushed !== count) throw new Error(`a drain ended early: ${JSON.stringify(report)}`);
  await backend.close();
  await remove(name);
  return speed(count, elapsedMs);
}

/** Milliseconds from making a backend over a database with so many waiting to its first request. */
export async function ourColdStart(pending: number): Promise<{ ms: number }> {
  const name = `our-cold-${pending}`;
  await fillStore(name, pending);
  const remote = new FirstRequest();
  const startedAt = performance.now();
  const backend = createBackend({ storage: indexedDbStorage({ name }), remote, autoSync: false });
  new NexusStore<Report>({ backend, collection: 'reports' });
  const syncing = backend.sync({ signal: remote.signal });
  const ms = (await remote.arrivedAt) - startedAt;
  await syncing;
  await backend.close();
  return { ms };
}

async function fillStore(name: string, pending: number): Promise<void> {
  const backend = createBackend({ storage: indexedDbStorage({ name }), autoSync: false });
  const store = new NexusStore<Report>({ backend, collection: 'reports' });
  await backend.open();
  const missing = pending - backend.pendingChangesCount.current;
  for (let made = 0; made < missing; made += CHUNK) {
    await store.saveAll(makeReports(Math.min(CHUNK, missing - made)));
  }
  await backend.close();
}

/** A server that notes when the first request arrives, and never answers: the queue stays as it is. */
class FirstRequest implements Remote {
  readonly capabilities: Remote['capabilities'] = { pull: false, hints: false, maxBatch: 100 };
  readonly #controller = new AbortController();
  #arrive: (at: number) => void = () => undefined;
  readonly arrivedAt: Promise<number> = new Promise((resolve) => (this.#arrive = resolve));

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  push(): Promise<readonly Outcome[]> {
    this.#arrive(performance.now());
    this.#controller.abort();
    return new Promise(() => undefined);
  }

  pull(): Promise<never> {
    return Promise.reject(new Error('this server is not asked'));
  }

  async listen(): Promise<void> {}

  async close(): Promise<void> {}
}

async function inNewStore<R>(
  durability: Durability,
  work: (store: NexusStore<Report>) => Promise<R>,
): Promise<R> {
  const name = newName();
  const backend = createBackend({
    storage: indexedDbStorage({ name, durability }),
    autoSync: false,
  });
  const store = new NexusStore<Report>({ backend, collection: 'reports' });
  await backend.open();
  const result = await work(store);
  await backend.close();
  await remove(name);
  return result;
}

function remove(name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name);
    request.onsuccess = () => resolve();
    request.onerror = () => reject(request.error);
  });
}
