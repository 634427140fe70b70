/**
 * Opens one database in a fresh process, claims a hundred entries, and reports what that cost. Loading
 * the code is not part of it: `main` imports everything first.
 *
 *   node open-process.ts items|store|text|integer FILE
 */
import { sqliteStorage } from 'nexus-store/sqlite';
import { BATCH, ItemQueue, StoreQueue } from './queues.ts';
import { RawDatabase, type RawLayout } from './raw-database.ts';

export interface OpeningCost {
  readonly openMs: number;
  readonly claimMs: number;
  readonly addedMb: number;
}

const [kind = '', path = ''] = process.argv.slice(2);
const memoryBefore = process.memoryUsage.rss();
const startedAt = performance.now();
const cost = await (kind === 'items' ? openItems() : kind === 'store' ? openStore() : openRaw());
console.log(JSON.stringify(cost));

async function openItems(): Promise<OpeningCost> {
  const items = new ItemQueue(sqliteStorage({ path }));
  const openedAt = performance.now();
  const claim = await items.queue.claim({ limit: BATCH });
  if (claim?.items.length !== BATCH) throw new Error('too little was claimed');
  const measured = costUntilNow(openedAt);
  await items.queue.release(claim);
  await items.close();
  return measured;
}

async function openStore(): Promise<OpeningCost> {
  const store = new StoreQueue(sqliteStorage({ path }));
  await store.backend.open();
  const openedAt = performance.now();
  let measured: OpeningCost | undefined;
  await store.send(1, () => {
    // The first request is about to be sent: its entries are claimed and ready.
    measured ??= costUntilNow(openedAt);
    return { kind: 'applied', version: '1' };
  });
  await store.fill(BATCH);
  await store.close();
  if (measured === undefined) throw new Error('nothing was sent');
  return measured;
}

async function openRaw(): Promise<OpeningCost> {
  const database = new RawDatabase(path, kind as RawLayout, 'FULL');
  const openedAt = performance.now();
  const entries = database.claim(BATCH);
  const items = entries.map(({ payload }): unknown => JSON.parse(payload));
  if (items.length !== BATCH) throw new Error('too little was claimed');
  const measured = costUntilNow(openedAt);
  database.release(entries);
  database.close();
  return measured;
}

function costUntilNow(openedAt: number): OpeningCost {
  const now = performance.now();
  return {
    openMs: openedAt - startedAt,
    claimMs: now - openedAt,
    addedMb: (process.memoryUsage.rss() - memoryBefore) / 2 ** 20,
  };
}
