// IndexedDB by hand: what a library is measured against. Written to be as fast as it gets: out-of-line keys,
// no index, no handler but the last, and `commit` as soon as nothing more comes. Only single writes are also
// measured as everybody writes them, without `commit`.
import { median } from '../harness/statistics.ts';
import { makeReports, type Report } from '../support/reports.ts';
import type { Durability, Speed } from './measured.ts';
import { settled, speed } from './measured.ts';

let databases = 0;

/** A transaction commits by itself when nothing more comes, or is told to. */
type Commits = 'by itself' | 'early commit';

/** One transaction after another, each of so many writes: the queue's row and the store's row. */
export async function rawSaves(
  count: number,
  batch: number,
  durability: Durability,
  commits: Commits = batch === 1 ? 'by itself' : 'early commit',
): Promise<Speed> {
  const database = await RawDatabase.create();
  const reports = makeReports(count);
  const startedAt = performance.now();
  for (let at = 0; at < count; at += batch) {
    await database.save(reports.slice(at, at + batch), durability, commits);
  }
  const elapsedMs = performance.now() - startedAt;
  await database.remove();
  return speed(count, elapsedMs);
}

/**
 * One transaction after another with the requests that a save needs, and nothing else done: it looks whether
 * other tabs have committed and whether the row is there, and stores the queue's row, the store's row, the
 * counters, and that this tab has committed.
 */
export async function rawSavesWithAllRequests(count: number): Promise<Speed> {
  const database = await RawDatabase.create();
  const reports = makeReports(count);
  const startedAt = performance.now();
  for (const report of reports) await database.saveWithAllRequests(report);
  const elapsedMs = performance.now() - startedAt;
  await database.remove();
  return speed(count, elapsedMs);
}

/** The queue's rows alone. */
export async function rawEnqueues(count: number, durability: Durability): Promise<Speed> {
  const database = await RawDatabase.create();
  const reports = makeReports(count);
  const startedAt = performance.now();
  for (let at = 0; at < count; at += 1000) {
    await database.enqueue(reports.slice(at, at + 1000), durability);
  }
  const elapsedMs = performance.now() - startedAt;
  await database.remove();
  return speed(count, elapsedMs);
}

/** Median time to claim and complete a hundred of so many: one lease record, one range of keys. */
export async function rawClaims(pending: number, times: number): Promise<{ ms: number }> {
  return await claims(`raw-claims-${pending}`, pending, times, 'a run');
}

/** The same with priorities mixed, and a delete for each: what is taken does not lie together. */
export async function rawScatteredClaims(pending: number, times: number): Promise<{ ms: number }> {
  return await claims(`raw-scattered-${pending}`, pending, times, 'scattered');
}

type Layout = 'a run' | 'scattered';

async function claims(
  name: string,
  pending: number,
  times: number,
  layout: Layout,
): Promise<{ ms: number }> {
  const database = await RawDatabase.create(name);
  const missing = pending - (await database.count());
  for (let made = 0; made < missing; made += 1000) {
    await database.enqueue(makeReports(Math.min(1000, missing - made)), 'relaxed', layout);
  }
  await settled(missing);
  const elapsed: number[] = [];
  for (let i = 0; i < times; i += 1) {
    const startedAt = performance.now();
    await database.claimAndComplete(100, layout);
    elapsed.push(performance.now() - startedAt);
    await database.enqueue(makeReports(100), 'relaxed', layout);
  }
  database.close();
  return { ms: median(elapsed) };
}

/**
 * What becomes of a document when its version is known. `overwritten`: it is put as it was sent, and an edit made
 * meanwhile is lost. `read first`: what is there gets the version.
 */
type Documents = 'overwritten' | 'read first';

/** The loop one would write by hand: claim, `fetch`, delete what was taken, with several under way. */
export async function rawDrain(
  url: string,
  count: number,
  batch: number,
  concurrency: number,
  documents: Documents = 'overwritten',
): Promise<Speed> {
  const database = await RawDatabase.create();
  for (let made = 0; made < count; made += 1000) {
    await database.save(makeReports(Math.min(1000, count - made)), 'relaxed', 'early commit');
  }
  const taken = new Set<number>();
  let reading: Promise<unknown> = Promise.resolve();
  const next = async (): Promise<readonly QueueRow[]> => {
    const rows = await database.claim(batch, taken);
    for (const row of rows) taken.add(row.seq);
    return rows;
  };
  const work = async (): Promise<void> => {
    for (;;) {
      // One reader at a time, or two would take the same rows.
      const claiming = reading.then(next);
      reading = claiming;
      const rows = await claiming;
      if (rows.length === 0) return;
      await push(url, rows);
      await database.complete(rows, '1', documents);
      for (const row of rows) taken.delete(row.seq);
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: concurrency }, work));
  const elapsedMs = performance.now() - startedAt;
  await database.remove();
  return speed(count, elapsedMs);
}

