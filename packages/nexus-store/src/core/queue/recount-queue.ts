import { parsedObject } from '../model/stored-text.ts';
import { closedPartitions } from './partitions.ts';
import { NO_COUNTERS, QueueState, type Counters } from './queue-state.ts';
import { entryBytes, type EntryRecord } from './records.ts';
import type { UnitOfWork } from './unit-of-work.ts';

const PAGE = 1_000;
/** Numbers given out and gone again are not known any more: the next ones are well above all that are. */
const MARGIN = 1_000_000;

/** The counters of all partitions and the next numbers, from what is stored: the record of them is damaged. */
export async function recountQueue(uow: UnitOfWork): Promise<QueueState> {
  const counters: Record<number, Counters> = {};
  const collections: Record<number, Record<string, number>> = {};
  let lastSeq = 0;
  for await (const entry of allEntries(uow)) {
    const { partition, state, collection } = entry;
    lastSeq = Math.max(lastSeq, entry.seq);
    counters[partition] = withEntry(counters[partition] ?? NO_COUNTERS, entry);
    if (state !== null) continue;
    const counts = (collections[partition] ??= Object.create(null) as Record<string, number>);
    counts[collection] = (counts[collection] ?? 0) + 1;
  }
  const [left] = await uow.scan('departures', { reverse: true, limit: 1 });
  const [lease] = await uow.scan('leases', { reverse: true, limit: 1 });
  return QueueState.recounted({
    nextSeq: Math.max(lastSeq, Number(left?.['seq'] ?? 0)) + MARGIN,
    nextFence: Number(lease?.['fence'] ?? 0) + MARGIN,
    acknowledgements: MARGIN,
    fetchFloor: await fetchFloor(uow),
    indexes: MARGIN,
    closed: await closedPartitions(uow),
    counters,
    collections,
  });
}

/**
 * The latest full fetch that is under way: what comes while it lasts does not count as older. Never 0, for
 * something may have been fetched.
 */
async function fetchFloor(uow: UnitOfWork): Promise<number> {
  let floor = 1;
  let from: readonly string[] = ['cursor:'];
  for (;;) {
    const page = await uow.scan('meta', { from, fromOpen: true, to: ['cursor;'], limit: PAGE });
    for (const { value } of page) {
      const { sweepFrom } = (parsedObject(value as string) ?? {}) as { sweepFrom?: unknown };
      if (typeof sweepFrom === 'number') floor = Math.max(floor, sweepFrom);
    }
    if (page.length < PAGE) return floor;
    from = [page.at(-1)?.['name'] as string];
  }
}

function withEntry(before: Counters, entry: EntryRecord): Counters {
  const { state, priority } = entry;
  const pending = [...before.pending] as [number, number, number, number];
  if (state === null) pending[priority] += 1;
  return {
    pending,
    dead: before.dead + (state === 'dead' ? 1 : 0),
    conflicts: before.conflicts + (state === 'conflict' ? 1 : 0),
    bytes: before.bytes + entryBytes(entry.payload),
  };
}

async function* allEntries(uow: UnitOfWork): AsyncGenerator<EntryRecord> {
  for (let from = -1; ;) {
    const page = await uow.scanEntries({ from: [from], fromOpen: true, limit: PAGE });
    yield* page;
    if (page.length < PAGE) return;
    from = (page.at(-1) as EntryRecord).position;
  }
}