const CONTENT_TYPE = 'application/vnd.nexus-store.v1+json';

async function push(url: string, rows: readonly QueueRow[]): Promise<void> {
  const operations = rows.map(
    ({ id, entity, payload }) =>
      `{"id":"${id}","idempotencyKey":"${id}","collection":"reports","entityId":"${entity}"` +
      `,"operation":"create","schemaVersion":1,"payload":${payload}}`,
  );
  const response = await fetch(`${url}/v1/push`, {
    method: 'POST',
    headers: { 'content-type': CONTENT_TYPE, accept: CONTENT_TYPE },
    body: `{"protocol":1,"operations":[${operations.join()}]}`,
  });
  const { results } = (await response.json()) as { results: readonly { status: string }[] };
  if (results.some(({ status }) => status !== 'applied')) throw new Error('not applied');
}

/** Milliseconds from opening a database with so many waiting to the first request. */
export async function rawColdStart(pending: number): Promise<{ ms: number }> {
  const name = `raw-cold-${pending}`;
  const filling = await RawDatabase.create(name);
  for (let made = await filling.count(); made < pending; made += 1000) {
    await filling.enqueue(makeReports(Math.min(1000, pending - made)), 'relaxed');
  }
  filling.close();
  const startedAt = performance.now();
  const database = await RawDatabase.create(name);
  const rows = await database.claim(50, new Set());
  const ms = performance.now() - startedAt;
  if (rows.length !== 50) throw new Error('the queue ran dry');
  database.close();
  return { ms };
}

interface QueueRow {
  readonly id: string;
  readonly priority: number;
  readonly seq: number;
  readonly entity: string;
  readonly payload: string;
  readonly state: number;
  readonly attempts: number;
  readonly notBefore: number;
  readonly created: number;
}

class RawDatabase {
  readonly #database: IDBDatabase;
  #seq = 0;

  private constructor(database: IDBDatabase) {
    this.#database = database;
  }

  static async create(name = `raw-${(databases += 1)}-${Date.now()}`): Promise<RawDatabase> {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      for (const store of ['queue', 'rows', 'leases']) request.result.createObjectStore(store);
    };
    const raw = new RawDatabase(await done(request));
    raw.#seq = await raw.#lastSeq();
    return raw;
  }

  async save(reports: readonly Report[], durability: Durability, commits: Commits): Promise<void> {
    const tx = this.#database.transaction(['queue', 'rows'], 'readwrite', { durability });
    const [queue, rows] = [tx.objectStore('queue'), tx.objectStore('rows')];
    for (const report of reports) {
      const json = JSON.stringify(report);
      this.#put(queue, report.id, json);
      rows.put({ collection: 'reports', id: report.id, json }, ['reports', report.id]);
    }
    await committed(tx, commits);
  }

  async saveWithAllRequests(report: Report): Promise<void> {
    const tx = this.#database.transaction(['queue', 'rows'], 'readwrite', { durability: 'strict' });
    const [queue, rows] = [tx.objectStore('queue'), tx.objectStore('rows')];
    rows.getAll(IDBKeyRange.bound(['commits'], ['commits', []]));
    await done(rows.get(['reports', report.id]));
    const json = JSON.stringify(report);
    this.#put(queue, report.id, json);
    rows.put({ collection: 'reports', id: report.id, json }, ['reports', report.id]);
    rows.put({ nextSeq: this.#seq }, ['counters']);
    rows.put(this.#seq, ['commits', 'me']);
    await committed(tx);
  }

  async enqueue(
    reports: readonly Report[],
    durability: Durability,
    layout: Layout = 'a run',
  ): Promise<void> {
    const tx = this.#database.transaction('queue', 'readwrite', { durability });
    for (const [i, report] of reports.entries()) {
      const priority = layout === 'a run' ? 2 : i % 2 === 0 ? 1 : 3;
      this.#put(tx.objectStore('queue'), report.id, JSON.stringify(report), priority);
    }
    await committed(tx);
  }

  /** Reads the best, notes who has them, and deletes them: all were acknowledged. */
  async claimAndComplete(count: number, layout: Layout): Promise<void> {
    const claim = this.#database.transaction(['queue', 'leases'], 'readwrite', {
      durability: 'strict',
    });
    const rows: QueueRow[] = await done(claim.objectStore('queue').getAll(null, count));
    if (rows.length !== count) throw new Error('the queue ran dry');
    claim.objectStore('leases').put({ owner: 'me', seqs: rows.map((row) => row.seq) }, 1);
    await committed(claim);
    for (const row of rows) JSON.parse(row.payload);
    const settle = this.#database.transaction(['queue', 'leases'], 'readwrite', {
      durability: 'strict',
    });
    const queue = settle.objectStore('queue');
    const [first, last] = [rows[0] as QueueRow, rows.at(-1) as QueueRow];
    if (layout === 'a run') {
      queue.delete(IDBKeyRange.bound([first.priority, first.seq], [last.priority, last.seq]));
    } else {
      for (const row of rows) queue.delete([row.priority, row.seq]);
    }
    settle.objectStore('leases').delete(1);
    await committed(settle);
  }

  /** The best that nobody has; who has them is remembered here only. */
  async claim(count: number, taken: ReadonlySet<number>): Promise<readonly QueueRow[]> {
    const queue = this.#database.transaction('queue').objectStore('queue');
    const rows: QueueRow[] = await done(queue.getAll(null, count + taken.size));
    return rows.filter((row) => !taken.has(row.seq)).slice(0, count);
  }

  /** Takes what the server has out of the queue, and tells each document the version it has there. */
  async complete(taken: readonly QueueRow[], version: string, documents: Documents): Promise<void> {
    const tx = this.#database.transaction(['queue', 'rows'], 'readwrite', { durability: 'strict' });
    const [queue, rows] = [tx.objectStore('queue'), tx.objectStore('rows')];
    const keys = taken.map(({ entity }) => ['reports', entity]);
    const there: readonly object[] =
      documents === 'read first'
        ? await Promise.all(keys.map((key) => done<object>(rows.get(key))))
        : taken.map(({ entity, payload }) => ({
            collection: 'reports',
            id: entity,
            json: payload,
          }));
    for (const [i, row] of there.entries()) rows.put({ ...row, version }, keys[i]);
    const [first, last] = [taken[0] as QueueRow, taken.at(-1) as QueueRow];
    const isRun = last.seq - first.seq === taken.length - 1 && last.priority === first.priority;
    if (isRun) {
      queue.delete(IDBKeyRange.bound([first.priority, first.seq], [last.priority, last.seq]));
    } else {
      for (const row of taken) queue.delete([row.priority, row.seq]);
    }
    await committed(tx);
  }

  async count(): Promise<number> {
    return await done(this.#database.transaction('queue').objectStore('queue').count());
  }

  close(): void {
    this.#database.close();
  }

  async remove(): Promise<void> {
    this.#database.close();
    await done(indexedDB.deleteDatabase(this.#database.name));
  }

  #put(queue: IDBObjectStore, entity: string, payload: string, priority = 2): void {
    this.#seq += 1;
    const row: QueueRow = {
      id: crypto.randomUUID(),
      priority,
      seq: this.#seq,
      entity,
      payload,
      state: 0,
      attempts: 0,
      notBefore: 0,
      created: Date.now(),
    };
    queue.put(row, [row.priority, row.seq]);
  }

  async #lastSeq(): Promise<number> {
    const store = this.#database.transaction('queue').objectStore('queue');
    const cursor = await done(store.openKeyCursor(null, 'prev'));
    return cursor === null ? 0 : ((cursor.key as [number, number])[1] ?? 0);
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function committed(tx: IDBTransaction, commits: Commits = 'early commit'): Promise<void> {
  return new Promise((resolve, reject) => {
    tx.oncomplete = () => resolve();
    tx.onabort = () => reject(tx.error);
    if (commits === 'early commit') tx.commit();
  });
}
